"""Rows of the ledger and the nouns they hold."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

from app.core.book import Book, Box, Line, Page, PageBoxes, Passage


def dump(value: Any) -> str:
    """A value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> list[Any]:
    """A list from its JSON."""
    # Most passages cite nothing, and every search reads dozens.
    return json.loads(text) if text != "[]" else []


def page_row(generation: int, page: Page) -> tuple[Any, ...]:
    """The row of `pages`."""
    return (
        generation,
        page.index,
        page.label,
        page.text,
        dump(page.heads),
        page.width,
        page.height,
        int(page.vertical),
        page.extractor,
        page.confidence,
        dump(page.warnings),
    )


def pack_lines(lines: Sequence[Line]) -> bytes:
    """Lines with their boxes (fractions of the page), compressed."""
    rows = []
    for line in lines:
        text, box, kind, starts, level, size, *more = line.as_row()
        rounded = box and [round(side, 4) for side in box]
        rows.append([text, rounded, kind, starts, level, round(size, 2), *more])
    return zlib.compress(dump(rows).encode())


def unpack_lines(packed: bytes) -> tuple[Line, ...]:
    """What `pack_lines` packed."""
    return tuple(map(Line.of_row, json.loads(zlib.decompress(packed))))


def page_of(row: sqlite3.Row) -> Page:
    """A page, without its lines."""
    return Page(
        index=row["page_index"],
        lines=(),
        label=row["label"],
        heads=tuple(json.loads(row["heads"])),
        width=row["width"],
        height=row["height"],
        vertical=bool(row["vertical"]),
        extractor=row["extractor"],
        confidence=row["confidence"],
        warnings=tuple(json.loads(row["warnings"])),
    )


def book_of(row: sqlite3.Row) -> Book:
    """A book from a row of `books`."""
    values = dict(row)
    del values["generation"], values["sha256"]
    return Book(**values)


def passage_row(generation: int, passage: Passage) -> tuple[Any, ...]:
    """The row of `passages`."""
    boxes = [
        [
            page.page_index,
            [[round(side, 4) for side in (b.x0, b.y0, b.x1, b.y1)] for b in page.boxes],
        ]
        for page in passage.boxes
    ]
    return (
        generation,
        passage.id,
        passage.ordinal,
        passage.text,
        dump(passage.section_path),
        passage.article,
        passage.kind,
        passage.page_index,
        passage.page_index_end,
        passage.page_label,
        dump(boxes),
        dump(passage.about),
        dump(passage.cites),
        passage.context,
    )


def passage_of(row: sqlite3.Row) -> Passage:
    """A passage from a row of `passages` with its `book_id`."""
    boxes = tuple(
        PageBoxes(page_index, tuple(Box(*sides) for sides in page_boxes))
        for page_index, page_boxes in load(row["boxes"])
    )
    return Passage(
        id=row["id"],
        book_id=row["book_id"],
        ordinal=row["ordinal"],
        text=row["text"],
        section_path=tuple(load(row["section_path"])),
        article=row["article"],
        kind=row["kind"],
        page_index=row["page_index"],
        page_index_end=row["page_index_end"],
        page_label=row["page_label"],
        boxes=boxes,
        about=tuple(load(row["about"])),
        cites=tuple(load(row["cites"])),
        context=row["context"],
    )
