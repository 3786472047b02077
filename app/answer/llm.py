"""The only room that speaks to a language model: any OpenAI-compatible server, or a LlamaIndex LLM.

A server is asked at the start what it can do. A schema it enforces is best, a JSON object
next, tagged text is what every model can write; what it writes is verified the same way
after each. Requests run on an event loop of their own, so that a deadline or a user who
leaves closes the connection at once and frees the server's slot.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import queue
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import httpx

from app.core.errors import ShioriError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

Mode = Literal["json_schema", "json_object", "tags"]
State = Literal["loading", "ready", "failed"]
Message = Mapping[str, str]
Schema = Mapping[str, Any]
T = TypeVar("T")

# What a server is taken to hold when it does not say: the smallest default in use.
DEFAULT_CONTEXT = 4096
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 10.0
# A model on a CPU may take long over its first words; no question waits for that.
_PROBE_SECONDS = 120.0
_PATIENCE = 10.0
# Room for the one word asked for, and for a few thoughts before it.
_PROBE_TOKENS = 256
_TICK = 0.1

# A prompt counted by the server's own tokenizer that comes back this much shorter was cut.
_CUT = 0.7
# Where nobody counts: no tokenizer in use takes more characters of Japanese into a token.
_MOST_CHARS_A_TOKEN = 3

# What a model that thinks first may use for it, at most half of the context.
_THOUGHTS = 4096

_DOWN: dict[Mode, Mode] = {"json_schema": "json_object", "json_object": "tags"}
_TAGS = ("<think>", "<thinking>", "<reasoning>", "<|channel|>analysis", "<|channel|>commentary")
_OPENING = re.compile("|".join(map(re.escape, _TAGS)))
_CLOSING = re.compile(r"</(?:think|thinking|reasoning)>|<\|channel\|>final<\|message\|>")

# A server that could not be asked is left alone for so long.
_REST_SECONDS = 15.0
_COUNT_SECONDS = 2.0


class ModelFailed(ShioriError):
    """The model gave no usable answer; the message says why, in words for the user."""

    code = "model_failed"
    status = 503


class ModelBusy(ModelFailed):
    """Too many answers are being written already."""


class FormatRefused(ModelFailed):
    """The server does not take the response format after all."""


class Cancelled(Exception):
    """Whoever asked has left."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What a model can do. `context` is tokens for prompt and answer; `counts` whether it counts tokens.

    `streams` says whether it sends its answer piece by piece, `usage` whether it tells the
    tokens it was given at the end of that; `thinks` whether it thinks before it answers, and
    `unopened` that its thoughts begin without a mark.
    """

    model: str
    mode: Mode
    context: int
    counts: bool = False
    streams: bool = True
    usage: bool = False
    thinks: bool = False
    unopened: bool = False

    @property
    def thoughts(self) -> int:
        """Tokens to leave for thoughts."""
        return min(_THOUGHTS, self.context // 2) if self.thinks else 0


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a server made of a test question in one format."""

    honours: bool
    thinks: bool = False
    unopened: bool = False


class LanguageModel(Protocol):
    """A model that writes text piece by piece."""

    @property
    def name(self) -> str:
        """What it is called, as far as that is known by now."""
        ...

    @property
    def state(self) -> State:
        """Whether it has been asked what it can do; asks nothing itself."""
        ...

    def ability(self) -> Ability:
        """What it can do; raises ModelFailed where it cannot be asked."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text; never fewer than there are, as far as that can be known."""
        ...

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
        """Pieces of the answer, thoughts left out. `deadline` is a time.monotonic().

        Raises ModelFailed for every failure, an answer cut short included, Cancelled when told.
        """
        ...

    def close(self) -> None:
        """Ends what is being asked."""
        ...


def estimate(text: str) -> int:
    """Tokens of a text when nobody counts them: one for two bytes, more than tokenizers need for Japanese."""
    return len(text.encode()) // 2 + 1


