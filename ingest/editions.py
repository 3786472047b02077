"""Which books on the shelf are editions of one work, and which of them came later."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from app.core.book import Book
from app.core.japanese import ERA_OFFSETS, fold, parse_number

_NUMBER = r"[0-9〇一二三四五六七八九十百]+"
_YEAR = rf"(?P<era>令和|平成|昭和)?(?P<year>元|{_NUMBER})年度?版"
_COUNTED = re.compile(
    rf"第(?P<版>{_NUMBER})版|(?P<初>初版)|(?P<訂>{_NUMBER})訂版?|(?P<改>改訂版?)|{_YEAR}"
)
_SUPPLEMENT = re.compile(rf"追録第?({_NUMBER})号?")
_EDITION_WORDS = re.compile(
    rf"第{_NUMBER}版|初版|{_NUMBER}訂版?|(?:令和|平成|昭和)?(?:元|{_NUMBER})年度?版"
    r"|(?:増補)?(?:全訂|改訂|補訂|新訂|再訂)(?:新?版|増補版?)?|増補版?|最新版|新版"
)
_COMPANY = re.compile(r"株式会社|有限会社|\(株\)|\(有\)")


def successors(books: Iterable[Book]) -> dict[str, str]:
    """For every book the id of the edition that came next, empty where it is the latest.

    Books are editions of one work when their titles are the same without edition words,
    wherever they stand; two that name different publishers are not. What came later is
    told by the date of publication, then the as-of date, then the number of the edition;
    where none tells, neither supersedes the other.
    """
    works: dict[str, list[Book]] = defaultdict(list)
    found: dict[str, str] = {}
    for book in books:
        found[book.id] = ""
        if title := work_title(book.title):
            works[title].append(book)
    for editions in works.values():
        if len(editions) > 1:
            found |= _chain(editions)
    return found


def _chain(editions: list[Book]) -> dict[str, str]:
    later = {
        book.id: [other for other in editions if _same_house(book, other) and is_later(other, book)]
        for book in editions
    }
    if all(later.values()):
        return {}  # dates and numbers contradict each other in a circle
    return {book_id: _first(found) for book_id, found in later.items()}


def _first(editions: list[Book]) -> str:
    """The id of the edition that no other one came before; empty for none."""
    first = [
        book.id for book in editions if not any(is_later(book, other) for other in editions)
    ] or [book.id for book in editions]
    return min(first, default="")


def is_later(book: Book, other: Book) -> bool:
    """Whether a book is a later edition than another of the same work; false where nothing tells."""
    for date, before in ((book.published, other.published), (book.as_of, other.as_of)):
        # A year alone does not tell whether it was before or after a month of that year.
        if date and before and not date.startswith(before) and not before.startswith(date):
            return date > before
    own, known = edition_numbers(book), edition_numbers(other)
    for kind in own.keys() & known.keys():
        if own[kind] != known[kind]:
            return own[kind] > known[kind]
    (bare, supplement), (other_bare, before_it) = _supplemented(book), _supplemented(other)
    return bare == other_bare and supplement > before_it


def _supplemented(book: Book) -> tuple[str, int]:
    """A book's edition without its supplement (追録第5号), and the supplement's number, 0 for none."""
    edition = _squeezed(book.edition)
    match = _SUPPLEMENT.search(edition)
    return _SUPPLEMENT.sub("", edition), (parse_number(match[1]) or 0) if match else 0


def edition_numbers(book: Book) -> dict[str, int]:
    """What a book's edition and title count, by way of counting: 版 (第3版), 訂 (三訂版), 年 (令和7年版).

    A first edition (初版) comes before all others of either count, a 改訂版 is the first 訂.
    """
    numbers: dict[str, int] = {}
    for match in _COUNTED.finditer(_squeezed(f"{book.edition} {book.title}")):
        if match["初"]:
            numbers |= {"版": 1, "訂": 0}
        elif match["改"]:
            numbers.setdefault("訂", 1)
        elif match["year"]:
            year = 1 if match["year"] == "元" else parse_number(match["year"]) or 0
            numbers.setdefault("年", year + ERA_OFFSETS.get(match["era"] or "", 0))
        else:
            kind = "版" if match["版"] else "訂"
            numbers.setdefault(kind, parse_number(match[kind]) or 0)
    return numbers


@lru_cache(maxsize=4096)
def work_title(title: str) -> str:
    """A title as it is the same for every edition: folded, without edition words, spaces and marks."""
    bare = _EDITION_WORDS.sub("", _squeezed(title))
    return "".join(char for char in bare if char.isalnum())


def _same_house(book: Book, other: Book) -> bool:
    houses = {_COMPANY.sub("", _squeezed(each.publisher)) for each in (book, other)}
    return len(houses) == 1 or "" in houses


def _squeezed(text: str) -> str:
    return "".join(fold(text).split())
