from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from app.core.errors import BadRequest
from eval.tune import Measure, tune

QUESTIONS = 40
SAFE = {"dense": 0.0, "grams": 0.2}


def best_at(**ideal: float) -> Measure:
    """A search whose every question is better the nearer each weight is to its ideal."""

    def measure(weights: Mapping[str, float]) -> Sequence[float]:
        loss = sum(abs(weights[leg] - value) for leg, value in ideal.items())
        return [0.8 - 0.2 * loss - 0.001 * number for number in range(QUESTIONS)]

    return measure


def test_a_helpful_leg_gets_the_weight_it_is_best_at() -> None:
    tuning = tune(best_at(dense=0.3), SAFE)
    assert tuning.weights == {"dense": 0.3, "grams": 0.2}
    assert tuning.tuned_ndcg - tuning.base_ndcg == pytest.approx(0.06)
    dense, grams = tuning.steps
    assert (dense.before, dense.after, dense.gain) == (0.0, 0.3, pytest.approx(0.06))
    assert (grams.after, grams.gain) == (0.2, 0.0)


def test_a_harmful_leg_stays_off() -> None:
    tuning = tune(best_at(dense=0.0), SAFE)
    assert tuning.weights["dense"] == 0.0
    assert tuning.tuned_ndcg == tuning.base_ndcg


def test_legs_are_chosen_one_after_the_other() -> None:
    assert tune(best_at(dense=0.5, grams=0.0), SAFE).weights == {"dense": 0.5, "grams": 0.0}


def test_a_gain_on_one_lucky_question_is_no_gain() -> None:
    def measure(weights: Mapping[str, float]) -> Sequence[float]:
        return [0.5 + (number == 3) * weights["dense"] / 4 for number in range(QUESTIONS)]

    tuning = tune(measure, SAFE)
    assert tuning.weights == SAFE
    assert tuning.tuned_ndcg == tuning.base_ndcg


def test_equal_weights_stay_nearest_to_the_safe_one() -> None:
    def measure(weights: Mapping[str, float]) -> Sequence[float]:
        return [0.5 + 0.1 * (weights["dense"] >= 0.3)] * QUESTIONS

    assert tune(measure, {"dense": 0.0}).weights == {"dense": 0.3}


def test_the_safe_weight_is_always_tried() -> None:
    tuning = tune(best_at(grams=0.25), {"grams": 0.25})
    assert tuning.weights == {"grams": 0.25}
    assert 0.25 in tuning.steps[0].means


def test_nothing_is_measured_twice() -> None:
    seen: list[tuple[float, ...]] = []

    def measure(weights: Mapping[str, float]) -> Sequence[float]:
        seen.append(tuple(weights.values()))
        return [0.5] * QUESTIONS

    progress: list[tuple[int, int]] = []
    tune(measure, SAFE, progress=lambda done, total: progress.append((done, total)))
    assert len(seen) == len(set(seen))
    assert progress[-1][0] == progress[-1][1]


def test_too_few_questions_are_refused() -> None:
    with pytest.raises(BadRequest, match="3 件"):
        tune(lambda weights: [0.5] * 3, SAFE)
