from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.book import Document, Line, Page
from ingest.chunks import passages
from ingest.contents import contents_pages, index_pages, index_terms
from ingest.sandbox import read_book
from ingest.sections import sections

SAMPLES = Path(__file__).parents[2] / "ingest" / "samples"


def book(*pages: tuple[str, list[str]], heads: tuple[str, ...] = ()) -> Document:
    made = tuple(
        Page(number, tuple(Line(text) for text in texts), label=label, heads=heads)
        for number, (label, texts) in enumerate(pages)
    )
    return Document("手引", made)


BODY = [
    ("12", ["第1章　離婚", "協議上の離婚をするには届け出る。"]),
    ("45の2", ["第2章　氏", "婚氏を続称する。"]),
    ("46", ["第3章　名", "名を変更する。", "国籍を留保する。"]),
]


def test_contents_with_one_space_before_the_number_run_on_without_a_heading() -> None:
    lines = [
        "第1章　通則　1",
        "問1　どこに出せばよいか。　1",
        "問2 家族が代わりに持ってきても",
        "よいか。　2",
    ]
    last = ("ⅴ", ["附録　45の2"])
    body = ("1", ["第1章　通則", "届出は、14日以内にする。", "手数料は　450"])
    assert contents_pages(book(("ⅲ", ["目次", *lines]), ("ⅳ", lines), last, body)) == {0, 1, 2}


def test_a_table_of_numbers_is_no_table_of_contents() -> None:
    table = ("1", ["手数料", "謄本　450", "抄本　450"])
    assert contents_pages(book(table, table)) == set()
    assert contents_pages(book(("1", ["目次の読み方", "謄本　450", "抄本　450"]))) == set()


def test_index_terms_stand_with_the_pages_they_name() -> None:
    first = ("47", ["事項索引", "あ", "慰謝料…… 12, 45の2", "婚氏続称　45の2", "―の届出　46"])
    second = ("48", ["離婚　12〜46", "協議離婚　12、", "46", "無い頁　99"])
    document = book(*BODY, first, second)
    assert index_pages(document) == {3, 4}
    assert index_terms(document) == {
        0: ("慰謝料", "離婚", "協議離婚"),
        1: ("慰謝料", "婚氏続称", "離婚"),
        2: ("婚氏続称の届出", "離婚", "協議離婚"),
    }


def test_terms_help_to_find_and_are_never_shown() -> None:
    index = ("47", ["索引", "慰謝料　12", "婚氏続称　45の2"])
    found = passages(book(*BODY, index), "b")
    assert [passage.page_label for passage in found] == ["12", "45の2", "46"]
    assert ["慰謝料" in passage.context for passage in found] == [True, False, False]
    assert not any("慰謝料" in passage.text for passage in found)


def test_kanji_page_numbers_are_those_printed_in_digits_or_kanji() -> None:
    pages = [("一二", ["第1章　離婚", "本文。"]), ("13", ["本文。"])]
    index = ("一四", ["索引", "離婚　一二", "婚姻　一三、一四"])
    assert index_terms(book(*pages, index)) == {0: ("離婚",), 1: ("婚姻",)}


def test_a_book_about_indexes_keeps_its_text() -> None:
    first = ("1", ["索引", "索引は本の終わりにある。", "引き方を述べる。"])
    assert (
        index_pages(book(first, ("2", ["索引", "索引には用語を並べる。", "頁を添える。"]))) == set()
    )


TEXTS = st.lists(
    st.one_of(
        st.text(alphabet="索引目次離婚 　…、,12の〜―一", max_size=12),
        st.sampled_from(["索引", "目次", "離婚　1", "―の届出 2, 3", "1"]),
    ),
    max_size=5,
)
LABELS = st.sampled_from(["", "1", "2", "3", "1の2", "ⅱ"])


@given(st.lists(st.tuples(LABELS, TEXTS), max_size=5))
def test_terms_are_given_to_pages_of_text_alone(pages: list[tuple[str, list[str]]]) -> None:
    document = book(*pages)
    listed = index_pages(document)
    terms = index_terms(document)
    assert not listed & terms.keys()
    assert all(found and all(term.strip() for term in found) for found in terms.values())


@pytest.fixture(scope="module")
def questions_and_answers() -> Document:
    return read_book(SAMPLES / "mondo.pdf")


def test_contents_of_the_samples_are_found(questions_and_answers: Document) -> None:
    assert contents_pages(questions_and_answers) == {3, 4, 5, 6, 7, 8}
    assert contents_pages(read_book(SAMPLES / "tebiki.pdf")) == {3, 4, 5, 6}


def test_every_question_of_the_sample_is_whole(questions_and_answers: Document) -> None:
    found = [item for item in sections(questions_and_answers) if item.kind == "question"]
    assert [item.headings[-1].label for item in found] == [f"問{n}" for n in range(1, 101)]
    printed = {
        "".join(item.title.split()) for item in questions_and_answers.outline if item.level == 3
    }
    assert {"".join(item.path[-1].split()) for item in found} == printed
    assert all(item.paragraphs[0].text.startswith("答　") for item in found)
