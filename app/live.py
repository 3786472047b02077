"""Events that a thread makes, for a client that listens: what both faces' streams stand on.

A client that leaves ends the making at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, TypeVar

from app.core.errors import ShioriError

log = logging.getLogger(__name__)

T = TypeVar("T")

MEDIA_TYPE = "text/event-stream"
HEADERS: Mapping[str, str] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
PAUSE = ": \n\n"
"""A comment now and then shows proxies that the connection lives, and us that a client is gone."""

_BEAT_SECONDS = 5.0


def sent(name: str, data: Any) -> str:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def each(
    events: Iterator[T], cancelled: threading.Event
) -> AsyncGenerator[T | ShioriError | None, None]:
    """The events as they come from a thread; an error ends them, None is a pause between two.

    `cancelled` is set when nobody listens any more.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[tuple[T | ShioriError | None, bool]] = asyncio.Queue()

    def put(item: T | ShioriError | None, last: bool) -> None:
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
