from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import BadRequest
from eval.measures import per_query
from eval.tune import fuse, tune

QUERIES = [f"q{n}" for n in range(20)]
QRELS = {query: {"right": 1} for query in QUERIES}
LEXICAL = {query: {"wrong": 10.0, "right": 8.0} for query in QUERIES}
HELPFUL = {query: {"right": 0.9, "wrong": 0.1} for query in QUERIES}
HARMFUL = {query: {"wrong": 0.9, "other": 0.8} for query in QUERIES}


def test_fuse_by_hand() -> None:
    legs = {"lexical": {"a": 10.0, "b": 5.0}, "dense": {"b": 0.8, "c": 0.4, "d": -0.2}}
    assert fuse(legs, {"lexical": 0.7, "dense": 0.3}) == pytest.approx(
        {"a": 0.7, "b": 0.35 + 0.3, "c": 0.15}
    )
    assert fuse(legs, {"lexical": 1.0, "dense": 0.0}) == {"a": 1.0, "b": 0.5}
    assert fuse({"lexical": {"a": 0.0}}, {"lexical": 1.0}) == {}


def test_a_helpful_leg_gets_weight() -> None:
    tuning = tune({"lexical": LEXICAL, "dense": HELPFUL}, QRELS)
    assert tuning.weights["dense"] > 0
    assert sum(tuning.weights.values()) == pytest.approx(1.0)
    assert tuning.base_ndcg == pytest.approx(0.63093, abs=1e-5)
    assert tuning.tuned_ndcg == 1.0
    assert tuning.low == pytest.approx(tuning.tried["dense"]) == pytest.approx(1 - 0.63093, 1e-4)


def test_a_harmful_leg_is_off() -> None:
    tuning = tune({"lexical": LEXICAL, "dense": HARMFUL}, QRELS)
    assert tuning.weights == {"lexical": 1.0, "dense": 0.0}
    assert tuning.tuned_ndcg == tuning.base_ndcg
    assert (tuning.low, tuning.high) == (0.0, 0.0)


def test_a_gain_within_noise_is_off() -> None:
    lucky = {"q3": HELPFUL["q3"]}
    assert tune({"lexical": LEXICAL, "dense": lucky}, QRELS).weights["dense"] == 0.0


def test_of_three_legs_only_the_helpful_one_joins() -> None:
    tuning = tune({"lexical": LEXICAL, "bad": HARMFUL, "dense": HELPFUL}, QRELS)
    assert tuning.weights["bad"] == 0.0
    assert tuning.weights["dense"] > 0


def test_questions_no_leg_answers_count_as_zero() -> None:
    tuning = tune({"lexical": {"q0": LEXICAL["q0"]}, "dense": {}}, QRELS)
    assert tuning.base_ndcg == pytest.approx(0.63093 / 20, abs=1e-5)
    assert tuning.weights["dense"] == 0.0


def test_too_few_questions_are_refused() -> None:
    with pytest.raises(BadRequest, match="1 件"):
        tune({"lexical": LEXICAL}, {"q0": {"right": 1}, "q1": {"right": 0}})


def test_a_missing_base_leg_is_named() -> None:
    with pytest.raises(BadRequest, match="lexical"):
        tune({"dense": HELPFUL}, QRELS)


graded = st.dictionaries(st.sampled_from("abcdefghijklmn"), st.integers(0, 3), min_size=1)


@settings(max_examples=30)
@given(
    st.lists(graded.filter(lambda grades: any(grades.values())), min_size=4, max_size=6),
    st.lists(st.floats(0.01, 1), min_size=14, max_size=14, unique=True),
)
def test_its_ndcg_is_the_measures_ndcg(judged: list[dict[str, int]], scores: list[float]) -> None:
    qrels = {str(n): grades for n, grades in enumerate(judged)}
    leg = dict(zip("abcdefghijklmn", scores, strict=True))
    ranking = sorted(leg.items(), key=lambda item: -item[1])
    expected = per_query(qrels, dict.fromkeys(qrels, ranking), ["ndcg@10"])["ndcg@10"]
    tuning = tune({"lexical": dict.fromkeys(qrels, leg)}, qrels, folds=2)
    assert tuning.base_ndcg == pytest.approx(sum(expected.values()) / len(expected))
