from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.asked import TypicalQuestion, TypicalQuestions


def question(words: str, *articles: str) -> TypicalQuestion:
    return TypicalQuestion(words, frozenset(words.split()), articles)


ASKED = TypicalQuestions(
    [
        question("離婚 氏 そのまま", "民法:767", "戸籍法:77_2"),
        question("離婚 届 期限", "戸籍法:77"),
        question("子 名 漢字", "戸籍法:50"),
        question("子 名 使う 字", "戸籍法:50"),
    ]
)


def test_the_article_that_is_asked_about_in_these_words_is_best() -> None:
    found = ASKED.like({"離婚", "氏", "使う"})
    assert found.votes["民法:767"] == found.votes["戸籍法:77_2"] == 1.0
    assert 0 < found.votes["戸籍法:77"] < 1.0
    assert next(iter(found.votes)) in {"民法:767", "戸籍法:77_2"}


def test_the_nearest_question_is_about_the_best_article() -> None:
    found = ASKED.like({"子", "名", "字"})
    assert found.nearest is not None
    assert found.nearest.text == "子 名 使う 字"


def test_words_that_are_no_question_vote_but_are_not_nearest() -> None:
    bare = TypicalQuestion("", frozenset({"離婚", "氏"}), ("民法:767",))
    found = TypicalQuestions([bare]).like({"離婚", "氏"})
    assert (found.votes, found.nearest) == ({"民法:767": 1.0}, None)


def test_words_nobody_asked_with_say_nothing() -> None:
    found = ASKED.like({"天気"})
    assert (found.votes, found.coverage, found.nearest) == ({}, 0.0, None)


def test_what_is_often_asked_about_an_article_is_told() -> None:
    asked = [question(f"離婚 {word}", "民法:767") for word in ("氏", "名字", "姓")]
    found = TypicalQuestions(asked).like({"離婚", "姓", "天気"})
    assert found.said == {"民法:767": frozenset({"離婚"})}


def test_no_questions_at_all_say_nothing() -> None:
    assert TypicalQuestions(()).like({"離婚"}).votes == {}


def test_strange_words_lower_the_coverage_but_not_the_votes() -> None:
    plain = ASKED.like({"離婚", "氏"})
    strange = ASKED.like({"離婚", "氏", "天気", "予報"})
    assert strange.votes == plain.votes
    assert strange.coverage < plain.coverage


def test_a_rare_word_tells_more_than_a_common_one() -> None:
    assert ASKED.rarity("期限") > ASKED.rarity("離婚")
    assert ASKED.rarity("天気") > ASKED.rarity("期限")


@pytest.mark.parametrize("word", ["離婚", "子"])
def test_a_word_counts_once_however_often_it_is_said(word: str) -> None:
    assert ASKED.like([word, word]) == ASKED.like([word])


@given(
    st.sets(st.sampled_from(["離婚", "氏", "そのまま", "届", "期限", "子", "名", "漢字", "天気"]))
)
def test_votes_and_coverage_are_shares(words: set[str]) -> None:
    found = ASKED.like(words)
    assert all(0 < vote <= 1 for vote in found.votes.values())
    assert 0 <= found.coverage <= 1
    assert (found.nearest is None) == (not found.votes)
