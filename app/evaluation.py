"""Joins the evaluation rooms to the product: a judged corpus is indexed and searched as books are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.core.book import Book, Document, Line, Page, content_id
from app.core.settings import Settings
from app.main import Shiori
from eval.datasets import CorpusDocument, Dataset
from eval.runs import Searcher

# Passages of one document share its place, so more are asked for than documents are wanted.
_PASSAGES_PER_DOCUMENT = 2
_PER_BOOK = 500


@contextmanager
def indexed(
    dataset: Dataset, settings: Settings, progress: Callable[[int, int], None]
) -> Iterator[tuple[Shiori, Searcher]]:
    """A product that holds a dataset's corpus in a temporary data directory, and its searcher.

    The corpus is published like any book, each of its documents on a page of its own
    whose label is the document's id. `progress` gets documents indexed and all.
    """
    with tempfile.TemporaryDirectory(prefix="shiori-eval-") as folder:
        inside = settings.model_copy(update={"data_dir": Path(folder), "qdrant_url": ""})
        with Shiori(inside) as product:
            _publish(product, dataset, progress)
            yield product, _searcher(product)


def _publish(product: Shiori, dataset: Dataset, progress: Callable[[int, int], None]) -> None:
    from ingest.pipeline import prepare

    documents = list(dataset.corpus.values())
    for start in range(0, len(documents), _PER_BOOK):
        part = documents[start : start + _PER_BOOK]
        book_id = content_id(dataset.name, str(start))
        pages = tuple(_page(number, document) for number, document in enumerate(part))
        prepared = prepare(
            Document("", pages), book_id, passage_chars=product.settings.passage_chars
        )
        book = Book(id=book_id, title=dataset.name, source_file=f"{dataset.name}/{start}")
        product.shelf.publish(book, Path(book.source_file), book_id, prepared)
        progress(start + len(part), len(documents))


def _page(number: int, document: CorpusDocument) -> Page:
    path = str(document.metadata.get("path") or "")
    headings = [heading for heading in (path, document.title) if heading]
    lines = [Line(text, level=level) for level, text in enumerate(headings, start=1)]
    body = [Line(line) for line in document.text.splitlines() if line.strip()]
    return Page(number, (*lines, *body), label=document.id)


def _searcher(product: Shiori) -> Searcher:
    def search(question: str, k: int) -> Sequence[tuple[str, float]]:
        hits = product.searcher.search(question, k * _PASSAGES_PER_DOCUMENT).hits
        best: dict[str, float] = {}
        for hit in hits:
            best.setdefault(hit.passage.page_label, hit.score)
        return list(best.items())[:k]

    return search
