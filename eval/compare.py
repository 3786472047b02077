"""Is one configuration better than another on the same questions, and where did it change?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.errors import BadRequest
from eval.datasets import Dataset
from eval.measures import MEASURES, interval, mean
from eval.runs import Result

_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """Change of one measure's mean, `after` minus `before`.

    `low` and `high` bound the change with 95 % confidence (bootstrap over questions);
    `p` is the two-sided probability of a change this large if nothing had changed.
    """

    measure: str
    before: float
    after: float
    low: float
    high: float
    p: float

    @property
    def change(self) -> float:
        """`after` minus `before`."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class RankChange:
    """Where a relevant document stood; ranks count from 1, None where it was not returned."""

    document: str
    title: str
    grade: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class QuestionChange:
    """One question whose value changed, with the ranks of its relevant documents."""

    query: str
    text: str
    before: float
    after: float
    ranks: tuple[RankChange, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two configurations on one dataset; `changes` are ordered by size under `measure`."""

    dataset: str
    before: str
    after: str
    measure: str
    differences: tuple[Difference, ...]
    changes: tuple[QuestionChange, ...]
    better: int
    worse: int


def compare(
    dataset: Dataset, before: Result, after: Result, *, measure: str = "ndcg@10", top: int = 20
) -> Comparison:
    """Compare two results question by question; `top` limits the list of changed questions.

    Raises `BadRequest` when the two were not measured on the same questions, or not by `measure`.
    """
    if measure not in before.per_query or measure not in after.per_query:
        raise BadRequest(
            f"評価指標「{measure}」では比べられません",
            hint=f"{'・'.join(before.per_query)} のどれかを指定してください",
            field="measure",
        )
    if set(before.per_query[measure]) != set(after.per_query[measure]):
        raise BadRequest(
            f"{before.config} と {after.config} は同じ質問で測られていません",
            hint="同じデータセットで両方を測り直してください",
        )
    old, new = before.per_query[measure], after.per_query[measure]
    changed = sorted(
        (query for query in old if old[query] != new[query]),
        key=lambda query: (-abs(new[query] - old[query]), query),
    )
    return Comparison(
        dataset=dataset.name,
        before=before.config,
        after=after.config,
        measure=measure,
        differences=tuple(_difference(name, before, after) for name in MEASURES),
        changes=tuple(_question_change(dataset, before, after, q, measure) for q in changed[:top]),
        better=sum(new[query] > old[query] for query in old),
        worse=sum(new[query] < old[query] for query in old),
    )


def randomisation_p(differences: Sequence[float], *, samples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of the paired randomisation (sign-flip) test of a zero mean difference.

    Smucker, Allan and Carterette, CIKM 2007. The observed assignment is counted as one of the
    samples, so p is never 0 (Phipson and Smyth 2010). Seeded.
    """
    values = np.asarray([d for d in differences if d], dtype=np.float64)
    if not len(values):
        return 1.0
    random = np.random.default_rng(seed)
    # A hair below the observed sum, so that rounding does not hide an equal one.
    observed = abs(values.sum()) * (1 - 1e-12)
    extreme = 0
    for done in range(0, samples, _BLOCK):
        size = (min(_BLOCK, samples - done), len(values))
        flipped = random.choice((-1.0, 1.0), size=size) @ values
        extreme += int((np.abs(flipped) >= observed).sum())
    return (extreme + 1) / (samples + 1)


def _difference(measure: str, before: Result, after: Result) -> Difference:
    old, new = before.per_query[measure], after.per_query[measure]
    paired = [new[query] - old[query] for query in old]
    low, high = interval(paired)
    return Difference(
        measure, mean(old.values()), mean(new.values()), low, high, randomisation_p(paired)
    )


def _question_change(
    dataset: Dataset, before: Result, after: Result, query: str, measure: str
) -> QuestionChange:
    relevant = sorted(
        ((grade, doc) for doc, grade in dataset.qrels[query].items() if grade > 0),
        key=lambda pair: (-pair[0], pair[1]),
    )
    return QuestionChange(
        query=query,
        text=dataset.queries[query].text,
        before=before.per_query[measure][query],
        after=after.per_query[measure][query],
        ranks=tuple(
            RankChange(
                doc,
                dataset.corpus[doc].title,
                grade,
                rank_of(before, query, doc),
                rank_of(after, query, doc),
            )
            for grade, doc in relevant
        ),
    )


def rank_of(result: Result, query: str, document: str) -> int | None:
    """Rank of a document in a question's ranking, from 1; None where it was not returned."""
    for rank, (doc, _) in enumerate(result.run.get(query, ()), start=1):
        if doc == document:
            return rank
    return None
