"""What the ledger keeps for the library desk besides the books themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.book import Book, Line, Page
from app.core.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.sqlite")
    yield made
    made.close()


def add(ledger: Ledger, book_id: str, *pages: Page) -> None:
    generation = ledger.begin_generation(book_id, f"f-{book_id}")
    ledger.write_generation(generation, pages, [])
    ledger.publish(generation, Book(book_id, "手引", "a.pdf", pages=len(pages)))


def test_doubtful_pages_are_counted_by_book(ledger: Ledger) -> None:
    good = Page(0, (Line("届出をする。"),))
    add(ledger, "a", good, Page(1, ()), Page(2, (Line("?"),), warnings=("文字化け",)))
    add(ledger, "b", good)
    assert ledger.doubtful_pages() == {"a": 2}
    add(ledger, "a", good, Page(1, ()))
    assert ledger.doubtful_pages() == {"a": 1}, "of the live generation only"
    ledger.remove_book("a", keep=True)
    assert ledger.doubtful_pages() == {}


def test_versions_of_a_table_come_newest_first(ledger: Ledger) -> None:
    for content in ("一", "二"):
        ledger.keep_table("glossary", content)
    ledger.keep_table("law_changes", "他")
    assert [one.content for one in ledger.table_versions("glossary")] == ["二", "一"]
    assert [one.content for one in ledger.table_versions("glossary", 1)] == ["二"]


def test_deeds_are_kept_in_their_order(ledger: Ledger) -> None:
    ledger.note_deed("10.0.0.1", "登録", "本.pdf", "棚")
    ledger.note_deed("10.0.0.2", "ログイン")
    last, first = ledger.deeds()
    assert (last.who, last.action, last.subject) == ("10.0.0.2", "ログイン", "")
    assert (first.action, first.subject, first.detail) == ("登録", "本.pdf", "棚")
