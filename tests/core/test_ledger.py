from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.book import Book, Box, Line, Page, PageBoxes, Passage
from app.core.errors import DataDirTooNew, NotFound, StoreUnavailable
from app.core.ledger import Ledger, migrations

BOOK = Book("b1", "戸籍の手引", "/本/手引.pdf", edition="第2版", shelf="窓口", pages=2, passages=2)
PAGES = (
    Page(0, (Line("第1条"), Line("届出をする。")), "ⅰ", ("柱",), 595.0, 842.0, True, "pdf", 0.9),
    Page(1, (Line("第2条"),), "1", warnings=("薄い",)),
)
PASSAGES = (
    Passage(
        "b1-a",
        "b1",
        0,
        "第1条\n届出をする。",
        section_path=("第1章", "第1条"),
        article="第1条",
        kind="article",
        page_label="ⅰ",
        boxes=(PageBoxes(0, (Box(0.1, 0.2, 0.3, 0.4),)),),
        about=("戸籍法:1",),
        cites=("民法:772",),
        context="よみ",
    ),
    Passage("b1-b", "b1", 1, "第2条", page_index=1, page_index_end=1, page_label="1"),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def publish(ledger: Ledger, book: Book = BOOK, sha256: str = "f1") -> int:
    generation = ledger.begin_generation(book.id, sha256)
    ledger.write_generation(
        generation, PAGES, [replace(passage, book_id=book.id) for passage in PASSAGES]
    )
    ledger.publish(generation, book)
    return generation


def test_a_book_is_seen_from_its_publication_on(ledger: Ledger) -> None:
    generation = ledger.begin_generation(BOOK.id, "f1")
    ledger.write_generation(generation, PAGES, PASSAGES)
    assert ledger.books() == {}
    assert ledger.hidden() == (generation,)
    ledger.publish(generation, BOOK)
    assert ledger.books() == {"b1": BOOK}
    assert ledger.hidden() == ()
    assert ledger.live_generations() == {"b1": generation}
    assert ledger.fingerprints() == {"f1"}


def test_passages_and_pages_come_back_as_they_were(ledger: Ledger) -> None:
    generation = publish(ledger)
    assert [passage for _, passage in ledger.passages_of("b1")] == list(PASSAGES)
    assert ledger.passage("b1-a") == PASSAGES[0]
    keys = [(generation, "b1-b"), (generation, "b1-gone"), (generation + 1, "b1-a")]
    assert ledger.passages(keys) == {(generation, "b1-b"): PASSAGES[1]}
    page = ledger.page("b1", 0)
    assert (page.label, page.heads, page.vertical, page.confidence) == ("ⅰ", ("柱",), True, 0.9)
    assert ledger.page_text("b1", 0) == "第1条\n届出をする。"
    assert [page.warnings for page in ledger.pages("b1")] == [(), ("薄い",)]
    assert ledger.neighbours(PASSAGES[0]) == [PASSAGES[1]]


def test_a_new_generation_takes_the_place_of_the_old_in_one_step(ledger: Ledger) -> None:
    old = publish(ledger)
    new = publish(ledger, replace(BOOK, edition="第3版"), "f2")
    assert ledger.live_generations() == {"b1": new}
    assert ledger.book("b1").edition == "第3版"
    assert ledger.hidden() == (old,)
    ledger.forget_generations([old, new])
    assert ledger.hidden() == ()
    assert ledger.passages([(old, "b1-a")]) == {}
    assert ledger.passage("b1-a").text == PASSAGES[0].text


def test_a_failed_write_keeps_nothing(ledger: Ledger) -> None:
    generation = ledger.begin_generation("b1", "f1")
    with pytest.raises(sqlite3.IntegrityError):
        ledger.write_generation(generation, PAGES, [PASSAGES[0], PASSAGES[0]])
    ledger.publish(generation, BOOK)
    assert list(ledger.passages_of("b1")) == []
    assert ledger.pages("b1") == []


def test_books_are_found_by_content_and_by_file(ledger: Ledger) -> None:
    publish(ledger)
    assert ledger.book_with(sha256="f1") == (BOOK, "f1")
    assert ledger.book_with(source_file="/本/手引.pdf") == (BOOK, "f1")
    assert ledger.book_with(sha256="f2") is None


def test_removing_a_book_leaves_its_generation_hidden(ledger: Ledger) -> None:
    generation = publish(ledger)
    publish(ledger, replace(BOOK, id="b2", source_file="/本/旧.pdf"), "f2")
    ledger.supersede("b2", "b1")
    assert ledger.book("b2").superseded_by == "b1"
    ledger.remove_book("b1")
    assert list(ledger.books()) == ["b2"]
    assert ledger.book("b2").superseded_by == ""
    assert ledger.hidden() == (generation,)


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda ledger: ledger.book("b9"), "b9"),
        (lambda ledger: ledger.page("b9", 0), "b9"),
        (lambda ledger: ledger.page("b1", 7), "8枚目"),
        (lambda ledger: ledger.passage("b1-x"), "b1-x"),
        (lambda ledger: ledger.passage(""), "パッセージ"),
        (lambda ledger: ledger.remove_book("b9"), "b9"),
    ],
)
def test_what_is_not_there_is_named(ledger: Ledger, ask, named: str) -> None:  # type: ignore[no-untyped-def]
    publish(ledger)
    with pytest.raises(NotFound, match=named) as caught:
        ask(ledger)
    assert caught.value.hint


