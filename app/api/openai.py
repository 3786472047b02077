"""The OpenAI-compatible face, /v1/chat/completions and /v1/models, for clients made for that.

The last message of the user is the question, earlier ones its history; all else in the
conversation is left out, so that no client can instruct the answer. Citations stand in the
text as [1] with a list of sources below, and as the field `citations`. Chat front ends render
Markdown and HTML: what a book says is made inert, so that none of it becomes a link or image.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.answer.answer import Block
from app.answer.compose import Answered, Answerer, Found, Sentence
from app.core.book import Hit
from app.core.errors import BadRequest, ShioriError
from app.live import HEADERS, MEDIA_TYPE, PAUSE, each

MODEL = "shiori"
_HITS = 10


class Part(BaseModel):
    """One part of a message; only text is read."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str = ""


class MessageIn(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The message's text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class ChatIn(BaseModel):
    """A chat completion request; fields that shape a model's writing are taken and not used."""

    model_config = ConfigDict(extra="allow")

    model: str = MODEL
    messages: list[MessageIn] = Field(min_length=1, max_length=200)
    stream: bool = False


class CitationOut(BaseModel):
    """One source: its number in the text, the passage, and where it stands in which book."""

    number: int
    passage_id: str
    start: int
    end: int
    book_title: str
    edition: str
    page_label: str
    article: str


class ChatMessageOut(BaseModel):
    """The answer as a message."""

    role: Literal["assistant"] = "assistant"
    content: str
    citations: list[CitationOut]


class ChoiceOut(BaseModel):
    """The only choice."""

    index: int = 0
    message: ChatMessageOut
    finish_reason: Literal["stop"] = "stop"


class UsageOut(BaseModel):
    """No tokens are counted: the words are the books' own."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class ChatOut(BaseModel):
    """The answer of /v1/chat/completions."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: UsageOut = UsageOut()
    citations: list[CitationOut]


class ModelOut(BaseModel):
    """The one model there is: this product."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "shiori"


class ModelsOut(BaseModel):
    """The answer of /v1/models."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


class Sources:
    """Numbers the citations of an answer in the order they are first used."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self._hits = {hit.passage.id: hit for hit in hits}
        self.citations: list[CitationOut] = []

    def text(self, block: Block) -> str:
        """A block with its numbers, and what limits it."""
        marks = "".join(f"[{self._number(c.passage_id, c.start, c.end)}]" for c in block.citations)
        limits = "".join(f"\n（{inert(limit.text)}）" for limit in block.limits)
        return f"{inert(block.text)} {marks}{limits}\n\n"

    def listed(self) -> str:
        """The sources under the text."""
        if not self.citations:
            return ""
        lines = []
        for cited in self.citations:
            page = f" {cited.page_label}頁" if cited.page_label else ""
            article = f" {cited.article}" if cited.article else ""
            lines.append(f"[{cited.number}] {cited.book_title} {cited.edition}{page}{article}")
        return "出典\n" + inert("\n".join(lines))

    def _number(self, passage_id: str, start: int, end: int) -> int:
        for known in self.citations:
            if known.passage_id == passage_id:
                return known.number
        hit = self._hits[passage_id]
        self.citations.append(
            CitationOut(
                number=len(self.citations) + 1,
                passage_id=passage_id,
                start=start,
                end=end,
                book_title=hit.book.title,
                edition=hit.book.edition,
                page_label=hit.passage.page_label,
                article=hit.passage.article,
            )
        )
        return len(self.citations)


def router(answerer: Callable[[], Answerer], done: Callable[[Answered], None]) -> APIRouter:
    """The routes; `done` hears of every whole answer."""
    routes = APIRouter(tags=["OpenAI互換"])

    @routes.get("/models", summary="使えるモデルの一覧 (OpenAI互換)")
    def models() -> ModelsOut:
        return ModelsOut(data=[ModelOut()])

    @routes.post(
        "/chat/completions",
        summary="質問に、根拠を引いて答える (OpenAI互換)",
        response_model=ChatOut,
    )
    def complete(asked: ChatIn) -> Any:
        question, history = _question(asked.messages)
        cancelled = threading.Event()
        events = answerer().events(question, _HITS, cancelled=cancelled, history=history)
        if asked.stream:
            found = next(events)
            assert isinstance(found, Found)
            return StreamingResponse(
                _chunks(asked.model, found, each(events, cancelled), done),
                media_type=MEDIA_TYPE,
                headers=HEADERS,
            )
        answered = [event for event in events if isinstance(event, Answered)][-1]
        done(answered)
        sources = Sources(answered.result.hits)
        content = "".join(sources.text(block) for block in answered.answer.blocks)
        content += _closing(answered, sources)
        return ChatOut(
            id=_id(),
            created=int(time.time()),
            model=asked.model,
            choices=[
                ChoiceOut(message=ChatMessageOut(content=content, citations=sources.citations))
            ],
            citations=sources.citations,
        )

    return routes


def _question(messages: Sequence[MessageIn]) -> tuple[str, list[str]]:
    said = [message.text for message in messages if message.role == "user"]
    if not said:
        raise BadRequest(
            "質問がありません。",
            hint="messages に role が user のものを入れてください。",
            field="messages",
        )
    return said[-1], said[:-1]


async def _chunks(
    model: str,
    found: Found,
    events: AsyncIterator[Any],
    done: Callable[[Answered], None],
) -> AsyncIterator[str]:
    id_, created = _id(), int(time.time())
    sources = Sources(found.result.hits)

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        value = {
            "id": id_,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
            "choices": [choice],
            **more,
        }
        return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    shown: list[Block] = []
    async for event in events:
        if event is None:
            yield PAUSE
        elif isinstance(event, Sentence):
            shown.append(event.block)
            yield chunk({"content": sources.text(event.block)})
        elif isinstance(event, Answered):
            done(event)
            # What was sent cannot be taken back; the blocks that stand instead are added.
            rest = [block for block in event.answer.blocks if block not in shown]
            text = "".join(sources.text(block) for block in rest)
            yield chunk({"content": text + _closing(event, sources)})
            cited = [citation.model_dump() for citation in sources.citations]
            yield chunk({}, "stop", citations=cited)
        elif isinstance(event, ShioriError):
            yield f"data: {json.dumps({'error': event.as_dict()}, ensure_ascii=False)}\n\n"
    yield "data: [DONE]\n\n"


def _closing(answered: Answered, sources: Sources) -> str:
    """What follows the blocks: why there are none, notices, and the sources."""
    answer = answered.answer
    notices = [f"（{notice}）" for notice in (*answered.result.notices, *answer.notices)]
    parts = [inert(answer.reason), *map(inert, notices), inert(answer.inquiry), sources.listed()]
    return "\n\n".join(part for part in parts if part)


_ACTIVE = str.maketrans({"<": "＜", "`": "｀"})
_LINKS = (
    (re.compile(r"\](?=[(\[:])"), "］"),
    (re.compile(r"://"), "：//"),
    (re.compile(r"\bwww\."), "www．"),
)


def inert(text: str) -> str:
    """A text of which Markdown makes no link, image or HTML: the marks that would are widened."""
    for pattern, harmless in _LINKS:
        text = pattern.sub(harmless, text)
    return text.translate(_ACTIVE)


def _id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"
