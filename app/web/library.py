"""The shelf: which books there are, how well they were read, adding, describing and removing them."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import UploadFile

from app.core.book import Book
from app.core.errors import BadRequest, ShioriError
from app.core.quality import quality
from app.web.admin import Admission
from app.web.view import Product, View

# Below these shares of certain characters a recognised page wants a look, or proves nothing.
MAX_FIELD = 200

_DATE = re.compile(r"(?:\d{4}(?:-\d{2}(?:-\d{2})?)?)?")
_PIECE = 1 << 20


class TooLarge(BadRequest):
    """An upload larger than the settings allow."""

    code = "too_large"
    status = 413


class Busy(ShioriError):
    """Books are being added already."""

    code = "busy"
    status = 409


@dataclass(slots=True)
class Progress:
    """How far one uploaded file is; `state` is waiting or that of an ingest event."""

    name: str
    state: str = "waiting"
    done: int = 0
    total: int = 0
    reason: str = ""


class Uploads:
    """Adds uploaded files in the background, one run at a time, and says how far it is."""

    def __init__(self, product: Product, folder: Path) -> None:
        self._product = product
        self._folder = folder
        self._running = threading.Lock()
        self._files: dict[str, Progress] = {}
        # What a process that died has left; its books can only be sent again.
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self._running.locked()

    @property
    def files(self) -> list[Progress]:
        """The files of the run going on, or of the last one."""
        return list(self._files.values())

    def begin(self) -> None:
        """Claims the next run; raises Busy while one is going on."""
        if not self._running.acquire(blocking=False):
            raise Busy(
                "いま別の登録が進んでいます。", hint="終わってから、もう一度登録してください。"
            )

    def give_up(self) -> None:
        """Lets a claimed run go where nothing was started."""
        self._running.release()

    def save(self, name: str, content: BinaryIO, most: int) -> Path:
        """Keeps an uploaded file until it is read; raises BadRequest for its name or size."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / safe_name(name)
        partial = path.with_name(path.name + ".partial")
        size = 0
        try:
            with partial.open("wb") as file:
                while piece := content.read(_PIECE):
                    size += len(piece)
                    if size > most:
                        raise too_large(name, most)
                    file.write(piece)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def start(self, paths: Sequence[Path], shelf: str) -> None:
        """Adds the files of a claimed run in the background."""
        books = [path for path in paths if path.suffix != ".toml"]
        self._files = {str(path): Progress(path.name) for path in books}
        threading.Thread(target=self._run, args=(books, paths, shelf), daemon=True).start()

    def _run(self, books: Sequence[Path], paths: Sequence[Path], shelf: str) -> None:
        reason = "途中で止まりました。もう一度登録してください。"
        try:
            self._product.add(books, shelf=shelf, on_event=self._on_event)
        except ShioriError as error:
            reason = f"{error.message} {error.hint}".strip()
        finally:
            for progress in self._files.values():
                if progress.state in ("waiting", "reading"):
                    progress.state, progress.reason = "failed", reason
            for path in paths:
                path.unlink(missing_ok=True)  # the book's original is kept with the shelf
            self._running.release()

    def _on_event(self, event: Any) -> None:
        # A file inside an archive is known by the archive's path and its own, and stands for it.
        for archive in [path for path in self._files if event.source.startswith(f"{path}/")]:
            del self._files[archive]
        progress = self._files.setdefault(event.source, Progress(Path(event.source).name))
        progress.state, progress.done, progress.total = event.state, event.done, event.total
        progress.reason = event.reason


