"""Whether what a question refers to is on the shelf at all: a false premise is named, not searched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.core.book import Book
from app.core.references import Mention, Reference, law_name
from app.core.store import Store, Where


def notices(
    store: Store, where: Where, mentions: Sequence[Mention], books: Iterable[Book]
) -> list[str]:
    """A sentence for each reference that the books searched show to be wrong, or hold nothing of.

    `books` are those of the shelf; only a statute itself can show that it has no such article.
    """
    if not mentions:
        return []
    statutes = {law_name(book.title) for book in books if _is_searched(book, where)}
    place = "探した本" if where.books or where.shelves or where.editions else "この書棚"
    found = (_notice(store, where, item.reference, statutes, place) for item in mentions)
    return list(dict.fromkeys(notice for notice in found if notice))


def _notice(
    store: Store, where: Where, reference: Reference, statutes: set[str], place: str
) -> str:
    if reference.office:
        return "" if _is_mentioned(store, where, reference.id) else _unheld(reference, place)
    if not reference.article:
        return ""
    article = replace(reference, paragraph=None, item=None)
    if reference.law not in statutes:
        return "" if _is_mentioned(store, where, article.id) else _unheld(article, place)
    if not _holds(store, replace(where, about=(article.id,))):
        return (
            f"{article.display}は、{place}の{reference.law}にありません。条番号を確かめてください。"
        )
    paragraph = replace(reference, item=None)
    if reference.paragraph and not _holds(store, replace(where, about=(paragraph.id,))):
        return f"{paragraph.display}は、{place}の{reference.law}にありません。項番号を確かめてください。"
    return ""


def _unheld(reference: Reference, place: str) -> str:
    return f"{reference.display}を載せた本も、引用した本も、{place}にはありません。"


def _is_searched(book: Book, where: Where) -> bool:
    return (
        (not where.books or book.id in where.books)
        and (not where.shelves or book.shelf in where.shelves)
        and (not where.editions or book.edition in where.editions)
    )


def _is_mentioned(store: Store, where: Where, reference_id: str) -> bool:
    return _holds(store, replace(where, about=(reference_id,))) or _holds(
        store, replace(where, cites=(reference_id,))
    )


def _holds(store: Store, where: Where) -> bool:
    return bool(store.select(where, 1))
