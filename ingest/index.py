"""Publishes books: passages and vectors become visible in one transaction, or not at all.

Order of writing: ledger rows and vectors of a new generation, both invisible; then one
ledger transaction that shows the new generation and hides the old; then the old one's
vectors and rows are cleared away. A kill at any point leaves something `mend` can finish.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.core import lexical
from app.core.book import Book, Passage, content_id
from app.core.errors import BadRequest, Conflict
from app.core.ledger import Ledger
from app.core.store import Point, Sparse, Store, Where
from ingest.editions import successors
from ingest.metadata import sidecar_of

if TYPE_CHECKING:
    from ingest.pipeline import Prepared

Encoder = Callable[[Sequence[str]], NDArray[np.float32]]
Progress = Callable[[int, int], None]

_BATCH = 256


class Shelf:
    """Writes books to the ledger and the vector index, and keeps the originals.

    `encode` makes dense vectors of passage texts; None where no model is configured.
    One writer at a time; searches go on meanwhile.
    """

    def __init__(
        self, ledger: Ledger, store: Store, originals: Path, encode: Encoder | None = None
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.originals = originals
        self.encode = encode
        self.writing = threading.RLock()

    def find(self, source: str, fingerprint: str) -> tuple[str, bool]:
        """The id of the book this file already is (empty for a new one); whether it is unchanged.

        The same content under another name is the same book; other content under the
        same name is a new version of it.
        """
        if same := self.ledger.book_with(sha256=fingerprint):
            return same[0].id, True
        if known := self.ledger.book_with(source_file=source):
            return known[0].id, False
        return "", False

    def new_id(self, source: str, fingerprint: str) -> str:
        """An id for a new book: from its content, and from its path too where that id is taken."""
        book_id = content_id(fingerprint)
        return book_id if book_id not in self.ledger.books() else content_id(fingerprint, source)

    def publish(self, book: Book, path: Path, fingerprint: str, prepared: Prepared) -> Book:
        """Shows a new generation of a book in one step, in place of the one before it."""
        book = replace(book, pages=len(prepared.document.pages), passages=len(prepared.passages))
        with self.writing:
            self._keep_original(path, fingerprint)
            generation = self.ledger.begin_generation(book.id, fingerprint)
            self.ledger.write_generation(generation, prepared.document.pages, prepared.passages)
            for points in _points(
                book, generation, prepared.passages, prepared.vectors, self.encode
            ):
                self.store.upsert(points)
            marks = self._marks({**self.ledger.books(), book.id: book})
            book = replace(book, superseded_by=marks.pop(book.id, book.superseded_by))
            self.ledger.publish(generation, book, successors=marks)
            self._clear()
            self._drop_originals()
        return book

    def revise(self, book: Book) -> Book:
        """Keeps a book's changed description; its passages are searched under it at once."""
        with self.writing:
            marks = self._marks({**self.ledger.books(), book.id: book})
            self.ledger.revise_book(book, successors=marks)
            generation = self.ledger.live_generations()[book.id]
            self._write_points(book, generation, self.ledger.passages_in(generation))
        return self.ledger.book(book.id)

    def _write_points(self, book: Book, generation: int, passages: Sequence[Passage]) -> None:
        vectors = [lexical.encode_passage(passage, book.title) for passage in passages]
        for points in _points(book, generation, passages, vectors, self.encode):
            self.store.upsert(points)

    def remove(self, book_id: str, *, keep: bool = False) -> Book:
        """Takes a book off the shelf; raises NotFound. With `keep` it is set aside, to be put back."""
        with self.writing:
            rest = {id_: book for id_, book in self.ledger.books().items() if id_ != book_id}
            book = self.ledger.remove_book(book_id, successors=self._marks(rest), keep=keep)
            self._clear()
            self._drop_originals()
        return book

    def put_back(self, book_id: str) -> Book:
        """Shows a book that was set aside again; raises NotFound, or Conflict where its file came anew."""
        with self.writing:
            item = self.ledger.aside(book_id)
            if there := self.ledger.book_with(sha256=item.sha256):
                raise Conflict(
                    f"同じファイルの本「{there[0].title}」がすでに書棚にあります。",
                    hint="その本を使うか、外してから戻してください。",
                )
            self.ledger.begin_return(book_id)
            self._write_points(item.book, item.generation, self.ledger.passages_in(item.generation))
            book = replace(item.book, superseded_by="")
            self.ledger.put_back(
                item, successors=self._marks({**self.ledger.books(), book_id: book})
            )
        return self.ledger.book(book_id)

    def discard(self, book_id: str) -> Book:
        """Deletes a book that was set aside, with its file, for good; raises NotFound."""
        with self.writing:
            book = self.ledger.aside(book_id).book
            self.ledger.discard(book_id)
            self._clear()
            self._drop_originals()
        return book

    def state_edition(self, book_id: str, superseded_by: str | None) -> None:
        """Keeps which book supersedes another as an administrator states it ('' for none).

        None lets titles and dates tell again. Raises NotFound, or BadRequest for a circle.
        """
        with self.writing:
            self.ledger.book(book_id)
            if superseded_by:
                self._check_no_circle(book_id, superseded_by)
            self.ledger.state_edition(book_id, superseded_by)
            for old_id, new_id in self._marks(self.ledger.books()).items():
                self.ledger.supersede(old_id, new_id)

    def _check_no_circle(self, book_id: str, superseded_by: str) -> None:
        later = superseded_by
        while later:
            if later == book_id:
                raise BadRequest(
                    "版の順が輪になります。",
                    hint="新しいほうの本の「次の版」を先に直してください。",
                    field="superseded_by",
                )
            later = self.ledger.book(later).superseded_by

    def original(self, book_id: str) -> Path:
        """The kept file a book was read from; raises NotFound for an unknown book."""
        book = self.ledger.book(book_id)
        return self._original(self.ledger.sha256(book_id), Path(book.source_file).suffix)

    def mend(self) -> None:
        """Finishes or undoes what a dead process left half done; call it once at the start."""
        with self.writing:
            self.ledger.interrupt_running_jobs()
            for old_id, new_id in self._marks(self.ledger.books()).items():
                self.ledger.supersede(old_id, new_id)
            self._clear()
            self._drop_originals()

    def _marks(self, books: Mapping[str, Book]) -> dict[str, str]:
        """Which books' marks as superseded change, with their successors, once these are on the shelf."""
        stated = self.ledger.stated_editions().items()
        found = successors(books.values()) | {
            old_id: new_id
            for old_id, new_id in stated
            if old_id in books and (not new_id or new_id in books)
        }
        return {id_: found[id_] for id_, book in books.items() if book.superseded_by != found[id_]}

    def _clear(self) -> None:
        gone = list(self.ledger.hidden())
        if gone:
            self.store.delete_generations(gone)
            self.ledger.forget_generations(gone)

    def _drop_originals(self) -> None:
        """Deletes the originals of no book on the shelf, and copies that were cut short."""
        kept = self.ledger.fingerprints()
        if self.originals.is_dir():
            for file in self.originals.iterdir():
                if file.stem not in kept:
                    file.unlink()

    def _keep_original(self, path: Path, fingerprint: str) -> None:
        kept = self._original(fingerprint, path.suffix)
        if kept.exists() or not path.exists():
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}.partial")
        shutil.copyfile(path, partial)
        partial.replace(kept)

    def _original(self, fingerprint: str, suffix: str) -> Path:
        return self.originals / f"{fingerprint}{suffix.lower()}"


