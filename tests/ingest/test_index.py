from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.book import Book, Document, Line, Page
from app.core.errors import NotFound, StoreUnavailable
from app.core.ledger import Ledger
from app.core.lexical import VECTORS, WORDS, encode_query
from app.core.store import Leg, Point, Schema, Where
from app.core.store.edge import EdgeStore
from ingest.index import Shelf, complete, dense_text, fill, fingerprint
from ingest.pipeline import Prepared, prepare


def prepared(text: str, count: int = 3) -> Prepared:
    lines = [
        Line(part)
        for number in range(1, count + 1)
        for part in (f"第{number}条", f"{text}{number}。")
    ]
    return prepare(Document("本", (Page(0, tuple(lines)),)), "b")


@pytest.fixture(scope="module")
def old() -> Prepared:
    return prepared("離婚の届出", 3)


@pytest.fixture(scope="module")
def new() -> Prepared:
    return prepared("婚姻の届出", 5)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    store = EdgeStore(tmp_path / "index", Schema(sparse=VECTORS))
    made = Shelf(Ledger(tmp_path / "ledger.sqlite"), store, tmp_path / "originals")
    yield made
    store.close()
    made.ledger.close()


def file(folder: Path, name: str, text: str = "原本") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_publishing_replaces_a_book_whole(
    shelf: Shelf, tmp_path: Path, old: Prepared, new: Prepared
) -> None:
    first = shelf.publish(Book("b", "本", "本.txt"), file(tmp_path, "1.txt"), "f1", old)
    assert (first.pages, first.passages) == (1, 3)
    assert shelf.store.count(Where()) == 3
    assert shelf.original("b").read_text("utf-8") == "原本"
    second = shelf.publish(Book("b", "本", "本.txt"), file(tmp_path, "2.txt", "新"), "f2", new)
    assert second.passages == 5
    assert shelf.store.count(Where()) == 5
    assert [passage for _, passage in shelf.ledger.passages_of("b")] == list(new.passages)
    assert [path.read_text("utf-8") for path in shelf.originals.iterdir()] == ["新"]
    assert complete(shelf.ledger, shelf.store)


def test_removing_leaves_nothing(shelf: Shelf, tmp_path: Path, old: Prepared) -> None:
    shelf.publish(Book("b", "本", "本.txt"), file(tmp_path, "1.txt"), "f1", old)
    assert shelf.remove("b").id == "b"
    assert shelf.store.count(Where()) == 0
    assert list(shelf.originals.iterdir()) == []
    with pytest.raises(NotFound, match="b"):
        shelf.remove("b")


def test_what_a_dead_process_left_is_cleared_away(
    shelf: Shelf, tmp_path: Path, old: Prepared, new: Prepared
) -> None:
    shelf.publish(Book("b", "本", "本.txt"), file(tmp_path, "1.txt"), "f1", old)
    (shelf.originals / "f2.123.partial").write_text("半分", "utf-8")
    (shelf.originals / "f2.txt").write_text("新", "utf-8")
    shelf.ledger.start_job("本.txt")
    generation = shelf.ledger.begin_generation("b", "f2")
    shelf.ledger.write_generation(generation, new.document.pages, new.passages)
    shelf.store.upsert(
        [
            Point(passage.id, generation, "b", "", "", sparse=vectors)
            for passage, vectors in zip(new.passages[:2], new.vectors, strict=False)
        ]
    )
    assert shelf.store.count(Where()) == 5
    assert shelf.store.count(Where(hidden=shelf.ledger.hidden())) == 3
    shelf.mend()
    assert shelf.store.count(Where()) == 3
    assert shelf.ledger.hidden() == ()
    assert [path.name for path in shelf.originals.iterdir()] == ["f1.txt"]
    assert [job.state for job in shelf.ledger.jobs()] == ["interrupted"]


def test_a_failed_publication_changes_nothing(
    shelf: Shelf, tmp_path: Path, old: Prepared, new: Prepared
) -> None:
    shelf.publish(Book("b", "本", "本.txt"), file(tmp_path, "1.txt"), "f1", old)

    def out_of_memory(texts: Sequence[str]) -> NDArray[np.float32]:
        raise StoreUnavailable("空きがありません。")

    shelf.encode = out_of_memory
    with pytest.raises(StoreUnavailable):
        shelf.publish(Book("b", "本", "本.txt"), file(tmp_path, "2.txt"), "f2", new)
    shelf.encode = None
    assert complete(shelf.ledger, shelf.store)
    assert [passage for _, passage in shelf.ledger.passages_of("b")] == list(old.passages)
    shelf.mend()
    assert shelf.store.count(Where()) == 3


def test_files_are_known_by_content_and_by_name(
    shelf: Shelf, tmp_path: Path, old: Prepared
) -> None:
    path = file(tmp_path, "本.txt")
    digest = fingerprint(path)
    book_id = shelf.new_id("本.txt", digest)
    assert shelf.find("本.txt", digest) == ("", False)
    shelf.publish(Book(book_id, "本", "本.txt"), path, digest, old)
    assert shelf.find("本.txt", digest) == (book_id, True)
    assert shelf.find("別名.txt", digest) == (book_id, True)
    assert shelf.find("本.txt", "other") == (book_id, False)
    assert shelf.new_id("別.txt", digest) != book_id


def test_the_sidecar_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    path = file(tmp_path, "本.txt")
    before = fingerprint(path)
    sidecar = file(tmp_path, "本.txt.toml", 'title = "甲"')
    with_sidecar = fingerprint(path)
    assert with_sidecar != before
    sidecar.write_text('title = "乙"', "utf-8")
    assert fingerprint(path) != with_sidecar
    sidecar.unlink()
    assert fingerprint(path) == before


def test_an_index_can_be_filled_from_the_ledger_alone(
    shelf: Shelf, tmp_path: Path, old: Prepared
) -> None:
    shelf.publish(Book("b", "本", "本.txt", shelf="窓口"), file(tmp_path, "1.txt"), "f1", old)
    store = EdgeStore(tmp_path / "again", Schema(sparse=VECTORS, dense_size=4))
    told: list[tuple[int, int]] = []

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        assert texts[0] == dense_text(old.passages[0], "本")
        return np.ones((len(texts), 4), dtype=np.float32)

    fill(shelf.ledger, store, encode, lambda done, total: told.append((done, total)))
    assert complete(shelf.ledger, store)
    assert told == [(0, 1), (1, 1)]
    assert store.count(Where(shelves=("窓口",))) == 3
    assert len(store.search_dense([1.0, 1.0, 1.0, 1.0], 10)) == 3
    store.close()


def test_a_search_sees_the_old_book_or_the_new_one(
    shelf: Shelf, tmp_path: Path, old: Prepared, new: Prepared
) -> None:
    path = file(tmp_path, "1.txt")
    shelf.publish(Book("b", "本", "本.txt"), path, "0", old)
    query = encode_query(dict.fromkeys(("届出", "届け出"), 1.0))
    counts: set[int] = set()
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            where = Where(hidden=shelf.ledger.hidden())
            (found,) = shelf.store.search([Leg(WORDS, query, 50)], where)
            if where.hidden == shelf.ledger.hidden():
                counts.add(len(found))

    searching = threading.Thread(target=search)
    searching.start()
    for number in range(1, 15):
        shelf.publish(Book("b", "本", "本.txt"), path, str(number), (old, new)[number % 2])
    done.set()
    searching.join()
    assert counts <= {3, 5}
    assert counts
