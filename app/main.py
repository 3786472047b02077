"""Builds every object of a process and joins them; nothing else constructs services."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.answer.compose import Answerer, Writer
from app.answer.entail import Judge
from app.answer.gate import Gate
from app.answer.llm import (
    LanguageModel,
    LlamaIndexModel,
    ModelFailed,
    OpenAIServer,
    from_factory,
)
from app.answer.verify import Verifier
from app.core import embed, glossary, japanese, lawchanges, lexical
from app.core.book import Book, Passage
from app.core.datadir import DataDir, Service
from app.core.embed import DenseModel
from app.core.errors import (
    ModelUnavailable,
    NotReady,
    PortInUse,
    ShioriError,
    StoreUnavailable,
    why,
)
from app.core.glossary import Glossary
from app.core.lawchanges import LawChanges
from app.core.ledger import Ledger
from app.core.settings import Settings
from app.core.store import LAYOUT, Schema, Store
from app.core.tables import SiteTable
from app.search import rerank, weights
from app.search.current import Current, Index
from app.search.pipeline import Searcher
from app.search.rerank import Reranker
from app.search.retrieve import Weights
from ingest.index import Encoder, Shelf, complete, fill

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ingest.jobs import Event, Summary
    from ingest.supplement import Supplemented

log = logging.getLogger(__name__)

SAMPLES = Path(__file__).parent.parent / "ingest" / "samples"
SAMPLE_SHELF = "見本"

_INDEX = "index"
_DOOMED = "index_doomed"
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
    the background and searches are lexical until then. `serving` tells other commands that
    `run` will follow, so that they wait for it. `on_progress` hears of an index
    being rebuilt (books done, books in all). Close it to give the directory free.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        wait_for_model: bool = True,
        serving: bool = False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.settings = settings
        self.datadir = DataDir(settings.data_dir, serving=serving)
        self._on_progress = on_progress
        self._dense: DenseModel | None = None
        self._reranker: Reranker | None = None
        self.model_state = "loading" if settings.embed_model else "none"
        self.reranker_state = "loading" if settings.rerank_model else "none"
        self.message = ""
        self._adding = threading.Lock()
        self._stopping = threading.Event()
        opened = contextlib.ExitStack()
        opened.callback(self.datadir.release)
        try:
            self.ledger = Ledger(self.datadir.ledger)
            opened.callback(self.ledger.close)
            self.site_glossary, self.site_changes = site_tables(settings)
            words = glossary.load_cached(
                (*glossary.SHIPPED, *_with(settings.glossary, self.site_glossary.path)),
                self.datadir.cache,
            )
            self.changes = lawchanges.load(
                (lawchanges.SHIPPED, *_with(settings.law_changes, self.site_changes.path))
            )
            known = self._known_spec()
            # Whatever model there is takes its place once it is loaded; without books that is quick.
            self.spec = known or IndexSpec("1", lexical.ENCODING, "", 0)
            self._remove_old_indexes()
            # An index that another layout of points was written with is filled anew below.
            readable = known is not None and known.layout == LAYOUT
            if known is not None and not readable:
                self._doom(known)
                self.spec = replace(known, name=str(int(known.name) + 1), layout=LAYOUT)
            store = self._open_store_or_anew(self.spec, fresh=not readable)
            opened.callback(store.close)
            self._remember(self.spec)
            self.shelf = Shelf(self.ledger, store, self.datadir.originals)
            self.shelf.mend()
            self._current = Current(Index(store))
            self.glossary = words
            self.searcher = self.searcher_with(weights.chosen(settings, self.ledger), words)
            self._gate = Gate(settings.llm_parallel, settings.llm_queue)
            self._judge = (
                Judge(settings.nli_model, settings.embed_device) if settings.nli_model else None
            )
            self._llm = language_model(settings)
            if self._llm is not None:
                opened.callback(self._llm.close)
                threading.Thread(target=_probe, args=(self._llm,), daemon=True).start()
            self.answerer = self.answerer_with(self._llm)
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
        if self._llm is not None:
            self._llm.close()
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
        if "failed" in (self.model_state, self.reranker_state):
            raise ModelUnavailable(self.message)

    def verifier(self) -> Verifier:
        """The check of every sentence a language model writes."""
        return Verifier(self.glossary, self._judge)

    def answerer_with(self, model: LanguageModel | None) -> Answerer:
        """An answerer on this shelf with a language model of the caller's choice, or none."""
        writer = None
        if model is not None:
            writer = Writer(
                model, self.verifier(), gate=self._gate, seconds=self.settings.llm_timeout
            )
        return Answerer(self.searcher, writer=writer)

    def searcher_with(
        self, legs: Weights, words: Glossary, changes: LawChanges | None = None
    ) -> Searcher:
        """A searcher of this shelf with leg weights, glossary and law changes of the caller's choice."""
        return Searcher(
            self.ledger,
            self._current,
            words,
            reranker=lambda: self._reranker,
            rerank_candidates=self.settings.rerank_candidates,
            weights=legs,
            question_max_chars=self.settings.question_max_chars,
            warnings=partial(_warn, changes or self.changes),
        )

    def use_tables(
        self, *, words: Glossary | None = None, changes: LawChanges | None = None
    ) -> None:
        """Answers by another glossary, or other law changes, from the next question on."""
        self.glossary = words or self.glossary
        self.changes = changes or self.changes
        self.searcher = self.searcher_with(self.searcher.weights, self.glossary)
        self.answerer = self.answerer_with(self._llm)

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

        with self._turn_to_add():
            return jobs.add(
                self.shelf,
                paths,
                self.settings,
                shelf_name=shelf,
                on_event=on_event,
                stopping=self._stopping,
            )

    def supplement(
        self,
        book_id: str,
        files: Sequence[Path],
        *,
        remove: Sequence[str] = (),
        as_of: str = "",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Supplemented:
        """Exchanges pages of a loose-leaf book for those of a supplement (`ingest.supplement`)."""
        from ingest.supplement import supplement

        with self._turn_to_add():
            return supplement(
                self.shelf,
                book_id,
                files,
                self.settings,
                remove=remove,
                as_of=as_of,
                on_event=on_event,
                stopping=self._stopping,
            )

    def reread(
        self, book_id: str, *, on_event: Callable[[Event], None] = lambda event: None
    ) -> Book:
        """Reads a book again from its kept file (`ingest.reread`)."""
        from ingest.reread import reread

        with self._turn_to_add():
            return reread(
                self.shelf, book_id, self.settings, on_event=on_event, stopping=self._stopping
            )

    @contextlib.contextmanager
    def _turn_to_add(self) -> Iterator[None]:
        if self._background is not None:
            self._background.join()  # a book added before the model is there would lack its vectors
        with self._adding:
            if self.spec.model and self.shelf.encode is None:
                # These books will lack their dense vectors: once the model loads, all is built anew.
                self._remember(replace(self.spec, model=""))
            yield

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
        """Deletes a book, with its file; raises NotFound."""
        book = self.shelf.remove(book_id)
        self.ledger.note_deed("コマンド", "本を消す", f"{book.name}（{book.id}）")
        return book

    def health(self) -> dict[str, Any]:
        """What the service is and can do now."""
        books = self.ledger.books().values()
        legs = self.searcher.weights
        with self._current.use() as index:
            hybrid = index.dense is not None and legs.dense > 0
        loading = self._background is not None and self._background.is_alive()
        return {
            "status": "loading" if loading else "ready",
            "version": version("shiori"),
            "books": len(books),
            "passages": sum(book.passages for book in books),
            "search": "hybrid" if hybrid else "lexical",
            "engine": "server" if self.settings.qdrant_url else "embedded",
            "model": embed.model_name(self.settings.embed_model),
            "model_state": self.model_state,
            "reranker": rerank.model_name(self.settings.rerank_model),
            "reranker_state": self.reranker_state,
            "llm": self._llm.name if self._llm else "",
            "llm_state": self._llm.state if self._llm else "none",
            "message": self._health_message(hybrid),
        }

    def _health_message(self, hybrid: bool) -> str:
        if self.message:
            return self.message
        ready = {"embed": self.model_state == "ready", "rerank": self.reranker_state == "ready"}
        legs = self.searcher.weights
        if (ready["embed"] and not legs.dense) or (ready["rerank"] and not legs.rerank):
            return (
                "モデルの重みが0なので使っていません。"
                "shiori eval tune で決めるか、設定で指定してください。"
            )
        return "" if hybrid else "語による検索だけで動いています。"

    # -- the index --------------------------------------------------------------

    def _known_spec(self) -> IndexSpec | None:
        fact = self.ledger.fact(_INDEX)
        return IndexSpec(**json.loads(fact)) if fact else None

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

    def _doom(self, *specs: IndexSpec) -> None:
        """Notes indexes to remove at the next start, unless one of them is in use by then."""
        doomed = self._doomed() + [spec for spec in specs if spec not in self._doomed()]
        self.ledger.set_fact(_DOOMED, json.dumps([asdict(spec) for spec in doomed]))

    def _doomed(self) -> list[IndexSpec]:
        return [IndexSpec(**spec) for spec in json.loads(self.ledger.fact(_DOOMED) or "[]")]

    def _remove_old_indexes(self) -> None:
        """Removes what a rebuild that was cut short left, or one that was not replaced."""
        if self.settings.qdrant_url:
            for spec in self._doomed():
                if spec.name != self.spec.name:
                    self._open_store(spec, fresh=True).drop()
        else:
            for folder in self.datadir.index.glob("*"):
                if folder.name != self.spec.name:
                    shutil.rmtree(folder)
        self.ledger.set_fact(_DOOMED, "[]")

    def _bring_up_quietly(self) -> None:
        try:
            self._bring_up()
        except ShioriError as error:
            self.message = error.message
            log.error("bringing up failed", extra={"error": error.message})
        finally:
            if self.model_state == "loading":
                self.model_state = "failed"
            if self.reranker_state == "loading":
                self.reranker_state = "failed"

    def _bring_up(self) -> None:
        """Loads the models, and builds the index anew where another maker made it or parts are lost."""
        japanese.warm()
        self._load_reranker()
        self._load_model()
        with self.shelf.writing:
            model = self._dense
            # Without a model, or while it is out of reach, its vectors stay for when it is back.
            stale = self.spec.encoding != lexical.ENCODING or (
                model is not None and self.spec.model != model.name
            )
            if stale or not complete(self.ledger, self.shelf.store):
                self._rebuild(self._on_progress)
            elif model is not None:
                self._current.switch(Index(self.shelf.store, model))
            self.shelf.encode = model.encode_documents if model else None
        if self.model_state == "loading":
            self.model_state = "ready"

    def _load_model(self) -> None:
        if not self.settings.embed_model:
            return
        try:
            self._dense = embed.load(
                self.settings.embed_model,
                device=self.settings.embed_device,
                batch=self.settings.embed_batch,
            )
        except ModelUnavailable as error:
            self.model_state = "failed"
            # Words alone still find; the health report and the page's footer say what is missing.
            self.message += f"{error.message} 語による検索だけで動いています。"
            log.error("model unavailable", extra={"error": error.message})

    def _load_reranker(self) -> None:
        if not self.settings.rerank_model:
            return
        try:
            self._reranker = rerank.load(
                self.settings.rerank_model,
                device=self.settings.embed_device,
                batch=self.settings.rerank_batch,
            )
            self.reranker_state = "ready"
        except ModelUnavailable as error:
            self.reranker_state = "failed"
            self.message += f"{error.message} 並べ替えずに動いています。"
            log.error("reranker unavailable", extra={"error": error.message})

    def rebuild(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Builds a new index from the ledger beside the old one, then switches to it.

        `on_progress` hears of books done and books in all. Raises NotReady where the
        product is closed meanwhile.
        """
        if self._background is not None:
            self._background.join()  # which may be building one already
        with self.shelf.writing:
            self._rebuild(on_progress or self._on_progress)

    def _rebuild(self, on_progress: Callable[[int, int], None]) -> None:
        model = self._dense
        spec = IndexSpec(
            str(int(self.spec.name) + 1),
            lexical.ENCODING,
            model.name if model else "",
            model.size if model else 0,
        )
        log.info("rebuilding the index", extra={"index": spec.name, "model": spec.model})
        self._doom(spec)
        store = self._open_store(spec, fresh=True)
        try:
            fill(self.ledger, store, self._encoder(model), partial(self._rebuilt, on_progress))
        except BaseException:
            store.drop()
            raise
        # A kill from here on leaves the old index to the next start; before, the new one.
        self._doom(self.spec)
        self._remember(spec)
        self.shelf.store = store
        before = self._current.switch(Index(store, model))
        try:
            before.store.drop()
        except StoreUnavailable as error:
            log.warning("the old index stays until the next start", extra={"error": error.message})

    def _encoder(self, model: DenseModel | None) -> Encoder | None:
        """The model's encoder, which gives up where the product is closed meanwhile."""
        if model is None:
            return None

        def encode(texts: Sequence[str]) -> NDArray[np.float32]:
            self._go_on()
            return model.encode_documents(texts)

        return encode

    def _rebuilt(self, on_progress: Callable[[int, int], None], done: int, total: int) -> None:
        self._go_on()
        on_progress(done, total)

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise NotReady(
                "終了するので、索引の作り直しを中止しました。",
                hint="次の起動で初めから作り直します。",
            )


def site_tables(settings: Settings) -> tuple[SiteTable[Glossary], SiteTable[LawChanges]]:
    """The site's own glossary and law changes in the data directory, above all others."""
    words_file = settings.data_dir / "glossary.tsv"
    changes_file = settings.data_dir / "law_changes.tsv"

    def words(path: Path) -> Glossary:
        return glossary.load((*glossary.SHIPPED, *_with(settings.glossary, path, site=words_file)))

    def changes(path: Path) -> LawChanges:
        return lawchanges.load(
            (lawchanges.SHIPPED, *_with(settings.law_changes, path, site=changes_file))
        )

    return (
        SiteTable("glossary", words_file, glossary.LABELS, words),
        SiteTable("law_changes", changes_file, lawchanges.LABELS, changes),
    )


def _with(stated: Sequence[Path], own: Path, *, site: Path | None = None) -> list[Path]:
    """The stated files with the site's own on top, where it exists; nobody's rows count twice.

    `own` is the site's file `site` or what is to take its place.
    """
    kept = (site or own).absolute()
    below = [path for path in stated if path.absolute() != kept]
    return [*below, own] if own.exists() else below


def language_model(settings: Settings) -> LanguageModel | None:
    """The language model of the settings, not yet asked anything; None without one. Close it."""
    if settings.llm_factory:
        return LlamaIndexModel(from_factory(settings.llm_factory), settings.llm_context)
    if not settings.llm_url:
        return None
    return OpenAIServer(
        settings.llm_url,
        settings.llm_model,
        api_key=settings.llm_api_key,
        context=settings.llm_context,
    )


def _probe(model: LanguageModel) -> None:
    """Asks a language model what it can do before the first question waits for it."""
    try:
        ability = model.ability()
    except ModelFailed as error:
        log.warning("language model unavailable", extra={"error": error.message})
        return
    log.info("language model ready", extra=asdict(ability))


def run(product: Shiori, on_ready: Callable[[str], None]) -> None:
    """Serves a product until it is told to stop; `on_ready` gets the address.

    Raises PortInUse where the address is taken.
    """
    import uvicorn

    from app.api.protocol import Protocol

    settings = product.settings
    listening = _listen(settings.host, settings.port)
    token = secrets.token_urlsafe(32)
    app = application(product, token)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    config = uvicorn.Config(
        app,
        http=Protocol,
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
    pages.join(
        app,
        product,
        original=product.shelf.original,
        draw=draw_page,
    )
    return app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches off Nagle's delay (40 ms an answer) only where the protocol is named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


def _warn(changes: LawChanges, book: Book, passage: Passage) -> tuple[str, ...]:
    """What a reader of a passage must know: a newer edition, law changed since its as-of date."""
    newer = ("この本には新しい版があります。",) if book.superseded_by else ()
    references = (*passage.about, *passage.cites)
    since = changes.warnings_for(book.as_of or book.published, references, passage.text)
    what = "の内容です" if book.as_of else "に発行された本です"
    days = [datetime.date.fromisoformat(change.effective) for change in since]
    return newer + tuple(
        f"{day.year}年{day.month}月{day.day}日施行の改正（{change.subject}）より前{what}。{change.summary}"
        for day, change in zip(days, since, strict=True)
    )