def fingerprint(path: Path) -> str:
    """The hash that tells whether a file, or the sidecar beside it, has changed."""
    digest = hashlib.sha256()
    for part in (path, sidecar_of(path)):
        if part is path or part.is_file():
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def fill(ledger: Ledger, store: Store, encode: Encoder | None, progress: Progress) -> None:
    """Writes every book of the ledger into an empty store; `progress` gets books done and all."""
    books = list(ledger.books().values())
    for done, book in enumerate(books):
        progress(done, len(books))
        found = list(ledger.passages_of(book.id))
        if not found:
            continue
        passages = [passage for _, passage in found]
        vectors = [lexical.encode_passage(passage, book.title) for passage in passages]
        for points in _points(book, found[0][0], passages, vectors, encode):
            store.upsert(points)
    progress(len(books), len(books))


def complete(ledger: Ledger, store: Store) -> bool:
    """Whether a store holds exactly as many visible points as the ledger has passages."""
    expected = sum(book.passages for book in ledger.books().values())
    return store.count(Where(hidden=ledger.hidden())) == expected


def dense_text(passage: Passage, book_title: str) -> str:
    """What a dense model reads of a passage: its place in the book, then its text."""
    return "\n".join((book_title, "　".join(passage.section_path), passage.text))


def _points(
    book: Book,
    generation: int,
    passages: Sequence[Passage],
    vectors: Sequence[dict[str, Sparse]],
    encode: Encoder | None,
) -> Iterator[list[Point]]:
    for start in range(0, len(passages), _BATCH):
        batch = passages[start : start + _BATCH]
        dense = encode([dense_text(passage, book.title) for passage in batch]) if encode else None
        yield [
            Point(
                passage_id=passage.id,
                generation=generation,
                book_id=book.id,
                shelf=book.shelf,
                edition=book.edition,
                about=passage.about,
                cites=passage.cites,
                sparse=sparse,
                dense=dense[number].tolist() if dense is not None else None,
            )
            for number, (passage, sparse) in enumerate(
                zip(batch, vectors[start : start + _BATCH], strict=True)
            )
        ]
