from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from app.core.errors import BadRequest
from eval.abstain import Outcome
from eval.answers import (
    Given,
    check_answers,
    check_citations,
    cross_validated,
    holds_answer,
    of_retrieved,
)
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


def given(query: str, cited: tuple[str, ...], dropped: int = 0, by_model: bool = False) -> Given:
    return Given(
        query, bool(cited), 1.0, ("文。",) * len(cited), cited, cited, dropped, by_model, 1.0, 2.0
    )


def test_citations_are_held_against_the_judgements(tiny: Dataset) -> None:
    # q1: d1 and d2 are relevant; q2: d3.
    check = check_citations(
        tiny, [given("q1", ("d1", "d4")), given("q2", ("d3",)), given("q3", ("d1",))]
    )
    assert check.questions == 2
    assert check.precision == 0.75
    assert check.recall == 0.75
    assert check.hit == 1.0
    assert check.dropped == 0.0


def test_the_share_dropped_is_of_what_a_model_wrote(tiny: Dataset) -> None:
    check = check_citations(tiny, [given("q1", ("d1",), dropped=3, by_model=True)])
    assert check.dropped == 0.75


def test_unanswered_questions_cite_nothing(tiny: Dataset) -> None:
    check = check_citations(tiny, [given("q1", ())])
    assert (check.questions, check.precision, check.hit) == (0, 0.0, 0.0)


def test_gold_answers_count_where_their_document_was_found(gold: Dataset) -> None:
    answered = {query: given(query, tuple(gold.qrels[query])) for query in gold.answers}
    assert of_retrieved(gold, list(answered.values())) == (1.0, 0.0)
    query = next(iter(gold.answers))
    right = replace(answered[query], shown=(gold.answers[query][0],))
    assert of_retrieved(gold, [right]) == (1.0, 1.0)
    assert of_retrieved(gold, [replace(right, found=("d99",))]) == (0.0, 0.0)


def test_a_threshold_that_separates_keeps_and_refuses_unseen_questions() -> None:
    outcomes = [Outcome(0.8 + n / 100, answerable=True) for n in range(10)]
    outcomes += [Outcome(n / 100, answerable=False) for n in range(10)]
    kept, refused = cross_validated(outcomes, times=3)
    assert kept > 0.7
    assert refused == 1.0


def test_one_kind_of_question_validates_nothing() -> None:
    assert cross_validated([Outcome(0.5, answerable=True)] * 6) == (0.0, 0.0)
