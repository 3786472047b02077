"""Answers as server-sent events: status, passage, sentence, done, error.

Passages are sent before a model writes its first word. `done` holds the whole answer and
replaces the sentences before it: a model that fails on the way has its sentences withdrawn.
A client that leaves ends the writing at once.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from typing import Any

from fastapi.responses import StreamingResponse

from app.answer.compose import Answered, Event, Found, Sentence, Status
from app.api.schemas import ask_out, hit_out, sentence_out
from app.core import telemetry
from app.core.errors import ShioriError
from app.live import HEADERS, MEDIA_TYPE, PAUSE, each, sent


def event_stream(
    events: Iterator[Event],
    cancelled: threading.Event,
    done: Callable[[Answered], None],
) -> StreamingResponse:
    """The events of an answer as they come.

    The first is taken at once, so that a question that cannot be used is an error status.
    `done` hears of the whole answer; `cancelled` is set when the client leaves.
    """
    first = next(events)
    return StreamingResponse(
        _body(chain((first,), events), cancelled, done), media_type=MEDIA_TYPE, headers=HEADERS
    )


async def _body(
    events: Iterator[Event], cancelled: threading.Event, done: Callable[[Answered], None]
) -> AsyncIterator[str]:
    async for event in each(events, cancelled):
        if event is None:
            yield PAUSE
            continue
        if isinstance(event, Answered):
            done(event)
        for name, data in _named(event):
            yield sent(name, data)


def _named(event: Event | ShioriError) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(event, Found):
        for hit in event.result.hits:
            yield "passage", hit_out(hit).model_dump()
    elif isinstance(event, Status):
        yield "status", {"text": event.text, "ahead": event.ahead}
    elif isinstance(event, Sentence):
        yield "sentence", sentence_out(event.block).model_dump()
    elif isinstance(event, Answered):
        yield "done", ask_out(event).model_dump()
    else:
        yield "error", {**event.as_dict(), "request_id": telemetry.request_id.get()}
