"""What cutting books along their structure is worth: the same questions over blind windows and over passages."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.core import lexical
from app.core.book import Book, Document, Passage, content_id, passage_ids
from app.core.errors import BadRequest
from app.core.settings import Settings
from app.evaluation import NO_MODELS, apart
from app.main import Shiori
from eval.datasets import Dataset
from eval.measures import mean, per_query

if TYPE_CHECKING:
    from ingest.pipeline import Prepared

Progress = Callable[[int, int], None]
Stage = Callable[[str], Progress]

WINDOWS = "一律の窓"
STRUCTURE = "章・条・項の構造"

_GRAM = 12  # characters that tell one article from nearly all others
_SHARED = 3  # articles that may hold the same characters and still be told by them
_MEASURES = ("ndcg@10", "recall@100")
_ASKED = 200


@dataclass(frozen=True, slots=True)
class Cut:
    """One way of cutting the books: how many passages it makes, how well they are found."""

    way: str
    passages: int
    ndcg: float
    recall: float


def compare(dataset: Dataset, folder: Path, settings: Settings, stage: Stage) -> list[Cut]:
    """Adds the books of a folder twice, cut blindly and along their structure, and asks both shelves.

    The dataset's documents (articles) are looked for in the books' text: a passage stands
    for a document when it holds half of it, or is made of it by two fifths. Lexical search,
    the same for both. Raises BadRequest where the folder holds no book.
    """
    from ingest.pipeline import Prepared, prepare
    from ingest.readers import find_files, is_book
    from ingest.sandbox import read_book

    files = [path for path in find_files([folder]) if is_book(path)]
    if not files:
        raise BadRequest(
            f"{folder} に読める本がありません。",
            hint="評価データのもとになった本のフォルダーを指定してください。",
            field=str(folder),
        )
    reading = stage("読み取り")
    books: list[tuple[Path, Document]] = []
    for done, file in enumerate(files, start=1):
        books.append((file, read_book(file)))
        reading(done, len(files))

    def structured(document: Document, book_id: str) -> Prepared:
        return prepare(document, book_id, passage_chars=settings.passage_chars)

    def blind(document: Document, book_id: str) -> Prepared:
        cut = windows(document, book_id, settings.passage_chars)
        vectors = tuple(lexical.encode_passage(passage, document.title) for passage in cut)
        return Prepared(document, cut, vectors)

    articles = _Articles(dataset)
    return [
        _measured(way, books, make, dataset, articles, settings, stage(way))
        for way, make in ((WINDOWS, blind), (STRUCTURE, structured))
    ]


def windows(document: Document, book_id: str, size: int) -> tuple[Passage, ...]:
    """The text of a document in pieces of `size` characters, wherever that falls."""
    text = "\n".join(page.text for page in document.pages)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    ids = passage_ids(book_id, [((), piece) for piece in pieces])
    return tuple(
        Passage(id_, book_id, number, piece)
        for number, (id_, piece) in enumerate(zip(ids, pieces, strict=True))
    )


def _measured(
    way: str,
    books: Sequence[tuple[Path, Document]],
    make: Callable[[Document, str], Prepared],
    dataset: Dataset,
    articles: _Articles,
    settings: Settings,
    progress: Progress,
) -> Cut:
    with tempfile.TemporaryDirectory(prefix="shiori-cut-") as folder:
        inside = apart(settings, Path(folder))
        with Shiori(inside.model_copy(update=NO_MODELS)) as product:
            total = len(books) + len(dataset.judged)
            passages: list[Passage] = []
            for done, (file, document) in enumerate(books, start=1):
                book_id = content_id(str(file))
                prepared = make(document, book_id)
                book = Book(id=book_id, title=document.title, source_file=str(file))
                product.shelf.publish(book, file, book_id, prepared)
                passages += [passage for _, passage in product.ledger.passages_of(book_id)]
                progress(done, total)
            held = {passage.id: articles.held(passage.text) for passage in passages}
            run = {}
            for done, query in enumerate(dataset.judged, start=len(books) + 1):
                hits = product.searcher.search(query.text, _ASKED).hits
                best: dict[str, float] = {}
                for hit in hits:
                    for document_id in held[hit.passage.id]:
                        best.setdefault(document_id, -float(len(best)))
                run[query.id] = list(best.items())[:100]
                progress(done, total)
    qrels = {query.id: dataset.qrels[query.id] for query in dataset.judged}
    found = per_query(qrels, run, list(_MEASURES))
    ndcg, recall = (mean(list(found[name].values())) for name in _MEASURES)
    return Cut(way, len(passages), round(ndcg, 4), round(recall, 4))


class _Articles:
    """Tells which documents a passage stands for, by runs of characters that tell them apart."""

    def __init__(self, dataset: Dataset) -> None:
        self._sizes: dict[str, int] = {}
        owners: dict[str, set[str]] = defaultdict(set)
        for document in dataset.corpus.values():
            grams = _grams(document.text)
            self._sizes[document.id] = len(grams)
            for gram in grams:
                owners[gram].add(document.id)
        self._owners = {gram: sorted(ids) for gram, ids in owners.items() if len(ids) <= _SHARED}

    def held(self, text: str) -> list[str]:
        """The documents a passage stands for, those it holds most of first."""
        grams = _grams(text)
        counts = Counter(id_ for gram in grams for id_ in self._owners.get(gram, ()))
        return [
            document_id
            for document_id, count in counts.most_common()
            if count >= 0.5 * self._sizes[document_id] or count >= 0.4 * len(grams)
        ]


def _grams(text: str) -> set[str]:
    bare = "".join(text.split())
    return {bare[start : start + _GRAM] for start in range(max(1, len(bare) - _GRAM + 1))}
