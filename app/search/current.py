"""The index that searches use, exchangeable while they run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.core.embed import DenseModel
from app.core.store import Store


@dataclass(frozen=True, slots=True)
class Index:
    """A store and the model that made its dense vectors; without one it is searched by words."""

    store: Store
    dense: DenseModel | None = None


class Current:
    """Lends the index in use. Store and model change together, so no search mixes two of them."""

    def __init__(self, index: Index) -> None:
        self._lent = _Lent(index)
        self._changed = threading.Condition()

    @contextmanager
    def use(self) -> Iterator[Index]:
        """The index in use, which stays open for as long as it is lent."""
        with self._changed:
            lent = self._lent
            lent.users += 1
        try:
            yield lent.index
        finally:
            with self._changed:
                lent.users -= 1
                self._changed.notify_all()

    def switch(self, index: Index) -> Index:
        """Puts another index in use; returns the one before once the last search on it has ended."""
        with self._changed:
            before, self._lent = self._lent, _Lent(index)
            self._changed.wait_for(lambda: before.users == 0)
        return before.index


@dataclass(slots=True)
class _Lent:
    index: Index
    users: int = 0