class OpenAIServer:
    """A server at `url` that speaks the OpenAI chat interface. Close it to end its event loop.

    `model` empty takes the first one the server lists; `context` 0 asks the server.
    """

    def __init__(self, url: str, model: str = "", *, api_key: str = "", context: int = 0) -> None:
        root = url.rstrip("/")
        self._root = root.removesuffix("/v1")
        self._model = model
        self._context = context
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._probed: Future[Ability] | None = None
        self._failed: tuple[float, ModelFailed] | None = None
        self._uncounted_until = 0.0
        self._probing = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._http = self._run(self._client(), _CONNECT_SECONDS)

    def close(self) -> None:
        """Ends what is being asked, and closes the connections and the event loop."""
        self._run(self._shut(), _CONNECT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CONNECT_SECONDS)
        self._loop.close()

    @property
    def name(self) -> str:
        """The model's name in the settings, or the first the server listed, or its address."""
        ready = self._probed.result().model if self._probed and self.state == "ready" else ""
        return self._model or ready or self._root

    @property
    def state(self) -> State:
        """See `LanguageModel.state`."""
        return _state_of(self._probed, self._failed is not None)

    def ability(self) -> Ability:
        """What the server can do, asked until it answers once; raises ModelFailed.

        The asking goes on while nobody waits for it; after a failure the server is left alone
        for a while: no question waits for it.
        """
        with self._probing:
            if self._failed and time.monotonic() - self._failed[0] < _REST_SECONDS:
                raise self._failed[1]
            if self._probed is None:
                self._probed = asyncio.run_coroutine_threadsafe(self._probe(), self._loop)
            probed = self._probed
        try:
            return probed.result(_PATIENCE)
        except (TimeoutError, CancelledError, ModelFailed) as error:
            if not probed.done():
                raise ModelFailed("言語モデルはまだ準備中です。", hint=_HINT) from None
            failure = error if isinstance(error, ModelFailed) else _silent()
            with self._probing:
                if self._probed is probed:
                    self._probed, self._failed = None, (time.monotonic(), failure)
            raise failure from None

    def count(self, text: str) -> int:
        """Tokens by the server's own tokenizer, else an estimate from above."""
        if self.ability().counts and time.monotonic() >= self._uncounted_until:
            counted = self._run(self._tokens(text), _READ_SECONDS)
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
            **_streaming(ability),
            **_format(mode, schema),
        }
        least = self._least([message["content"] for message in messages])
        pieces: queue.Queue[str | BaseException | None] = queue.Queue()
        task = asyncio.run_coroutine_threadsafe(self._pump(body, least, pieces), self._loop)
        try:
            yield from without_thoughts(_until(pieces, deadline, cancelled), ability.unopened)
        finally:
            task.cancel()

    def _least(self, texts: Sequence[str]) -> float:
        """The fewest tokens that a server can have read, if it read all of the texts."""
        if self.ability().counts:
            return _CUT * sum(map(self.count, texts))
        return sum(map(len, texts)) / _MOST_CHARS_A_TOKEN

    # -- on the event loop ------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        task = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return task.result(seconds)
        except (TimeoutError, CancelledError):
            task.cancel()
            raise _silent() from None

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
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
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
        except _GARBAGE as error:
            pieces.put(_broken(error))

    async def _pieces(self, body: Mapping[str, Any], least: float) -> AsyncIterator[str]:
        finish = ""
        async for event in self._events(body):
            if event.get("error"):
                raise ModelFailed("言語モデルが途中で誤りを返しました。", hint=_HINT)
            usage = event.get("usage") or {}
            if 0 < usage.get("prompt_tokens", least) < least:
                raise ModelFailed(
                    "言語モデルのサーバーが、渡した根拠を途中で切り捨てました。",
                    hint=_HINT_CONTEXT,
                )
            for choice in event.get("choices") or ():
                # reasoning_content and other fields beside content are thoughts.
                piece = (choice.get("delta") or choice.get("message") or {}).get("content")
                finish = choice.get("finish_reason") or finish
                if piece:
                    yield piece
        if finish == "length":
            raise ModelFailed("言語モデルの答えが長さの上限で切れました。", hint=_HINT_CONTEXT)
        if finish != "stop":
            raise ModelFailed("言語モデルの答えが最後まで届きませんでした。", hint=_HINT)

    async def _events(self, body: Mapping[str, Any]) -> AsyncIterator[Any]:
        """The parts of an answer: many from a server that streams, one from any other."""
        async with self._http.stream(
            "POST",
            f"{self._root}/v1/chat/completions",
            json=body,
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        ) as response:
            if response.is_error:
                raise _refused(response.status_code, (await response.aread())[:2000])
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

    async def _probe(self) -> Ability:
        try:
            return await asyncio.wait_for(self._asked(), _PROBE_SECONDS)
        except TimeoutError:
            raise _silent() from None
        except _GARBAGE as error:
            raise _broken(error) from error

    async def _asked(self) -> Ability:
        listed = await self._listed()
        names = [str(item["id"]) for item in listed.get("data", ())]
        model = self._model or (names[0] if names else "")
        if not model:
            raise ModelFailed("言語モデルのサーバーにモデルがありません。", hint=_HINT)
        context = self._context or await self._asked_context(listed, model)
        counts = await self._tokens("戸籍") is not None
        mode: Mode = "json_schema"
        heard = await self._heard(model, mode)
        while mode != "tags" and not heard.honours:
            mode = _DOWN[mode]
            heard = await self._heard(model, mode)
        streams, usage = await self._streams(model)
        return Ability(model, mode, context, counts, streams, usage, heard.thinks, heard.unopened)

    async def _streams(self, model: str) -> tuple[bool, bool]:
        """Whether the server streams, and whether it takes being asked for its token count then."""
        for usage in (True, False):
            body = {
                "model": model,
                "messages": [{"role": "user", "content": "はい"}],
                "max_tokens": 1,
                **_streaming(Ability(model, "tags", 0, usage=usage)),
            }
            response = await self._chat(body)
            sent = response.headers.get("content-type", "")
            if response.is_success and sent.startswith("text/event-stream"):
                return True, usage
        return False, False

    async def _chat(self, body: Mapping[str, Any]) -> httpx.Response:
        return await self._http.post(
            f"{self._root}/v1/chat/completions",
            json=body,
            timeout=httpx.Timeout(_PROBE_SECONDS, connect=_CONNECT_SECONDS),
        )

    async def _asked_context(self, listed: Mapping[str, Any], model: str) -> int:
        """The context of one request: llama.cpp divides its own among the slots and says so in /props."""
        response = await self._http.get(f"{self._root}/props")
        if response.is_success:
            settings = response.json().get("default_generation_settings") or {}
            if settings.get("n_ctx"):
                return int(settings["n_ctx"])
        for item in listed.get("data", ()):
            if item["id"] == model and item.get("max_model_len"):
                return int(item["max_model_len"])
        return DEFAULT_CONTEXT

    async def _heard(self, model: str, mode: Mode) -> _Heard:
        """Asked for one word in a format, whether the server keeps to it, and whether it thinks first."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": 'JSON {"ok": "yes"} だけを返してください。'}],
            "max_tokens": _PROBE_TOKENS,
            "temperature": 0,
            **_format(mode, _PROBE_SCHEMA),
        }
        response = await self._chat(body)
        if response.status_code in (401, 403):
            raise _refused(response.status_code, response.content)
        if response.is_error:
            return _Heard(honours=False)
        choice = response.json()["choices"][0]
        message = choice.get("message") or {}
        content = str(message.get("content") or "")
        apart = bool(message.get("reasoning_content") or message.get("reasoning"))
        opened, closed = _OPENING.search(content), _CLOSING.search(content)
        thinks = bool(apart or opened or closed)
        if thinks and choice.get("finish_reason") == "length":
            # It took the format and had no room left to show that it keeps to it.
            return _Heard(apart, thinks, unopened=False)
        unopened = closed is not None and (opened is None or closed.start() < opened.start())
        written = "".join(without_thoughts(iter((content,)), unopened))
        return _Heard(_keeps_to(written, mode), thinks, unopened)

    async def _tokens(self, text: str) -> int | None:
        """Tokens by llama.cpp's or vLLM's /tokenize; None where there is no such thing."""
        body = {"content": text, "prompt": text, "model": self._model}
        try:
            response = await self._http.post(
                f"{self._root}/tokenize", json=body, timeout=_COUNT_SECONDS
            )
            values = response.json() if response.is_success else {}
        except (httpx.HTTPError, ValueError):
            return None
        counted = values.get("count") if isinstance(values, dict) else None
        if counted is None and isinstance(values, dict) and isinstance(values.get("tokens"), list):
            counted = len(values["tokens"])
        return counted if isinstance(counted, int) and counted > 0 else None

    async def _listed(self) -> Any:
        """The server's models; where it lists none, the name in the settings is enough."""
        response = await self._http.get(f"{self._root}/v1/models")
        if self._model and response.status_code in (404, 405, 501):
            return {}
        if response.is_error:
            raise _refused(response.status_code, response.content)
        return response.json()


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
        return _state_of(self._made, False)

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
            failure = made.exception(_PATIENCE)
        except TimeoutError:
            raise ModelFailed("言語モデルはまだ準備中です。", hint=_HINT) from None
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
            yield from without_thoughts(_until(pieces, deadline, cancelled))
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


