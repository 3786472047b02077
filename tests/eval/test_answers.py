from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from app.core.errors import BadRequest
from eval.answers import check_answers, holds_answer
from eval.datasets import Dataset, Query

SHOWN = {
    "戸籍とは": ["市町村長が管掌する。", "戸籍の事務です。"],
    "天気は": ["明日は晴れ。"],
}


def answerable(question: str) -> Sequence[str]:
    return SHOWN.get(question, [])


@pytest.fixture
def gold(tiny: Dataset) -> Dataset:
    return replace(
        tiny,
        answers={"q1": ("戸籍の 事務",), "q2": ("十八歳", "18歳")},
        unanswerable={"u1": Query("u1", "天気は"), "u2": Query("u2", "税金は")},
    )


def test_shares_by_hand(gold: Dataset) -> None:
    check = check_answers(gold, answerable)
    assert (check.questions, check.in_first, check.in_any, check.silent) == (2, 0.0, 0.5, 0.5)
    assert (check.unanswerable, check.refused) == (2, 0.5)
    (missed,) = check.missed
    assert (missed.query, missed.shown) == ("q2", ())
    assert check.as_json()["missed"] == ["q2"]


def test_progress_counts_both_kinds(gold: Dataset) -> None:
    seen: list[tuple[int, int]] = []
    check_answers(gold, answerable, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)


def test_an_answer_is_found_whatever_its_width() -> None:
    assert holds_answer(["届出は１４日以内。"], ["14日"])
    assert holds_answer(["ＤＶ等支援措置"], ["dv等"])


def test_an_answer_may_not_straddle_sentences() -> None:
    assert not holds_answer(["期間は十", "四日"], ["十四日"])


def test_an_empty_answer_proves_nothing() -> None:
    assert not holds_answer(["何か"], [" "])


def test_a_dataset_without_gold_answers_is_refused(tiny: Dataset) -> None:
    with pytest.raises(BadRequest, match=r"tiny"):
        check_answers(tiny, answerable)
