"""The pages of a book: the printed page with a passage marked on it, or its text to read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from app.core.book import Box, Line, Page, Passage
from app.core.errors import NotFound
from app.core.ledger import Ledger
from app.web.reading import leaf as leaf_of
from app.web.reading import paragraphs
from app.web.view import Product, View, page_name

# Pixels. One size serves every zoom: 1400 is about 240 dpi on an A5 page.
WIDTH = 1400
# Percent of the width there is; "page" shows the whole page, however high the window.
ZOOMS = (50, 75, 100, 125, 150, 200)
WHOLE = "page"
# Where the whole page stands among the sizes, for the next larger and smaller one.
_ABOUT = 60
# Drawn pictures may be thrown away at any time; the oldest go first.
KEPT_PICTURES = 2000

# (original file, page index, width in pixels) → a PNG.
Draw = Callable[[Path, int, int], bytes]
# book id → the kept original file.
Original = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class TextLine:
    """A printed line laid over the picture, in thousandths of the page's width and height."""

    text: str
    x: float
    y: float
    length: float
    size: float
    vertical: bool
    marked: bool


@dataclass(frozen=True, slots=True)
class Zoom:
    """How large a page is shown: `name` is "page" (all of it) or a step of `ZOOMS`; and the steps beside it.

    `kept` is the name where the reader chose it, for the next pages.
    """

    name: str
    kept: str
    smaller: str
    larger: str

    @classmethod
    def asked(cls, zoom: str, page: Page) -> Zoom:
        """The size asked for, the nearest step to it; else all of a vertical page, others as wide as can be.

        A vertical line is read from its head to its foot, so both must be in sight.
        """
        if zoom == WHOLE or (not zoom and page.vertical):
            name, at = WHOLE, _ABOUT
        else:
            at = min(ZOOMS, key=lambda step: abs(step - int(zoom or 100)))
            name = str(at)
        smaller = next((str(step) for step in reversed(ZOOMS) if step < at), "")
        larger = next((str(step) for step in ZOOMS if step > at), "")
        return cls(name, name if zoom else "", smaller, larger)

    @property
    def is_whole(self) -> bool:
        """Whether all of the page is shown."""
        return self.name == WHOLE


