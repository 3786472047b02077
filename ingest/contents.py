"""Pages that only point to other pages: tables of contents, and the indexes at a book's end.

They are no part of the text. What an index says of a page helps to find that page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from app.core.book import Document, Page

_LABEL = r"(?:[0-9]{1,4}|[〇一二三四五六七八九十百]{1,4}|[ivxlc]{1,7})(?:の[0-9一二三四五六七八九十]{1,3})*"
_SPAN = rf"{_LABEL}(?:\s*[-~〜―–]\s*{_LABEL})?"
_POINTER = re.compile(rf"(?:\s|[….‥・])\s*{_LABEL}$")
_ENTRY = re.compile(
    rf"(?P<term>.*?\S)[\s….‥・]+(?P<pages>{_SPAN}(?:\s*[,、・\s]\s*{_SPAN})*)\s*[,、]?$"
)
_ONLY_PAGES = re.compile(rf"{_SPAN}(?:\s*[,、・\s]\s*{_SPAN})*$")
_CONTENTS = re.compile(r"[総細]?目次$")
_INDEX = re.compile(r"(?:[事用][項語]|条文|法令|判例|先例|通達|人名|書式|五十音|総合)*索引$")
_SAME_AS_ABOVE = re.compile(r"[-―ー—–〃]+\s*")
_LONGEST = 200
_DIGITS = str.maketrans("〇一二三四五六七八九", "0123456789")


def contents_pages(document: Document) -> set[int]:
    """Indices of the pages of a table of contents: headed 目次, or going on from such a page.

    Most of their lines end in a page number.
    """
    found: set[int] = set()
    for page in document.pages:
        pointing = sum(bool(_POINTER.search(text)) for text in _texts(page) if _is_short(text))
        lines = len(_texts(page))
        if _is_headed(page, _CONTENTS):
            if pointing >= max(2, 0.4 * lines):
                found.add(page.index)
        elif page.index - 1 in found and lines and pointing >= 0.6 * lines:
            found.add(page.index)
    return found


def index_pages(document: Document) -> set[int]:
    """Indices of the index's pages in the second half of a book: headed 索引, or going on from it."""
    found: set[int] = set()
    for page in document.pages[len(document.pages) // 2 :]:
        entries = sum(_entry(text) is not None for text in _texts(page))
        lines = len(_texts(page))
        if _is_headed(page, _INDEX):
            if entries >= max(2, 0.4 * lines):
                found.add(page.index)
        elif page.index - 1 in found and lines and entries >= 0.6 * lines:
            found.add(page.index)
    return found


def index_terms(document: Document) -> dict[int, tuple[str, ...]]:
    """The terms an index gives for each page, by page index, in the order of the index."""
    places: dict[str, int] = {}
    for page in document.pages:
        if page.label:
            places.setdefault(_key(page.label), page.index)
    listed = index_pages(document)
    terms: dict[int, dict[str, None]] = {}
    for page in document.pages:
        if page.index not in listed:
            continue
        for term, spans in _entries(_texts(page)):
            for index in _pages(spans, places):
                if index not in listed:
                    terms.setdefault(index, {})[term] = None
    return {index: tuple(found) for index, found in terms.items()}


def _entries(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Terms and the page numbers after them; a sub-entry (――の届出) bears its main entry's word."""
    main = last = ""
    for text in texts:
        if last and _is_short(text) and _ONLY_PAGES.match(text):
            yield last, text
            continue
        match = _entry(text)
        if match is None:
            if not _INDEX.match(_squeezed(text)) and len(text) > 1:
                main, last = text, ""
            continue
        term = match["term"]
        if below := _SAME_AS_ABOVE.match(term):
            term = main + term[below.end() :]
        else:
            main = term
        last = term
        yield term, match["pages"]


def _entry(text: str) -> re.Match[str] | None:
    return _ENTRY.match(text) if _is_short(text) else None


def _is_short(text: str) -> bool:
    # A paragraph points to no page, and would take the patterns long.
    return len(text) <= _LONGEST


def _pages(spans: str, places: dict[str, int]) -> Iterator[int]:
    for span in re.findall(_SPAN, spans):
        first, *rest = (places.get(_key(label)) for label in re.findall(_LABEL, span))
        last = rest[0] if rest else first
        if first is not None and last is not None:
            yield from range(first, last + 1)


def _key(label: str) -> str:
    """A page number as it is compared: 一二三 is 123, Ⅻ is xii."""
    folded = unicodedata.normalize("NFKC", label).lower()
    if "十" in folded or "百" in folded:
        return folded
    return folded.translate(_DIGITS)


def _is_headed(page: Page, name: re.Pattern[str]) -> bool:
    return any(name.match(_squeezed(text)) for text in (*_texts(page)[:3], *page.heads))


def _texts(page: Page) -> list[str]:
    texts = (" ".join(unicodedata.normalize("NFKC", line.text).split()) for line in page.lines)
    return [text for text in texts if text]


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())
