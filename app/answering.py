"""Joins the answers to the evaluation: a question set is asked, and what came back is measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from app.answer.compose import THRESHOLD, Answered, Answerer, Found, Sentence
from app.core.book import Passage
from app.core.settings import Settings
from app.evaluation import indexed
from app.main import Shiori, language_model
from eval.abstain import Outcome, answerable_auroc, aurc, risk_coverage
from eval.answers import (
    AnswerCheck,
    CitationCheck,
    Given,
    check_answers,
    check_citations,
    cross_validated,
    of_retrieved,
)
from eval.datasets import Dataset, Query
from eval.measures import mean
from eval.perturb import Row, changes, provisos, table
from eval.runs import Progress

_HITS = 10


@dataclass(frozen=True)
class AnswerReport:
    """Everything that is measured of answers; shares between 0 and 1, times in milliseconds.

    `retrieved` and `of_retrieved` are those of `eval.answers.of_retrieved`. `kept` and
    `refused` are at the product's threshold, `validated` the same two where the
    threshold is chosen on other questions.
    """

    model: str
    threshold: float
    answers: AnswerCheck | None
    retrieved: float
    of_retrieved: float
    citations: CitationCheck
    kept: float
    refused: float
    validated: tuple[float, float]
    auroc: float
    aurc: float
    coverage: list[tuple[float, float]]
    perturbed: list[Row]
    first_passage_ms: tuple[float, float]
    first_sentence_ms: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """The published form; pairs of times are the median and the 95th percentile."""
        return {
            "model": self.model,
            "answers": self.answers.as_json() if self.answers else None,
            "retrieved": round(self.retrieved, 4),
            "of_retrieved": round(self.of_retrieved, 4),
            "citations": self.citations.as_json(),
            "abstention": {
                "threshold": self.threshold,
                "kept": round(self.kept, 4),
                "refused": round(self.refused, 4),
                "cross_validated": [round(share, 4) for share in self.validated],
                "auroc": round(self.auroc, 4),
                "aurc": round(self.aurc, 4),
                "risk_coverage": [[round(c, 4), round(r, 4)] for c, r in self.coverage],
            },
            "perturbed": [asdict(row) for row in self.perturbed],
            "first_passage_ms": list(self.first_passage_ms),
            "first_sentence_ms": list(self.first_sentence_ms),
        }


def measure(
    dataset: Dataset,
    settings: Settings,
    *,
    sentences: int,
    indexing: Progress,
    asking: Progress,
) -> AnswerReport:
    """Asks every question of a set and perturbs `sentences` sentences of its corpus.

    With a language model in the settings it writes the answers, else they are verbatim.
    """
    model = language_model(settings)
    try:
        with indexed("default", dataset, settings, indexing) as (product, searcher):
            answerer = product.answerer_with(model) if model else Answerer(searcher)
            asked = [*dataset.queries.values(), *dataset.unanswerable.values()]
            given: list[Given] = []
            for done, query in enumerate(asked, start=1):
                given.append(_given(answerer, query))
                asking(done, len(asked))
            rows = perturbed(product, sentences)
            name = model.ability().model if model else ""
    finally:
        if model is not None:
            model.close()
    return _report(dataset, given, rows, name)


def perturbed(product: Shiori, sentences: int) -> list[Row]:
    """The perturbation suite over `sentences` sentences of a product's books."""
    passages = [
        passage
        for book_id in product.ledger.books()
        for _, passage in product.ledger.passages_of(book_id)
    ]
    verifier = product.verifier()

    def status(claim: str, evidence: Sequence[Passage]) -> str:
        return verifier.verify(claim, evidence).status

    def with_limits(claim: str, evidence: Sequence[Passage]) -> str:
        verdict = verifier.verify(claim, evidence)
        return "replaced" if verdict.limits else verdict.status

    rows = table(list(changes(passages, sentences)), status)
    return rows + table(list(provisos(passages, sentences)), with_limits)


def _given(answerer: Answerer, query: Query) -> Given:
    started = time.perf_counter()
    passage_ms = 0.0
    sentence_ms: float | None = None
    for event in answerer.events(query.text, _HITS):
        elapsed = (time.perf_counter() - started) * 1000
        if isinstance(event, Found):
            passage_ms = elapsed
        elif isinstance(event, Sentence) and sentence_ms is None:
            sentence_ms = elapsed
        elif isinstance(event, Answered):
            return _as_given(query, event, passage_ms, sentence_ms)
    raise AssertionError("events always end with the answer")


def _as_given(
    query: Query, answered: Answered, passage_ms: float, sentence_ms: float | None
) -> Given:
    answer = answered.answer
    labels = {hit.passage.id: hit.passage.page_label for hit in answered.result.hits}
    cited = (labels[c.passage_id] for block in answer.blocks for c in block.citations)
    return Given(
        query=query.id,
        answered=answer.answered,
        confidence=answer.confidence,
        shown=tuple(block.text for block in answer.blocks),
        cited=tuple(dict.fromkeys(cited)),
        found=tuple(dict.fromkeys(labels.values())),
        dropped=answer.dropped,
        by_model=answer.by_model,
        first_passage_ms=passage_ms,
        first_sentence_ms=sentence_ms,
    )


def _report(dataset: Dataset, given: Sequence[Given], rows: list[Row], model: str) -> AnswerReport:
    by_text = {
        query.text: answer
        for query, answer in zip(
            [*dataset.queries.values(), *dataset.unanswerable.values()], given, strict=True
        )
    }
    outcomes = [_outcome(dataset, answer) for answer in given]
    answerable = [o.confidence >= THRESHOLD for o in outcomes if o.answerable]
    unanswerable = [o.confidence < THRESHOLD for o in outcomes if not o.answerable]
    retrieved, held = of_retrieved(dataset, given)
    return AnswerReport(
        model=model,
        threshold=THRESHOLD,
        retrieved=retrieved,
        of_retrieved=held,
        answers=check_answers(dataset, lambda text: by_text[text].shown)
        if dataset.answers
        else None,
        citations=check_citations(dataset, given),
        kept=mean(answerable),
        refused=mean(unanswerable),
        validated=cross_validated(outcomes),
        auroc=answerable_auroc(outcomes),
        aurc=aurc(outcomes),
        coverage=risk_coverage(outcomes),
        perturbed=rows,
        first_passage_ms=_times([g.first_passage_ms for g in given]),
        first_sentence_ms=_times(
            [g.first_sentence_ms for g in given if g.first_sentence_ms is not None]
        ),
    )


def _outcome(dataset: Dataset, answer: Given) -> Outcome:
    """A question; right is an answer that cites a relevant document."""
    relevant = {doc for doc, grade in dataset.qrels.get(answer.query, {}).items() if grade > 0}
    right = bool(relevant & set(answer.cited)) if answer.answered else True
    return Outcome(answer.confidence, answer.query in dataset.queries, right)


def _times(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    if not values:
        return (0.0, 0.0)
    middle, high = np.percentile(values, [50, 95])
    return (round(float(middle), 1), round(float(high), 1))
