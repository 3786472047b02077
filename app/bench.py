"""How fast the product is on this machine: adding books, starting, searching shelves of any size.

Everything is measured in one run, so that figures can be set against each other: what a
search costs beyond the engine's own query, and how both grow with the shelf.
"""

from __future__ import annotations

import itertools
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from app.core import glossary, lexical
from app.core.book import Book, Document, Line, Page, PageBoxes, Passage, content_id, passage_ids
from app.core.embed import DenseModel
from app.core.errors import BadRequest, NotReady
from app.core.ledger import Ledger
from app.core.lexical import WORDS, encode_query
from app.core.settings import PREFIX, Settings
from app.core.store import DENSE, Leg, Sparse, Where
from app.core.store.edge import EdgeStore
from app.main import SAMPLES, Shiori
from app.search.pipeline import Filters
from app.search.question import Question, understand
from app.search.retrieve import legs

QUESTIONS = (
    "父が日本人、母が外国人の子を認知した後に父母が婚姻した。子の氏はどうなるか",
    "離婚しても今の名字を使い続けたい",
    "赤ちゃんが生まれたら何日以内に届け出るか",
    "連れ子を自分の戸籍に入れるにはどうするか",
    "外国で結婚した日本人が日本の役所に出す書類",
    "夫が死亡した後に旧姓へ戻す手続",
    "養子をやめるときは誰が届け出るか",
    "未成年の子の離婚後の親権は誰が持つか",
    "委任状なしで兄弟の謄本を請求できるか",
    "名前の読みがなを変えたい",
    "届出人が亡くなった届書が郵送で届いた",
    "本籍地でない役所で戸籍証明書を受け取れるか",
    "戸籍法第77条の2",
    "民法767条2項",
    "戸49",
    "民七七二",
    "国籍法12条の届出期間",
    "通則法24条の方式",
    "要件具備証明書",
    "国籍留保",
    "不受理申出",
    "職権訂正",
    "分籍",
    "埋火葬許可証",
)
"""What a counter asks: situations, articles, terms."""

_ROUNDS = 5
_SHOWN = 10
_POOL = 60
_STARTS = 3
_PER_BOOK = 1000
_PATIENCE = 300.0
_SEED = 20

