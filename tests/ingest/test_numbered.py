from __future__ import annotations

from pathlib import Path

import pytest

from app.core.book import Document, Line, Page
from ingest.numbered import numbered_headings
from ingest.readers.pdf import read_pdf
from ingest.sections import sections
from tests.ingest.pdfs import across, write_pdf

TEXT = "届出は口頭でもすることができる。"


def headings(*lines: str) -> list[str]:
    return [lines[at] for at in sorted(numbered_headings([Line(line) for line in lines]))]


@pytest.mark.parametrize(
    "titles",
    [
        ("１　総説", "２　届出の種類"),
        ("第１　通則", "第２　届出"),
        ("1.1 趣旨", "1.2 要件"),
        ("（１）要件", "（２）効果"),
        ("1. 総説", "2. 届出"),
    ],
)
def test_counted_titles_over_text_are_headings(titles: tuple[str, str]) -> None:
    assert headings(titles[0], TEXT, titles[1], TEXT, TEXT) == list(titles)


def test_a_title_right_above_the_first_of_a_deeper_kind_is_one_too() -> None:
    lines = ("１　総説", "(1) 要件", TEXT, "(2) 効果", TEXT, "２　届出", TEXT)
    assert headings(*lines) == ["１　総説", "(1) 要件", "(2) 効果", "２　届出"]


@pytest.mark.parametrize(
    "lines",
    [
        ("１　戸籍謄本", "２　住民票", "３　届書", TEXT),  # items of a list
        ("１　届出は市役所でする。", "２　代理人", TEXT),  # paragraphs of an article
        ("２　届出", TEXT, "３　審査", TEXT),  # counted from nowhere
        ("１　総説", TEXT),  # counted by nothing
        ("１　届書の記載は次のとおりとし、", TEXT, "２　署名", TEXT),
        ("2024 年度", TEXT, "2025 年度", TEXT),
    ],
)
def test_other_numbered_lines_are_none(lines: tuple[str, ...]) -> None:
    assert headings(*lines) == []


def paths(*lines: str) -> list[tuple[str, ...]]:
    made = Document("", (Page(0, tuple(map(Line, lines))),))
    return [section.path for section in sections(made)]


def test_kinds_of_numbers_stand_below_each_other_in_their_order() -> None:
    assert paths("第１　通則", "(1) 要件", TEXT, "(2) 効果", TEXT, "第２　届出", TEXT) == [
        ("第１　通則",),
        ("第１　通則", "(1)　要件"),
        ("第１　通則", "(2)　効果"),
        ("第２　届出",),
    ]


def test_articles_and_answers_keep_their_numbered_parts() -> None:
    parts = ("１　趣旨", TEXT, "２　要件", TEXT)
    assert paths("第三条　届出", *parts) == [("第三条",)]
    assert paths("問1　届出の要件は何か。", "答　次のとおり。", *parts) == [
        ("問1　届出の要件は何か。",)
    ]
    assert paths("第三条　届出", "【解説】", *parts)[2:] == [
        ("第三条", "【解説】", "１　趣旨"),
        ("第三条", "【解説】", "２　要件"),
    ]


def test_on_a_printed_page_they_are_set_like_the_text(tmp_path: Path) -> None:
    text = ["　届出は、本籍地の市役所又は所在地の市役所で", "口頭ですることができる。"]
    lines = ["１　総説", *text, "２　届出の種類", *text]
    marks = [mark for n, line in enumerate(lines) for mark in across(line, 50, 500 - 18 * n)]
    found = sections(read_pdf(write_pdf(tmp_path / "a.pdf", [marks])))
    assert [section.path for section in found] == [("１　総説",), ("２　届出の種類",)]
