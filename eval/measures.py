"""How good a ranking is: the field's own measures, computed by `ir_measures`.

Names are `ndcg@k`, `recall@k`, `mrr@k` and `success@k`. A grade of 1 or more counts as
relevant for recall, MRR and success; nDCG takes the grade itself as gain with a log2
discount, as trec_eval does. A judged question that the run never answered counts as zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import ir_measures
import numpy as np
from numpy.typing import NDArray

from app.core.errors import BadRequest
from eval.datasets import Dataset, Qrels

Ranking = Sequence[tuple[str, float]]
"""Corpus ids with their scores, best first."""

Run = Mapping[str, Ranking]
"""query id → ranking."""

PerQuery = Mapping[str, Mapping[str, float]]
"""measure name → query id → value."""

MEASURES = ("ndcg@10", "recall@10", "recall@100", "mrr@10")
"""What every result publishes."""

SUCCESS = ("success@1", "success@3", "success@10")
"""Share of questions with a relevant document among the first k: what a reader notices."""

_KINDS = {
    "ndcg": ir_measures.nDCG,
    "recall": ir_measures.R,
    "mrr": ir_measures.RR,
    "success": ir_measures.Success,
}
_SAMPLES = 2000
_BLOCK = 200


def per_query(
    qrels: Qrels, run: Run, measures: Sequence[str] = MEASURES
) -> dict[str, dict[str, float]]:
    """Value of each measure for each judged query, between 0 and 1.

    The order of a ranking counts, not its scores: trec_eval re-sorts by score and breaks ties
    by document id, which is not the order that a person was shown.
    """
    named = {_measure(name): name for name in measures}
    judged = [
        ir_measures.Qrel(query, doc, grade)
        for query, grades in qrels.items()
        for doc, grade in grades.items()
    ]
    values: dict[str, dict[str, float]] = {
        name: {query: 0.0 for query, grades in qrels.items() if grades} for name in measures
    }
    if judged:
        for metric in ir_measures.iter_calc(list(named), judged, list(_by_rank(run))):
            values[named[metric.measure]][metric.query_id] = float(metric.value)
    return values


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean over queries; 0 when there is none."""
    numbers = list(values)
    return float(np.mean(numbers)) if numbers else 0.0


def means(values: PerQuery, queries: Iterable[str] | None = None) -> dict[str, float]:
    """Mean of each measure over the given queries (over all when none are named)."""
    chosen = None if queries is None else list(queries)
    return {
        name: mean(by_query.values() if chosen is None else (by_query[q] for q in chosen))
        for name, by_query in values.items()
    }


def interval(
    values: Sequence[float], *, level: float = 0.95, samples: int = _SAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over queries.

    Queries are drawn with replacement `samples` times (Efron 1979; for retrieval measures
    Sakai, SIGIR 2006). Seeded, so that the same values give the same interval.
    """
    if not values:
        return 0.0, 0.0
    resampled = _resampled_means(np.asarray(values, dtype=np.float64), samples, seed)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def type_groups(dataset: Dataset) -> dict[str, list[str]]:
    """Judged query ids by kind of question; empty when the dataset names no kinds."""
    groups: dict[str, list[str]] = {}
    for query in dataset.judged:
        groups.setdefault(query.type or "untyped", []).append(query.id)
    return {} if set(groups) == {"untyped"} else groups


def book_groups(dataset: Dataset) -> dict[str, list[str]]:
    """Judged query ids by the book that answers them, most questions first.

    A question belongs to every book that holds one of its best-graded documents,
    so groups may overlap. Empty when the corpus names no books.
    """
    groups: dict[str, list[str]] = {}
    for query in dataset.judged:
        grades = dataset.qrels[query.id]
        best = max(grades.values())
        books = {dataset.corpus[doc].book for doc, grade in grades.items() if grade == best > 0}
        for book in sorted(books - {""}):
            groups.setdefault(book, []).append(query.id)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


def _measure(name: str) -> Any:
    match = re.fullmatch(r"(ndcg|recall|mrr|success)@([1-9][0-9]*)", name)
    if match is None:
        raise BadRequest(
            f"評価指標「{name}」は使えません",
            hint="ndcg@10・recall@100・mrr@10・success@3 のように指定してください",
            field="measure",
        )
    return _KINDS[match[1]] @ int(match[2])


def _by_rank(run: Run) -> Iterator[ir_measures.ScoredDoc]:
    for query, ranking in run.items():
        for rank, (doc, _) in enumerate(ranking):
            yield ir_measures.ScoredDoc(query, doc, float(-rank))


def _resampled_means(values: NDArray[np.float64], samples: int, seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    # Drawn in blocks: all samples at once would need samples × queries numbers in memory.
    blocks = [
        values[random.integers(len(values), size=(min(_BLOCK, samples - done), len(values)))].mean(
            axis=1
        )
        for done in range(0, samples, _BLOCK)
    ]
    return np.concatenate(blocks)
