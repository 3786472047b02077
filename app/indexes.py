"""The indexes of a data directory: which one is in use, and how another takes its place.

Whatever cuts a rebuild short, a whole index stays in use, and the next start knows what to remove.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from app.core import lexical
from app.core.datadir import DataDir
from app.core.embed import DenseModel
from app.core.errors import StoreUnavailable
from app.core.ledger import Ledger
from app.core.settings import Settings
from app.core.store import LAYOUT, Schema, Store

log = logging.getLogger(__name__)

_INDEX = "index"
_DOOMED = "index_doomed"


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """Which index is in use and what made its vectors; another maker means a rebuild."""

    name: str
    encoding: int
    model: str
    dense_size: int
    layout: int = LAYOUT

    @property
    def schema(self) -> Schema:
        """The vectors the store must hold."""
        return Schema(sparse=lexical.VECTORS, dense_size=self.dense_size)


class Indexes:
    """The index in use (`spec`), and those to remove at the next start. What they are is in the ledger."""

    def __init__(self, ledger: Ledger, datadir: DataDir, settings: Settings) -> None:
        self._ledger = ledger
        self._datadir = datadir
        self._settings = settings
        fact = ledger.fact(_INDEX)
        self._known = IndexSpec(**json.loads(fact)) if fact else None
        # Whatever model there is takes its place once it is loaded; without books that is quick.
        self.spec = self._known or IndexSpec("1", lexical.ENCODING, "", 0)

    def open(self) -> Store:
        """The store of the index in use; an empty one where it is new, unreadable or damaged.

        Removes what a rebuild that was cut short left, or one that was not replaced. Raises
        StoreUnavailable.
        """
        self._remove_old()
        known = self._known
        # An index that another layout of points was written with is filled anew.
        readable = known is not None and known.layout == LAYOUT
        if known is not None and not readable:
            self._doom(known)
            self.spec = replace(known, name=str(int(known.name) + 1), layout=LAYOUT)
        try:
            store = self._open(self.spec, fresh=not readable)
        except StoreUnavailable as error:
            # An embedded one is filled from the ledger again.
            if not readable or self._settings.qdrant_url:
                raise
            log.warning("the index is damaged", extra={"error": error.message})
            store = self._open(self.spec, fresh=True)
        self._remember(self.spec)
        return store

    def lacks_vectors(self) -> None:
        """Notes that some dense vectors are missing: once the model loads, all is built anew."""
        self._remember(replace(self.spec, model=""))

    def is_by(self, model: DenseModel | None) -> bool:
        """Whether today's encoder, and the model if any, made the vectors of the index in use.

        Without a model, or while it is out of reach, its vectors stay for when it is back.
        """
        same_model = model is None or self.spec.model == model.name
        return self.spec.encoding == lexical.ENCODING and same_model

    def build(self, model: DenseModel | None, fill: Callable[[Store], None]) -> Store:
        """Another index, filled and from now on the one in use; the old store is the caller's to drop."""
        spec = IndexSpec(
            str(int(self.spec.name) + 1),
            lexical.ENCODING,
            model.name if model else "",
            model.size if model else 0,
        )
        log.info("rebuilding the index", extra={"index": spec.name, "model": spec.model})
        self._doom(spec)
        store = self._open(spec, fresh=True)
        try:
            fill(store)
        except BaseException:
            store.drop()
            raise
        # A kill from here on leaves the old index to the next start; before, the new one.
        self._doom(self.spec)
        self._remember(spec)
        return store

    def _remember(self, spec: IndexSpec) -> None:
        self._ledger.set_fact(_INDEX, json.dumps(asdict(spec)))
        self.spec = spec

    def _open(self, spec: IndexSpec, *, fresh: bool) -> Store:
        # Both engines take a while to import; a process needs only one of them.
        if self._settings.qdrant_url:
            from app.core.store.server import ServerStore

            return ServerStore.connect(
                self._settings.qdrant_url,
                spec.schema,
                api_key=self._settings.qdrant_api_key,
                collection=f"{self._settings.qdrant_collection}_{spec.name}",
                fresh=fresh,
            )
        from app.core.store.edge import EdgeStore

        return EdgeStore(self._datadir.index / spec.name, spec.schema, fresh=fresh)

    def _doom(self, spec: IndexSpec) -> None:
        """Notes an index to remove at the next start, unless it is in use by then."""
        doomed = self._doomed()
        if spec not in doomed:
            doomed.append(spec)
        self._ledger.set_fact(_DOOMED, json.dumps([asdict(each) for each in doomed]))

    def _doomed(self) -> list[IndexSpec]:
        return [IndexSpec(**spec) for spec in json.loads(self._ledger.fact(_DOOMED) or "[]")]

    def _remove_old(self) -> None:
        if self._settings.qdrant_url:
            for spec in self._doomed():
                if spec.name != self.spec.name:
                    self._open(spec, fresh=True).drop()
        else:
            for folder in self._datadir.index.glob("*"):
                if folder.name != self.spec.name:
                    shutil.rmtree(folder)
        self._ledger.set_fact(_DOOMED, "[]")
