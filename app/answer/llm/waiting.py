"""Waiting for a model that works elsewhere, no longer than the deadline or the user does."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from app.answer.llm import Cancelled, ModelFailed, State
from app.answer.llm.failures import broken, silent

# Seconds that a question waits for a model being made ready.
PATIENCE = 10.0
_TICK = 0.1


def state_of(asked: Future[Any] | None, failed: bool) -> State:
    """The state of a model that was asked what it can do; `failed` says that an earlier asking did."""
    if asked is None or not asked.done():
        return "failed" if failed and asked is None else "loading"
    return "failed" if asked.cancelled() or asked.exception() else "ready"


def until(
    pieces: queue.Queue[str | BaseException | None], deadline: float, cancelled: threading.Event
) -> Iterator[str]:
    """The pieces as they come, until the deadline or until whoever asked has left."""
    while True:
        if cancelled.is_set():
            raise Cancelled
        left = deadline - time.monotonic()
        if left <= 0:
            raise silent()
        try:
            piece = pieces.get(timeout=min(left, _TICK))
        except queue.Empty:
            continue
        if piece is None:
            return
        if isinstance(piece, BaseException):
            raise piece if isinstance(piece, ModelFailed) else broken(piece)
        yield piece
