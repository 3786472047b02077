"""Choosing how much each retrieval leg counts, on judged questions.

Fused score of a document = sum over legs of weight × score / best score of that leg for the
question; a document a leg did not return or scored 0 or less gets 0 from it, and one at 0 in all
is not returned. Weights sum to 1 (convex combination: Bruch, Gai and Ingber, TOIS 2023). A leg
that does not help on questions it was not tuned on is off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import BadRequest
from eval.datasets import Qrels
from eval.measures import interval

LegScores = Mapping[str, Mapping[str, float]]
"""query id → document → score of one leg."""

GRID = tuple(round(0.05 * step, 2) for step in range(20))
"""Weights tried for an added leg; the legs before it share the rest."""

_DEPTH = 10
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tuning:
    """Chosen weights (they sum to 1; 0 is off) and nDCG@10 on questions held out of the choice.

    `low` and `high` bound the mean gain over the base leg alone with 95 % confidence.
    `tried` holds, for every leg looked at, the held-out gain of adding it.
    """

    weights: Mapping[str, float]
    base_ndcg: float
    tuned_ndcg: float
    low: float
    high: float
    tried: Mapping[str, float]


def fuse(legs: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]) -> dict[str, float]:
    """Fused scores for one question from leg → document → score."""
    fused: dict[str, float] = {}
    for leg, weight in weights.items():
        scores = legs.get(leg, {})
        best = max(scores.values(), default=0.0)
        if weight <= 0 or best <= 0:
            continue
        for doc, score in scores.items():
            if score > 0:
                fused[doc] = fused.get(doc, 0.0) + weight * score / best
    return fused


def tune(
    legs: Mapping[str, LegScores],
    qrels: Qrels,
    *,
    base: str = "lexical",
    grid: Sequence[float] = GRID,
    folds: int = 5,
    seed: int = 0,
) -> Tuning:
    """Choose leg weights by cross-validated nDCG@10 over the judged questions.

    Legs join one at a time, best held-out gain first. A leg stays only while the 95 % bootstrap
    interval of its held-out gain lies above 0; its final weight is then the best one over all
    questions, the smallest among equals. (With three legs or more, the shares of legs already in
    were fixed on all questions before the next is tried, which flatters later gains a little.)
    """
    if base not in legs:
        raise BadRequest(
            f"検索の脚「{base}」の得点がありません", hint="legs に基準の脚を含めてください"
        )
    queries = [query for query, grades in qrels.items() if any(grades.values())]
    if len(queries) < 2 * folds:
        raise BadRequest(
            f"評価付きの質問が {len(queries)} 件では重みを決められません",
            hint=f"{2 * folds} 件以上の質問に正解を付けてください",
        )
    fold_of = np.random.default_rng(seed).permutation(len(queries)) % folds
    weights = {base: 1.0}
    base_values = _table(legs, weights, base, qrels, queries, (0.0,))[:, 0]
    held_out = base_values
    tried: dict[str, float] = {}
    while waiting := [leg for leg in legs if leg not in weights]:
        tables = {leg: _table(legs, weights, leg, qrels, queries, grid) for leg in waiting}
        values = {leg: _held_out(table, fold_of) for leg, table in tables.items()}
        tried |= {leg: float((values[leg] - held_out).mean()) for leg in waiting}
        best = max(waiting, key=lambda leg: float(values[leg].mean()))
        gain, _ = interval([float(g) for g in values[best] - held_out])
        share = grid[int(tables[best].mean(axis=0).argmax())]
        if gain <= 0 or share <= 0:
            break
        weights = _joined(weights, best, share)
        held_out = values[best]
    low, high = interval([float(gain) for gain in held_out - base_values])
    return Tuning(
        weights={leg: weights.get(leg, 0.0) for leg in legs},
        base_ndcg=float(base_values.mean()),
        tuned_ndcg=float(held_out.mean()),
        low=low,
        high=high,
        tried=tried,
    )


def _joined(weights: Mapping[str, float], leg: str, share: float) -> dict[str, float]:
    """Give `leg` its share of 1; the others keep their proportions in the rest."""
    return {name: weight * (1 - share) for name, weight in weights.items()} | {leg: share}


def _table(
    legs: Mapping[str, LegScores],
    weights: Mapping[str, float],
    leg: str,
    qrels: Qrels,
    queries: Sequence[str],
    shares: Sequence[float],
) -> _Floats:
    """nDCG@10 by question (rows) and share of the added leg (columns)."""
    rows = []
    for query in queries:
        scores = {name: legs[name].get(query, {}) for name in (*weights, leg)}
        rows.append(
            _mixed_ndcg(fuse(scores, weights), fuse(scores, {leg: 1.0}), shares, qrels[query])
        )
    return np.stack(rows)


def _held_out(table: _Floats, fold_of: NDArray[np.int64]) -> _Floats:
    """Each question's value under the share that was best on the other folds."""
    values = np.empty(len(table))
    for fold in np.unique(fold_of):
        test = fold_of == fold
        values[test] = table[test, table[~test].mean(axis=0).argmax()]
    return values


def _mixed_ndcg(
    before: Mapping[str, float],
    added: Mapping[str, float],
    shares: Sequence[float],
    grades: Mapping[str, int],
) -> _Floats:
    """nDCG@10 of one question for each share of the added leg.

    The grade is the gain, with a log2 discount (Järvelin and Kekäläinen 2002), as in `measures`.
    """
    # In the order of ids, so that equal scores do not depend on the order of the input.
    docs = sorted(before.keys() | added.keys())
    old = np.array([before.get(doc, 0.0) for doc in docs])
    new = np.array([added.get(doc, 0.0) for doc in docs])
    gains = np.array([grades.get(doc, 0) for doc in docs], dtype=np.float64)
    share = np.asarray(shares)
    scores = np.outer(1 - share, old) + np.outer(share, new)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :_DEPTH]
    returned = np.take_along_axis(scores, best, axis=1) > 0
    ideal = np.array(sorted(grades.values(), reverse=True)[:_DEPTH])
    return _dcg(gains[best] * returned) / _dcg(ideal)


def _dcg(gains: _Floats) -> _Floats:
    """Discounted gain along the last axis, best rank first."""
    discounts: _Floats = np.log2(np.arange(2, gains.shape[-1] + 2))
    return np.asarray((gains / discounts).sum(axis=-1))
