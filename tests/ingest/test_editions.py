from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.book import Book, Document, Line, Page
from app.core.ledger import Ledger
from app.core.lexical import VECTORS
from app.core.store import Schema
from app.core.store.edge import EdgeStore
from ingest.editions import edition_numbers, is_later, successors, work_title
from ingest.index import Shelf
from ingest.pipeline import Prepared, prepare


def book(id_: str, title: str = "戸籍の手引", **fields: str) -> Book:
    return Book(id_, title, f"{id_}.txt", **fields)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("戸籍の手引", "戸籍の 手引　第２版"),
        ("全訂　戸籍の手引", "三訂版 戸籍の手引"),
        ("戸籍の手引〔第3版〕", "改訂新版・戸籍の手引（増補版）"),
        ("⼾籍実務六法 令和6年版", "戸籍実務六法 令和七年版"),
        ("戸籍の手引（見本）", "戸籍の手引（見本）初版"),
    ],
)
def test_editions_of_one_work_have_one_title(one: str, other: str) -> None:
    assert work_title(one) == work_title(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("戸籍の手引 上巻", "戸籍の手引 下巻"),
        ("戸籍法", "戸籍法施行規則"),
        ("戸籍訂正の手引", "戸籍の手引"),
        ("出版の手引", "の手引"),
    ],
)
def test_other_works_have_another_title(one: str, other: str) -> None:
    assert work_title(one) != work_title(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"published": "2018-04-01"}, {"published": "2024"}),
        ({"published": "2024", "as_of": "2023-04"}, {"published": "2024-05", "as_of": "2024-04"}),
        ({"edition": "初版"}, {"edition": "三訂版"}),
        ({"edition": "第2版"}, {"edition": "第十版"}),
        ({"edition": "改訂版"}, {"edition": "再訂版 三訂"}),
        ({"edition": "平成31年版"}, {"edition": "令和6年版"}),
        ({"edition": "第9版", "published": "2018"}, {"edition": "第1版", "published": "2019"}),
    ],
)
def test_dates_then_numbers_tell_what_came_later(old: dict[str, str], new: dict[str, str]) -> None:
    assert is_later(book("b", **new), book("a", **old))
    assert not is_later(book("a", **old), book("b", **new))
    assert successors([book("a", **old), book("b", **new)]) == {"a": "b", "b": ""}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"published": "2024"}, {"published": "2024-03"}),
        ({"published": "2024"}, {"as_of": "2020"}),
        ({"edition": "第2版"}, {"edition": "第2版", "shelf": "予備"}),
        ({"edition": "第2版"}, {"edition": "三訂版"}),
        ({"edition": "新訂版"}, {"edition": "全訂版"}),
        (
            {"published": "2018", "publisher": "甲出版"},
            {"published": "2024", "publisher": "乙書房"},
        ),
    ],
)
def test_books_whose_order_cannot_be_told_are_left_alone(
    one: dict[str, str], other: dict[str, str]
) -> None:
    assert successors([book("a", **one), book("b", **other)]) == {"a": "", "b": ""}


def test_each_edition_is_superseded_by_the_next() -> None:
    editions = [
        book("c", published="2024", publisher="甲出版"),
        book("a", published="2010", publisher="株式会社 甲出版"),
        book("b", "戸籍の手引 改訂版", published="2018", shelf="別の棚"),
        book("z", "住民票の手引", published="2030"),
    ]
    assert successors(editions) == {"a": "b", "b": "c", "c": "", "z": ""}


def test_statements_that_go_round_in_a_circle_mark_nothing() -> None:
    editions = [
        book("a", published="2018", edition="第9版"),
        book("b", published="2019", as_of="2015"),
        book("c", as_of="2016", edition="第1版"),
    ]
    assert is_later(editions[1], editions[0])
    assert is_later(editions[2], editions[1])
    assert is_later(editions[0], editions[2])
    assert set(successors(editions).values()) == {""}


def test_numbers_of_editions() -> None:
    assert edition_numbers(book("a", edition="初版")) == {"版": 1, "訂": 0}
    assert edition_numbers(book("a", edition="補訂第3版")) == {"版": 3}
    assert edition_numbers(book("a", "六法 令和元年版")) == {"年": 2019}


DATES = st.sampled_from(["", "2018", "2019-04", "2024-03-01"])
EDITIONS = st.sampled_from(["", "初版", "第2版", "三訂版", "令和6年版", "新版"])
BOOKS = st.lists(
    st.builds(
        Book,
        id=st.uuids().map(str),
        title=st.sampled_from(["手引", "手引 第3版", "便覧"]),
        source_file=st.just(""),
        edition=EDITIONS,
        published=DATES,
        as_of=DATES,
    ),
    max_size=6,
    unique_by=lambda made: made.id,
)


@given(BOOKS)
def test_a_successor_is_a_later_edition_of_the_same_work(books: list[Book]) -> None:
    known = {made.id: made for made in books}
    found = successors(books)
    assert found.keys() == known.keys()
    assert successors(reversed(books)) == found
    for old_id, new_id in found.items():
        if new_id:
            assert is_later(known[new_id], known[old_id])
            assert work_title(known[new_id].title) == work_title(known[old_id].title)


@pytest.fixture(scope="module")
def content() -> Prepared:
    return prepare(Document("本", (Page(0, (Line("第1条"), Line("離婚の届出。"))),)), "x")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    store = EdgeStore(tmp_path / "index", Schema(sparse=VECTORS))
    made = Shelf(Ledger(tmp_path / "ledger.sqlite"), store, tmp_path / "originals")
    yield made
    store.close()
    made.ledger.close()


def marks(shelf: Shelf) -> dict[str, str]:
    return {made.id: made.superseded_by for made in shelf.ledger.books().values()}


def test_the_shelf_keeps_the_marks_right(shelf: Shelf, tmp_path: Path, content: Prepared) -> None:
    file = tmp_path / "本.txt"
    file.write_text("原本", "utf-8")
    first, second, third = (
        book(id_, edition=edition)
        for id_, edition in (("a", "初版"), ("b", "第2版"), ("c", "第3版"))
    )
    assert shelf.publish(third, file, "f3", content).superseded_by == ""
    assert shelf.publish(first, file, "f1", content).superseded_by == "c"
    shelf.publish(second, file, "f2", content)
    assert marks(shelf) == {"a": "b", "b": "c", "c": ""}
    assert shelf.publish(first, file, "f1b", content).superseded_by == "b"
    shelf.remove("b")
    assert marks(shelf) == {"a": "c", "c": ""}
    shelf.revise(replace(third, title="住民票の手引"))
    assert marks(shelf) == {"a": "", "c": ""}
    assert shelf.revise(replace(first, edition="第4版")).superseded_by == ""
    shelf.revise(third)
    assert marks(shelf) == {"a": "", "c": "a"}
    assert len(list(shelf.ledger.passages_of("c"))) == 1


def test_books_added_before_there_were_marks_get_them_at_the_start(
    shelf: Shelf, tmp_path: Path, content: Prepared
) -> None:
    for id_, edition in (("a", "初版"), ("b", "第2版")):
        shelf.publish(book(id_, edition=edition), tmp_path / "無い.txt", id_, content)
    shelf.ledger.supersede("a", "")
    shelf.mend()
    assert marks(shelf) == {"a": "b", "b": ""}
