"""Books taken off the shelf and put back; editions stated by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.book import Book, Document, Line, Page
from app.core.errors import BadRequest, Conflict, NotFound
from app.core.ledger import Ledger
from app.core.lexical import VECTORS
from app.core.store import Schema, Where
from app.core.store.edge import EdgeStore
from ingest.index import Shelf, complete
from ingest.pipeline import prepare


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    store = EdgeStore(tmp_path / "index", Schema(sparse=VECTORS))
    made = Shelf(Ledger(tmp_path / "ledger.sqlite"), store, tmp_path / "originals")
    for number in (1, 2):
        publish(made, tmp_path, f"b{number}", f"第{number}版")
    yield made
    store.close()
    made.ledger.close()


def publish(shelf: Shelf, folder: Path, book_id: str, edition: str) -> None:
    page = Page(0, (Line("第1条"), Line(f"{book_id}の届出をする。")))
    path = folder / f"{book_id}.txt"
    path.write_text(book_id, "utf-8")
    book = Book(book_id, "手引", path.name, edition=edition)
    shelf.publish(book, path, f"f-{book_id}", prepare(Document("手引", (page,)), book_id))


def found(shelf: Shelf) -> list[str]:
    seen = shelf.store.select(Where(hidden=shelf.ledger.hidden()), 10)
    return [passage_id.split("-")[0] for passage_id, _ in seen]


def test_a_book_set_aside_is_not_found_and_comes_back_whole(shelf: Shelf) -> None:
    assert shelf.ledger.book("b1").superseded_by == "b2"
    before = list(shelf.ledger.passages_of("b2"))
    shelf.remove("b2", keep=True)
    assert found(shelf) == ["b1"]
    assert shelf.ledger.hidden() == (), "what is set aside costs no search anything"
    assert shelf.ledger.book("b1").superseded_by == ""
    shelf.mend()
    assert complete(shelf.ledger, shelf.store)
    assert [item.book.id for item in shelf.ledger.set_aside()] == ["b2"]

    assert shelf.put_back("b2").title == "手引"
    assert found(shelf) == ["b1", "b2"]
    assert list(shelf.ledger.passages_of("b2")) == before
    assert shelf.original("b2").read_text("utf-8") == "b2"
    assert shelf.ledger.book("b1").superseded_by == "b2"
    assert shelf.ledger.set_aside() == []
    with pytest.raises(NotFound):
        shelf.put_back("b2")


def test_an_old_edition_comes_back_as_superseded(shelf: Shelf) -> None:
    shelf.remove("b1", keep=True)
    assert shelf.put_back("b1").superseded_by == "b2"


def test_a_return_that_was_cut_short_leaves_the_book_aside(shelf: Shelf) -> None:
    shelf.remove("b2", keep=True)
    item = shelf.ledger.aside("b2")
    shelf.ledger.begin_return("b2")
    shelf._write_points(item.book, item.generation, shelf.ledger.passages_in(item.generation))
    assert found(shelf) == ["b1"]
    shelf.mend()
    assert shelf.store.count(Where()) == 1
    assert shelf.put_back("b2").id == "b2"
    assert found(shelf) == ["b1", "b2"]


def test_a_book_is_deleted_for_good(shelf: Shelf) -> None:
    shelf.remove("b2", keep=True)
    assert len(list(shelf.originals.iterdir())) == 2
    shelf.discard("b2")
    assert len(list(shelf.originals.iterdir())) == 1
    assert shelf.ledger.set_aside() == []
    with pytest.raises(NotFound):
        shelf.put_back("b2")


def test_a_file_that_came_anew_is_no_longer_aside(shelf: Shelf, tmp_path: Path) -> None:
    shelf.remove("b2", keep=True)
    publish(shelf, tmp_path, "b2", "第2版")
    assert shelf.ledger.set_aside() == []
    assert shelf.ledger.hidden() == ()
    shelf.remove("b2", keep=True)
    page = Page(0, (Line("別の名前で登録し直した本。"),))
    shelf.publish(
        Book("b3", "別名", "別名.txt"),
        tmp_path / "b2.txt",
        "f-b2",
        prepare(Document("別名", (page,)), "b3"),
    )
    with pytest.raises(Conflict, match="別名"):
        shelf.put_back("b2")


def test_editions_are_stated_by_hand(shelf: Shelf, tmp_path: Path) -> None:
    page = Page(0, (Line("題の違う後継の本。"),))
    shelf.publish(
        Book("c", "新しい題", "c.txt"),
        tmp_path / "b1.txt",
        "f-c",
        prepare(Document("新しい題", (page,)), "c"),
    )
    shelf.state_edition("b2", "c")
    assert shelf.ledger.book("b2").superseded_by == "c"
    shelf.mend()
    assert shelf.ledger.book("b2").superseded_by == "c", "a start keeps what was stated"
    with pytest.raises(BadRequest, match="輪"):
        shelf.state_edition("c", "b1")
    shelf.state_edition("b1", "")
    assert shelf.ledger.book("b1").superseded_by == ""
    shelf.state_edition("b1", None)
    assert shelf.ledger.book("b1").superseded_by == "b2"
    shelf.remove("c")
    assert shelf.ledger.book("b2").superseded_by == ""
    with pytest.raises(NotFound):
        shelf.state_edition("b2", "nothing")