Progress = Callable[[int, int], None]
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
    if passages and passages < 10 * _PER_BOOK:
        raise BadRequest(
            f"{passages:,}パッセージの書棚は小さすぎて比べられません。",
            hint=f"{10 * _PER_BOOK:,}以上にするか、0にしてください。",
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


# -- a large shelf --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Half:
    passage: Passage
    text: str
    vectors: Mapping[str, Sparse]


def build(settings: Settings, samples: Path, size: int, progress: Progress) -> float:
    """Publishes `size` made-up passages as books of 1,000; returns the seconds publishing took.

    Each passage is the first half of a real one, with its headings, and the second half of
    another: words keep their frequencies and meet in new company. No word is new, so the
    rare ones of a real shelf of this size are missing, and every article is treated in
    many books. Dense vectors, where the settings name a model, are random.
    """
    from ingest.pipeline import Prepared

    firsts, seconds = _halves(samples)
    random = np.random.default_rng(_SEED)
    spent = 0.0
    with Shiori(settings) as product:
        if product.spec.dense_size:
            product.shelf.encode = _random_vectors(random, product.spec.dense_size)
        for start in range(0, size, _PER_BOOK):
            count = min(_PER_BOOK, size - start)
            pairs = zip(
                random.integers(len(firsts), size=count),
                random.integers(len(seconds), size=count),
                strict=True,
            )
            joined = [(firsts[one], seconds[other]) for one, other in pairs]
            book = Book(content_id(str(start)), f"合成 {start // _PER_BOOK + 1}", f"made/{start}")
            passages = _passages(book.id, joined)
            pages = tuple(
                Page(passage.page_index, (Line(passage.text),), label=passage.page_label)
                for passage in passages
            )
            vectors = tuple(_joined(one.vectors, other.vectors) for one, other in joined)
            prepared = Prepared(Document(book.title, pages), passages, vectors)
            before = time.perf_counter()
            product.shelf.publish(book, Path(book.source_file), book.id, prepared)
            spent += time.perf_counter() - before
            progress(start + count, size)
    return round(spent, 3)


def _halves(data_dir: Path) -> tuple[list[_Half], list[_Half]]:
    """Every passage of a data directory cut in two, with the vectors of either part."""
    firsts, seconds = [], []
    ledger = Ledger(data_dir / "ledger.sqlite")
    try:
        for book in ledger.books().values():
            for _, passage in ledger.passages_of(book.id):
                middle = len(passage.text) // 2
                first = replace(passage, text=passage.text[:middle])
                second = replace(passage, text=passage.text[middle:], section_path=(), context="")
                firsts.append(_half(first, book.title))
                seconds.append(_half(second, ""))
    finally:
        ledger.close()
    return firsts, seconds


def _half(passage: Passage, title: str) -> _Half:
    return _Half(passage, passage.text, lexical.encode_passage(passage, title))


def _passages(book_id: str, joined: Sequence[tuple[_Half, _Half]]) -> tuple[Passage, ...]:
    texts = [first.text + second.text for first, second in joined]
    paths = [first.passage.section_path for first, _ in joined]
    ids = passage_ids(book_id, list(zip(paths, texts, strict=True)))
    return tuple(
        replace(
            first.passage,
            id=ids[number],
            book_id=book_id,
            ordinal=number,
            text=texts[number],
            page_index=number,
            page_index_end=number,
            page_label=str(number + 1),
            boxes=tuple(PageBoxes(number, page.boxes) for page in first.passage.boxes),
            cites=tuple(dict.fromkeys(first.passage.cites + second.passage.cites)),
        )
        for number, (first, second) in enumerate(joined)
    )


def _joined(one: Mapping[str, Sparse], other: Mapping[str, Sparse]) -> dict[str, Sparse]:
    """Both halves as one passage; a term of both counts as much as where it counts most."""
    found = {}
    for name, vector in one.items():
        values = dict(zip(vector.indices, vector.values, strict=True))
        for index, value in zip(other[name].indices, other[name].values, strict=True):
            values[index] = max(value, values.get(index, 0.0))
        indices = sorted(values)
        found[name] = Sparse(indices, [values[index] for index in indices])
    return found


def _random_vectors(
    random: np.random.Generator, size: int
) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = random.standard_normal((len(texts), size), dtype=np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    return encode


def with_stand_in(settings: Settings, folder: Path, size: int) -> Settings:
    """The settings with an untrained model of one layer, made in `folder`, so that the whole path runs.

    It gives vectors of `size` numbers that mean nothing. Made in a process of its own, as
    saving a model changes switches of the libraries.
    """
    if not folder.exists():
        made = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _STAND_IN, str(folder), str(size)],
            env=_environment(),
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise NotReady("計測用の埋め込みモデルを作れません。", hint=_tail(made.stderr))
    return settings.model_copy(
        update={"embed_model": str(folder), "embed_device": "cpu", "dense_weight": 0.3}
    )


_STAND_IN = """
import sys, tempfile, torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer

folder, size = sys.argv[1], int(sys.argv[2])
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
letters = [chr(code) for first, last in ((0x20, 0x7F), (0x3000, 0x3100), (0x4E00, 0x9FA0))
           for code in range(first, last)]
vocabulary = {word: number for number, word in enumerate(special + letters)}
tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]",
    cls_token="[CLS]", sep_token="[SEP]",
)
torch.manual_seed(0)
model = BertModel(BertConfig(
    vocab_size=len(vocabulary), hidden_size=size, num_hidden_layers=1, num_attention_heads=1,
    intermediate_size=size, max_position_embeddings=512,
))
with tempfile.TemporaryDirectory() as bare:
    model.save_pretrained(bare)
    fast.save_pretrained(bare)
    whole = Transformer(bare, max_seq_length=512)
    SentenceTransformer(modules=[whole, Pooling(size, "mean")]).save(folder)
"""


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


# -- the running service --------------------------------------------------------

_SERVE = "from app.cli import main; main()"


@contextmanager
def service(settings: Settings) -> Iterator[tuple[httpx.Client, Callable[[], float]]]:
    """`shiori serve` in a process of its own, ready for searches; its resident set in MiB on call."""
    port = _free_port()
    command = [sys.executable, "-c", _SERVE, "serve", "--data-dir", str(settings.data_dir)]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=_environment(settings),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            _wait_for(client, process, hybrid=bool(settings.embed_model))
            yield client, lambda: _resident(process.pid)
        except NotReady as error:
            log.seek(0)
            raise NotReady(error.message, hint=_tail(log.read())) from error
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def cold_start(settings: Settings) -> float:
    """Seconds from the start of the service's process to its first answered search."""
    before = time.perf_counter()
    with service(settings):
        return round(time.perf_counter() - before, 3)


def _wait_for(client: httpx.Client, process: subprocess.Popen[bytes], *, hybrid: bool) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answered = client.get("/v1/search", params={"q": QUESTIONS[0]}).is_success
            if answered and (not hybrid or client.get("/v1/health").json()["search"] == "hybrid"):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.01)
    raise NotReady("計測用のサービスが起動しません。")


def _environment(settings: Settings | None = None) -> dict[str, str]:
    """The environment without the site's settings; with those that were chosen here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    if settings is not None and settings.embed_model:
        for name in ("embed_model", "embed_device", "dense_weight"):
            kept[f"{PREFIX}{name.upper()}"] = str(getattr(settings, name))
    return kept


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _resident(pid: int) -> float:
    """The resident set of a process in MiB, as Linux counts it."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-5:])


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
