from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadRequest
from eval.datasets import Dataset
from eval.measures import MEASURES, book_groups, interval, means, per_query, type_groups

QRELS = {"q": {"a": 3, "b": 1}}
documents = st.permutations(list("abcdef"))
grades = st.fixed_dictionaries({doc: st.integers(0, 3) for doc in "abcdef"})


def ranking(docs: str | list[str]) -> list[tuple[str, float]]:
    return [(doc, 0.0) for doc in docs]


def value(measure: str, docs: str | list[str], qrels: dict[str, dict[str, int]] = QRELS) -> float:
    return per_query(qrels, {"q": ranking(docs)}, [measure])[measure]["q"]


def test_ndcg_by_hand() -> None:
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    assert value("ndcg@10", "xab") == pytest.approx((3 / math.log2(3) + 1 / math.log2(4)) / ideal)
    assert value("ndcg@1", "bax") == pytest.approx(1 / 3)


def test_recall_mrr_and_success_take_grade_one_as_relevant() -> None:
    assert value("recall@2", "xba") == 0.5
    assert value("mrr@10", "xba") == 0.5
    assert value("mrr@1", "xba") == 0.0
    assert value("success@1", "xba") == 0.0
    assert value("success@2", "xba") == 1.0


def test_grade_zero_is_not_relevant() -> None:
    assert value("recall@10", "ab", {"q": {"a": 0, "b": 1}}) == 1.0
    assert value("success@1", "ab", {"q": {"a": 0, "b": 1}}) == 0.0


def test_the_shown_order_counts_where_scores_are_equal() -> None:
    assert value("ndcg@10", "abz") == 1.0
    assert value("mrr@10", "zab") == value("mrr@10", "yab") == 0.5


def test_a_query_the_run_never_answered_counts_as_zero() -> None:
    qrels = {"q": {"a": 1}, "silent": {"a": 1}}
    values = per_query(qrels, {"q": ranking("a")})
    for measure in MEASURES:
        assert values[measure] == {"q": 1.0, "silent": 0.0}
        assert means(values)[measure] == 0.5
        assert means(values, ["q"])[measure] == 1.0


def test_an_empty_run_is_zero_everywhere() -> None:
    assert per_query(QRELS, {}) == {measure: {"q": 0.0} for measure in MEASURES}


def test_an_unjudged_query_in_the_run_is_ignored() -> None:
    assert list(per_query(QRELS, {"q": ranking("a"), "z": ranking("a")})["ndcg@10"]) == ["q"]


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(BadRequest, match="map@10"):
        per_query(QRELS, {}, ["map@10"])


@given(documents, grades)
def test_measures_stay_between_zero_and_one(docs: list[str], judged: dict[str, int]) -> None:
    for measure in MEASURES:
        assert 0.0 <= value(measure, docs, {"q": judged}) <= 1.0


@given(grades.filter(lambda judged: any(judged.values())))
def test_a_perfect_run_scores_one(judged: dict[str, int]) -> None:
    docs = sorted(judged, key=lambda doc: -judged[doc])
    for measure in MEASURES:
        assert value(measure, docs, {"q": judged}) == pytest.approx(1.0)


@given(documents, grades, st.integers(0, 4))
def test_moving_a_better_document_up_never_lowers_ndcg(
    docs: list[str], judged: dict[str, int], at: int
) -> None:
    upper, lower = docs[at], docs[at + 1]
    swapped = [*docs[:at], lower, upper, *docs[at + 2 :]]
    change = value("ndcg@10", swapped, {"q": judged}) - value("ndcg@10", docs, {"q": judged})
    if judged[lower] >= judged[upper]:
        assert change >= -1e-9


def test_interval_holds_the_mean_and_is_repeatable() -> None:
    values = [0.0, 1.0] * 20
    low, high = interval(values)
    assert low < 0.5 < high
    assert interval(values) == (low, high)
    assert interval([0.4] * 10) == pytest.approx((0.4, 0.4))
    assert interval([]) == (0.0, 0.0)


def test_a_bootstrap_interval_matches_the_normal_one_on_many_queries() -> None:
    values = [0.0, 1.0] * 200
    half = 1.96 * 0.5 / math.sqrt(400)
    assert interval(values) == pytest.approx((0.5 - half, 0.5 + half), abs=0.006)


def test_groups_by_type_and_book(tiny: Dataset) -> None:
    assert type_groups(tiny) == {"term": ["q1"], "situational": ["q2"]}
    assert book_groups(tiny) == {"戸籍法": ["q1"], "民法": ["q2"]}
