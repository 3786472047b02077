"""Reads a book again from its kept file, as after OCR was installed or the product renewed.

The new reading is a new generation of the same book: searches see the old one until the
new one is whole. What is known of the book (title, edition, dates, shelf) stays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.book import Book
from app.core.errors import ShioriError, UnreadableFile
from app.core.lexical import encode_passage
from app.core.settings import Settings
from ingest.index import Shelf
from ingest.jobs import Event, read_alone, report_pages
from ingest.supplement import changes_of

if TYPE_CHECKING:
    from ingest.pipeline import Prepared


@dataclass(frozen=True, slots=True)
class _Task:
    """`labels` are the printed numbers of a book put together from supplements, by page index."""

    book: Book
    original: Path
    labels: dict[int, str]


def reread(
    shelf: Shelf,
    book_id: str,
    settings: Settings,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    stopping: threading.Event | None = None,
) -> Book:
    """Publishes a new reading of a book; raises NotFound, or UnreadableFile where it fails.

    A failure, or NotReady once `stopping` is set, leaves the book as it was.
    """
    book = shelf.ledger.book(book_id)
    original = shelf.original(book_id)
    if not original.exists():
        raise UnreadableFile(
            f"「{book.title}」の元のファイルが残っていません。",
            hint="元のファイルを登録し直してください。",
            field=book.source_file,
        )
    is_merged = changes_of(shelf.ledger, book_id) is not None
    labels = {page.index: page.label for page in shelf.ledger.pages(book_id)} if is_merged else {}
    job_id = shelf.ledger.start_job(book.source_file)
    state, reason, made = "interrupted", "途中で止められました。", book
    try:
        task = _Task(book, original, labels)
        broken = UnreadableFile(
            f"「{book.title}」を読み直すプロセスが異常終了しました。",
            hint="メモリが足りているかを確かめてください。本は元のままです。",
            field=book.source_file,
        )
        stopping = stopping or threading.Event()
        prepared = read_alone(_read, task, settings, on_event, stopping, broken)
        with shelf.writing:
            # Its description may have been changed meanwhile, or the book taken off the shelf.
            book = shelf.ledger.book(book_id)
            made = shelf.publish(book, original, shelf.ledger.sha256(book_id), prepared)
        state, reason = "added", "読み直しました。"
    except ShioriError as error:
        state, reason = "failed", error.in_full
        raise
    finally:
        shelf.ledger.finish_job(
            job_id, state, reason=reason, book_id=book_id, pages=made.pages, passages=made.passages
        )
    on_event(Event(book.source_file, "added", made.pages, made.pages))
    return made


def _read(task: _Task, settings: Settings) -> Prepared:
    from ingest.metadata import book_metadata
    from ingest.pipeline import prepare
    from ingest.sandbox import limits_of, read_book

    document = read_book(
        task.original, limits=limits_of(settings), on_page=report_pages(task.book.source_file)
    )
    pages = tuple(
        replace(page, label=task.labels.get(page.index, page.label)) for page in document.pages
    )
    # Cut under the title that the file states, so that passages keep their ids; found under
    # the one the book has now.
    stated = book_metadata(document, task.original)["title"]
    document = replace(document, title=stated, pages=pages)
    prepared = prepare(document, task.book.id, passage_chars=settings.passage_chars)
    vectors = [encode_passage(passage, task.book.title) for passage in prepared.passages]
    return replace(prepared, vectors=tuple(vectors))
