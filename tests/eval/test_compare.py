from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadRequest
from eval.compare import compare, randomisation_p
from eval.datasets import Dataset
from eval.runs import Result, evaluate


def result(dataset: Dataset, config: str, rankings: dict[str, str]) -> Result:
    def search(question: str, k: int) -> list[tuple[str, float]]:
        return [(doc, 1.0) for doc in rankings.get(question, "").split()]

    return evaluate(dataset, search, config=config)


def test_differences_changes_and_ranks(tiny: Dataset) -> None:
    before = result(tiny, "前", {"戸籍とは": "d1 d2", "結婚したい": "d4"})
    after = result(tiny, "後", {"戸籍とは": "d1 d2", "結婚したい": "d4 d3"})
    comparison = compare(tiny, before, after)
    assert (comparison.before, comparison.after) == ("前", "後")
    assert (comparison.better, comparison.worse) == (1, 0)
    recall = {d.measure: d for d in comparison.differences}["recall@10"]
    assert (recall.before, recall.after, recall.change) == (0.5, 1.0, 0.5)
    assert recall.low <= 0.5 <= recall.high
    (change,) = comparison.changes
    assert (change.text, change.before) == ("結婚したい", 0.0)
    assert change.after == pytest.approx(0.63093, abs=1e-5)
    (rank,) = change.ranks
    assert (rank.title, rank.before, rank.after) == ("民法 第一条", None, 2)


def test_nothing_changed(tiny: Dataset) -> None:
    same = result(tiny, "c", {"戸籍とは": "d1"})
    comparison = compare(tiny, same, same)
    assert comparison.changes == ()
    assert all(d.change == 0 and d.p == 1.0 for d in comparison.differences)


def test_the_largest_change_comes_first(tiny: Dataset) -> None:
    before = result(tiny, "前", {"戸籍とは": "d1", "結婚したい": "d3"})
    after = result(tiny, "後", {"戸籍とは": "d1 d2"})
    comparison = compare(tiny, before, after, top=1)
    assert [change.query for change in comparison.changes] == ["q2"]
    assert (comparison.better, comparison.worse) == (1, 1)


def test_results_of_different_questions_are_refused(tiny: Dataset) -> None:
    fewer = Dataset("tiny", tiny.corpus, tiny.queries, {"q1": {"d1": 1}})
    with pytest.raises(BadRequest, match="同じ質問"):
        compare(tiny, result(tiny, "前", {}), result(fewer, "後", {}))


def test_an_unmeasured_measure_is_refused(tiny: Dataset) -> None:
    with pytest.raises(BadRequest, match="map"):
        compare(tiny, result(tiny, "前", {}), result(tiny, "後", {}), measure="map")


def test_p_matches_the_exact_sign_flip_test() -> None:
    # All 2^4 sign patterns: only all-plus and all-minus reach the observed sum, so p = 2/16.
    assert randomisation_p([1.0, 1.0, 1.0, 1.0]) == pytest.approx(2 / 16, abs=0.01)
    assert randomisation_p([0.1, -0.1]) == 1.0
    assert randomisation_p([0.2] * 20) < 0.001
    assert randomisation_p([]) == 1.0


@given(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=12))
def test_p_is_a_probability_and_blind_to_direction(values: list[float]) -> None:
    p = randomisation_p(values, samples=200)
    assert 0 < p <= 1
    assert randomisation_p([-v for v in values], samples=200) == p
