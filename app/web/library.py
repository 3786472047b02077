"""The shelf: which books there are, how well they were read, adding, describing, taking off and back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import UploadFile

from app.core.book import Book, Page, first_day
from app.core.errors import BadRequest
from app.core.japanese import fold
from app.core.ledger import Job, Ledger
from app.core.quality import Doubt, Quality, quality
from app.web.admin import Admission, Managed
from app.web.books import has_picture
from app.web.uploads import Uploads, too_large
from app.web.view import View, page_name

MAX_FIELD = 200
FIELDS = {
    "title": "書名",
    "edition": "版",
    "authors": "著者・編者",
    "publisher": "発行所",
    "published": "発行",
    "as_of": "内容現在日",
    "isbn": "ISBN",
    "shelf": "書棚",
}
# Bad pages with their pictures on one screen of the report.
SHOWN_PAGES = 12
_EXCERPT = 300
_AUTOMATIC = "auto"

_ISBN = re.compile(r"(?:\d[- ]?){9}[\dXx]|(?:\d[- ]?){13}")


@dataclass(frozen=True, slots=True)
class BadPage:
    """A page of the report: `text` is how what was read of it begins."""

    page: Page
    name: str
    reasons: tuple[str, ...]
    advice: str
    picture: bool
    text: str


def router(product: Managed, view: View, admission: Admission) -> APIRouter:
    """The pages /library and /library/BOOK."""
    routes = APIRouter(include_in_schema=False)
    ledger = product.ledger
    shelf = product.shelf
    uploads = Uploads(product, product.datadir.path / "uploads")
    most = product.settings.upload_max_mb << 20
    guard = [Depends(admission.check)]

    def book_page(
        request: Request,
        book_id: str,
        part: int = 1,
        given: Mapping[str, str] | None = None,
        error: BadRequest | None = None,
    ) -> Response:
        book, books = ledger.book(book_id), ledger.books()
        report = quality(ledger.pages(book_id), ledger.page_lengths(book_id))
        parts = max(1, -(-len(report.doubtful) // SHOWN_PAGES))
        part = min(max(part, 1), parts)
        return view.page(
            request,
            "library_book.html",
            error.status if error else 200,
            book=book,
            given=given or {name: getattr(book, name) for name in FIELDS},
            fields=FIELDS,
            error=error,
            quality=report,
            bad_pages=bad_pages(ledger, book, report, part),
            part=part,
            parts=parts,
            newer=books.get(book.superseded_by),
            older=[other for other in books.values() if other.superseded_by == book_id],
            others=[other for other in books.values() if other.id != book_id],
            stated=ledger.stated_editions().get(book_id, _AUTOMATIC),
            shelves=shelves_of(books.values()),
            is_pdf=book.source_file.lower().endswith(".pdf"),
            admitted=admission.admits(request),
        )

    @routes.get("/library")
    def library(request: Request, containing: str = "", shelf: str = "") -> Response:
        admitted = admission.admits(request)
        books = list(ledger.books().values())
        return view.page(
            request,
            "library.html",
            books=chosen(books, containing.strip(), shelf),
            all_books=len(books),
            containing=containing.strip(),
            shelf=shelf,
            shelves=shelves_of(books),
            doubtful=ledger.doubtful_pages() if admitted else {},
            admitted=admitted,
            by_password=admission.by_password,
            most_mb=product.settings.upload_max_mb,
            uploads=uploads,
            aside=ledger.set_aside() if admitted else [],
            failed=failures(ledger.jobs(200)) if admitted else [],
        )

    @routes.get("/library/progress")
    def progress(request: Request) -> Response:
        admission.check(request)
        return JSONResponse(
            {
                "running": uploads.is_running,
                "summary": uploads.summary,
                "files": [file.as_json() for file in uploads.files],
            },
            headers={"Cache-Control": "no-store"},
        )

    @routes.post("/library/upload")
    async def upload(request: Request) -> Response:
        async with kept(request) as (paths, form):
            if all(path.suffix == ".toml" for path in paths):
                raise BadRequest(
                    "本のファイルが選ばれていません。",
                    hint="登録する本のファイルを選んでください。",
                )
            name = form.get("shelf", "").strip()[:MAX_FIELD]
            uploads.start(paths, name)
        await run_in_threadpool(admission.note, request, "登録", listed(paths), name)
        return RedirectResponse("/library#adding", 303)

    @routes.post("/library/{book_id}/supplement")
    async def supplement(request: Request, book_id: str) -> Response:
        book = await run_in_threadpool(ledger.book, book_id)
        async with kept(request) as (paths, form):
            if not paths:
                raise BadRequest(
                    "追録のファイルが選ばれていません。", hint="追録のPDFを選んでください。"
                )
            as_of = form.get("as_of", "").strip()
            if as_of and not first_day(as_of):
                raise BadRequest(
                    f"内容現在日の日付「{as_of}」を読めません。",
                    hint="2026-04-01、2026-04、2026 のどれかの形で書いてください。",
                    field="as_of",
                )
            labels = re.split(r"[\s、,，]+", form.get("remove", ""))
            uploads.supplement(book, paths, [label for label in labels if label], as_of)
        await run_in_threadpool(admission.note, request, "追録を加える", named(book), listed(paths))
        return RedirectResponse("/library#adding", 303)

    @asynccontextmanager
    async def kept(request: Request) -> AsyncIterator[tuple[list[Path], dict[str, str]]]:
        """The uploaded files of a form and its other fields, for a run that is claimed.

        Where the run is not started, the files go and others may claim it.
        """
        # Whoever may not add books must not fill the disk either: nothing is read before this.
        admission.check(request)
        check_length(request, most)
        uploads.begin()
        paths: list[Path] = []
        try:
            async with request.form(max_files=1000) as form:
                fields = {name: value for name, value in form.items() if isinstance(value, str)}
                for file in form.getlist("files"):
                    if isinstance(file, UploadFile) and file.filename:
                        paths.append(
                            await run_in_threadpool(uploads.save, file.filename, file.file, most)
                        )
            yield paths, fields
        except BaseException:
            for path in paths:
                path.unlink(missing_ok=True)
            uploads.give_up()
            raise

    @routes.get("/library/{book_id}")
    def book(request: Request, book_id: str, part: Annotated[int, Query()] = 1) -> Response:
        return book_page(request, book_id, part)

    @routes.post("/library/{book_id}/remove", dependencies=guard)
    def remove(request: Request, book_id: str) -> Response:
        book = shelf.remove(book_id, keep=True)
        admission.note(request, "書棚から外す", named(book))
        return RedirectResponse("/library#aside", 303)

    @routes.post("/library/{book_id}/reread", dependencies=guard)
    def reread(request: Request, book_id: str) -> Response:
        book = ledger.book(book_id)
        uploads.reread(book)
        admission.note(request, "読み直す", named(book))
        return RedirectResponse("/library#adding", 303)

    @routes.post("/library/{book_id}/put-back", dependencies=guard)
    def put_back(request: Request, book_id: str) -> Response:
        book = shelf.put_back(book_id)
        admission.note(request, "書棚に戻す", named(book))
        return RedirectResponse(f"/library/{book_id}", 303)

    @routes.post("/library/{book_id}/discard", dependencies=guard)
    def discard(request: Request, book_id: str) -> Response:
        book = shelf.discard(book_id)
        admission.note(request, "完全に消す", named(book))
        return RedirectResponse("/library#aside", 303)

    @routes.post("/library/{book_id}/editions", dependencies=guard)
    def editions(
        request: Request, book_id: str, superseded_by: Annotated[str, Form()] = _AUTOMATIC
    ) -> Response:
        stated = None if superseded_by == _AUTOMATIC else superseded_by
        shelf.state_edition(book_id, stated)
        newer = ledger.books().get(ledger.book(book_id).superseded_by)
        admission.note(
            request,
            "版の関係を変える",
            named(ledger.book(book_id)),
            ("自動: " if stated is None else "") + (named(newer) if newer else "新しい版なし"),
        )
        return RedirectResponse(f"/library/{book_id}#editions", 303)

    @routes.post("/library/{book_id}/describe", dependencies=guard)
    def describe(
        request: Request,
        book_id: str,
        title: Annotated[str, Form()] = "",
        edition: Annotated[str, Form()] = "",
        shelf: Annotated[str, Form()] = "",
        authors: Annotated[str, Form()] = "",
        publisher: Annotated[str, Form()] = "",
        published: Annotated[str, Form()] = "",
        isbn: Annotated[str, Form()] = "",
        as_of: Annotated[str, Form()] = "",
    ) -> Response:
        given = {
            "title": title,
            "edition": edition,
            "shelf": shelf,
            "authors": authors,
            "publisher": publisher,
            "published": published,
            "isbn": isbn,
            "as_of": as_of,
        }
        before = ledger.book(book_id)
        try:
            after = described(before, given)
        except BadRequest as error:
            return book_page(request, book_id, given=given, error=error)
        product.shelf.revise(after)
        admission.note(request, "書誌を変える", named(before), changes(before, after))
        return RedirectResponse(f"/library/{book_id}#described", 303)

    return routes


def shelves_of(books: Iterable[Book]) -> list[str]:
    """The shelves that books stand on, sorted."""
    return sorted({book.shelf for book in books if book.shelf})


def chosen(books: Sequence[Book], containing: str, shelf: str) -> list[Book]:
    """The books of a shelf ('' for all) whose title, edition, people or ISBN hold some characters."""
    wanted = fold(containing)
    return [
        book
        for book in books
        if (not shelf or book.shelf == shelf)
        and wanted
        in fold(" ".join((book.title, book.edition, book.authors, book.publisher, book.isbn)))
    ]


def failures(jobs: Sequence[Job]) -> list[Job]:
    """Of jobs, newest first, those that failed and whose file was not added later."""
    latest: dict[str, Job] = {}
    for job in jobs:
        latest.setdefault(job.source_file, job)
    return [job for job in latest.values() if job.state in ("failed", "interrupted")]


def bad_pages(ledger: Ledger, book: Book, report: Quality, part: int) -> list[BadPage]:
    """One screen of the pages that want a look."""
    start = (part - 1) * SHOWN_PAGES
    return [
        _bad_page(ledger, book, doubt) for doubt in report.doubtful[start : start + SHOWN_PAGES]
    ]


def _bad_page(ledger: Ledger, book: Book, doubt: Doubt) -> BadPage:
    page = doubt.page
    picture = has_picture(book.source_file, page)
    text = ledger.page_text(book.id, page.index)
    return BadPage(
        page=page,
        name=page_name(page.label, "", page.index, page.index, printed=picture),
        reasons=doubt.reasons,
        advice=doubt.advice,
        picture=picture,
        text=text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else ""),
    )


def described(book: Book, given: dict[str, str]) -> Book:
    """A book with its description changed; raises BadRequest naming the field at fault."""
    values = {name: value.strip() for name, value in given.items()}
    if not values["title"]:
        raise BadRequest("書名が空です。", hint="書名を入力してください。", field="title")
    for name, value in values.items():
        if len(value) > MAX_FIELD:
            raise BadRequest(
                f"{FIELDS[name]}は{MAX_FIELD}文字までです。",
                hint="短くして、もう一度送ってください。",
                field=name,
            )
    for name in ("published", "as_of"):
        if values[name] and not first_day(values[name]):
            raise BadRequest(
                f"{FIELDS[name]}の日付「{values[name]}」を読めません。",
                hint="2026-04-01、2026-04、2026 のどれかの形で書いてください。",
                field=name,
            )
    if values["isbn"] and not _ISBN.fullmatch(values["isbn"]):
        raise BadRequest(
            f"ISBN「{values['isbn']}」の桁数が違います。",
            hint="10桁か13桁の番号を書くか、空にしてください。",
            field="isbn",
        )
    return replace(
        book,
        title=values["title"],
        edition=values["edition"],
        shelf=values["shelf"],
        authors=values["authors"],
        publisher=values["publisher"],
        published=values["published"],
        isbn=values["isbn"],
        as_of=values["as_of"],
    )


def changes(before: Book, after: Book) -> str:
    """What a changed description changes, field by field."""
    pairs = [(label, getattr(before, name), getattr(after, name)) for name, label in FIELDS.items()]
    return "、".join(
        f"{label}: {old or '（空）'} → {new or '（空）'}" for label, old, new in pairs if old != new
    )


def listed(paths: Sequence[Path]) -> str:
    """Files as the record of deeds names them."""
    return "、".join(path.name for path in paths)[:1000]


def named(book: Book) -> str:
    """A book as the record of deeds names it."""
    return f"{book.name}（{book.id}）"


def check_length(request: Request, most: int) -> None:
    """Raises TooLarge before an upload is read; a body of unknown length is refused too."""
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise BadRequest(
            "送られるファイルの大きさが分かりません。", hint="ブラウザーから送り直してください。"
        )
    # Several files may come at once; each is measured again when it is kept.
    if int(length) > 4 * most:
        raise too_large("送られたファイル", most)
