"""Do the sentences shown hold the gold answer?

A question counts when one of its gold answers (`answers.jsonl`) occurs inside one shown sentence,
after the product's own folding of widths, variants and spaces. Unanswerable questions count as
refused when nothing is shown. A string that occurs is not yet a right answer; this finds misses.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.errors import BadRequest
from app.core.japanese import fold
from eval.abstain import Outcome, thresholds
from eval.datasets import Dataset, Query
from eval.measures import interval, mean
from eval.runs import Progress

Answerable = Callable[[str], Sequence[str]]
"""Question → the sentences shown, best first; empty when the answer is withheld."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A question whose gold answer was not shown."""

    query: str
    text: str
    answers: tuple[str, ...]
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Shares of questions, between 0 and 1.

    `in_first` has a gold answer in the first sentence shown, `in_any` in any; `low` and `high`
    bound `in_any` with 95 % confidence. `silent` are questions with a gold answer for which nothing
    was shown. `refused` is the share of the `unanswerable` questions for which nothing was shown.
    """

    dataset: str
    questions: int
    in_first: float
    in_any: float
    low: float
    high: float
    silent: float
    unanswerable: int
    refused: float
    missed: tuple[Missed, ...]

    def as_json(self) -> dict[str, object]:
        """Counts and shares to four decimals; the missed questions by id."""
        return {
            "dataset": self.dataset,
            "questions": self.questions,
            "in_first": round(self.in_first, 4),
            "in_any": round(self.in_any, 4),
            "interval": [round(self.low, 4), round(self.high, 4)],
            "silent": round(self.silent, 4),
            "unanswerable": self.unanswerable,
            "refused": round(self.refused, 4),
            "missed": [missed.query for missed in self.missed],
        }


def check_answers(
    dataset: Dataset, answerable: Answerable, *, progress: Progress | None = None
) -> AnswerCheck:
    """Ask every question with a gold answer, then every unanswerable one.

    Raises `BadRequest` when the dataset has neither.
    """
    known = [query for query in dataset.queries.values() if query.id in dataset.answers]
    asked: list[Query] = [*known, *dataset.unanswerable.values()]
    if not asked:
        raise BadRequest(
            f"データセット {dataset.name} に正解の文字列がありません",
            hint="answers.jsonl か unanswerable.jsonl を加えてください",
        )
    shown: list[tuple[str, ...]] = []
    for done, query in enumerate(asked, start=1):
        shown.append(tuple(answerable(query.text)))
        if progress is not None:
            progress(done, len(asked))
    pairs = list(zip(known, shown, strict=False))
    first = [holds_answer(shown[:1], dataset.answers[query.id]) for query, shown in pairs]
    any_ = [holds_answer(shown, dataset.answers[query.id]) for query, shown in pairs]
    low, high = interval([float(found) for found in any_])
    return AnswerCheck(
        dataset=dataset.name,
        questions=len(known),
        in_first=mean(first),
        in_any=mean(any_),
        low=low,
        high=high,
        silent=mean(not sentences for _, sentences in pairs),
        unanswerable=len(dataset.unanswerable),
        refused=mean(not sentences for sentences in shown[len(known) :]),
        missed=tuple(
            Missed(query.id, query.text, dataset.answers[query.id], sentences)
            for (query, sentences), found in zip(pairs, any_, strict=True)
            if not found
        ),
    )


def holds_answer(sentences: Sequence[str], answers: Sequence[str]) -> bool:
    """Whether one of the answers occurs inside one of the sentences, both folded."""
    folded = [_folded(sentence) for sentence in sentences]
    wanted = [answer for answer in map(_folded, answers) if answer]
    return any(answer in sentence for sentence in folded for answer in wanted)


def _folded(text: str) -> str:
    return "".join(fold(text).split())


@dataclass(frozen=True, slots=True)
class Given:
    """What one question was answered with.

    `cited` are the documents cited, best first, `found` those of all passages found; times are
    in milliseconds from the question to the first passage and to the first sentence (None where
    nothing was answered).
    """

    query: str
    answered: bool
    confidence: float
    shown: tuple[str, ...]
    cited: tuple[str, ...]
    found: tuple[str, ...]
    dropped: int
    by_model: bool
    first_passage_ms: float
    first_sentence_ms: float | None


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """Shares between 0 and 1 over the judged questions that were answered (`questions`).

    `precision` is the mean share of cited documents that are relevant, `recall` the mean share
    of the relevant ones (at most as many as blocks are shown) that are cited, `hit` the share
    of questions with at least one relevant document cited. `dropped` is the share of a model's
    sentences that verification took out.
    """

    questions: int
    precision: float
    recall: float
    hit: float
    dropped: float

    def as_json(self) -> dict[str, object]:
        """Counts and shares to four decimals."""
        return {
            "questions": self.questions,
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "hit": round(self.hit, 4),
            "dropped": round(self.dropped, 4),
        }


def check_citations(dataset: Dataset, given: Sequence[Given], most: int = 3) -> CitationCheck:
    """How well the citations of answers meet the judgements; `most` blocks can be shown."""
    precision: list[float] = []
    recall: list[float] = []
    for answer in given:
        relevant = {doc for doc, grade in dataset.qrels.get(answer.query, {}).items() if grade > 0}
        cited = set(answer.cited)
        if not relevant or not cited:
            continue
        precision.append(len(cited & relevant) / len(cited))
        recall.append(len(cited & relevant) / min(len(relevant), most))
    dropped = sum(answer.dropped for answer in given)
    written = dropped + sum(len(answer.shown) for answer in given if answer.by_model)
    return CitationCheck(
        questions=len(precision),
        precision=mean(precision),
        recall=mean(recall),
        hit=mean(share > 0 for share in precision),
        dropped=dropped / written if written else 0.0,
    )


def of_retrieved(dataset: Dataset, given: Sequence[Given]) -> tuple[float, float]:
    """Of the questions with a gold answer, the share whose relevant document was found at all.

    And of those, the share with a gold answer inside one of the sentences shown. Between 0 and 1.
    """
    found: list[bool] = []
    held: list[bool] = []
    for answer in given:
        gold = dataset.answers.get(answer.query)
        if not gold:
            continue
        relevant = {doc for doc, grade in dataset.qrels.get(answer.query, {}).items() if grade > 0}
        found.append(not relevant.isdisjoint(answer.found))
        if found[-1]:
            held.append(holds_answer(answer.shown, gold))
    return mean(found), mean(held)


def cross_validated(
    outcomes: Sequence[Outcome], *, folds: int = 5, times: int = 20, seed: int = 1
) -> tuple[float, float]:
    """Shares of answerable questions kept and unanswerable ones refused that were not chosen on.

    In each fold the threshold with the highest kept + refused (Youden 1950) on the other folds
    is applied to it; the folds are drawn anew `times` times. (0, 0) where one kind is missing.
    """
    kept: list[bool] = []
    refused: list[bool] = []
    order = list(outcomes)
    chance = random.Random(seed)
    for _ in range(times):
        chance.shuffle(order)
        for fold_number in range(folds):
            chosen_on = [o for n, o in enumerate(order) if n % folds != fold_number]
            if len({o.answerable for o in chosen_on}) < 2:
                return 0.0, 0.0
            best = max(thresholds(chosen_on), key=lambda t: t.kept + t.refused)
            for outcome in order[fold_number::folds]:
                answered = outcome.confidence >= best.value
                if outcome.answerable:
                    kept.append(answered)
                else:
                    refused.append(not answered)
    return mean(kept), mean(refused)