def test_a_job_is_timed_from_when_its_turn_comes(ledger: Ledger) -> None:
    waiting = ledger.start_job("一.pdf")
    noted = ledger.jobs()[0].started_at
    ledger.begin_job(waiting)
    assert ledger.jobs()[0].started_at > noted


def test_jobs_end_as_they_are_told_or_are_interrupted(ledger: Ledger) -> None:
    first, second = ledger.start_job("一.pdf"), ledger.start_job("二.pdf")
    ledger.finish_job(first, "added", book_id="b1", pages=2, passages=3)
    assert ledger.interrupt_running_jobs() == 1
    later, earlier = ledger.jobs()
    assert (later.id, later.state) == (second, "interrupted")
    assert "もう一度" in later.reason
    assert (earlier.state, earlier.book_id, earlier.pages, earlier.passages) == (
        "added",
        "b1",
        2,
        3,
    )
    assert earlier.finished_at is not None
    assert [job.id for job in ledger.jobs(limit=1)] == [second]


def test_facts_are_kept_over_a_restart(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.sqlite")
    assert first.fact("index") == ""
    first.set_fact("index", "1")
    first.set_fact("index", "2")
    first.close()
    second = Ledger(tmp_path / "ledger.sqlite")
    assert second.fact("index") == "2"
    second.close()


def test_every_older_ledger_is_brought_up_to_date(tmp_path: Path) -> None:
    for version in range(len(migrations.MIGRATIONS)):
        path = tmp_path / f"{version}.sqlite"
        db = sqlite3.connect(path)
        for migrate in migrations.MIGRATIONS[:version]:
            migrate(db)
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()
        db.close()
        ledger = Ledger(path)
        publish(ledger)
        assert ledger.books() == {"b1": BOOK}
        ledger.close()


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(DataDirTooNew, match="台帳の版 99") as caught:
        Ledger(path)
    assert "更新" in caught.value.hint
    assert path.read_bytes() == before


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database at all, but long enough to look like one" * 100)
    with pytest.raises(StoreUnavailable, match="台帳") as caught:
        Ledger(path)
    assert caught.value.field == str(path)


def test_threads_read_while_one_writes(ledger: Ledger) -> None:
    seen: list[int] = []

    def read() -> None:
        for _ in range(50):
            seen.append(len(ledger.books()))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(10):
        publish(ledger, replace(BOOK, id=f"b{number}"), f"f{number}")
    for reader in readers:
        reader.join()
    assert len(seen) == 200
    assert len(ledger.books()) == 10


def test_connections_of_ended_threads_do_not_pile_up(ledger: Ledger) -> None:
    for _ in range(20):
        thread = threading.Thread(target=ledger.books)
        thread.start()
        thread.join()
        ledger.set_fact("again", "1")  # what is remembered is asked anew
    assert len(ledger._opened) <= 2


def test_a_closed_ledger_stays_closed(ledger: Ledger) -> None:
    ledger.close()
    with pytest.raises(sqlite3.ProgrammingError):
        ledger.set_fact("index", "1")
