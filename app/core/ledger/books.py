"""Books, their generations, and those set aside."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.core.book import Book, Page, Passage
from app.core.errors import NotFound
from app.core.ledger.connection import Connection
from app.core.ledger.rows import book_of, dump, pack_lines, page_row, passage_row

# The columns of `books` in their order, by the names of a Book's fields.
_BOOK_ROW = (
    "(:id, :generation, :sha256, :title, :source_file, :edition, :shelf, :authors, :publisher,"
    " :published, :isbn, :as_of, :pages, :passages, :superseded_by)"
)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A book taken off the shelf that can be put back: its pages, passages and file are kept."""

    book: Book
    generation: int
    sha256: str
    removed_at: float


class Books(Connection):
    """The shelf: a book is seen from the publication of its generation on."""

    def __init__(self, path: Path) -> None:
        self._books: tuple[int, dict[str, Book]] = (-1, {})
        super().__init__(path)

    # -- generations ------------------------------------------------------------

    def begin_generation(self, book_id: str, sha256: str) -> int:
        """Starts a generation of a book; nobody sees it until `publish`."""
        with self._writing() as db:
            cursor = db.execute(
                "INSERT INTO generations (book_id, state, sha256, started_at)"
                " VALUES (?, 'building', ?, ?)",
                (book_id, sha256, time.time()),
            )
            return int(cursor.lastrowid or 0)

    def write_generation(
        self, generation: int, pages: Iterable[Page], passages: Iterable[Passage]
    ) -> None:
        """Writes the pages and passages of a generation that is still building."""
        with self._writing() as db:
            for page in pages:
                db.execute(
                    "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    page_row(generation, page),
                )
                db.execute(
                    "INSERT INTO page_lines VALUES (?, ?, ?)",
                    (generation, page.index, pack_lines(page.lines)),
                )
            db.executemany(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (passage_row(generation, passage) for passage in passages),
            )

    def publish(
        self, generation: int, book: Book, *, successors: Mapping[str, str] | None = None
    ) -> None:
        """Makes a generation the live one and retires the one before it, in one transaction.

        `successors` are the changed marks of superseded books that go with it (see `supersede`).
        """
        with self._writing() as db:
            db.execute(
                "UPDATE generations SET state = 'retired' WHERE book_id = ? AND state = 'live'",
                (book.id,),
            )
            db.execute(
                "UPDATE generations SET state = 'live', published_at = ? WHERE id = ?",
                (time.time(), generation),
            )
            (sha256,) = db.execute(
                "SELECT sha256 FROM generations WHERE id = ?", (generation,)
            ).fetchone()
            db.execute(
                f"INSERT OR REPLACE INTO books VALUES {_BOOK_ROW}",
                {**asdict(book), "generation": generation, "sha256": sha256},
            )
            # Put on the shelf again from its file, a book is no longer aside.
            db.execute("DELETE FROM set_aside WHERE id = ?", (book.id,))
            _mark(db, successors or {})

    def hidden(self) -> tuple[int, ...]:
        """Generations that no search may show: those still building and those retired."""
        # Never remembered: a memory would be stale for the moment between a publication's
        # commit and the next line of its thread, and a search then miss the book.
        rows = self._db.execute(
            "SELECT id FROM generations WHERE state != 'live'"
            " AND id NOT IN (SELECT generation FROM set_aside WHERE NOT indexed) ORDER BY id"
        )
        return tuple(int(row["id"]) for row in rows)

    def forget_generations(self, generations: Sequence[int]) -> None:
        """Deletes the rows of generations that are not live; call it once their vectors are gone.

        Those of books set aside are kept.
        """
        with self._writing() as db:
            db.executemany(
                "UPDATE set_aside SET indexed = 0 WHERE generation = ?",
                ((generation,) for generation in generations),
            )
            db.executemany(
                "DELETE FROM generations WHERE id = ? AND state != 'live'"
                " AND id NOT IN (SELECT generation FROM set_aside)",
                ((generation,) for generation in generations),
            )

    def live_generations(self) -> dict[str, int]:
        """The live generation of every book, by book id."""
        rows = self._db.execute("SELECT id, generation FROM books").fetchall()
        return {str(row["id"]): int(row["generation"]) for row in rows}

    # -- books ------------------------------------------------------------------

    def books(self) -> dict[str, Book]:
        """Every book on the shelf by id, ordered by title and edition."""
        writes = self._writes
        if self._books[0] != writes:
            rows = self._db.execute("SELECT * FROM books ORDER BY title, edition, id").fetchall()
            self._books = (writes, {str(row["id"]): book_of(row) for row in rows})
        return self._books[1]

    def book(self, book_id: str) -> Book:
        """One book; raises NotFound for an id the shelf does not hold."""
        book = self.books().get(book_id)
        if book is None:
            raise NotFound(
                f"書籍 {book_id} はこの書棚にありません。",
                hint="shiori ingest list で書籍の一覧とIDを確かめてください。",
                field="book_id",
            )
        return book

    def book_with(self, *, sha256: str = "", source_file: str = "") -> tuple[Book, str] | None:
        """The book read from this content or this file, with the content's hash, or None."""
        column, value = ("sha256", sha256) if sha256 else ("source_file", source_file)
        row = self._db.execute(
            f"SELECT * FROM books WHERE {column} = ? ORDER BY id LIMIT 1", (value,)
        ).fetchone()
        return (book_of(row), str(row["sha256"])) if row else None

    def sha256(self, book_id: str) -> str:
        """The hash of the file a book was read from; raises NotFound."""
        self.book(book_id)
        row = self._db.execute("SELECT sha256 FROM books WHERE id = ?", (book_id,)).fetchone()
        return str(row["sha256"])

    def fingerprints(self) -> set[str]:
        """The hashes of all files that books on the shelf, or set aside, were read from."""
        rows = self._db.execute("SELECT sha256 FROM books UNION SELECT sha256 FROM set_aside")
        return {str(row["sha256"]) for row in rows}

    def remove_book(
        self,
        book_id: str,
        *,
        successors: Mapping[str, str] | None = None,
        keep: bool = False,
    ) -> Book:
        """Takes a book off the shelf in one transaction; its vectors are cleared away afterwards.

        With `keep` it is set aside: its pages and passages stay, to be put back.
        """
        book = self.book(book_id)
        with self._writing() as db:
            if keep:
                db.execute(
                    "INSERT OR REPLACE INTO set_aside"
                    " SELECT id, generation, sha256, ?, ?, 1 FROM books WHERE id = ?",
                    (dump(asdict(book)), time.time(), book_id),
                )
            db.execute("DELETE FROM books WHERE id = ?", (book_id,))
            db.execute(
                "UPDATE generations SET state = 'retired' WHERE book_id = ? AND state = 'live'",
                (book_id,),
            )
            db.execute("UPDATE books SET superseded_by = '' WHERE superseded_by = ?", (book_id,))
            _mark(db, successors or {})
        return book

    def set_aside(self) -> list[SetAside]:
        """The books taken off the shelf that can be put back, the latest first."""
        rows = self._db.execute("SELECT * FROM set_aside ORDER BY removed_at DESC, id").fetchall()
        return [
            SetAside(
                Book(**json.loads(row["book"])),
                int(row["generation"]),
                str(row["sha256"]),
                float(row["removed_at"]),
            )
            for row in rows
        ]

    def aside(self, book_id: str) -> SetAside:
        """One book set aside; raises NotFound."""
        found = next((item for item in self.set_aside() if item.book.id == book_id), None)
        if found is None:
            raise NotFound(
                f"外した本 {book_id} はありません。",
                hint="すでに戻されたか、消されています。書棚の画面を開き直してください。",
                field="book_id",
            )
        return found

    def begin_return(self, book_id: str) -> None:
        """Notes that the vectors of a book set aside are being written again."""
        with self._writing() as db:
            db.execute("UPDATE set_aside SET indexed = 1 WHERE id = ?", (book_id,))

    def put_back(self, item: SetAside, *, successors: Mapping[str, str] | None = None) -> None:
        """Shows a book set aside on the shelf again, in one transaction."""
        book = replace(item.book, superseded_by="")
        with self._writing() as db:
            db.execute("DELETE FROM set_aside WHERE id = ?", (book.id,))
            db.execute("UPDATE generations SET state = 'live' WHERE id = ?", (item.generation,))
            db.execute(
                f"INSERT INTO books VALUES {_BOOK_ROW}",
                {**asdict(book), "generation": item.generation, "sha256": item.sha256},
            )
            _mark(db, successors or {})

    def discard(self, book_id: str) -> None:
        """Lets a book set aside go; its generation is cleared away afterwards."""
        with self._writing() as db:
            db.execute("DELETE FROM set_aside WHERE id = ?", (book_id,))

    def state_edition(self, book_id: str, superseded_by: str | None) -> None:
        """Keeps which edition supersedes a book as an administrator states it: '' for none.

        None takes the statement back: titles and dates tell again.
        """
        with self._writing() as db:
            db.execute("DELETE FROM stated_editions WHERE book_id = ?", (book_id,))
            if superseded_by is not None:
                db.execute("INSERT INTO stated_editions VALUES (?, ?)", (book_id, superseded_by))

    def stated_editions(self) -> dict[str, str]:
        """What administrators stated of editions: a book's id and that of the one that supersedes it."""
        rows = self._db.execute("SELECT * FROM stated_editions").fetchall()
        return {str(row["book_id"]): str(row["superseded_by"]) for row in rows}

    def revise_book(self, book: Book, *, successors: Mapping[str, str] | None = None) -> None:
        """Keeps a book's changed description: title, edition, shelf, people, dates, ISBN."""
        with self._writing() as db:
            db.execute(
                "UPDATE books SET title = :title, edition = :edition, shelf = :shelf,"
                " authors = :authors, publisher = :publisher, published = :published,"
                " isbn = :isbn, as_of = :as_of WHERE id = :id",
                asdict(book),
            )
            _mark(db, successors or {})

    def supersede(self, old_id: str, new_id: str) -> None:
        """Marks a book as superseded by a newer edition, or by none (''); both stay on the shelf."""
        with self._writing() as db:
            _mark(db, {old_id: new_id})


def _mark(db: sqlite3.Connection, successors: Mapping[str, str]) -> None:
    db.executemany(
        "UPDATE books SET superseded_by = ? WHERE id = ?",
        ((new_id, old_id) for old_id, new_id in successors.items()),
    )
