"""Any server that speaks the OpenAI chat interface.

It is asked at the start what it can do (`probe`). Requests run on an event loop of their own, so
that a deadline or a user who leaves closes the connection at once and frees the server's slot.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import httpx

from app.answer.llm import Ability, Message, Mode, ModelFailed, Schema, State, T, estimate
from app.answer.llm.failures import GARBAGE, HINT, HINT_CONTEXT, broken, refused, silent
from app.answer.llm.probe import CONNECT_SECONDS, PROBE_SECONDS, Probe, format_of, streaming
from app.answer.llm.thoughts import without_thoughts
from app.answer.llm.waiting import PATIENCE, state_of, until

_READ_SECONDS = 10.0
# A server that could not be asked is left alone for so long.
_REST_SECONDS = 15.0

# A prompt counted by the server's own tokenizer that comes back this much shorter was cut.
_CUT = 0.7
# Where nobody counts: no tokenizer in use takes more characters of Japanese into a token.
_MOST_CHARS_A_TOKEN = 3


class OpenAIServer:
    """A server at `url` that speaks the OpenAI chat interface. Close it to end its event loop.

    `model` empty takes the first one the server lists; `context` 0 asks the server.
    """

    def __init__(self, url: str, model: str = "", *, api_key: str = "", context: int = 0) -> None:
        root = url.rstrip("/")
        self._root = root.removesuffix("/v1")
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._probed: Future[Ability] | None = None
        self._failed: tuple[float, ModelFailed] | None = None
        self._uncounted_until = 0.0
        self._probing = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._http = self._run(self._client(), CONNECT_SECONDS)
        self._probe = Probe(self._http, self._root, model, context)

    def close(self) -> None:
        """Ends what is being asked, and closes the connections and the event loop."""
        self._run(self._shut(), CONNECT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONNECT_SECONDS)
        self._loop.close()

    @property
    def name(self) -> str:
        """The model's name in the settings, or the first the server listed, or its address."""
        ready = self._probed.result().model if self._probed and self.state == "ready" else ""
        return self._model or ready or self._root

    @property
    def state(self) -> State:
        """See `LanguageModel.state`."""
        return state_of(self._probed, self._failed is not None)

    def ability(self) -> Ability:
        """What the server can do, asked until it answers once; raises ModelFailed.

        The asking goes on while nobody waits for it; after a failure the server is left alone
        for a while: no question waits for it.
        """
        with self._probing:
            if self._failed and time.monotonic() - self._failed[0] < _REST_SECONDS:
                raise self._failed[1]
            if self._probed is None:
                self._probed = asyncio.run_coroutine_threadsafe(self._asked(), self._loop)
            probed = self._probed
        try:
            return probed.result(PATIENCE)
        except (TimeoutError, CancelledError, ModelFailed) as error:
            if not probed.done():
                raise ModelFailed("言語モデルはまだ準備中です。", hint=HINT) from None
            failure = error if isinstance(error, ModelFailed) else silent()
            with self._probing:
                if self._probed is probed:
                    self._probed, self._failed = None, (time.monotonic(), failure)
            raise failure from None

    def count(self, text: str) -> int:
        """Tokens by the server's own tokenizer, else an estimate from above."""
        if self.ability().counts and time.monotonic() >= self._uncounted_until:
            counted = self._run(self._probe.tokens(text), _READ_SECONDS)
            if counted is not None:
                return counted
            self._uncounted_until = time.monotonic() + _REST_SECONDS
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
        """See `LanguageModel.write`."""
        ability = self.ability()
        body: dict[str, Any] = {
            "model": ability.model,
            "messages": [dict(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            **streaming(ability),
            **format_of(mode, schema),
        }
        least = self._least([message["content"] for message in messages])
        pieces: queue.Queue[str | BaseException | None] = queue.Queue()
        task = asyncio.run_coroutine_threadsafe(self._pump(body, least, pieces), self._loop)
        try:
            yield from without_thoughts(until(pieces, deadline, cancelled), ability.unopened)
        finally:
            task.cancel()

    def _least(self, texts: Sequence[str]) -> float:
        """The fewest tokens that a server can have read, if it read all of the texts."""
        if self.ability().counts:
            return _CUT * sum(map(self.count, texts))
        return sum(map(len, texts)) / _MOST_CHARS_A_TOKEN

    # -- on the event loop

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        task = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return task.result(seconds)
        except (TimeoutError, CancelledError):
            task.cancel()
            raise silent() from None

    async def _shut(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._http.aclose()

    async def _client(self) -> httpx.AsyncClient:
        # Never through a proxy; the total deadline is kept by whoever waits for the pieces.
        return httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(_READ_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
        )

    async def _pump(
        self,
        body: Mapping[str, Any],
        least: float,
        pieces: queue.Queue[str | BaseException | None],
    ) -> None:
        try:
            async for piece in self._pieces(body, least):
                pieces.put(piece)
            pieces.put(None)
        except (ModelFailed, asyncio.CancelledError) as error:
            pieces.put(error)
        except GARBAGE as error:
            pieces.put(broken(error))

    async def _pieces(self, body: Mapping[str, Any], least: float) -> AsyncIterator[str]:
        finish = ""
        async for event in self._events(body):
            if event.get("error"):
                raise ModelFailed("言語モデルが途中で誤りを返しました。", hint=HINT)
            usage = event.get("usage") or {}
            if 0 < usage.get("prompt_tokens", least) < least:
                raise ModelFailed(
                    "言語モデルのサーバーが、渡した根拠を途中で切り捨てました。",
                    hint=HINT_CONTEXT,
                )
            for choice in event.get("choices") or ():
                # reasoning_content and other fields beside content are thoughts.
                piece = (choice.get("delta") or choice.get("message") or {}).get("content")
                finish = choice.get("finish_reason") or finish
                if piece:
                    yield piece
        if finish == "length":
            raise ModelFailed("言語モデルの答えが長さの上限で切れました。", hint=HINT_CONTEXT)
        if finish != "stop":
            raise ModelFailed("言語モデルの答えが最後まで届きませんでした。", hint=HINT)

    async def _events(self, body: Mapping[str, Any]) -> AsyncIterator[Any]:
        """The parts of an answer: many from a server that streams, one from any other."""
        async with self._http.stream(
            "POST",
            f"{self._root}/v1/chat/completions",
            json=body,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        ) as response:
            if response.is_error:
                raise refused(response.status_code, (await response.aread())[:2000])
            if not body.get("stream"):
                yield json.loads(await response.aread(), strict=False)
                return
            async for line in response.aiter_lines():
                if not line.startswith("data:"):
                    continue
                data = line.removeprefix("data:").strip()
                if data == "[DONE]":
                    return
                yield json.loads(data, strict=False)

    async def _asked(self) -> Ability:
        try:
            return await asyncio.wait_for(self._probe.ability(), PROBE_SECONDS)
        except TimeoutError:
            raise silent() from None
        except GARBAGE as error:
            raise broken(error) from error
