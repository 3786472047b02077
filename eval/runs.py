"""Asking every judged question of a searcher, and keeping what came back.

The searcher is injected: the command line builds one through the path that serves users,
so that what is measured is what is shipped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.errors import BadRequest, UnreadableFile
from eval.datasets import Dataset, Qrels
from eval.measures import (
    MEASURES,
    SUCCESS,
    PerQuery,
    Ranking,
    Run,
    interval,
    means,
    per_query,
    type_groups,
)

Searcher = Callable[[str, int], Sequence[tuple[str, float]]]
"""Question and k → at most k corpus ids with scores, best first."""

Progress = Callable[[int, int], None]
"""Called with the number of questions done and their total."""

DEPTH = 100
"""Smallest depth at which recall@100 means what it says."""


@dataclass(frozen=True)
class Result:
    """One configuration measured on one dataset.

    `per_query` holds measure → query id → value; `latency_ms` the wall time of each search
    in milliseconds; `types` query ids by kind of question.
    """

    dataset: str
    config: str
    run: Run
    per_query: PerQuery
    latency_ms: Mapping[str, float]
    types: Mapping[str, Sequence[str]]

    @property
    def queries(self) -> int:
        """How many judged questions were asked."""
        return len(self.per_query[MEASURES[0]])

    def mean(self, measure: str) -> float:
        """Mean of one measure over all judged questions."""
        return means(self.per_query)[measure]

    def latency(self, percentile: float) -> float:
        """Latency percentile in milliseconds, linear between neighbours; 0 without timings."""
        times = list(self.latency_ms.values())
        return float(np.percentile(times, percentile)) if times else 0.0

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % bootstrap interval of each measure's mean (see `measures.interval`)."""
        return {name: interval(list(values.values())) for name, values in self.per_query.items()}

    def as_json(self) -> dict[str, object]:
        """The published form: means to four decimals, latency in ms, groups by kind, intervals."""
        return {
            "dataset": self.dataset,
            "config": self.config,
            "queries": self.queries,
            **_published(means(self.per_query)),
            "latency_ms": {"p50": round(self.latency(50), 2), "p95": round(self.latency(95), 2)},
            "by_type": {
                name: {"queries": len(ids), **_published(means(self.per_query, ids))}
                for name, ids in self.types.items()
            },
            "intervals": {
                name: [round(low, 4), round(high, 4)]
                for name, (low, high) in self.intervals().items()
                if name in MEASURES
            },
        }


def evaluate(
    dataset: Dataset,
    searcher: Searcher,
    *,
    config: str,
    k: int = DEPTH,
    progress: Progress | None = None,
) -> Result:
    """Ask every judged question once and measure the rankings.

    A document returned twice counts at its best rank; what lies beyond `k` is dropped. Raises
    `BadRequest` when no question is judged, `k` is under 100, or a returned id is not in the corpus.
    """
    if k < DEPTH:
        raise BadRequest(
            f"k={k} では recall@{DEPTH} を測れません", hint=f"k を {DEPTH} 以上にしてください"
        )
    questions = dataset.judged
    if not questions:
        raise BadRequest(
            f"データセット {dataset.name} に評価付きの質問がありません",
            hint="qrels/test.tsv に正解の行を加えてください",
        )
    run: dict[str, Ranking] = {}
    latency: dict[str, float] = {}
    for done, query in enumerate(questions, start=1):
        start = time.perf_counter()
        found = searcher(query.text, k)
        latency[query.id] = (time.perf_counter() - start) * 1000
        run[query.id] = _checked(dataset, found)[:k]
        if progress is not None:
            progress(done, len(questions))
    return _result(dataset, config, run, latency)


