from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer.followup import MAX_CHARS, standalone


@pytest.mark.parametrize(
    ("history", "question", "whole"),
    [
        (
            ["離婚しても今の名字を使い続けたい"],
            "では外国人の場合は?",
            "外国人の場合、離婚しても今の名字を使い続けたい",
        ),
        (["死亡届は誰が出すのか。"], "期限は？", "死亡届の期限は"),
        (["死亡届は誰が出すのか。"], "その期限は？", "死亡届の期限は？"),
        (["死亡届は誰が出すのか。"], "それはいつまで？", "死亡届はいつまで？"),
        (["出生届の期限"], "国外では？", "国外では、出生届の期限"),
        (["出生届はいつまで"], "死亡届は？", "死亡届はいつまで"),
        (["出生届の期限"], "死亡届は？", "死亡届の期限"),
        (["婚姻届の証人は何人か"], "では離婚届は？", "離婚届の証人は何人か"),
        (["戸籍謄本の手数料"], "除籍は？", "除籍謄本の手数料"),
        (
            ["出生届は誰が出すか"],
            "国外で生まれた場合は？",
            "国外で生まれた場合、出生届は誰が出すか",
        ),
        (["死亡届の期間"], "外国で死亡したときは？", "外国で死亡したとき、死亡届の期間"),
        (["婚姻届の証人は何人か"], "外国人は？", "外国人の場合、婚姻届の証人は何人か"),
        (["婚姻届の証人は何人か"], "それはいつまでに出す？", "婚姻届はいつまでに出す？"),
        (["婚姻届の証人は何人か"], "それは誰でもよい？", "婚姻届の証人は誰でもよい？"),
        (["婚姻届に証人は要るか"], "離婚なら？", "離婚なら、婚姻届に証人は要るか"),
        (
            ["死亡届は誰が出すのか。", "期限は？"],
            "じゃあ国外の場合は？",
            "国外の場合、死亡届の期限は",
        ),
    ],
)
def test_a_follow_up_becomes_a_whole_question(
    history: list[str], question: str, whole: str
) -> None:
    assert standalone(question, history) == whole


@pytest.mark.parametrize(
    "question",
    [
        "転籍届はどこに出すのか。",
        "婚姻届の証人は何人必要か",
        "外国人が日本で死亡した場合の届出は誰がするのか",
    ],
)
def test_a_whole_question_is_left_as_it_is(question: str) -> None:
    assert standalone(question, ["死亡届は誰が出すのか。"]) == question


def test_without_history_nothing_is_added() -> None:
    assert standalone("では外国人の場合は？", []) == "では外国人の場合は？"


@given(st.text(min_size=1, max_size=80), st.lists(st.text(max_size=400), max_size=12))
def test_no_conversation_makes_an_endless_question(question: str, history: list[str]) -> None:
    assert len(standalone(question, history)) <= max(MAX_CHARS, len(question))