_HINT = "言語モデルのサーバーの状態と記録を確かめてください。"
_HINT_CONTEXT = "サーバーの文脈長 (context) を増やすか、設定 llm_context を直してください。"
_PROBE_SCHEMA: Schema = {
    "type": "object",
    "properties": {"ok": {"type": "string", "enum": ["yes"]}},
    "required": ["ok"],
    "additionalProperties": False,
}


# What a server that speaks no proper HTTP or JSON can make of the reading.
_GARBAGE = (
    httpx.HTTPError,
    httpx.InvalidURL,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
)


def _state_of(asked: Future[Any] | None, failed: bool) -> State:
    if asked is None or not asked.done():
        return "failed" if failed and asked is None else "loading"
    return "failed" if asked.cancelled() or asked.exception() else "ready"


def _streaming(ability: Ability) -> dict[str, Any]:
    if not ability.streams:
        return {}
    counted = {"stream_options": {"include_usage": True}} if ability.usage else {}
    return {"stream": True, **counted}


def _keeps_to(written: str, mode: Mode) -> bool:
    """Whether an answer to the test question has the form it was to have."""
    try:
        value = json.loads(written, strict=False)
    except ValueError:
        return False
    return isinstance(value, dict) and (mode == "json_object" or value.get("ok") == "yes")


