"""Who may have the language model write, and who waits: a bounded queue in the order of asking."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.answer.llm import Cancelled, ModelBusy

_TICK = 0.1


class Gate:
    """Lets `parallel` answers be written at a time; `waiting` more wait, in the order they came."""

    def __init__(self, parallel: int, waiting: int) -> None:
        self._parallel = parallel
        self._most = parallel + waiting
        self._inside: list[Place] = []
        self._moved = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place in the queue, given back at the end; raises ModelBusy where all are taken."""
        place = Place(self)
        with self._moved:
            if len(self._inside) >= self._most:
                raise _busy()
            self._inside.append(place)
        try:
            yield place
        finally:
            with self._moved:
                self._inside.remove(place)
                self._moved.notify_all()

    def ahead(self, place: Place, known: int) -> int:
        """How many must end before a place has its turn; waits a moment while that is `known`."""
        with self._moved:
            ahead = self._ahead(place)
            if ahead == known:
                self._moved.wait(_TICK)
                ahead = self._ahead(place)
            return ahead

    def _ahead(self, place: Place) -> int:
        return max(0, self._inside.index(place) + 1 - self._parallel)


class Place:
    """One place in the queue of a gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def wait(self, deadline: float, cancelled: threading.Event) -> Iterator[int]:
        """How many are ahead, each time that changes, until it is this one's turn.

        `deadline` is a time.monotonic(). Raises ModelBusy after it, Cancelled when told.
        """
        known = -1
        while ahead := self._gate.ahead(self, known):
            if cancelled.is_set():
                raise Cancelled
            if time.monotonic() > deadline:
                raise _busy()
            if ahead != known:
                known = ahead
                yield ahead


def _busy() -> ModelBusy:
    return ModelBusy("言語モデルが混み合っています。", hint="少し待ってから試してください。")
