"""The nouns of the product: what a book is, from its pages to a cited passage.

A reader turns a file into a `Document` of `Page`s of `Line`s. Ingestion cuts it
into `Passage`s, the unit that is indexed, ranked, shown and cited. A `Hit` is a
passage with its rank; a `Citation` points from a sentence of an answer to a passage.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

LineKind = Literal["body", "heading", "table", "footnote"]

_STATED_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page; fractions of its width and height, origin top left."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Ruby:
    """A reading printed beside characters `start:end` of its line."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line (one paragraph, where the format has no printed lines).

    `text` holds the base text only, as printed; `ruby` the readings beside it.
    `starts_paragraph` is false where the line goes on from the one before.
    `level` is the heading level the format itself states (1 is highest, 0 none).
    `size` is the character size relative to the body text of the book. `label` is the printed
    number of the page the line stands on, where the sheet bears two.
    """

    text: str
    box: Box | None = None
    kind: LineKind = "body"
    starts_paragraph: bool = True
    level: int = 0
    size: float = 1.0
    ruby: tuple[Ruby, ...] = ()
    label: str = ""

    def as_row(self) -> list[Any]:
        """The line as JSON values, which `of_row` reads."""
        box = self.box
        return [
            self.text,
            None if box is None else [box.x0, box.y0, box.x1, box.y1],
            self.kind,
            self.starts_paragraph,
            self.level,
            self.size,
            [[ruby.start, ruby.end, ruby.text] for ruby in self.ruby],
            self.label,
        ]

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Line:
        """The line that `as_row` gave."""
        # Books added before lines had labels of their own keep rows without.
        text, box, kind, starts, level, size, readings, *label = row
        ruby = tuple(Ruby(*reading) for reading in readings)
        place = None if box is None else Box(*box)
        return cls(text, place, kind, starts, level, size, ruby, *label)


@dataclass(frozen=True, slots=True)
class Page:
    """One page in reading order.

    `index` counts from 0 in the file; `label` is the printed page number as a
    string ("124の1", "ⅲ"; "30・31" on a sheet of two pages), empty where none is printed. `heads` holds running
    heads, footers and the printed number, which are no part of `lines`.
    `width` and `height` are points (0 where the format has no pages).
    """

    index: int
    lines: tuple[Line, ...]
    label: str = ""
    heads: tuple[str, ...] = ()
    width: float = 0.0
    height: float = 0.0
    vertical: bool = False
    extractor: str = ""
    confidence: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The page's text, one paragraph a line."""
        return join_lines(self.lines)


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """One entry of the file's own outline (bookmarks)."""

    title: str
    level: int
    page_index: int


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader makes of one file, before it becomes a book on the shelf.

    `metadata` holds what the file states of itself under the names of `Book`'s
    fields (edition, authors, publisher, published, isbn, as_of).
    """

    title: str
    pages: tuple[Page, ...]
    outline: tuple[OutlineItem, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    media_type: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """A book on the shelf. Dates are ISO strings (`2024-03-01`, `2024-03`), empty when unknown.

    `as_of` is the date whose law the book states (内容現在日). `edition` is as
    printed (第3版). `source_file` is where the book was read from.
    """

    id: str
    title: str
    source_file: str
    edition: str = ""
    shelf: str = ""
    authors: str = ""
    publisher: str = ""
    published: str = ""
    isbn: str = ""
    as_of: str = ""
    pages: int = 0
    passages: int = 0
    superseded_by: str = ""

    @property
    def name(self) -> str:
        """Title and edition."""
        return f"{self.title} {self.edition}".strip()


def first_day(date: str) -> str:
    """The first day, as ISO date, of a date as books state it (2024-03-01, 2024-03, 2024); else ''."""
    if not _STATED_DATE.fullmatch(date):
        return ""
    day = date + "-01-01"[len(date) - 10 :] if len(date) < 10 else date
    try:
        return datetime.date.fromisoformat(day).isoformat()
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class PageBoxes:
    """Where a passage stands on one page: one box a printed line."""

    page_index: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """The unit that is indexed, ranked and cited; its text is exactly what the book prints.

    `section_path` runs from the outermost heading to the passage's own.
    `article` is the article or question as printed (第七十七条の二, 問12), empty
    where the passage is neither. `about` are the reference ids the passage itself
    is (戸籍法:77_2); `cites` those it mentions. `context` is text that helps find the passage
    (resolved references, index terms, readings) and is never shown.
    Page indices count from 0 and are inclusive.
    """

    id: str
    book_id: str
    ordinal: int
    text: str
    section_path: tuple[str, ...] = ()
    article: str = ""
    kind: str = ""
    page_index: int = 0
    page_index_end: int = 0
    page_label: str = ""
    boxes: tuple[PageBoxes, ...] = ()
    about: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    context: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a question. `score` is comparable within one result list only.

    `similar` are ids of passages in other books that say the same.
    """

    rank: int
    score: float
    passage: Passage
    book: Book
    warnings: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """From characters `start:end` of a passage's text to the sentence they prove."""

    passage_id: str
    start: int
    end: int


def join_lines(lines: Iterable[Line]) -> str:
    """Printed lines as paragraphs: a continuing line is joined to the one before.

    Japanese lines join without a space; two Latin letters or digits that meet get one.
    """
    paragraphs: list[str] = []
    for line in lines:
        if line.starts_paragraph or not paragraphs:
            paragraphs.append(line.text)
        else:
            paragraphs[-1] += joint(paragraphs[-1], line.text) + line.text
    return "\n".join(paragraphs)


def joint(before: str, after: str) -> str:
    """What stands between two halves of a broken line: a space between Latin words, else nothing."""
    if before and after and _is_latin(before[-1]) and _is_latin(after[0]):
        return " "
    return ""


def _is_latin(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in ",.;:)!?")


def content_id(*parts: str, length: int = 12) -> str:
    """A short id derived from content, so that the same content always gets the same id."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()
    return digest[:length]


def passage_ids(book_id: str, contents: Sequence[tuple[tuple[str, ...], str]]) -> list[str]:
    """Ids for a book's passages, from section path and text; a repeated content counts its occurrences.

    A passage that a new version of the file leaves untouched keeps its id.
    """
    seen: dict[str, int] = {}
    ids: list[str] = []
    for path, text in contents:
        key = content_id("/".join(path), text, length=10)
        seen[key] = seen.get(key, 0) + 1
        suffix = "" if seen[key] == 1 else f"-{seen[key]}"
        ids.append(f"{book_id}-{key}{suffix}")
    return ids
