"""Search, then answer: the one way every face of the product asks.

Passages come first. Without a model, or where a model fails, the answer is verbatim; with
one, each sentence it writes is shown only once it has been verified against the passages.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.answer import prompt
from app.answer.answer import Answer, Block
from app.answer.differ import differing, say_otherwise, told
from app.answer.extract import extract, speaking
from app.answer.followup import standalone
from app.answer.gate import Gate
from app.answer.llm import Cancelled, LanguageModel, Mode, ModelFailed, run_with
from app.answer.premise import false_premise
from app.answer.prompt import Said
from app.answer.suspect import suspicious
from app.answer.verify import Verifier
from app.answer.weigh import Wanted, wanted
from app.core.book import Hit
from app.core.errors import ModelUnavailable
from app.core.japanese import sentences
from app.search.pipeline import NO_FILTERS, Filters, Searcher, SearchResult

log = logging.getLogger(__name__)

# Below this confidence the books count as silent. On the 80 answerable and 20 unanswerable
# counter questions, also used to develop the search, it keeps .975 of the first and refuses .90
# of the second (AUROC .96); .68 would do as well (Youden).
THRESHOLD = 0.6

# How many of the best hits are held against their near-duplicates.
_PARTED = 6

_VERBATIM = "本の文をそのまま示します。"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with the search it rests on; `took_ms` is the whole time in milliseconds.

    `unknown` are the nouns of the question, as written, that no passage of the shelf holds.
    """

    result: SearchResult
    answer: Answer
    took_ms: float
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The passages are known; the answer is still to come."""

    result: SearchResult


@dataclass(frozen=True, slots=True)
class Status:
    """What is being done now, as a sentence; `ahead` counts the questions before this one's turn."""

    text: str
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Sentence:
    """A block of the answer that stands."""

    block: Block


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence of a model that does not stand; `reasons` are Japanese sentences."""

    reasons: tuple[str, ...]


Event = Found | Status | Sentence | Answered


class Writer:
    """Has a model write an answer and lets through only what the passages say.

    `seconds` is the time for one answer, waiting included. `schema` makes the JSON schema
    for a server that enforces one.
    """

    def __init__(
        self,
        model: LanguageModel,
        verifier: Verifier,
        *,
        gate: Gate,
        seconds: float = 60.0,
        schema: Callable[[Mapping[str, Hit]], Mapping[str, Any]] = prompt.schema,
    ) -> None:
        self._model = model
        self._verifier = verifier
        self._gate = gate
        self._seconds = seconds
        self._schema = schema

    def write(
        self, result: SearchResult, on_matter: Collection[str], cancelled: threading.Event
    ) -> Iterator[Status | Sentence | Dropped]:
        """What becomes of each sentence the model writes; before, how long the queue is.

        A source sentence takes the place of a claim only from the passages `on_matter`
        (their ids): others are near the question, but on another matter. Raises ModelFailed
        where the model does, and where no passage fits its context.
        """
        deadline = time.monotonic() + self._seconds
        with self._gate.place() as place:
            for ahead in place.wait(deadline, cancelled):
                yield Status(f"言語モデルの順番を待っています（前に{ahead}件）。", ahead)
            yield Status("見つかった箇所から答えを書き、一文ずつ根拠と照らし合わせています。")
            shown: set[str] = set()
            for each in run_with(
                lambda mode: self._attempt(result, on_matter, mode, deadline, cancelled),
                self._model.ability().mode,
            ):
                if isinstance(each, Dropped) or each.block.text not in shown:
                    yield each
                if isinstance(each, Sentence):
                    shown.add(each.block.text)

    def _attempt(
        self,
        result: SearchResult,
        on_matter: Collection[str],
        mode: Mode,
        deadline: float,
        cancelled: threading.Event,
    ) -> Iterator[Sentence | Dropped]:
        ability = self._model.ability()
        asked = prompt.build(
            result.query,
            result.hits,
            mode,
            context=ability.context,
            count=self._model.count,
            thoughts=ability.thoughts,
        )
        if not asked.evidence:
            raise ModelFailed("言語モデルの文脈長が短く、根拠を一つも渡せません。")
        pieces = self._model.write(
            asked.messages,
            mode=mode,
            schema=self._schema(asked.evidence),
            max_tokens=asked.max_tokens,
            deadline=deadline,
            cancelled=cancelled,
        )
        for number, said in enumerate(prompt.read(pieces, mode)):
            if number >= prompt.MAX_SENTENCES:
                break
            yield from self._verified(said, asked.evidence, on_matter, result.query)

    def _verified(
        self, said: Said, evidence: Mapping[str, Hit], on_matter: Collection[str], question: str
    ) -> Iterator[Sentence | Dropped]:
        cited = [evidence[id_].passage for id_ in dict.fromkeys(said.evidence) if id_ in evidence]
        for start, end in sentences(said.text):
            claim = said.text[start:end]
            verdict = self._verifier.verify(claim, cited, question)
            source = verdict.source
            if (
                verdict.status == "dropped"
                or source is None
                or (verdict.status == "replaced" and source.citation.passage_id not in on_matter)
            ):
                log.info("sentence dropped", extra={"reasons": verdict.reasons})
                yield Dropped(verdict.reasons)
            elif verdict.status == "replaced":
                log.info("sentence replaced by its source", extra={"reasons": verdict.reasons})
                yield Sentence(Block(source.text, (source.citation,), limits=verdict.limits))
            else:
                proofs = (source.citation, *(quote.citation for quote in verdict.also))
                yield Sentence(Block(claim, proofs, verbatim=False, limits=verdict.limits))


class Answerer:
    """Answers questions from the passages that a searcher finds; `writer` is None without a model."""

    def __init__(
        self, searcher: Searcher, threshold: float = THRESHOLD, writer: Writer | None = None
    ) -> None:
        self._searcher = searcher
        self._threshold = threshold
        self._writer = writer

    def ask(
        self,
        text: str,
        k: int = 10,
        filters: Filters = NO_FILTERS,
        *,
        history: Sequence[str] = (),
    ) -> Answered:
        """The answer to a question and the `k` passages nearest to it.

        `history` are the questions before it, oldest first: a follow-up is read with them,
        and a notice says how.
        """
        for event in self.events(text, k, filters, history=history):
            if isinstance(event, Answered):
                return event
        raise AssertionError("events always end with the answer")

    def events(
        self,
        text: str,
        k: int = 10,
        filters: Filters = NO_FILTERS,
        cancelled: threading.Event | None = None,
        *,
        history: Sequence[str] = (),
    ) -> Iterator[Event]:
        """The answer as it grows: passages, then sentences, then the whole.

        Setting `cancelled` ends the iteration at once. Errors of the search are raised; a
        failing model is a notice in the answer.
        """
        started = time.perf_counter()
        whole = standalone(text, history) if text.strip() else text
        result = self._parted(self._searcher.search(whole, k, filters), k)
        yield Found(result)
        sound, doubts = _sound(result)
        asked = wanted(self._searcher, sound)
        answer = extract(sound, asked, self._threshold)
        premise = false_premise(whole, asked.nouns, answer.blocks, sound.hits)
        written = False
        if answer.answered and self._writer is not None:
            try:
                for event in self._written(answer, sound, asked, cancelled or threading.Event()):
                    if isinstance(event, Answer):
                        answer = event
                    else:
                        written = written or isinstance(event, Sentence)
                        yield event
            except Cancelled:
                return
        if not written:
            yield from map(Sentence, answer.blocks)
        read = (f"質問を「{whole}」と読みました。",) if whole != text.strip() else ()
        answer = _with_differing(answer, [hit for hit, _ in speaking(sound, asked)])
        answer = replace(
            answer, notices=(*read, *((premise,) if premise else ()), *doubts, *answer.notices)
        )
        took_ms = (time.perf_counter() - started) * 1000
        yield Answered(result, answer, round(took_ms, 3), asked.unknown)

    def _parted(self, result: SearchResult, k: int) -> SearchResult:
        """The search with near-duplicates of the best hits apart where they say something else."""
        hits: list[Hit] = []
        for hit in result.hits:
            twins = self._searcher.similar(hit) if hit.rank <= _PARTED else []
            apart = [twin for twin in twins if say_otherwise(hit.passage.text, twin.passage.text)]
            ids = {twin.passage.id for twin in apart}
            kept = tuple(id_ for id_ in hit.similar if id_ not in ids)
            hits += (replace(hit, similar=kept), *(replace(twin, similar=()) for twin in apart))
        ranked = (replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1))
        return replace(result, hits=tuple(ranked)[:k])

    def _written(
        self, extracted: Answer, result: SearchResult, asked: Wanted, cancelled: threading.Event
    ) -> Iterator[Status | Sentence | Answer]:
        """The sentences that stand, then the answer: the model's, or the extracted one with a notice."""
        assert self._writer is not None
        blocks: list[Block] = []
        dropped = 0
        ids = {hit.passage.id for hit, _ in speaking(result, asked)}
        try:
            for event in self._writer.write(result, ids, cancelled):
                if isinstance(event, Dropped):
                    dropped += 1
                    continue
                if isinstance(event, Sentence):
                    blocks.append(event.block)
                yield event
        except (ModelFailed, ModelUnavailable) as error:
            log.warning("language model failed", extra={"error": error.message})
            yield replace(extracted, notices=(f"{error.message}{_VERBATIM}",))
            return
        if not blocks:
            told = (
                "言語モデルの文は根拠で確かめられませんでした。"
                if dropped
                else ("言語モデルは答えを書きませんでした。")
            )
            yield replace(extracted, notices=(told + _VERBATIM,), dropped=dropped)
            return
        notices = (f"根拠と合わない{dropped}文を省きました。",) if dropped else ()
        yield replace(
            extracted, blocks=tuple(blocks), notices=notices, by_model=True, dropped=dropped
        )


def _with_differing(answer: Answer, hits: Sequence[Hit]) -> Answer:
    """The answer with what other books say otherwise, side by side."""
    found = differing(answer.blocks, hits)
    books = {hit.passage.id: hit.book for hit in hits}
    notices = (told(each, [books[q.citation.passage_id] for q in each.sides]) for each in found)
    return replace(answer, differing=found, notices=(*notices, *answer.notices))


def _sound(result: SearchResult) -> tuple[SearchResult, tuple[str, ...]]:
    """The search without passages that prove nothing, and a notice naming each."""
    doubted = [hit for hit in result.hits if suspicious(hit.passage.text)]
    if not doubted:
        return result, ()
    hits = tuple(hit for hit in result.hits if hit not in doubted)
    notices = tuple(
        f"{hit.book.title}{f' {hit.passage.page_label}頁' if hit.passage.page_label else ''}"
        "は、機械への指示のような文を含むため、答えの根拠から外しました。"
        for hit in doubted
    )
    return replace(result, hits=hits), notices
