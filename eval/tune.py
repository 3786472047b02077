"""Choosing how much each retrieval leg counts, on judged questions.

The whole search is measured at every weight tried, through the path that serves users, so
there is no second formula to keep in step. A weight moves only where it helps on questions it
was not chosen on; else it stays at the value that was safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import BadRequest
from eval.measures import interval

Measure = Callable[[Mapping[str, float]], Sequence[float]]
"""Weights by name → nDCG@10 of every judged question, always in the same order."""

GRIDS: Mapping[str, tuple[float, ...]] = {
    "dense": (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0),
    "grams": (0.0, 0.1, 0.2, 0.3, 0.4, 0.6),
    "rerank": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
}
"""Weights tried for each leg; the words leg counts 1, `rerank` is a share of 1."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step:
    """One leg looked at: mean nDCG@10 at each weight of its grid, and what choosing gained.

    `gain` is the mean over questions held out of the choice, against the weight before;
    `low` and `high` bound it with 95 % confidence. `before` is the weight it had, `after` the
    weight it got.
    """

    leg: str
    means: Mapping[float, float]
    gain: float
    low: float
    high: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Chosen weights by leg, nDCG@10 with the weights before and (held out) after, and the steps."""

    weights: Mapping[str, float]
    base_ndcg: float
    tuned_ndcg: float
    steps: tuple[Step, ...]


def tune(
    measure: Measure,
    safe: Mapping[str, float],
    *,
    grids: Mapping[str, Sequence[float]] = GRIDS,
    folds: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Tuning:
    """Chooses a weight for each leg in `safe`, one leg after the other, by cross-validation.

    `safe` holds the weights to start from: 0 for a leg that nobody has measured. A leg gets
    another weight only while the 95 % bootstrap interval of its held-out gain lies above 0;
    it is then the best over all questions, the one nearest the safe weight among equals.
    Raises `BadRequest` where there are fewer than two questions a fold.
    """
    weights = dict(safe)
    trials = sum(len({*grids[leg], safe[leg]}) for leg in safe)
    done = 0
    values: dict[tuple[float, ...], _Floats] = {}

    def measured(tried: Mapping[str, float]) -> _Floats:
        key = tuple(tried[leg] for leg in safe)
        if key not in values:
            values[key] = np.asarray(measure(tried), dtype=np.float64)
        return values[key]

    base = measured(weights)
    if len(base) < 2 * folds:
        raise BadRequest(
            f"評価付きの質問が {len(base)} 件では重みを決められません",
            hint=f"{2 * folds} 件以上の質問に正解を付けてください",
        )
    fold_of = np.random.default_rng(seed).permutation(len(base)) % folds
    tuned = float(base.mean())
    steps: list[Step] = []
    for leg in safe:
        start = weights[leg]
        # Nearest to the safe weight first, so that equals stay close to it.
        grid = sorted({*grids[leg], start}, key=lambda weight: (abs(weight - start), weight))
        columns = []
        for weight in grid:
            columns.append(measured({**weights, leg: weight}))
            done += 1
            if progress is not None:
                progress(done, trials)
        table = np.stack(columns, axis=1)
        gains = _held_out(table, fold_of) - table[:, grid.index(start)]
        low, high = interval([float(gain) for gain in gains])
        if low > 0:
            weights[leg] = grid[int(table.mean(axis=0).argmax())]
            tuned += float(gains.mean())
        steps.append(
            Step(
                leg=leg,
                means=dict(sorted(zip(grid, table.mean(axis=0).tolist(), strict=True))),
                gain=float(gains.mean()),
                low=low,
                high=high,
                before=start,
                after=weights[leg],
            )
        )
    return Tuning(weights, float(base.mean()), tuned, tuple(steps))


def _held_out(table: _Floats, fold_of: NDArray[np.int64]) -> _Floats:
    """Each question's value (rows) under the weight (columns) that was best on the other folds."""
    values = np.empty(len(table))
    for fold in np.unique(fold_of):
        test = fold_of == fold
        values[test] = table[test, table[~test].mean(axis=0).argmax()]
    return values
