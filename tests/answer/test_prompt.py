from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer.prompt import Said, build, read, schema
from app.core.book import Book, Hit, Passage


def hits(count: int, chars: int = 100) -> list[Hit]:
    book = Book(id="b", title="手引", source_file="b.md", edition="初版")
    return [
        Hit(
            rank=n + 1,
            score=1.0,
            passage=Passage(id=f"p{n}", book_id="b", ordinal=n, text=f"{n}" + "文" * chars),
            book=book,
        )
        for n in range(count)
    ]


def cut(text: str, places: list[int]) -> Iterator[str]:
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return (text[a:b] for a, b in pairwise(bounds))


SAID = [Said(("1",), "届け出る。"), Said(("2", "3"), "「要しない」と\n定める。")]
WRITTEN = json.dumps(
    {"sentences": [{"evidence": list(said.evidence), "text": said.text} for said in SAID]},
    ensure_ascii=False,
    indent=1,
)


@given(st.lists(st.integers(0, 400), max_size=30))
def test_sentences_are_read_however_the_stream_is_cut(places: list[int]) -> None:
    assert list(read(cut(WRITTEN, places), "json_schema")) == SAID


def test_a_sentence_is_there_as_soon_as_it_is_complete() -> None:
    pieces = iter([WRITTEN[: WRITTEN.index("},") + 1], "終わり"])
    assert next(read(pieces, "json_object")) == SAID[0]


@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_garbage_is_no_sentence_and_no_error(text: str, places: list[int]) -> None:
    for mode in ("json_schema", "json_object", "tags"):
        for said in read(cut(text, places), mode):  # type: ignore[arg-type]
            assert said.text


@pytest.mark.parametrize(
    "line", ["[1][2] 届け出る。", "・[1, 2] 届け出る。", "【１】【２】届け出る。"]
)
def test_tags_in_any_bracket(line: str) -> None:
    assert list(read(iter(["前置き\n", line]), "tags")) == [Said(("1", "2"), "届け出る。")]


def test_the_best_passages_come_first_and_the_rest_is_left_out() -> None:
    asked = build("問い", hits(6), "tags", context=2000, count=len)
    assert list(asked.evidence) == [str(n + 1) for n in range(len(asked.evidence))]
    assert 0 < len(asked.evidence) < 7
    total = sum(len(message["content"]) for message in asked.messages)
    assert total + asked.max_tokens <= 2000
    assert build("問い", hits(6), "tags", context=500, count=len).evidence == {}


def test_only_given_ids_can_be_named() -> None:
    asked = build("問い", hits(2), "json_schema", context=8000, count=len)
    item = schema(asked.evidence)["properties"]["sentences"]["items"]
    assert item["properties"]["evidence"]["items"]["enum"] == ["1", "2"]
    assert list(item["properties"]) == ["evidence", "text"]
