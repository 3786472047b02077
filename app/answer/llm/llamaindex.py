"""Any LlamaIndex `LLM` object."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from app.answer.llm import (
    DEFAULT_CONTEXT,
    Ability,
    Message,
    Mode,
    ModelFailed,
    Schema,
    State,
    estimate,
)
from app.answer.llm.failures import HINT
from app.answer.llm.thoughts import without_thoughts
from app.answer.llm.waiting import PATIENCE, state_of, until

if TYPE_CHECKING:
    from llama_index.core.llms import LLM


class LlamaIndexModel:
    """Any LlamaIndex `LLM` object, as a model that writes tagged text.

    `make` makes it when it is first needed: LlamaIndex takes seconds to import. `context` 0
    asks the object. It runs in threads of its own, so that whatever it raises is a failure
    of the model and nothing else.
    """

    def __init__(self, make: Callable[[], LLM], context: int = 0) -> None:
        self._make = make
        self._context = context
        self._threads = ThreadPoolExecutor(thread_name_prefix="llm")
        self._made: Future[LLM] | None = None
        self._making = threading.Lock()

    def close(self) -> None:
        """Waits for nothing: what still writes is no longer listened to."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def name(self) -> str:
        """The model's name, or LlamaIndex while it is not made yet."""
        made = self._made if self.state == "ready" else None
        return made.result().metadata.model_name if made else "LlamaIndex"

    @property
    def state(self) -> State:
        """See `LanguageModel.state`."""
        return state_of(self._made, False)

    def ability(self) -> Ability:
        """What the object's metadata says of it; raises ModelFailed where there is no such object."""
        about = self._llm().metadata
        context = self._context or about.context_window or DEFAULT_CONTEXT
        return Ability(about.model_name, "tags", context)

    def _llm(self) -> LLM:
        with self._making:
            if self._made is None:
                self._made = self._threads.submit(self._make)
            made = self._made
        try:
            failure = made.exception(PATIENCE)
        except TimeoutError:
            raise ModelFailed("言語モデルはまだ準備中です。", hint=HINT) from None
        if failure is not None:
            raise ModelFailed(
                "設定 llm_factory の言語モデルを用意できません。",
                hint="モジュールが入っているか、引数なしで呼べるかを確かめてください。",
            ) from failure
        return made.result()

    def count(self, text: str) -> int:
        """An estimate from above."""
        return estimate(text)

    def write(
        self,
        messages: Sequence[Message],
        *,
        mode: Mode,
        schema: Schema,
        max_tokens: int,
        deadline: float,
        cancelled: threading.Event,
    ) -> Iterator[str]:
        """See `LanguageModel.write`. An object that cannot be interrupted finishes in the background."""
        pieces: queue.Queue[str | BaseException | None] = queue.Queue()
        stop = threading.Event()
        writing = self._threads.submit(self._pump, self._llm(), messages, pieces, stop)
        writing.add_done_callback(lambda done: pieces.put(done.exception()))
        try:
            yield from without_thoughts(until(pieces, deadline, cancelled))
        finally:
            stop.set()

    def _pump(
        self,
        llm: LLM,
        messages: Sequence[Message],
        pieces: queue.Queue[str | BaseException | None],
        stop: threading.Event,
    ) -> None:
        from llama_index.core.llms import ChatMessage

        told = [ChatMessage(role=m["role"], content=m["content"]) for m in messages]
        try:
            for part in llm.stream_chat(told):
                if stop.is_set():
                    return
                pieces.put(part.delta or "")
        except NotImplementedError:
            pieces.put(llm.chat(told).message.content or "")


def from_factory(name: str) -> Callable[[], LLM]:
    """The callable that `module:name` names, looked up when it is called."""
    module, _, attribute = name.partition(":")

    def make() -> LLM:
        made: LLM = getattr(importlib.import_module(module), attribute)()
        return made

    return make