def _format(mode: Mode, schema: Schema) -> dict[str, Any]:
    if mode == "json_schema":
        named = {"name": "answer", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    return {"response_format": {"type": "json_object"}} if mode == "json_object" else {}


def _until(
    pieces: queue.Queue[str | BaseException | None], deadline: float, cancelled: threading.Event
) -> Iterator[str]:
    """The pieces as they come, until the deadline or until whoever asked has left."""
    while True:
        if cancelled.is_set():
            raise Cancelled
        left = deadline - time.monotonic()
        if left <= 0:
            raise _silent()
        try:
            piece = pieces.get(timeout=min(left, _TICK))
        except queue.Empty:
            continue
        if piece is None:
            return
        if isinstance(piece, BaseException):
            raise piece if isinstance(piece, ModelFailed) else _broken(piece)
        yield piece


def without_thoughts(pieces: Iterator[str], unopened: bool = False) -> Iterator[str]:
    """The pieces without what stands between <think> and </think>, however they are cut.

    With `unopened` the thoughts begin at once, without a mark.
    """
    held, inside = "", unopened
    for piece in pieces:
        held += piece
        while match := (_CLOSING if inside else _OPENING).search(held):
            if not inside and match.start():
                yield held[: match.start()]
            held, inside = held[match.end() :], not inside
        if inside:
            continue
        at = held.rfind("<")
        begun = at >= 0 and any(tag.startswith(held[at:]) for tag in _TAGS)
        safe = at if begun else len(held)
        if safe:
            yield held[:safe]
        held = held[safe:]
    if held and not inside:
        yield held


def _silent() -> ModelFailed:
    return ModelFailed("言語モデルから時間内に答えがありませんでした。", hint=_HINT)


def _broken(error: BaseException) -> ModelFailed:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ModelFailed("言語モデルのサーバーにつながりません。", hint=_HINT)
    return ModelFailed("言語モデルの答えを読み取れませんでした。", hint=_HINT)


def _refused(status: int, content: bytes) -> ModelFailed:
    text = content.decode(errors="replace").lower()
    if status in (401, 403):
        return ModelFailed(
            "言語モデルのサーバーがAPIキーを受け付けません。",
            hint="設定 llm_api_key を直してください。",
        )
    if status in (400, 413) and "context" in text:
        return ModelFailed("質問と根拠が言語モデルの文脈長を超えました。", hint=_HINT_CONTEXT)
    if status in (400, 422) and any(w in text for w in ("response_format", "schema", "grammar")):
        return FormatRefused("言語モデルが出力の形を受け付けません。", hint=_HINT)
    return ModelFailed(f"言語モデルのサーバーが誤りを返しました ({status})。", hint=_HINT)


def run_with(step: Callable[[Mode], Iterator[T]], mode: Mode) -> Iterator[T]:
    """Runs `step` with the best format the server takes, stepping down where it refuses one."""
    while True:
        try:
            yield from step(mode)
            return
        except FormatRefused:
            if mode not in _DOWN:
                raise
            mode = _DOWN[mode]
