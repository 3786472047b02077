"""Builds every object of a process and joins them; nothing else constructs services."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.answer.compose import Answerer
from app.core import embed, glossary, japanese, lexical
from app.core.book import Book
from app.core.datadir import DataDir, Service
from app.core.embed import DenseModel
from app.core.errors import ModelUnavailable, PortInUse, ShioriError, StoreUnavailable, why
from app.core.glossary import Glossary
from app.core.ledger import Ledger
from app.core.settings import Settings
from app.core.store import LAYOUT, Schema, Store
from app.search import weights
from app.search.pipeline import Searcher
from app.search.retrieve import Candidate, Weights
from ingest.index import Shelf, complete, fill

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ingest.jobs import Event, Summary

log = logging.getLogger(__name__)

SAMPLES = Path(__file__).parent.parent / "ingest" / "samples"
SAMPLE_SHELF = "見本"

_INDEX = "index"
_SAMPLES_ADDED = "samples"
_SHUTDOWN_SECONDS = 3


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


class Shiori:
    """The product of one process on one data directory.

    `wait_for_model` loads a configured model before anything else; otherwise it loads in
    the background and searches are lexical until then. `on_progress` hears of an index
    being rebuilt (books done, books in all). Close it to give the directory free.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        wait_for_model: bool = True,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.settings = settings
        self.datadir = DataDir(settings.data_dir)
        self._on_progress = on_progress
        self._dense: DenseModel | None = None
        self.model_state = "loading" if settings.embed_model else "none"
        self.message = ""
        self._adding = threading.Lock()
        self._stopping = threading.Event()
        opened = contextlib.ExitStack()
        opened.callback(self.datadir.release)
        try:
            self.ledger = Ledger(self.datadir.ledger)
            opened.callback(self.ledger.close)
            words = glossary.load((glossary.SHIPPED, *settings.glossary))
            known = self._known_spec()
            self.spec = known or self._first_spec()
            self._remove_old_indexes()
            # An index that another layout of points was written with is filled anew below.
            readable = known is not None and known.layout == LAYOUT
            if known is not None and not readable:
                self.spec = replace(known, name=str(int(known.name) + 1), layout=LAYOUT)
            store = self._open_store_or_anew(self.spec, fresh=not readable)
            opened.callback(store.close)
            self._remember(self.spec)
            self.shelf = Shelf(self.ledger, store, self.datadir.originals)
            self.shelf.mend()
            self.glossary = words
            self.searcher = self.searcher_with(weights.chosen(settings, self.ledger), words)
            self.answerer = Answerer(self.searcher)
            self._background: threading.Thread | None = None
            if wait_for_model:
                self._bring_up()
            else:
                self._background = threading.Thread(target=self._bring_up_quietly, daemon=True)
                self._background.start()
        except BaseException:
            opened.close()
            raise

    def close(self) -> None:
        """Ends the background work, books being added too, and gives the data directory free."""
        self._stopping.set()
        if self._background is not None:
            self._background.join(timeout=60)
        with self._adding, self.shelf.writing:
            self.shelf.store.close()
            self.ledger.close()
        self.datadir.release()

    def __enter__(self) -> Shiori:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def require_models(self) -> None:
        """Raises ModelUnavailable where a configured model could not be loaded."""
        if self.model_state == "failed":
            raise ModelUnavailable(self.message)

    def searcher_with(self, legs: Weights, words: Glossary) -> Searcher:
        """A searcher of this shelf with leg weights and a glossary of the caller's choice."""
        return Searcher(
            self.ledger,
            lambda: self.shelf.store,
            words,
            dense=self._usable_model,
            weights=legs,
            question_max_chars=self.settings.question_max_chars,
            warnings=_book_warnings,
        )

    # -- what the faces call ----------------------------------------------------

    def add(
        self,
        paths: Sequence[Path],
        *,
        shelf: str = "",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Summary:
        """Adds files, folders and archives to the shelf, one call after the other.

        Raises NotReady where the product is closed meanwhile; books published by then stay.
        """
        from ingest import jobs

        if self._background is not None:
            self._background.join()  # a book added before the model is there would lack its vectors
        with self._adding:
            if self.model_state == "failed":
                # These books will lack their dense vectors: once the model loads, all is built anew.
                self._remember(replace(self.spec, model=""))
            return jobs.add(
                self.shelf,
                paths,
                self.settings,
                shelf_name=shelf,
                on_event=on_event,
                stopping=self._stopping,
            )

    def add_samples(self, on_event: Callable[[Event], None] = lambda event: None) -> Summary | None:
        """Puts the sample books on a shelf that has never held others; None where they are not wanted.

        A run that was cut short is finished by the next; samples taken off do not come back.
        """
        files = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".pdf", ".epub"))
        own = {str(path) for path in files}
        others = any(book.source_file not in own for book in self.ledger.books().values())
        if others or self.ledger.fact(_SAMPLES_ADDED):
            return None
        summary = self.add(files, shelf=SAMPLE_SHELF, on_event=on_event)
        self.ledger.set_fact(_SAMPLES_ADDED, "added")
        return summary

    def remove(self, book_id: str) -> Book:
        """Takes a book off the shelf; raises NotFound."""
        return self.shelf.remove(book_id)

    def health(self) -> dict[str, Any]:
        """What the service is and can do now."""
        books = self.ledger.books().values()
        hybrid = self._usable_model() is not None and self.searcher.weights.dense > 0
        loading = self._background is not None and self._background.is_alive()
        return {
            "status": "loading" if loading else "ready",
            "version": version("shiori"),
            "books": len(books),
            "passages": sum(book.passages for book in books),
            "search": "hybrid" if hybrid else "lexical",
            "engine": "server" if self.settings.qdrant_url else "embedded",
            "model": embed.model_name(self.settings.embed_model)
            if self.settings.embed_model
            else "",
            "model_state": self.model_state,
            "message": self.message or ("" if hybrid else "語による検索だけで動いています。"),
        }

    # -- the index --------------------------------------------------------------

    def _known_spec(self) -> IndexSpec | None:
        fact = self.ledger.fact(_INDEX)
        return IndexSpec(**json.loads(fact)) if fact else None

    def _first_spec(self) -> IndexSpec:
        if not self.settings.embed_model:
            return IndexSpec("1", lexical.ENCODING, "", 0)
        model = self._load_model()
        return IndexSpec("1", lexical.ENCODING, model.name, model.size)

    def _remember(self, spec: IndexSpec) -> None:
        self.ledger.set_fact(_INDEX, json.dumps(asdict(spec)))
        self.spec = spec

    def _open_store(self, spec: IndexSpec, *, fresh: bool) -> Store:
        # Both engines take a while to import; a process needs only one of them.
        if self.settings.qdrant_url:
            from app.core.store.server import ServerStore

            return ServerStore.connect(
                self.settings.qdrant_url,
                spec.schema,
                api_key=self.settings.qdrant_api_key,
                collection=f"{self.settings.qdrant_collection}_{spec.name}",
                fresh=fresh,
            )
        from app.core.store.edge import EdgeStore

        return EdgeStore(self.datadir.index / spec.name, spec.schema, fresh=fresh)

    def _open_store_or_anew(self, spec: IndexSpec, *, fresh: bool) -> Store:
        """The store; an embedded one that is damaged is emptied, and filled from the ledger later."""
        try:
            return self._open_store(spec, fresh=fresh)
        except StoreUnavailable as error:
            if fresh or self.settings.qdrant_url:
                raise
            log.warning("the index is damaged", extra={"error": error.message})
            return self._open_store(spec, fresh=True)

    def _remove_old_indexes(self) -> None:
        # Left by a rebuild that was cut short, or replaced by one that was not.
        for folder in self.datadir.index.glob("*"):
            if folder.name != self.spec.name:
                shutil.rmtree(folder)

    def _bring_up_quietly(self) -> None:
        try:
            self._bring_up()
        except ShioriError as error:
            self.message = error.message
            log.error("bringing up failed", extra={"error": error.message})
        finally:
            if self.model_state == "loading":
                self.model_state = "failed"

    def _bring_up(self) -> None:
        """Loads the model, and builds the index anew where another maker made it or parts are lost."""
        japanese.warm()
        try:
            if self.settings.embed_model:
                self._load_model()
        except ModelUnavailable as error:
            # Words alone still find; the health report and the page's footer say what is missing.
            self.message = f"{error.message} 語による検索だけで動いています。"
            log.error("model unavailable", extra={"error": error.message})
        with self.shelf.writing:
            wanted = (lexical.ENCODING, self._dense.name if self._dense else "")
            stale = (self.spec.encoding, self.spec.model) != wanted
            # A model that is only out of reach today keeps its vectors.
            stale = stale and self.model_state != "failed"
            if stale or not complete(self.ledger, self.shelf.store):
                self._rebuild()
            self.shelf.encode = self._dense.encode_documents if self._dense else None
        if self.model_state == "loading":
            self.model_state = "ready"

    def _load_model(self) -> DenseModel:
        if self._dense is None:
            try:
                self._dense = embed.load(
                    self.settings.embed_model,
                    device=self.settings.embed_device,
                    batch=self.settings.embed_batch,
                )
            except ModelUnavailable:
                self.model_state = "failed"
                raise
        return self._dense

    def _usable_model(self) -> DenseModel | None:
        """The model, once the index in use holds its vectors."""
        model = self._dense
        return model if model is not None and model.name == self.spec.model else None

    def rebuild(self) -> None:
        """Builds a new index from the ledger beside the old one, then switches to it."""
        with self.shelf.writing:
            self._rebuild()

    def _rebuild(self) -> None:
        model = self._dense
        spec = IndexSpec(
            str(int(self.spec.name) + 1),
            lexical.ENCODING,
            model.name if model else "",
            model.size if model else 0,
        )
        log.info("rebuilding the index", extra={"index": spec.name, "model": spec.model})
        store = self._open_store(spec, fresh=True)
        fill(self.ledger, store, model.encode_documents if model else None, self._on_progress)
        self.shelf.store = store
        self._remember(spec)
        # Searches that still hold the old store finish on it; its folder goes at the next start.


def run(product: Shiori, on_ready: Callable[[str], None]) -> None:
    """Serves a product until it is told to stop; `on_ready` gets the address.

    Raises PortInUse where the address is taken.
    """
    import uvicorn

    settings = product.settings
    listening = _listen(settings.host, settings.port)
    token = secrets.token_urlsafe(32)
    app = application(product, token)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    product.datadir.announce(Service(url, os.getpid(), token))
    on_ready(url)
    # The server raises the signal that ended it once more when it is done.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def application(product: Shiori, token: str) -> FastAPI:
    """The whole service over one product: the interface and the pages; `token` admits local commands."""
    from app.api.service import create
    from app.web import pages
    from ingest.render import draw_page

    app = create(product, token)
    pages.join(app, product, product.shelf.original, draw_page)
    return app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise PortInUse(
            f"{host} のポート {port} で待ち受けられません: {why(error)}。",
            hint="そのポートを使っているものを止めるか、--port で別の番号を指定してください。",
            field="port",
        ) from error
    return listening


def _book_warnings(book: Book, candidate: Candidate) -> tuple[str, ...]:
    return ("新しい版があります。",) if book.superseded_by else ()
