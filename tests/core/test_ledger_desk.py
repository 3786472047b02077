from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from app.core.book import Book, Box, Line, Page, Passage, Ruby
from app.core.errors import NotFound
from app.core.ledger import Ledger
from app.core.ledger.migrations import m001_books

LINES = (
    Line("第1条", Box(0.1, 0.2, 0.9, 0.25), "heading", level=2, size=1.4),
    Line("権利を得る", Box(0.1, 0.3, 0.9, 0.35), ruby=(Ruby(0, 2, "けんり"),)),
    Line("ことができる。", starts_paragraph=False),
)


def test_a_ledger_of_the_first_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    old = sqlite3.connect(path)
    m001_books(old)
    old.execute("PRAGMA user_version = 1")
    old.execute(
        "INSERT INTO questions (asked_at, kind, query, hits, took_ms) VALUES (1, 'ask', '離婚', '[]', 5)"
    )
    old.commit()
    old.close()
    ledger = Ledger(path)
    assert [question.query for question in ledger.questions()] == ["離婚"]
    assert ledger.lookups() == []
    ledger.close()


def test_printed_lines_come_back_as_they_were(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    generation = ledger.begin_generation("b", "hash")
    passage = Passage("b-1", "b", 0, "第1条\n権利を得ることができる。", page_index_end=1)
    ledger.write_generation(generation, [Page(0, LINES), Page(1, ())], [passage])
    ledger.publish(generation, Book("b", "本", "b.pdf", pages=2, passages=1))
    assert ledger.lines("b", 0) == LINES
    assert ledger.lines("b", 1) == ()
    ledger.close()


def test_a_revised_description_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    generation = ledger.begin_generation("b", "hash")
    ledger.publish(generation, Book("b", "本", "b.pdf"))
    ledger.revise_book(Book("b", "新しい書名", "elsewhere.pdf", edition="第2版"))
    found = ledger.book("b")
    assert (found.title, found.edition, found.source_file) == ("新しい書名", "第2版", "b.pdf")
    ledger.close()


def test_a_note_of_ones_own_is_seen_and_moved_by_nobody_else(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    generation = ledger.begin_generation("b", "hash")
    ledger.write_generation(generation, [Page(0, LINES)], [Passage("b-1", "b", 0, "第1条")])
    ledger.publish(generation, Book("b", "本", "b.pdf", pages=1, passages=1))
    shared = ledger.add_note("b-1", "みなへ", folder="渉外")
    own = ledger.add_note("b-1", "自分へ", owner="me")
    assert [note.text for note in ledger.notes(["b-1"], "me")["b-1"]] == ["みなへ", "自分へ"]
    assert [note.text for note in ledger.notes(["b-1"], "other")["b-1"]] == ["みなへ"]
    assert [note.id for note in ledger.all_notes("me", folder="")] == [own]
    assert [note.id for note in ledger.all_notes("me", containing="みな")] == [shared]
    assert ledger.folders("me") == {"": 1, "渉外": 1}
    assert ledger.folders() == {"渉外": 1}
    with pytest.raises(NotFound):
        ledger.change_note(own, folder="渉外", owner="", reader="other")
    ledger.remove_note(own, "other")
    ledger.change_note(own, folder="渉外", owner="", reader="me")
    assert len(ledger.all_notes()) == 2
    ledger.close()


def test_the_same_question_joins_only_the_look_up_of_its_own_browser(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    first = ledger.log_lookup("離婚の届出", [], 1.0, False)
    assert ledger.log_lookup("離婚の届出", [], 1.0, False) != first
    assert ledger.log_lookup("離婚の届出", [], 1.0, False, own=first) == first
    assert ledger.log_lookup("離婚の費用", [], 1.0, True, own=first) != first
    assert ledger.log_lookup("離婚届の用紙", [], 1.0, True, first) == first
    found = ledger.lookup(first)
    assert found is not None
    assert found.queries == ("離婚の届出", "離婚届の用紙")
    assert (found.answered, found.unanswered) == (True, ("離婚の届出",))
    ledger.close()


def test_questions_answered_before_are_found_by_their_words(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for query, answered in (("離婚の届出", True), ("離婚の届出", True), ("離婚の費用", False)):
        ledger.log_question("ask", query, [], 1.0, answered)
    assert ledger.asked_like(["離婚", "氏"]) == ["離婚の届出"]
    assert ledger.asked_like([]) == []
    ledger.close()
