"""Builds every object of a process and joins them; nothing else constructs services."""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.answer.compose import Answerer, Writer
from app.answer.entail import Judge
from app.answer.gate import Gate
from app.answer.llm import LanguageModel, ModelFailed
from app.answer.llm.llamaindex import LlamaIndexModel, from_factory
from app.answer.llm.server import OpenAIServer
from app.answer.verify import Verifier
from app.core import embed, glossary, japanese, lawchanges
from app.core.book import Book, Passage
from app.core.datadir import DataDir
from app.core.embed import DenseModel
from app.core.errors import (
    ModelUnavailable,
    NotReady,
    ShioriError,
    StoreUnavailable,
)
from app.core.glossary import Glossary
from app.core.lawchanges import LawChanges
from app.core.ledger import Ledger
from app.core.settings import Settings
from app.core.tables import SiteTable
from app.indexes import Indexes, IndexSpec
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

_SAMPLES_ADDED = "samples"


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
            self._indexes = Indexes(self.ledger, self.datadir, settings)
            store = self._indexes.open()
            opened.callback(store.close)
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

    @property
    def spec(self) -> IndexSpec:
        """The index in use."""
        return self._indexes.spec

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
                # These books will lack their dense vectors.
                self._indexes.lacks_vectors()
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
            if not (self._indexes.is_by(model) and complete(self.ledger, self.shelf.store)):
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
        encode, report = self._encoder(model), partial(self._rebuilt, on_progress)
        store = self._indexes.build(model, lambda store: fill(self.ledger, store, encode, report))
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
