"""How well a confidence tells answers to give from answers to withhold.

Each `Outcome` is one question: the confidence of the answer, whether the corpus answers the
question at all, and whether the answer was right. Answering a question that has no answer is
always wrong. Risk is the share of wrong answers among those given, coverage the share of
questions that are answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question; `correct` says whether the answer shown was right."""

    confidence: float
    answerable: bool
    correct: bool = True

    @property
    def right(self) -> bool:
        """Whether giving this answer was right."""
        return self.answerable and self.correct


@dataclass(frozen=True, slots=True)
class Threshold:
    """Answer where confidence ≥ `value`; shares are fractions of 1.

    `kept` is the share of answerable questions still answered, `refused` the share of
    unanswerable ones withheld.
    """

    value: float
    coverage: float
    risk: float
    kept: float
    refused: float


def auroc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Probability that a positive scores above a negative, ties counting half.

    The Mann-Whitney statistic over all pairs (Hanley and McNeil 1982). 0.5 when one side is
    empty: nothing can be told apart.
    """
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    good, bad = values[labels], np.sort(values[~labels])
    if not len(good) or not len(bad):
        return 0.5
    below = np.searchsorted(bad, good, side="left")
    up_to = np.searchsorted(bad, good, side="right")
    return float((below + up_to).sum() / 2 / (len(good) * len(bad)))


def answerable_auroc(outcomes: Sequence[Outcome]) -> float:
    """AUROC of the confidence for telling answerable questions from unanswerable ones."""
    return auroc([o.confidence for o in outcomes], [o.answerable for o in outcomes])


def risk_coverage(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    """Points (coverage, risk) from the strictest threshold to none, one per distinct confidence.

    El-Yaniv and Wiener, JMLR 2010.
    """
    _, answered, errors = _cumulative(outcomes)
    total = len(outcomes)
    return [(float(n / total), float(wrong / n)) for n, wrong in zip(answered, errors, strict=True)]


def aurc(outcomes: Sequence[Outcome]) -> float:
    """Area under the risk-coverage curve: mean risk over coverages 1/n … n/n; lower is better.

    Geifman, Uziel and El-Yaniv, ICLR 2019. Within equal confidences errors are spread evenly, so
    the order of the input does not matter. 0 without outcomes.
    """
    if not outcomes:
        return 0.0
    _, answered, errors = _cumulative(outcomes)
    steps = np.arange(1, len(outcomes) + 1)
    wrong = np.interp(steps, np.concatenate([[0], answered]), np.concatenate([[0], errors]))
    return float((wrong / steps).mean())


def threshold_at_risk(outcomes: Sequence[Outcome], max_risk: float) -> Threshold | None:
    """The threshold that answers most questions with risk ≤ `max_risk` on these outcomes.

    An empirical choice without a guarantee for other questions. None when no threshold reaches it.
    """
    good = [t for t in thresholds(outcomes) if t.risk <= max_risk]
    return max(good, key=lambda t: t.coverage, default=None)


def threshold_at_refusal(outcomes: Sequence[Outcome], min_refused: float) -> Threshold | None:
    """The lowest threshold that withholds at least `min_refused` of the unanswerable questions."""
    good = [t for t in thresholds(outcomes) if t.refused >= min_refused]
    return max(good, key=lambda t: t.coverage, default=None)


def thresholds(outcomes: Sequence[Outcome]) -> list[Threshold]:
    """Every distinct threshold with its shares, strictest first."""
    values, answered, errors = _cumulative(outcomes)
    answerable = np.array([o.confidence for o in outcomes if o.answerable])
    unanswerable = np.array([o.confidence for o in outcomes if not o.answerable])
    return [
        Threshold(
            value=float(value),
            coverage=float(n / len(outcomes)),
            risk=float(wrong / n),
            kept=_share(answerable >= value),
            refused=_share(unanswerable < value),
        )
        for value, n, wrong in zip(values, answered, errors, strict=True)
    ]


def _cumulative(outcomes: Iterable[Outcome]) -> tuple[Floats, Floats, Floats]:
    """Distinct confidences falling; questions answered and wrong answers down to each."""
    ordered = sorted(outcomes, key=lambda o: -o.confidence)
    confidence = np.array([o.confidence for o in ordered], dtype=np.float64)
    wrong = np.cumsum([not o.right for o in ordered], dtype=np.float64)
    last = np.flatnonzero(np.append(confidence[1:] != confidence[:-1], len(ordered) > 0))
    return confidence[last], (last + 1).astype(np.float64), wrong[last]


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else 0.0
