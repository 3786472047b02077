from __future__ import annotations

from pathlib import Path

import pytest

from app.core.book import Book, Passage
from app.core.errors import BadRequest
from eval.datasets import CorpusDocument, Dataset
from eval.questions import Like, LoggedQuestion, build_questions, passage_document

CORPUS = [CorpusDocument("p1", "出生届は十四日以内"), CorpusDocument("p2", "婚姻届")]


def build(folder: Path, *likes: Like, questions: tuple[str, ...] = ()) -> Dataset:
    return build_questions(folder, CORPUS, [LoggedQuestion(text) for text in questions], likes)


def test_likes_become_grades(tmp_path: Path) -> None:
    dataset = build(
        tmp_path / "site",
        Like("出生届の期限", "p1"),
        Like("出生届の期限", "p1"),
        Like("出生届の期限", "p2", liked=False),
    )
    (query,) = dataset.judged
    assert query.text == "出生届の期限"
    assert dataset.qrels[query.id] == {"p1": 2, "p2": 0}


def test_spellings_of_one_question_are_one(tmp_path: Path) -> None:
    dataset = build(tmp_path / "site", Like("出生届の期限", "p1"), Like("出生届の 期限　", "p1"))
    assert [query.text for query in dataset.queries.values()] == ["出生届の期限"]


def test_grades_stay_between_zero_and_three(tmp_path: Path) -> None:
    likes = [Like("期限", "p1")] * 9 + [Like("期限", "p2", liked=False)] * 9
    (grades,) = build(tmp_path / "site", *likes).qrels.values()
    assert grades == {"p1": 3, "p2": 0}


def test_unliked_questions_are_written_but_not_judged(tmp_path: Path) -> None:
    dataset = build(
        tmp_path / "site",
        Like("期限", "p1"),
        Like("嫌い", "p1", liked=False),
        questions=("婚姻届の証人",),
    )
    assert [query.text for query in dataset.judged] == ["期限"]
    assert {query.text for query in dataset.queries.values()} == {"期限", "嫌い", "婚姻届の証人"}


def test_blank_questions_are_left_out(tmp_path: Path) -> None:
    dataset = build(tmp_path / "site", Like("期限", "p1"), Like("　", "p1"), questions=("", " \n"))
    assert [query.text for query in dataset.queries.values()] == ["期限"]


def test_a_type_is_kept(tmp_path: Path) -> None:
    dataset = build_questions(
        tmp_path / "site", CORPUS, [LoggedQuestion("期限", "term")], [Like("期限", "p1")]
    )
    assert [query.type for query in dataset.judged] == ["term"]


def test_without_likes_there_is_nothing_judged_yet(tmp_path: Path) -> None:
    dataset = build(tmp_path / "site", Like("期限", "gone"), questions=("期限",))
    assert [query.text for query in dataset.queries.values()] == ["期限"]
    assert dataset.judged == []


def test_nothing_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="質問がありません"):
        build(tmp_path / "site", questions=("　",))


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("x", "utf-8")
    with pytest.raises(BadRequest, match="空ではありません"):
        build(tmp_path, Like("期限", "p1"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_passage_is_named_by_its_book_and_headings() -> None:
    book = Book("b", "戸籍実務", "a.pdf", edition="第3版")
    passage = Passage("b-1", "b", 0, "本文", ("第一章", "問12"), "問12", page_label="124の1")
    document = passage_document(passage, book)
    assert (document.id, document.title, document.text) == ("b-1", "戸籍実務 第一章 問12", "本文")
    assert document.book == "戸籍実務"
    assert document.metadata["page"] == "124の1"