def router(
    product: Product, view: View, admission: Admission, revise: Callable[[Book], Book]
) -> APIRouter:
    """The pages /library/…; `revise` keeps a book's changed description."""
    routes = APIRouter(include_in_schema=False)
    ledger = product.ledger
    uploads = Uploads(product, product.datadir.path / "uploads")
    most = product.settings.upload_max_mb << 20
    guard = [Depends(admission.check)]

    @routes.get("/library")
    def library(request: Request) -> Response:
        admitted = admission.admits(request)
        return view.page(
            request,
            "library.html",
            books=list(ledger.books().values()),
            shelves=sorted({book.shelf for book in ledger.books().values() if book.shelf}),
            admitted=admitted,
            by_password=admission.by_password,
            most_mb=product.settings.upload_max_mb,
            running=uploads.is_running,
            files=uploads.files if admitted else [],
            failed=[job for job in ledger.jobs(30) if job.state in ("failed", "interrupted")]
            if admitted
            else [],
        )

    @routes.get("/library/progress")
    def progress(request: Request) -> Response:
        admission.check(request)
        files = [asdict(file) for file in uploads.files]
        return JSONResponse(
            {"running": uploads.is_running, "files": files}, headers={"Cache-Control": "no-store"}
        )

    @routes.post("/library/upload")
    async def upload(request: Request) -> Response:
        # Whoever may not add books must not fill the disk either: nothing is read before this.
        admission.check(request)
        check_length(request, most)
        uploads.begin()
        started = False
        try:
            async with request.form(max_files=1000) as form:
                files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
                files = [file for file in files if file.filename]
                if all(str(file.filename).endswith(".toml") for file in files):
                    raise BadRequest(
                        "本のファイルが選ばれていません。",
                        hint="登録する本のファイルを選んでください。",
                    )
                shelf = str(form.get("shelf", "")).strip()[:MAX_FIELD]
                paths = [
                    await run_in_threadpool(uploads.save, file.filename or "", file.file, most)
                    for file in files
                ]
            uploads.start(paths, shelf)
            started = True
        finally:
            if not started:
                uploads.give_up()
        return RedirectResponse("/library#adding", 303)

    @routes.get("/library/{book_id}")
    def book(request: Request, book_id: str) -> Response:
        found = ledger.book(book_id)
        return view.page(
            request,
            "library_book.html",
            book=found,
            quality=quality(ledger.pages(book_id), ledger.page_lengths(book_id)),
            newer=ledger.books().get(found.superseded_by),
            admitted=admission.admits(request),
        )

    @routes.post("/library/{book_id}/remove", dependencies=guard)
    def remove(book_id: str) -> Response:
        product.remove(book_id)
        return RedirectResponse("/library", 303)

    @routes.post("/library/{book_id}/describe", dependencies=guard)
    def describe(
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
        revise(described(ledger.book(book_id), given))
        return RedirectResponse(f"/library/{book_id}", 303)

    return routes


def described(book: Book, given: dict[str, str]) -> Book:
    """A book with its description changed; raises BadRequest naming the field at fault."""
    values = {name: value.strip() for name, value in given.items()}
    if not values["title"]:
        raise BadRequest("書名が空です。", hint="書名を入力してください。", field="title")
    for name, value in values.items():
        if len(value) > MAX_FIELD:
            raise BadRequest(
                f"{MAX_FIELD}文字までです。", hint="短くして、もう一度送ってください。", field=name
            )
    for name in ("published", "as_of"):
        if not _DATE.fullmatch(values[name]):
            raise BadRequest(
                f"日付「{values[name]}」を読めません。",
                hint="2026-04-01、2026-04、2026 のどれかの形で書いてください。",
                field=name,
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


def too_large(name: str, most: int) -> TooLarge:
    """The error for a file above the limit."""
    return TooLarge(
        f"{name} が大きすぎます。1ファイル {most >> 20:,}MB まで登録できます。",
        hint="分けて登録するか、設定 upload_max_mb を大きくしてください。",
        field="files",
    )


def safe_name(name: str) -> str:
    """The last part of an uploaded file's name; raises BadRequest where none is left."""
    last = re.split(r"[/\\]", name)[-1]
    last = "".join(char for char in last if char.isprintable()).strip()
    if last in ("", ".", "..") or last.startswith(".") or len(os.fsencode(last)) > 200:
        raise BadRequest(
            f"ファイル名「{name[:60]}」は使えません。",
            hint="短い、ふつうの名前にして登録してください。",
            field="files",
        )
    return last
