"""Answers as server-sent events: status, passage, sentence, done, error.

Passages are sent before a model writes its first word. `done` holds the whole answer and
replaces the sentences before it: a model that fails on the way has its sentences withdrawn.
A client that leaves ends the writing at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from fastapi.responses import StreamingResponse

from app.answer.compose import Answered, Event, Found, Sentence, Status
from app.api.schemas import ask_out, hit_out, sentence_out
from app.core import telemetry
from app.core.errors import ShioriError

log = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
# A comment now and then shows proxies that the connection lives, and us that a client is gone.
_BEAT_SECONDS = 5.0


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
        _body(first, events, cancelled, done),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def each(
    first: Event, events: Iterator[Event], cancelled: threading.Event
) -> AsyncIterator[Event | ShioriError | None]:
    """The events as they come from a thread; an error ends them, None is a pause between two."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[tuple[Event | ShioriError | None, bool]] = asyncio.Queue()

    def put(item: Event | ShioriError | None, last: bool) -> None:
        if not cancelled.is_set():
            loop.call_soon_threadsafe(ready.put_nowait, (item, last))

    def run() -> None:
        try:
            for event in events:
                put(event, False)
            put(None, True)
        except ShioriError as error:
            put(error, True)
        except Exception:  # the handler's outermost boundary: the status is sent already
            log.exception("unexpected error while streaming")
            put(ShioriError("予期しない誤りが起きました。", hint="もう一度試してください。"), True)

    # The logs of the thread carry the request's id too.
    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    try:
        yield first
        while True:
            try:
                item, last = await asyncio.wait_for(ready.get(), _BEAT_SECONDS)
            except TimeoutError:
                yield None
                continue
            if item is not None:
                yield item
            if last:
                return
    finally:
        cancelled.set()


async def _body(
    first: Event,
    events: Iterator[Event],
    cancelled: threading.Event,
    done: Callable[[Answered], None],
) -> AsyncIterator[str]:
    async for event in each(first, events, cancelled):
        if event is None:
            yield ": \n\n"
            continue
        if isinstance(event, Answered):
            done(event)
        for name, data in _named(event):
            yield f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


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
