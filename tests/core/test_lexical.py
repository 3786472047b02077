from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.book import Passage
from app.core.japanese import tokens
from app.core.lexical import GRAMS, VECTORS, WORDS, encode_passage, encode_query, term_id
from app.core.store import Sparse

PASSAGE = Passage(
    "b-1",
    "b",
    0,
    "第七十七条の二　婚氏続称の届出\n離婚の日から三箇月以内に届け出なければならない。",
    section_path=("第四章　届出", "第七十七条の二　婚氏続称の届出"),
)


def value(vector: Sparse, term: str) -> float:
    return dict(zip(vector.indices, vector.values, strict=True)).get(term_id(term), 0.0)


def norm(text: str) -> str:
    (token,) = tokens(text)
    return token.norm


def test_question_and_passage_meet_in_their_words() -> None:
    vectors = encode_passage(PASSAGE, "戸籍の手引")
    assert tuple(vectors) == VECTORS
    query = encode_query({norm("離婚"): 1.0})
    assert set(query.indices) <= set(vectors[WORDS].indices)
    assert value(vectors[WORDS], norm("養子")) == 0.0


def test_a_word_in_the_heading_counts_more_than_one_in_the_text() -> None:
    words = encode_passage(PASSAGE, "")[WORDS]
    assert value(words, norm("届出")) > value(words, norm("離婚")) > 0


def test_a_repeated_word_counts_more_but_ever_less() -> None:
    values = []
    for times in (1, 2, 4, 8):
        text = "。".join(["離婚"] * times + ["婚姻"] * (16 - times))
        values.append(value(encode_passage(Passage("b-1", "b", 0, text), "")[WORDS], norm("離婚")))
    assert values == sorted(values)
    gains = [after - before for before, after in pairwise(values)]
    assert gains[0] > 0
    assert max(values) < 2.2  # k1 + 1


def test_a_long_passage_is_held_against_its_words() -> None:
    short = Passage("b-1", "b", 0, "離婚の届出。")
    long = replace(short, text="離婚の届出。" + "婚姻の証人。" * 50)
    of_short = value(encode_passage(short, "")[WORDS], norm("離婚"))
    assert of_short > value(encode_passage(long, "")[WORDS], norm("離婚")) > 0


def test_context_finds_and_the_title_has_no_pairs_of_its_own() -> None:
    helped = replace(PASSAGE, context="渉外")
    assert value(encode_passage(helped, "")[WORDS], norm("渉外")) > 0
    titled = encode_passage(PASSAGE, "渉外")
    assert value(titled[WORDS], norm("渉外")) > 0
    assert value(titled[GRAMS], "渉外") == 0


def test_a_passage_without_words_has_empty_vectors() -> None:
    assert encode_passage(Passage("b-1", "b", 0, ""), "") == dict.fromkeys(VECTORS, Sparse([], []))


def test_term_ids_never_change() -> None:
    # Indexes hold them: another hash would need another ENCODING.
    assert [term_id("戸籍"), term_id("a")] == [143311838, 3391310933]


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=60),
    st.lists(st.text(min_size=1, max_size=10), max_size=3),
    st.text(max_size=9),
)
def test_any_passage_gives_vectors_the_store_accepts(
    text: str, path: list[str], title: str
) -> None:
    passage = Passage("b-1", "b", 0, text, section_path=tuple(path))
    for vector in encode_passage(passage, title).values():
        assert all(0 <= index < 2**32 for index in vector.indices)
        assert all(value > 0 for value in vector.values)
    assert pytest.approx(0) == sum(encode_query({}).values)
