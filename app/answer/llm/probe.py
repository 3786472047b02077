"""What a server can do, found out by asking it: its model, context, formats and manners.

A schema it enforces is best, a JSON object next, tagged text is what every model can write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.answer.llm import DEFAULT_CONTEXT, DOWN, Ability, Mode, ModelFailed, Schema
from app.answer.llm.failures import HINT, refused
from app.answer.llm.thoughts import CLOSING, OPENING, without_thoughts

CONNECT_SECONDS = 5.0
# A model on a CPU may take long over its first words; no question waits for that.
PROBE_SECONDS = 120.0
# Room for the one word asked for, and for a few thoughts before it.
_PROBE_TOKENS = 256
_COUNT_SECONDS = 2.0

_PROBE_SCHEMA: Schema = {
    "type": "object",
    "properties": {"ok": {"type": "string", "enum": ["yes"]}},
    "required": ["ok"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a server made of a test question in one format."""

    honours: bool
    thinks: bool = False
    unopened: bool = False


class Probe:
    """Asks the server at `root` through `http`. `model` and `context` are those of the settings, or empty and 0."""

    def __init__(self, http: httpx.AsyncClient, root: str, model: str, context: int) -> None:
        self._http = http
        self._root = root
        self._model = model
        self._context = context

    async def ability(self) -> Ability:
        """What it can do; raises ModelFailed, or one of `failures.GARBAGE` for what is no proper answer."""
        listed = await self._listed()
        names = [str(item["id"]) for item in listed.get("data", ())]
        model = self._model or (names[0] if names else "")
        if not model:
            raise ModelFailed("言語モデルのサーバーにモデルがありません。", hint=HINT)
        context = self._context or await self._asked_context(listed, model)
        counts = await self.tokens("戸籍") is not None
        mode: Mode = "json_schema"
        heard = await self._heard(model, mode)
        while mode != "tags" and not heard.honours:
            mode = DOWN[mode]
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
                **streaming(Ability(model, "tags", 0, usage=usage)),
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
            timeout=httpx.Timeout(PROBE_SECONDS, connect=CONNECT_SECONDS),
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
            **format_of(mode, _PROBE_SCHEMA),
        }
        response = await self._chat(body)
        if response.status_code in (401, 403):
            raise refused(response.status_code, response.content)
        if response.is_error:
            return _Heard(honours=False)
        choice = response.json()["choices"][0]
        message = choice.get("message") or {}
        content = str(message.get("content") or "")
        apart = bool(message.get("reasoning_content") or message.get("reasoning"))
        opened, closed = OPENING.search(content), CLOSING.search(content)
        thinks = bool(apart or opened or closed)
        if thinks and choice.get("finish_reason") == "length":
            # It took the format and had no room left to show that it keeps to it.
            return _Heard(apart, thinks, unopened=False)
        unopened = closed is not None and (opened is None or closed.start() < opened.start())
        written = "".join(without_thoughts(iter((content,)), unopened))
        return _Heard(_keeps_to(written, mode), thinks, unopened)

    async def tokens(self, text: str) -> int | None:
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
            raise refused(response.status_code, response.content)
        return response.json()


def streaming(ability: Ability) -> dict[str, Any]:
    """The part of a request that asks for an answer piece by piece, as far as the server can."""
    if not ability.streams:
        return {}
    counted = {"stream_options": {"include_usage": True}} if ability.usage else {}
    return {"stream": True, **counted}


def format_of(mode: Mode, schema: Schema) -> dict[str, Any]:
    """The part of a request that asks for an answer in a format."""
    if mode == "json_schema":
        named = {"name": "answer", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    return {"response_format": {"type": "json_object"}} if mode == "json_object" else {}


def _keeps_to(written: str, mode: Mode) -> bool:
    """Whether an answer to the test question has the form it was to have."""
    try:
        value = json.loads(written, strict=False)
    except ValueError:
        return False
    return isinstance(value, dict) and (mode == "json_object" or value.get("ok") == "yes")
