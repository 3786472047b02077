"""Who may change the shelf: somebody at the service's own machine, or with the password."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from app.core.book import Book
from app.core.errors import Forbidden
from app.core.glossary import Glossary
from app.core.lawchanges import LawChanges
from app.core.ledger import Ledger
from app.core.tables import SiteTable
from app.search.pipeline import Searcher
from app.search.retrieve import Weights
from app.web.desk import own_address
from app.web.view import Product, View, check_same_site

COOKIE = "shiori_admin"
SESSION_SECONDS = 8 * 3600
# After so many wrong passwords within a minute from one machine, or from all of them together,
# none of theirs is looked at for the rest of it.
MAX_TRIES = 5
MAX_TRIES_OF_ALL = 60

_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}


class Shelf(Protocol):
    """What administrators do to the books; `ingest.index.Shelf` is one."""

    def revise(self, book: Book) -> Book:
        """Keeps a book's changed description."""
        ...

    def remove(self, book_id: str, *, keep: bool) -> Book:
        """Takes a book off the shelf, to be put back with `keep`."""
        ...

    def put_back(self, book_id: str) -> Book:
        """Shows a book that was set aside again."""
        ...

    def discard(self, book_id: str) -> Book:
        """Deletes a book that was set aside."""
        ...

    def state_edition(self, book_id: str, superseded_by: str | None) -> None:
        """Keeps which book supersedes another; None lets titles and dates tell."""
        ...


class Managed(Product, Protocol):
    """What the administrators' pages need of the product; `app.main.Shiori` is one."""

    glossary: Glossary
    changes: LawChanges
    site_glossary: SiteTable[Glossary]
    site_changes: SiteTable[LawChanges]

    @property
    def shelf(self) -> Shelf:
        """Writes the books."""
        ...

    def searcher_with(self, legs: Weights, words: Glossary, changes: LawChanges | None) -> Searcher:
        """A searcher with another glossary and other law changes, to see what they do."""
        ...

    def use_tables(self, *, words: Glossary | None, changes: LawChanges | None) -> None:
        """Answers by another glossary, or other law changes, from the next question on."""
        ...

    def supplement(
        self,
        book_id: str,
        files: Sequence[Path],
        *,
        remove: Sequence[str],
        as_of: str,
        on_event: Callable[[Any], None],
    ) -> Any:
        """Exchanges pages of a loose-leaf book; its next edition stands beside it."""
        ...

    def reread(self, book_id: str, *, on_event: Callable[[Any], None]) -> Book:
        """Reads a book again from its kept file; the events are those of `add`."""
        ...

    def rebuild(self, on_progress: Callable[[int, int], None]) -> None:
        """Builds the index anew beside the old one; `on_progress` hears of books done and all."""
        ...


class Admission:
    """Admits administrators, and notes what they do; sessions live in memory and end with the service."""

    def __init__(self, password: str, ledger: Ledger) -> None:
        self._password = password
        self._ledger = ledger
        self._sessions: dict[str, float] = {}
        self._wrong: list[tuple[float, str]] = []

    @property
    def by_password(self) -> bool:
        """Whether a password is set; without one only the service's own machine is admitted."""
        return bool(self._password)

    def admits(self, request: Request) -> bool:
        """Whether a request may change the shelf."""
        if not self._password:
            return is_local(request)
        ends = self._sessions.get(request.cookies.get(COOKIE, ""), 0.0)
        return ends > time.time()

    def check(self, request: Request) -> None:
        """Raises Forbidden for a request that may not change the shelf."""
        check_same_site(request)
        if self.admits(request):
            return
        if self._password:
            raise Forbidden(
                "この操作には管理者のログインが要ります。",
                hint="書棚の画面からログインしてください。",
            )
        raise Forbidden(
            "この操作は、栞が動いている機械からだけ行えます。",
            hint="ほかの機械からも行うには、設定 admin_password で合言葉を決めて起動し直してください。",
        )

    def turned_away(self, request: Request) -> Response | None:
        """Where somebody who opens an administrators' page is sent instead; None for who may see it."""
        if self.admits(request):
            return None
        if self._password:
            back = request.url.path
            return RedirectResponse(f"/login?back={quote(back)}", 303)
        return RedirectResponse("/library", 303)

    def note(self, request: Request, action: str, subject: str = "", detail: str = "") -> None:
        """Notes what somebody did, and from which machine."""
        self._ledger.note_deed(address_of(request), action, subject, detail)

    def log_in(self, password: str, address: str) -> str:
        """A new session's value; raises Forbidden for a wrong password or too many from an address."""
        now = time.time()
        self._wrong = [(at, who) for at, who in self._wrong if at > now - 60]
        own = sum(who == address for _, who in self._wrong)
        if own >= MAX_TRIES or len(self._wrong) >= MAX_TRIES_OF_ALL:
            raise Forbidden(
                "合言葉の誤りが続いたため、受け付けを止めています。",
                hint="1分待ってから、もう一度入力してください。",
            )
        if not self._password or not hmac.compare_digest(
            password.encode(), self._password.encode()
        ):
            self._wrong.append((now, address))
            raise Forbidden("合言葉が違います。", hint="管理者に確かめてください。")
        self._sessions = {value: ends for value, ends in self._sessions.items() if ends > now}
        session = secrets.token_urlsafe(32)
        self._sessions[session] = now + SESSION_SECONDS
        return session

    def log_out(self, session: str) -> None:
        """Ends a session."""
        self._sessions.pop(session, None)


def address_of(request: Request) -> str:
    """The address of the machine that asks; behind a proxy that is the proxy's."""
    return request.client.host if request.client else ""


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine itself, not through a proxy on it."""
    headers = request.headers
    if any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via")):
        return False
    # A name that is not ours may have been made to point here by a stranger's page.
    name = headers.get("host", "").lower()
    name = name if name.endswith("]") else name.rpartition(":")[0] or name
    if name not in _LOCAL_NAMES or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def router(admission: Admission, view: View) -> APIRouter:
    """Logging in and out."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    def login_page(request: Request, back: str = "/library") -> Response:
        if not admission.by_password or admission.admits(request):
            return RedirectResponse(own_address(back), 303)
        return view.page(request, "login.html", back=own_address(back), error=None)

    @routes.post("/login", dependencies=[Depends(check_same_site)])
    def login(
        request: Request,
        password: Annotated[str, Form()] = "",
        back: Annotated[str, Form()] = "/library",
    ) -> Response:
        try:
            session = admission.log_in(password, address_of(request))
        except Forbidden as error:
            admission.note(request, "ログインの失敗")
            return view.page(
                request, "login.html", error.status, back=own_address(back), error=error
            )
        admission.note(request, "ログイン")
        response = RedirectResponse(own_address(back), 303)
        response.set_cookie(
            COOKIE,
            session,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @routes.post("/logout", dependencies=[Depends(check_same_site)])
    def logout(request: Request) -> Response:
        admission.log_out(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/library", 303)
        response.delete_cookie(COOKIE)
        return response

    return routes
