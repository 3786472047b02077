"""One HTML file that tells a reader how good the search is: no script, nothing to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eval.abstain import (
    Outcome,
    Threshold,
    answerable_auroc,
    aurc,
    risk_coverage,
    threshold_at_refusal,
    threshold_at_risk,
)
from eval.answers import AnswerCheck
from eval.compare import Comparison, compare, rank_of
from eval.datasets import Dataset
from eval.measures import MEASURES, SUCCESS, book_groups, means
from eval.plots import Whisker, curve_plot, interval_plot
from eval.runs import Result

LABELS = {
    "ndcg@10": "nDCG@10",
    "recall@10": "再現率@10",
    "recall@100": "再現率@100",
    "mrr@10": "MRR@10",
    "success@1": "1件目が正解",
    "success@3": "3件以内に正解",
    "success@10": "10件以内に正解",
}
PERCENTILES = (50, 90, 95, 99, 100)
TARGET_RISK = 0.05
TARGET_REFUSAL = 0.9

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question of the per-question table; `ranks` are its relevant documents, best grade first."""

    query: str
    text: str
    type: str
    ndcg: float
    recall: float
    latency_ms: float | None
    ranks: tuple[tuple[str, int | None], ...]
    top: str


@dataclass(frozen=True, slots=True)
class AbstentionSection:
    """What the report says of withholding answers."""

    questions: int
    unanswerable: int
    auroc: float
    aurc: float
    plot: Markup
    at_risk: Threshold | None
    at_refusal: Threshold | None


def render_report(
    dataset: Dataset,
    result: Result,
    *,
    before: Result | None = None,
    outcomes: Sequence[Outcome] = (),
    answers: AnswerCheck | None = None,
    created: str = "",
) -> str:
    """The report as HTML.

    `before` adds a comparison with an earlier result, `outcomes` the section on withheld answers,
    `answers` the gold-answer check. `created` is printed as given (a date).
    """
    return _templates.get_template("report.html").render(
        result=result,
        created=created,
        labels=LABELS,
        measures=MEASURES,
        shown=MEASURES + SUCCESS,
        means=means(result.per_query),
        intervals=result.intervals(),
        summary_plot=_summary_plot(result, before),
        percentiles={p: result.latency(p) for p in PERCENTILES},
        types=_group_means(result, result.types),
        books=_group_means(result, book_groups(dataset)),
        questions=_question_rows(dataset, result),
        comparison=None if before is None else compare(dataset, before, result),
        verdict=verdict,
        abstention=_abstention(outcomes) if outcomes else None,
        target_risk=TARGET_RISK,
        target_refusal=TARGET_REFUSAL,
        answers=answers,
    )


def write_report(
    path: Path,
    dataset: Dataset,
    result: Result,
    *,
    before: Result | None = None,
    outcomes: Sequence[Outcome] = (),
    answers: AnswerCheck | None = None,
    created: str = "",
) -> None:
    """Write the report as one UTF-8 file (see `render_report`)."""
    html = render_report(
        dataset, result, before=before, outcomes=outcomes, answers=answers, created=created
    )
    path.write_text(html, encoding="utf-8")


def verdict(comparison: Comparison) -> str:
    """One sentence on whether the comparison's measure changed beyond chance (p < 0.05)."""
    difference = next(d for d in comparison.differences if d.measure == comparison.measure)
    name = LABELS[difference.measure]
    if difference.p >= 0.05:
        return f"{name} の差 {difference.change:+.3f} は偶然の範囲を出ません（p = {difference.p:.3f}）。"
    direction = "上がりました" if difference.change > 0 else "下がりました"
    return f"{name} は {abs(difference.change):.3f} {direction}（p = {difference.p:.4f}）。"


def _summary_plot(result: Result, before: Result | None) -> Markup:
    rows: list[Whisker] = []
    for measure in MEASURES:
        if before is not None:
            rows.append(_whisker(before, measure, f"{LABELS[measure]}（前）", faint=True))
        rows.append(_whisker(result, measure, LABELS[measure]))
    return interval_plot("平均と 95 % 区間", rows)


def _whisker(result: Result, measure: str, label: str, *, faint: bool = False) -> Whisker:
    low, high = result.intervals()[measure]
    return Whisker(label, result.mean(measure), low, high, faint)


def _group_means(
    result: Result, groups: Mapping[str, Sequence[str]]
) -> dict[str, tuple[int, dict[str, float]]]:
    return {name: (len(ids), means(result.per_query, ids)) for name, ids in groups.items()}


def _question_rows(dataset: Dataset, result: Result) -> list[QuestionRow]:
    """Worst question first."""
    rows = []
    for query in dataset.judged:
        grades = dataset.qrels[query.id]
        relevant = sorted((d for d in grades if grades[d] > 0), key=lambda d: (-grades[d], d))
        ranking = result.run.get(query.id, ())
        rows.append(
            QuestionRow(
                query=query.id,
                text=query.text,
                type=query.type,
                ndcg=result.per_query["ndcg@10"][query.id],
                recall=result.per_query["recall@100"][query.id],
                latency_ms=result.latency_ms.get(query.id),
                ranks=tuple((_title(dataset, d), rank_of(result, query.id, d)) for d in relevant),
                top=_title(dataset, ranking[0][0]) if ranking else "",
            )
        )
    return sorted(rows, key=lambda row: (row.ndcg, row.query))


def _title(dataset: Dataset, document: str) -> str:
    known = dataset.corpus.get(document)
    return known.title if known is not None and known.title else document


def _abstention(outcomes: Sequence[Outcome]) -> AbstentionSection:
    return AbstentionSection(
        questions=len(outcomes),
        unanswerable=sum(not outcome.answerable for outcome in outcomes),
        auroc=answerable_auroc(outcomes),
        aurc=aurc(outcomes),
        plot=curve_plot(
            "回答した割合と誤りの割合", risk_coverage(outcomes), "回答した割合", "誤りの割合"
        ),
        at_risk=threshold_at_risk(outcomes, TARGET_RISK),
        at_refusal=threshold_at_refusal(outcomes, TARGET_REFUSAL),
    )