class Pictures:
    """Pages as pictures, drawn once and kept on disk; one at a time is drawn for everybody."""

    def __init__(self, folder: Path, draw: Draw) -> None:
        self._folder = folder
        self._draw = draw
        self._drawing = threading.Lock()

    def picture(self, original: Path, page_index: int) -> Path:
        """The picture of a page; raises UnreadableFile where it cannot be drawn."""
        kept = self._folder / f"{original.stem}-{page_index}-{WIDTH}.png"
        if kept.exists():
            return kept
        with self._drawing:
            if not kept.exists():
                picture = self._draw(original, page_index, WIDTH)
                self._folder.mkdir(parents=True, exist_ok=True)
                partial = kept.with_suffix(f".{os.getpid()}.partial")
                partial.write_bytes(picture)
                partial.replace(kept)
                self._throw_away_old()
        return kept

    def _throw_away_old(self) -> None:
        kept = list(self._folder.glob("*.png"))
        if len(kept) > KEPT_PICTURES:
            kept.sort(key=lambda file: file.stat().st_mtime)
            for file in kept[: KEPT_PICTURES // 10]:
                file.unlink(missing_ok=True)


def router(product: Product, view: View, original: Original, draw: Draw) -> APIRouter:
    """The pages /books/…"""
    routes = APIRouter(include_in_schema=False)
    pictures = Pictures(product.datadir.rendered, draw)
    ledger = product.ledger

    @routes.get("/books/{book_id}")
    def book(book_id: str) -> Response:
        found = ledger.book(book_id)
        return RedirectResponse(f"/books/{found.id}/pages/0", 303)

    @routes.get("/books/{book_id}/pages/{index}")
    def page(
        request: Request,
        book_id: str,
        index: int,
        passage: str = "",
        quote: Annotated[str, Query(pattern=r"^(\d{1,6}-\d{1,6})?$")] = "",
        zoom: Annotated[str, Query(pattern=rf"^({WHOLE}|[1-9]\d{{1,2}})?$")] = "",
        leaf: Annotated[int | None, Query(ge=0)] = None,
        part: bool = False,
    ) -> Response:
        shown = ledger.page(book_id, index)
        found = ledger.book(book_id)
        marked = ledger.passage(passage) if passage else None
        if marked is not None and marked.book_id != book_id:
            raise NotFound(
                f"パッセージ {passage} はこの本にありません。", hint="検索し直してください。"
            )
        lines = ledger.lines(book_id, index)
        on_page = marked if marked and marked.page_index <= index <= marked.page_index_end else None
        is_picture = has_picture(found.source_file, shown)
        boxes = boxes_on(marked, index)
        read = None if is_picture else leaf_of(paragraphs(lines, on_page, quote), leaf)
        return view.page(
            request,
            "_page.html" if part else "page.html",
            part=part,
            book=found,
            page=shown,
            name=page_name(shown.label, "", index, index, printed=is_picture),
            passage=marked,
            boxes=boxes,
            quoted=quoted(marked, lines, boxes, quote),
            quote=quote,
            lines=[text_line(line, shown, boxes) for line in lines if line.box and line.text],
            leaf=read,
            is_marked=bool(boxes) or bool(read and read.is_marked),
            picture=is_picture,
            zoom=Zoom.asked(zoom, shown),
            last=found.pages - 1,
            came_from=came_from(request),
        )

    @routes.get("/books/{book_id}/pages/{index}/image")
    def image(book_id: str, index: int) -> Response:
        shown = ledger.page(book_id, index)
        if not has_picture(ledger.book(book_id).source_file, shown):
            raise NotFound(
                "この本にはページの画像がありません。", hint="文字の表示で読んでください。"
            )
        file = pictures.picture(original(book_id), index)
        headers = {"Cache-Control": "private, max-age=86400"}
        return FileResponse(file, media_type="image/png", headers=headers)

    return routes


def came_from(request: Request) -> str:
    """The list of results or notes that led to a page; empty where another page or nothing did."""
    before = urlsplit(request.headers.get("referer", ""))
    if before.netloc != request.headers.get("host") or before.path not in ("/", "/notes"):
        return ""
    return f"{before.path}?{before.query}" if before.query else before.path


def has_picture(source_file: str, page: Page) -> bool:
    """Whether a page was printed: of a PDF, with a size."""
    return source_file.lower().endswith(".pdf") and page.width > 0 and page.height > 0


def boxes_on(passage: Passage | None, page_index: int) -> tuple[Box, ...]:
    """The lines of a passage on a page."""
    if passage is None:
        return ()
    return tuple(
        box for page in passage.boxes if page.page_index == page_index for box in page.boxes
    )


def quoted(
    passage: Passage | None, lines: Sequence[Line], boxes: Sequence[Box], quote: str
) -> set[Box]:
    """Those of a passage's boxes on a page whose lines hold characters `quote` ("12-80") of its text."""
    if passage is None or not quote:
        return set()
    start, end = (int(number) for number in quote.split("-"))
    found: set[Box] = set()
    at = 0
    for line in lines:
        box = next((box for box in boxes if line.box and _same(line.box, box)), None)
        text = line.text.strip()
        place = passage.text.find(text, at) if box and text else -1
        if box is None or place < 0:
            continue
        at = place + len(text)
        if place < end and at > start:
            found.add(box)
    return found


def page_of_quote(ledger: Ledger, passage: Passage, start: int, end: int) -> int:
    """The page on which characters `start:end` of a passage begin; its first where that is not known."""
    for index in range(passage.page_index, passage.page_index_end + 1):
        lines = ledger.lines(passage.book_id, index)
        if quoted(passage, lines, boxes_on(passage, index), f"{start}-{end}"):
            return index
    return passage.page_index


def text_line(line: Line, page: Page, marked: Sequence[Box]) -> TextLine:
    """Where a line's text is laid over the picture, so that it can be selected."""
    box = line.box
    assert box is not None  # asked for printed lines only
    is_marked = any(_same(box, other) for other in marked)
    width, height = (box.x1 - box.x0) * 1000, (box.y1 - box.y0) * 1000
    if page.vertical and height > width:
        return TextLine(
            line.text,
            (box.x0 + box.x1) / 2 * 1000,
            box.y0 * 1000,
            height,
            height / len(line.text),
            True,
            is_marked,
        )
    return TextLine(
        line.text,
        box.x0 * 1000,
        box.y1 * 1000 - height * 0.15,
        width,
        height * 0.85,
        False,
        is_marked,
    )


def _same(one: Box, other: Box) -> bool:
    """Whether two boxes are one line, their corners rounded differently."""
    sides = ((one.x0, other.x0), (one.y0, other.y0), (one.x1, other.x1), (one.y1, other.y1))
    return all(abs(a - b) < 0.0005 for a, b in sides)