def write_run(path: Path, run: Run, *, tag: str = "shiori") -> None:
    """Write a TREC run file: query, Q0, document, rank (from 1), score, tag.

    Tools sort such files by score alone, so where a score is not below the one before it,
    the next lower single-precision number is written: the order of the ranking survives.
    """
    name = "_".join(tag.split()) or "shiori"
    with path.open("w", encoding="utf-8") as file:
        for query, ranking in run.items():
            last = np.float32(np.inf)
            for rank, (doc, score) in enumerate(ranking, start=1):
                last = min(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
                file.write(f"{query} Q0 {doc} {rank} {last} {name}\n")


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """Read a TREC run file; each ranking is sorted by score, equal scores by rank.

    Raises `UnreadableFile` naming file and line.
    """
    rows: dict[str, list[tuple[float, int, str]]] = {}
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        parsed = _scored(fields)
        if parsed is None:
            raise _bad_run_line(
                path, number, "「質問 Q0 文書 順位 得点 名前」の 6 列ではありません"
            )
        query, doc, rank, score = parsed
        if (query, doc) in seen:
            raise _bad_run_line(path, number, f"質問 {query} に文書 {doc} が二度現れます")
        seen.add((query, doc))
        rows.setdefault(query, []).append((-score, rank, doc))
    return {
        query: [(doc, -negative) for negative, _, doc in sorted(ranking)]
        for query, ranking in rows.items()
    }


def result_of_run(dataset: Dataset, path: Path) -> Result:
    """Measures a TREC run file, named after the file; it holds no latencies.

    Raises `UnreadableFile` for a broken file, `BadRequest` for a run of another corpus.
    """
    run = {query: _checked(dataset, ranking) for query, ranking in read_run(path).items()}
    return _result(dataset, path.stem, run, {})


def result_of_trec(qrels: Qrels, path: Path) -> Result:
    """Measures a TREC run file against judgements alone, without a corpus; it holds no latencies.

    What is not judged counts as not relevant. Raises `UnreadableFile` for a broken file,
    `BadRequest` where nothing is judged or no question of the run is.
    """
    run = read_run(path)
    judged = {query: grades for query, grades in qrels.items() if grades}
    if not judged.keys() & run.keys():
        raise BadRequest(
            f"{path} の質問に、評価付きのものが一つもありません",
            hint="同じデータセットの正解と順位か確かめてください",
            field=str(path),
        )
    return Result(path.stem, path.stem, run, per_query(judged, run, MEASURES + SUCCESS), {}, {})


def _result(dataset: Dataset, config: str, run: Run, latency: Mapping[str, float]) -> Result:
    qrels = {query.id: dataset.qrels[query.id] for query in dataset.judged}
    values = per_query(qrels, run, MEASURES + SUCCESS)
    return Result(dataset.name, config, run, values, latency, type_groups(dataset))


def _checked(dataset: Dataset, found: Ranking) -> list[tuple[str, float]]:
    """The ranking with each document at its best rank only; every id must be in the corpus."""
    ranking: dict[str, float] = {}
    for doc, score in found:
        if doc not in dataset.corpus:
            raise BadRequest(
                f"検索結果の文書 {doc} がデータセット {dataset.name} の corpus.jsonl にありません",
                hint="このデータセットから作った索引で検索しているか確かめてください",
            )
        ranking.setdefault(doc, score)
    return list(ranking.items())


def _scored(fields: list[str]) -> tuple[str, str, int, float] | None:
    """Query, document, rank and score of one run line; None when it is malformed."""
    if len(fields) != 6:
        return None
    try:
        rank, score = int(fields[3]), float(fields[4])
    except ValueError:
        return None
    return (fields[0], fields[2], rank, score) if math.isfinite(score) else None


def _bad_run_line(path: Path, number: int, why: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path} の {number} 行目：{why}",
        hint="TREC 形式の run ファイルを指定してください",
        field=str(path),
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"{path} を読めません",
            hint="ファイルがあることと、UTF-8 であることを確かめてください",
            field=str(path),
        ) from error


def _published(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(values[name], 4) for name in MEASURES}
