"""What every page shares: the product it shows, its templates, its safe headers, its errors."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.answer.compose import Answerer
from app.core import telemetry
from app.core.book import Book, Hit, Passage
from app.core.datadir import DataDir
from app.core.errors import Forbidden, ShioriError
from app.core.glossary import ASKED, Glossary
from app.core.ledger import Ledger
from app.core.settings import Settings
from app.search.pipeline import Searcher

HERE = Path(__file__).parent
STATIC = HERE / "static"

# Everything a page needs comes from this service; nothing inline runs, nobody may frame it.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

MENU = (
    ("/", "検索"),
    ("/history", "履歴"),
    ("/notes", "付箋"),
    ("/library", "書棚"),
    ("/numbers", "利用状況"),
)


class Product(Protocol):
    """What the pages need of the product; `app.main.Shiori` is one."""

    ledger: Ledger
    searcher: Searcher
    answerer: Answerer
    glossary: Glossary
    settings: Settings
    datadir: DataDir

    def health(self) -> dict[str, Any]:
        """What the service is and can do now."""
        ...

    def remove(self, book_id: str) -> Book:
        """Takes a book off the shelf."""
        ...

    def add(self, paths: Sequence[Path], *, shelf: str, on_event: Callable[[Any], None]) -> Any:
        """Adds files; the result has `as_json()`, the events are dataclasses."""
        ...


class View:
    """Renders templates with what every page shows of the product."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._env = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters["japanese_date"] = japanese_date
        self._env.filters["day_and_time"] = day_and_time
        self._env.filters["duration"] = duration
        self._env.filters["clock"] = clock
        self._env.globals |= {
            "asked_row": ASKED,
            "menu": MENU,
            "place": self.place,
            "cite": self.cite,
            "edition_of": edition_of,
            "page_url": page_url,
            "citing_url": citing_url,
        }

    def page(
        self, request: Request, template: str, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A whole page or a fragment of one."""
        html = self._env.get_template(template).render(
            here=request.url.path, health=self._product.health(), **context
        )
        return HTMLResponse(html, status, {"Cache-Control": "no-store"})

    def fragment(self, template: str, **context: Any) -> str:
        """A piece of a page, without what every page shows."""
        return self._env.get_template(template).render(**context)

    def error(self, request: Request, error: ShioriError) -> HTMLResponse:
        """The page for an error: what is wrong, what to do next, the id to report."""
        return self.page(
            request,
            "error.html",
            error.status,
            error=error,
            request_id=telemetry.request_id.get(),
        )

    def place(self, passage: Passage) -> str:
        """Where a passage stands, in the words of a citation: 36〜37頁; its article or heading where nothing is printed."""
        if not passage.page_label and not passage.boxes:
            heading = passage.article or (passage.section_path or ("",))[-1]
            if heading:
                return heading
        last = passage.page_label
        if passage.page_index_end != passage.page_index:
            last = self._product.ledger.page(passage.book_id, passage.page_index_end).label
        return page_name(
            passage.page_label,
            last,
            passage.page_index,
            passage.page_index_end,
            printed=bool(passage.boxes),
        )

    def cite(self, hit: Hit) -> str:
        """A citation as it is pasted behind a quotation: 書名 版・年月 頁."""
        book = hit.book
        parts = (f"『{book.title}』", edition_of(book), self.place(hit.passage))
        return " ".join(part for part in parts if part)


def page_url(passage: Passage, page_index: int | None = None, quote: str = "") -> str:
    """The address of a page with a passage, and the characters `quote` of it ("12-80"), marked.

    The passage's first page unless another is given.
    """
    index = passage.page_index if page_index is None else page_index
    parameters = {"passage": passage.id} | ({"quote": quote} if quote else {})
    return f"/books/{passage.book_id}/pages/{index}?" + urlencode(parameters)


def citing_url(reference: str) -> str:
    """The address of the list of passages that cite a reference."""
    return "/?" + urlencode({"q": reference, "citing": reference})


def page_name(label: str, last_label: str, index: int, last_index: int, *, printed: bool) -> str:
    """Pages as readers name them: by printed number; else by their place in the file, counted from 1."""
    if label:
        return f"{label}頁" if last_label in ("", label) else f"{label}〜{last_label}頁"
    first, last = index + 1, last_index + 1
    numbers = f"{first}" if first == last else f"{first}〜{last}"
    return f"{numbers}枚目（頁番号なし）" if printed else f"本文{numbers}"


def edition_of(book: Book) -> str:
    """A book's edition and date, as a citation gives them: 第2版・2025年12月."""
    return "・".join(part for part in (book.edition, japanese_date(book.published)) if part)


def japanese_date(iso: str) -> str:
    """2026-04-01 as 2026年4月1日; what is no such date is left as it is."""
    parts = iso.split("-")
    if not all(part.isdigit() for part in parts) or len(parts) > 3:
        return iso
    return "".join(f"{int(part)}{unit}" for part, unit in zip(parts, "年月日", strict=False))


def day_and_time(seconds: float) -> str:
    """Seconds since the epoch in the service's own time zone: 2026年11月23日 14:05."""
    at = datetime.datetime.fromtimestamp(seconds)
    return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}"


def day_of(seconds: float) -> str:
    """The day of a moment: 2026年11月23日（月）."""
    at = datetime.datetime.fromtimestamp(seconds)
    return f"{at.year}年{at.month}月{at.day}日（{'月火水木金土日'[at.weekday()]}）"


def duration(seconds: float) -> str:
    """A length of time as people say it: 45秒, 12分, 2時間5分."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f}秒"
    return f"{minutes}分" if minutes < 60 else f"{minutes // 60}時間{minutes % 60}分"


def clock(seconds: float) -> str:
    """The time of day of a moment: 14:05."""
    return f"{datetime.datetime.fromtimestamp(seconds):%H:%M}"


def check_same_site(request: Request) -> None:
    """Raises Forbidden where a form was sent from another site's page."""
    given = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    host = request.headers.get("host", "")
    foreign = given not in ("same-origin", "none") if given else origin.partition("://")[2] != host
    if foreign and (given or origin):
        raise Forbidden(
            "ほかのサイトの画面から送られた操作は受け付けません。",
            hint="栞の画面を開き直して、もう一度操作してください。",
        )


class SafeHeaders:
    """Puts the safe headers on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/static/"):
                    # Asked for again each time, answered with 304: an update must never meet
                    # an old script.
                    headers["Cache-Control"] = "no-cache"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class HeadAsGet:
    """Answers HEAD as GET, without the body: monitors and link checkers ask so."""

    # What a model is about to write has no head of its own.
    _NOT = ("/answer",)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] in self._NOT:
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


def add_headers(response: Response) -> None:
    """The same for an answer to an error so unforeseen that no middleware sees it."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
