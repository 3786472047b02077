"""How fast the product is on this machine: adding books, starting, searching shelves of any size.

Everything is measured in one run, so that figures can be set against each other: what a
search costs beyond the engine's own query, and how both grow with the shelf.
"""

from __future__ import annotations

import itertools
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.bench.made import PER_BOOK, Progress, build, with_stand_in
from app.bench.questions import QUESTIONS
from app.bench.service import service
from app.core import glossary
from app.core.book import Book, content_id
from app.core.embed import DenseModel
from app.core.errors import BadRequest, NotReady
from app.core.lexical import WORDS, encode_query
from app.core.settings import Settings
from app.core.store import DENSE, Leg, Where
from app.core.store.edge import EdgeStore
from app.main import SAMPLES, Shiori
from app.search.pipeline import Filters
from app.search.question import Question, understand
from app.search.retrieve import legs

_ROUNDS = 5
_SHOWN = 10
_POOL = 60
_STARTS = 3

Stage = Callable[[str], Progress]
Times = Mapping[str, "Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall times of one kind of call, in milliseconds."""

    p50: float
    p95: float
    calls: int


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Adding files end to end; `seconds` is wall time, process start included."""

    files: str
    workers: int
    books: int
    pages: int
    passages: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds the sample shelf spends in each stage, one book after the other in one process."""

    reading: float
    cutting: float
    publishing: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Searching one shelf.

    `everything` and `one_book` hold times by kind of call, without a filter and limited to
    one book. engine: the words alone, as the bare engine answers them; hybrid: the same with
    a dense vector; encoding: reading the question and making its vectors; store: all legs
    of the product; search: the whole search; http: the same through the running service.
    `published` is the seconds it took to add the books, `opened` those to open the index;
    `memory` is the service's resident set in MiB after the searches.
    """

    name: str
    books: int
    passages: int
    dense: int
    published: float
    opened: float
    memory: float
    everything: Times
    one_book: Times

    @property
    def yardstick(self) -> str:
        """The bare query a search is set against: hybrid where there are dense vectors."""
        return "hybrid" if self.dense else "engine"

    def ratio(self, call: str, times: Times) -> float:
        """How many times as long as the bare query (without a filter) a call takes, at the median."""
        bare = self.everything[self.yardstick].p50
        return times[call].p50 / bare if bare else 0.0


@dataclass(frozen=True, slots=True)
class Bench:
    """One run. `starts` are seconds from the start of a service to its first answered search."""

    machine: Mapping[str, object]
    ingestion: tuple[Ingestion, ...]
    stages: Stages
    starts: tuple[float, ...]
    shelves: tuple[Speed, ...]

    def as_json(self) -> dict[str, Any]:
        """The published form; ratios are against the bare query without a filter."""
        published = asdict(self)
        for shelf, speed in zip(published["shelves"], self.shelves, strict=True):
            for scope in ("everything", "one_book"):
                times: Times = getattr(speed, scope)
                for call, timing in shelf[scope].items():
                    timing["ratio"] = round(speed.ratio(call, times), 2)
        return published


def run(passages: int, dense: int, laws: Path | None, stage: Stage) -> Bench:
    """Measures everything in a temporary folder; minutes at 100,000 passages.

    `passages` is the size of the large shelf (0: none), measured at a tenth of it too;
    `dense` the size of its dense vectors (0: words alone). `laws` is a folder of books to
    add after the samples. Raises BadRequest for sizes that cannot be used.
    """
    if passages and passages < 10 * PER_BOOK:
        raise BadRequest(
            f"{passages:,}パッセージの書棚は小さすぎて比べられません。",
            hint=f"{10 * PER_BOOK:,}以上にするか、0にしてください。",
            field="passages",
        )
    started = _load()
    with tempfile.TemporaryDirectory(prefix="shiori-bench-") as name:
        folder = Path(name)
        ingestion = [
            add(Settings(data_dir=folder / f"samples{workers}", workers=workers), _samples())
            for workers in (1, 2)
        ]
        stages = sample_stages(folder / "stages")
        sample = Settings(data_dir=folder / "samples1", workers=2)
        starts = tuple(cold_start(sample) for _ in range(_STARTS))
        shelves = [speed("見本", sample, ingestion[0].seconds)]
        if laws is not None:
            files = sorted(laws.glob("*.md"))
            ingestion.append(add(sample, files))
            shelves.append(speed("見本と法令", sample, ingestion[-1].seconds))
        for size in sorted({passages // 10, passages} - {0}):
            made = Settings(data_dir=folder / f"made{size}")
            if dense:
                made = with_stand_in(made, folder / f"stand-in-{dense}", dense)
            seconds = build(made, folder / "samples2", size, stage(f"{size:,}パッセージ"))
            shelves.append(speed("合成", made, seconds))
    return Bench(_machine(started), tuple(ingestion), stages, starts, tuple(shelves))


# -- adding books ---------------------------------------------------------------


def add(settings: Settings, files: Sequence[Path]) -> Ingestion:
    """Adds files to a shelf as `shiori ingest add` does."""
    with Shiori(settings) as product:
        summary = product.add(files)
    if summary.failed:
        raise NotReady(f"本を登録できません: {summary.failed[0].reason}")
    added = summary.as_json()
    return Ingestion(
        files=files[0].parent.name,
        workers=settings.workers,
        books=len(files),
        pages=added["pages"],
        passages=added["passages"],
        seconds=round(summary.seconds, 3),
    )


def sample_stages(data_dir: Path) -> Stages:
    """Where the time of adding the sample shelf goes; the libraries are loaded beforehand."""
    from ingest.index import fingerprint
    from ingest.metadata import book_metadata
    from ingest.pipeline import prepare
    from ingest.sandbox import Limits, read_book

    settings = Settings(data_dir=data_dir)
    spent = [0.0, 0.0, 0.0]
    with Shiori(settings) as product:
        for file in _samples():
            digest = fingerprint(file)
            book_id = content_id(digest)
            marks = [time.perf_counter()]
            document = read_book(file, limits=Limits(memory=settings.reader_memory_mb << 20))
            metadata: dict[str, Any] = dict(book_metadata(document, file))
            marks.append(time.perf_counter())
            document = replace(document, title=metadata["title"])
            prepared = prepare(document, book_id, passage_chars=settings.passage_chars)
            marks.append(time.perf_counter())
            book = Book(id=book_id, source_file=str(file), **metadata)
            product.shelf.publish(book, file, digest, prepared)
            marks.append(time.perf_counter())
            for number, (before, after) in enumerate(itertools.pairwise(marks)):
                spent[number] += after - before
    return Stages(*(round(seconds, 3) for seconds in spent))


def _samples() -> list[Path]:
    return sorted(path for path in SAMPLES.iterdir() if path.suffix in (".pdf", ".epub"))


# -- searching ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as text, as understood, and its dense vector where there is a model."""

    text: str
    question: Question
    dense: tuple[float, ...] | None


def speed(name: str, settings: Settings, published: float, rounds: int = _ROUNDS) -> Speed:
    """Measures every kind of call on the shelf of a data directory that nobody holds."""
    words = glossary.load()
    model = _model(settings)
    asked = [_asked(text, words, settings, model) for text in QUESTIONS]
    with Shiori(settings) as product:
        books = product.ledger.books()
        index, schema = product.datadir.index / product.spec.name, product.spec.schema
    one = sorted(books)[len(books) // 2]
    everything = bare_times(index, asked, "", rounds)
    one_book = bare_times(index, asked, one, rounds)
    everything["encoding"] = timed(
        lambda text: _asked(text, words, settings, model), list(QUESTIONS), rounds
    )
    before = time.perf_counter()
    EdgeStore(index, schema).close()
    opened = time.perf_counter() - before
    with Shiori(settings) as product:
        everything |= product_times(product, asked, (), rounds)
        one_book |= product_times(product, asked, (one,), rounds)
    with service(settings) as (client, memory):
        everything["http"] = http_times(client, [], rounds)
        one_book["http"] = http_times(client, [one], rounds)
        resident = memory()
    return Speed(
        name=name,
        books=len(books),
        passages=sum(book.passages for book in books.values()),
        dense=model.size if model else 0,
        published=published,
        opened=round(opened, 3),
        memory=resident,
        everything=everything,
        one_book=one_book,
    )


def timed(call: Callable[[str], object], questions: Sequence[str], rounds: int) -> Timing:
    """Times a call on every question, `rounds` times after one that is not counted.

    Each time a question ends in a few more 。, which says nothing: no answer to the same
    text is remembered from before.
    """
    spent: list[float] = []
    for turn in range(rounds + 1):
        for question in questions:
            text = question + "。" * next(_marks[question])
            before = time.perf_counter()
            call(text)
            if turn:
                spent.append((time.perf_counter() - before) * 1000)
    return _timing(spent)


_marks: Mapping[str, Iterator[int]] = {text: itertools.count() for text in QUESTIONS}


def repeated(calls: Sequence[Callable[[], object]], rounds: int) -> Timing:
    """Times calls whose answers nobody remembers, `rounds` times after one that is not counted."""
    spent: list[float] = []
    for turn in range(rounds + 1):
        for call in calls:
            before = time.perf_counter()
            call()
            if turn:
                spent.append((time.perf_counter() - before) * 1000)
    return _timing(spent)


def _timing(spent: Sequence[float]) -> Timing:
    p50, p95 = (round(float(value), 3) for value in np.percentile(spent, (50, 95)))
    return Timing(p50, p95, len(spent))


def bare_times(
    index: Path, asked: Sequence[_Asked], book_id: str, rounds: int
) -> dict[str, Timing]:
    """The engine without the product: the best ten points, without payload, fusion or ledger.

    The one place outside the store that speaks to the engine, as it measures what the
    store and all above it add.
    """
    import qdrant_edge as engine

    kept = None
    if book_id:
        kept = engine.Filter(must=[engine.FieldCondition("book_id", engine.MatchAny([book_id]))])

    def request(vector: Any, using: str) -> engine.QueryRequest:
        return engine.QueryRequest(
            limit=_SHOWN, query=engine.Query.Nearest(vector, using=using), filter=kept
        )

    def words(item: _Asked) -> engine.QueryRequest:
        sparse = encode_query(item.question.terms)
        return request(engine.SparseVector(sparse.indices, sparse.values), WORDS)

    shard = engine.EdgeShard.load(str(index / "shard"))
    try:
        single = [words(item) for item in asked]
        found = {"engine": repeated([_later(shard.query, one) for one in single], rounds)}
        if asked[0].dense is not None:
            both = [
                engine.QueryBatchRequest([words(item), request(list(item.dense or ()), DENSE)])
                for item in asked
            ]
            calls = [_later(shard.query_batch, one) for one in both]
            found["hybrid"] = repeated(calls, rounds)
    finally:
        shard.close()
    return found


def product_times(
    product: Shiori, asked: Sequence[_Asked], books: tuple[str, ...], rounds: int
) -> dict[str, Timing]:
    """The store with all legs of the product, and the whole search, in this process."""
    where = Where(books=books, hidden=product.ledger.hidden())
    batches = [legs(item.question, _POOL, item.dense) for item in asked]
    store, searcher, filters = product.shelf.store, product.searcher, Filters(books=books)

    def ask(batch: Sequence[Leg]) -> object:
        return store.search(batch, where)

    return {
        "store": repeated([_later(ask, batch) for batch in batches], rounds),
        "search": timed(
            lambda text: searcher.search(text, _SHOWN, filters), list(QUESTIONS), rounds
        ),
    }


def http_times(client: httpx.Client, books: list[str], rounds: int) -> Timing:
    """The whole search through a running service, one caller on one connection."""

    def call(text: str) -> None:
        body = {"query": text, "k": _SHOWN, "filters": {"books": books}}
        client.post("/v1/search", json=body).raise_for_status()

    return timed(call, list(QUESTIONS), rounds)


def _later(call: Callable[[Any], object], argument: Any) -> Callable[[], object]:
    return lambda: call(argument)


def _model(settings: Settings) -> DenseModel | None:
    if not settings.embed_model:
        return None
    from app.core import embed

    return embed.load(settings.embed_model, device=settings.embed_device)


def _asked(
    text: str, words: glossary.Glossary, settings: Settings, model: DenseModel | None
) -> _Asked:
    question = understand(text, words, settings.question_max_chars)
    return _Asked(text, question, model.encode_query(question.text) if model else None)


def cold_start(settings: Settings) -> float:
    """Seconds from the start of the service's process to its first answered search."""
    before = time.perf_counter()
    with service(settings):
        return round(time.perf_counter() - before, 3)


def _machine(load_before: float) -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "shiori": version("shiori"),
        "engine": version("qdrant-edge-py"),
        "load_before": load_before,
        "load_after": _load(),
    }


def _load() -> float:
    return round(os.getloadavg()[0], 2)
