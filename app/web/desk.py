"""The desk: what was asked, what helped, notes on passages, when a matter was settled."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from app.core.book import Book, Passage
from app.core.errors import BadRequest, NotFound
from app.core.ledger import Lookup, Note
from app.web.view import Product, View, check_same_site, day_of

LISTED = 200
MAX_TEXT = 1000
MAX_NAME = 40

# A browser that keeps notes to itself is known by a random number, and by nothing else.
COOKIE = "shiori_desk"
# The look-up a browser is on lies with the browser alone: who asked what is not kept here.
LOOKUP_COOKIE = "shiori_lookup"
_YEARS = 2 * 365 * 24 * 3600
_READER = re.compile(r"[0-9a-f]{32}")


def router(product: Product, view: View) -> APIRouter:
    """History, verdicts, notes and the end of a look-up."""
    routes = APIRouter(include_in_schema=False)
    ledger = product.ledger

    @routes.get("/history")
    def history(request: Request, containing: str = "") -> Response:
        lookups = ledger.lookups(containing=containing.strip(), limit=LISTED)
        return view.page(
            request,
            "history.html",
            containing=containing.strip(),
            days=by_day(lookups),
            listed=LISTED,
            is_cut=len(lookups) == LISTED,
        )

    @routes.get("/notes")
    def notes(request: Request, containing: str = "", folder: str | None = None) -> Response:
        reader = reader_of(request)
        listed = ledger.all_notes(reader, containing=containing.strip(), folder=folder)
        return view.page(
            request,
            "notes.html",
            containing=containing.strip(),
            folder=folder,
            folders=ledger.folders(reader),
            notes=_placed(product, listed),
        )

    @routes.post("/lookups/{lookup}/solved", dependencies=[Depends(check_same_site)])
    def solve(lookup: int) -> Response:
        ledger.solve(lookup)
        return RedirectResponse(f"/?solved={lookup}", 303)

    @routes.post("/verdicts", dependencies=[Depends(check_same_site)])
    def verdict(
        query: Annotated[str, Form()],
        passage_id: Annotated[str, Form()],
        helpful: Annotated[bool, Form()],
        back: Annotated[str, Form()],
        reason: Annotated[str, Form()] = "",
        name: Annotated[str, Form()] = "",
    ) -> Response:
        ledger.give_verdict(
            _short(query, product.settings.question_max_chars, "query"),
            passage_id,
            helpful,
            _short(reason, MAX_TEXT, "reason"),
            _short(name, MAX_NAME, "name"),
        )
        return RedirectResponse(own_address(back), 303)

    @routes.post("/notes", dependencies=[Depends(check_same_site)])
    def add_note(
        request: Request,
        passage_id: Annotated[str, Form()],
        back: Annotated[str, Form()],
        text: Annotated[str, Form()] = "",
        name: Annotated[str, Form()] = "",
        folder: Annotated[str, Form()] = "",
        own: Annotated[bool, Form()] = False,
    ) -> Response:
        written = _short(text, MAX_TEXT, "text")
        if not written:
            raise BadRequest("付箋が空です。", hint="書いてから貼ってください。", field="text")
        response = RedirectResponse(own_address(back), 303)
        ledger.add_note(
            passage_id,
            written,
            _short(name, MAX_NAME, "name"),
            folder=_short(folder, MAX_NAME, "folder"),
            owner=_owner(request, response) if own else "",
        )
        return response

    @routes.post("/notes/{note}/change", dependencies=[Depends(check_same_site)])
    def change_note(
        request: Request,
        note: int,
        back: Annotated[str, Form()],
        folder: Annotated[str, Form()] = "",
        own: Annotated[bool, Form()] = False,
    ) -> Response:
        response = RedirectResponse(own_address(back), 303)
        ledger.change_note(
            note,
            folder=_short(folder, MAX_NAME, "folder"),
            owner=_owner(request, response) if own else "",
            reader=reader_of(request),
        )
        return response

    @routes.post("/notes/{note}/remove", dependencies=[Depends(check_same_site)])
    def remove_note(request: Request, note: int, back: Annotated[str, Form()]) -> Response:
        ledger.remove_note(note, reader_of(request))
        return RedirectResponse(own_address(back), 303)

    return routes


def reader_of(request: Request) -> str:
    """The browser's number, empty while it has kept no note to itself."""
    given = request.cookies.get(COOKIE, "")
    return given if _READER.fullmatch(given) else ""


def own_lookup(request: Request) -> int | None:
    """The look-up the browser is on; None before its first."""
    given = request.cookies.get(LOOKUP_COOKIE, "")
    return int(given) if re.fullmatch(r"[0-9]{1,15}", given) else None


def keep_lookup(response: Response, lookup: int) -> None:
    """Has the browser remember its look-up until it is closed."""
    response.set_cookie(LOOKUP_COOKIE, str(lookup), httponly=True, samesite="lax")


def _owner(request: Request, response: Response) -> str:
    """The browser's number; one without is given one."""
    owner = reader_of(request) or secrets.token_hex(16)
    response.set_cookie(COOKIE, owner, max_age=_YEARS, httponly=True, samesite="lax")
    return owner


def own_address(address: str) -> str:
    """An address of this service to go back to; the search page for any other."""
    is_own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_own else "/"


def by_day(lookups: Sequence[Lookup]) -> list[tuple[str, list[Lookup]]]:
    """Look-ups under the day they began on, in the order given."""
    days: dict[str, list[Lookup]] = {}
    for lookup in lookups:
        days.setdefault(day_of(lookup.started_at), []).append(lookup)
    return list(days.items())


def _placed(
    product: Product, notes: Sequence[Note]
) -> list[tuple[Note, Passage | None, Book | None]]:
    """Notes with their passages; None where the passage is no longer on the shelf."""
    placed: list[tuple[Note, Any, Any]] = []
    for note in notes:
        try:
            passage = product.ledger.passage(note.passage_id)
        except NotFound:
            placed.append((note, None, None))
        else:
            placed.append((note, passage, product.ledger.book(passage.book_id)))
    return placed


def _short(text: str, most: int, field: str) -> str:
    stripped = text.strip()
    if len(stripped) > most:
        raise BadRequest(
            f"長すぎます ({len(stripped):,}文字)。{most:,}文字まで書けます。",
            hint="短くして、もう一度送ってください。",
            field=field,
        )
    return stripped
