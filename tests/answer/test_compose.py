from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.answer.compose import Answered, Answerer, Found, Sentence, Status, Writer
from app.answer.entail import Judge
from app.answer.gate import Gate
from app.answer.llm import Ability, Cancelled, ModelFailed
from app.answer.verify import Verifier
from app.core.errors import BadRequest
from app.main import Shiori

QUESTION = "離婚後も結婚していたときの名字を名乗りたい"
TRUE = "離婚の日から3か月以内に、離婚の際に称していた氏を称する旨を届け出ればよい。"
FALSE = "離婚の日から6か月以内に、離婚の際に称していた氏を称する旨を届け出ればよい。"


class Writes:
    """A model that writes the sentences it was made with, then fails if it was told to."""

    name, state = "writes", "ready"

    def __init__(self, *said: str, fails: bool = False) -> None:
        self._said = said
        self._fails = fails
        self.prompts: list[str] = []

    def ability(self) -> Ability:
        return Ability("writes", "json_schema", 32768)

    def count(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass

    def write(
        self, messages: Sequence[Mapping[str, str]], *, cancelled: threading.Event, **_: Any
    ) -> Iterator[str]:
        self.prompts.append("\n".join(message["content"] for message in messages))
        if cancelled.is_set():
            raise Cancelled
        yield '{"sentences": ['
        for text in self._said:
            yield json.dumps({"evidence": ["1"], "text": text}, ensure_ascii=False) + ","
        if self._fails:
            raise ModelFailed("止まりました。")


def answerer(product: Shiori, model: Writes, gate: Gate | None = None) -> Answerer:
    writer = Writer(model, Verifier(product.glossary), gate=gate or Gate(1, 1), seconds=5)
    return Answerer(product.searcher, writer=writer)


def test_passages_then_what_is_done_then_sentences_then_the_whole(product: Shiori) -> None:
    events = list(answerer(product, Writes(TRUE)).events(QUESTION))
    assert [type(event) for event in events] == [Found, Status, Sentence, Answered]
    sentence, whole = events[2:]
    assert isinstance(sentence, Sentence)
    assert isinstance(whole, Answered)
    assert whole.answer.blocks == (sentence.block,)
    assert whole.answer.by_model


def test_only_what_stands_is_sent_and_the_rest_is_counted_and_logged(
    product: Shiori, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "app.answer.compose"):
        events = list(answerer(product, Writes(FALSE, TRUE)).events(QUESTION))
    assert [event.block.text for event in events if isinstance(event, Sentence)] == [TRUE]
    answer = events[-1].answer  # type: ignore[union-attr]
    assert answer.dropped == 1
    assert "根拠と合わない1文を省きました。" in answer.notices
    [reasons] = [r.reasons for r in caplog.records if r.message == "sentence dropped"]  # type: ignore[attr-defined]
    assert "6か月" in "".join(reasons)


def test_the_same_sentence_is_sent_once(product: Shiori) -> None:
    answer = answerer(product, Writes(TRUE, TRUE)).ask(QUESTION).answer
    assert [block.text for block in answer.blocks] == [TRUE]


def test_a_model_that_fails_on_the_way_leaves_the_books_own_words(product: Shiori) -> None:
    answer = answerer(product, Writes(TRUE, fails=True)).ask(QUESTION).answer
    assert not answer.by_model
    assert all(block.verbatim for block in answer.blocks)
    assert answer.notices == ("止まりました。本の文をそのまま示します。",)


def test_a_question_without_an_answer_never_reaches_the_model(product: Shiori) -> None:
    model = Writes(TRUE)
    assert not answerer(product, model).ask("粗大ごみの収集").answer.answered
    assert model.prompts == []


def test_the_model_reads_the_whole_question_and_no_earlier_answer(product: Shiori) -> None:
    model = Writes()
    answered = answerer(product, model).ask("では離縁の場合は？", history=[QUESTION])
    [prompt] = model.prompts
    assert f"質問: {answered.result.query}" in prompt
    assert f"質問を「{answered.result.query}」と読みました。" in answered.answer.notices


def test_whoever_waits_is_told_how_many_are_before(product: Shiori) -> None:
    gate = Gate(1, 1)
    with gate.place() as first:
        assert list(first.wait(time.monotonic() + 1, threading.Event())) == []
        events = answerer(product, Writes(TRUE), gate).events(QUESTION)
        waiting = [next(events), next(events)][1]
        assert isinstance(waiting, Status)
        assert (waiting.ahead, "前に1件" in waiting.text) == (1, True)
    assert [event for event in events if isinstance(event, Sentence)]


def test_a_full_queue_ends_in_the_books_own_words(product: Shiori) -> None:
    gate = Gate(1, 0)
    with gate.place():
        answer = answerer(product, Writes(TRUE), gate).ask(QUESTION).answer
    assert answer.answered
    assert not answer.by_model
    assert "混み合って" in answer.notices[0]


def test_leaving_ends_the_events(product: Shiori) -> None:
    left = threading.Event()
    events = answerer(product, Writes(TRUE)).events(QUESTION, cancelled=left)
    assert isinstance(next(events), Found)
    left.set()
    assert not [event for event in events if isinstance(event, Answered)]


def test_a_question_that_cannot_be_used_is_refused(product: Shiori) -> None:
    with pytest.raises(BadRequest):
        next(answerer(product, Writes(TRUE)).events("  "))


def test_a_second_opinion_that_cannot_be_had_ends_in_the_books_own_words(
    product: Shiori, tmp_path: Path
) -> None:
    verifier = Verifier(product.glossary, Judge(str(tmp_path)))
    writer = Writer(Writes(TRUE), verifier, gate=Gate(1, 1), seconds=5)
    answer = Answerer(product.searcher, writer=writer).ask(QUESTION).answer
    assert answer.answered
    assert not answer.by_model
    assert "本の文をそのまま示します。" in answer.notices[0]
