from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.abstain import (
    Outcome,
    answerable_auroc,
    aurc,
    auroc,
    risk_coverage,
    threshold_at_refusal,
    threshold_at_risk,
    thresholds,
)

OUTCOMES = [
    Outcome(0.9, True),
    Outcome(0.8, True, correct=False),
    Outcome(0.6, True),
    Outcome(0.3, False),
]
outcomes = st.lists(
    st.builds(Outcome, st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=12,
)


def test_auroc_by_hand() -> None:
    assert auroc([0.9, 0.8, 0.1], [True, True, False]) == 1.0
    assert auroc([0.1, 0.9], [True, False]) == 0.0
    assert auroc([0.5, 0.5], [True, False]) == 0.5
    # pairs (0.9, 0.5) right, (0.9, 0.2) right, (0.5, 0.5) tied, (0.5, 0.2) right: 3.5 of 4
    assert auroc([0.9, 0.5, 0.5, 0.2], [True, True, False, False]) == 3.5 / 4
    assert auroc([0.9], [True]) == 0.5


def test_auroc_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, labels = [0.1, 0.4, 0.4, 0.8, 0.9, 0.4], [False, True, False, True, True, False]
    assert auroc(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_risk_coverage_by_hand() -> None:
    assert risk_coverage(OUTCOMES) == [(0.25, 0.0), (0.5, 0.5), (0.75, 1 / 3), (1.0, 0.5)]
    assert aurc(OUTCOMES) == pytest.approx((0 + 0.5 + 1 / 3 + 0.5) / 4)
    assert answerable_auroc(OUTCOMES) == 1.0


def test_equal_confidences_are_one_point() -> None:
    tied = [Outcome(0.5, True), Outcome(0.5, False)]
    assert risk_coverage(tied) == [(1.0, 0.5)]
    assert aurc(tied) == aurc(tied[::-1]) == pytest.approx(0.5)


def test_thresholds_at_a_target() -> None:
    by_risk = threshold_at_risk(OUTCOMES, 0.4)
    assert by_risk is not None
    assert (by_risk.value, by_risk.coverage, by_risk.kept, by_risk.refused) == (0.6, 0.75, 1.0, 1.0)
    by_refusal = threshold_at_refusal(OUTCOMES, 1.0)
    assert by_refusal is not None
    assert by_refusal.value == 0.6
    assert threshold_at_risk([Outcome(0.5, False)], 0.1) is None
    assert threshold_at_refusal([Outcome(0.5, False)], 1.0) is None


def test_nothing_to_judge() -> None:
    assert (aurc([]), risk_coverage([]), thresholds([])) == (0.0, [], [])


@given(outcomes)
def test_curve_ends_at_the_overall_error_and_stays_a_share(given_outcomes: list[Outcome]) -> None:
    points = risk_coverage(given_outcomes)
    wrong = sum(not outcome.right for outcome in given_outcomes)
    assert points[-1] == pytest.approx((1.0, wrong / len(given_outcomes)))
    assert all(0 <= risk <= 1 and 0 < coverage <= 1 for coverage, risk in points)
    assert 0 <= aurc(given_outcomes) <= 1


@given(outcomes)
def test_a_lower_threshold_answers_more_and_refuses_less(given_outcomes: list[Outcome]) -> None:
    steps = thresholds(given_outcomes)
    for stricter, looser in pairwise(steps):
        assert stricter.coverage < looser.coverage
        assert stricter.kept <= looser.kept
        assert stricter.refused >= looser.refused
