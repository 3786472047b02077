"""The answer of a language model as it grows: server-sent events with pieces of the page.

The page itself never waits for the model. It shows what the books say, and asks for
`/answer`, which sends `status` (a sentence), `sentence` (an item of the list), and at last
`done` or `error` (what takes the place of the list). A browser that leaves ends the writing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing

from app.answer.answer import Answer
from app.answer.compose import Answered, Event
from app.core.errors import ShioriError
from app.live import PAUSE, each, sent
from app.search.pipeline import Filters, SearchResult

_KEPT = 200

# What is sent for an event: its name and the text or HTML, or None for nothing.
Shown = Callable[[Event | ShioriError], tuple[str, str] | None]


class Kept:
    """The latest answers a model wrote, so that a page loaded again, or printed, shows the same."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, Filters], tuple[tuple[str, ...], Answer]] = (
            OrderedDict()
        )
        self._lock = threading.Lock()

    def put(self, answered: Answered, filters: Filters) -> None:
        """Keeps an answer that a model wrote."""
        if not answered.answer.by_model:
            return
        key = (answered.result.query, filters)
        with self._lock:
            self._answers[key] = (_ids(answered.result), answered.answer)
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)

    def get(self, result: SearchResult, filters: Filters) -> Answer | None:
        """The answer to the same question over the same passages, or None."""
        with self._lock:
            ids, answer = self._answers.get((result.query, filters), ((), None))
        return answer if ids == _ids(result) else None


def _ids(result: SearchResult) -> tuple[str, ...]:
    return tuple(hit.passage.id for hit in result.hits)


async def stream(
    events: Iterator[Event], cancelled: threading.Event, shown: Shown
) -> AsyncIterator[str]:
    """The events as text of the stream; they are made in a thread of their own."""
    pieces = filter(None, map(shown, events))
    async with aclosing(each(pieces, cancelled)) as coming:
        async for item in coming:
            if item is None:
                yield PAUSE
            elif piece := shown(item) if isinstance(item, ShioriError) else item:
                yield sent(*piece)
