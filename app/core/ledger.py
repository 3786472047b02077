"""The ledger: books, their generations, passages, jobs and questions. The only room with SQL.

The ledger and the kept originals are the truth; the vector index can be rebuilt from them.

A book's content is written as a *generation*. It is `building` while its rows and
vectors are written, becomes `live` in one transaction, and is `retired` in the
same transaction that makes its successor live. Search leaves out every generation
that is not live (`hidden`), so a book is seen whole or not at all, whatever dies when.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.core.book import Book, Box, Line, Page, PageBoxes, Passage, Ruby
from app.core.errors import DataDirTooNew, NotFound, StoreUnavailable

# Books, generations, pages, passages, jobs, questions and single facts.
M001_BOOKS = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    book_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    sha256 TEXT NOT NULL,
    started_at REAL NOT NULL,
    published_at REAL
);
CREATE INDEX generations_state ON generations (state);
CREATE UNIQUE INDEX one_live_generation ON generations (book_id) WHERE state = 'live';
CREATE TABLE books (
    id TEXT PRIMARY KEY,
    generation INTEGER NOT NULL REFERENCES generations (id),
    sha256 TEXT NOT NULL,
    title TEXT NOT NULL,
    source_file TEXT NOT NULL,
    edition TEXT NOT NULL,
    shelf TEXT NOT NULL,
    authors TEXT NOT NULL,
    publisher TEXT NOT NULL,
    published TEXT NOT NULL,
    isbn TEXT NOT NULL,
    as_of TEXT NOT NULL,
    pages INTEGER NOT NULL,
    passages INTEGER NOT NULL,
    superseded_by TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX books_sha256 ON books (sha256);
CREATE INDEX books_source ON books (source_file);
CREATE TABLE pages (
    generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    page_index INTEGER NOT NULL,
    label TEXT NOT NULL,
    text TEXT NOT NULL,
    heads TEXT NOT NULL,
    width REAL NOT NULL,
    height REAL NOT NULL,
    vertical INTEGER NOT NULL,
    extractor TEXT NOT NULL,
    confidence REAL,
    warnings TEXT NOT NULL,
    PRIMARY KEY (generation, page_index)
) WITHOUT ROWID;
CREATE TABLE passages (
    generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    section_path TEXT NOT NULL,
    article TEXT NOT NULL,
    kind TEXT NOT NULL,
    page_index INTEGER NOT NULL,
    page_index_end INTEGER NOT NULL,
    page_label TEXT NOT NULL,
    boxes TEXT NOT NULL,
    about TEXT NOT NULL,
    cites TEXT NOT NULL,
    context TEXT NOT NULL,
    PRIMARY KEY (generation, id)
) WITHOUT ROWID;
CREATE INDEX passages_order ON passages (generation, ordinal);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_file TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('running', 'added', 'unchanged', 'failed', 'interrupted')),
    reason TEXT NOT NULL DEFAULT '',
    book_id TEXT NOT NULL DEFAULT '',
    pages INTEGER NOT NULL DEFAULT 0,
    passages INTEGER NOT NULL DEFAULT 0,
    started_at REAL NOT NULL,
    finished_at REAL
);
CREATE TABLE questions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_at REAL NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('search', 'ask')),
    query TEXT NOT NULL,
    answered INTEGER,
    hits TEXT NOT NULL,
    took_ms REAL NOT NULL
);
"""

# Printed lines with their boxes, look-ups, verdicts on passages, notes.
M002_DESK = """
CREATE TABLE page_lines (
    generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    page_index INTEGER NOT NULL,
    lines BLOB NOT NULL,
    PRIMARY KEY (generation, page_index)
) WITHOUT ROWID;
CREATE TABLE lookups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at REAL NOT NULL,
    solved_at REAL
);
ALTER TABLE questions ADD COLUMN lookup INTEGER REFERENCES lookups (id);
CREATE INDEX questions_lookup ON questions (lookup);
CREATE INDEX questions_asked ON questions (asked_at);
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    given_at REAL NOT NULL,
    query TEXT NOT NULL,
    passage_id TEXT NOT NULL,
    helpful INTEGER NOT NULL,
    reason TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX verdicts_passage ON verdicts (passage_id);
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    written_at REAL NOT NULL,
    passage_id TEXT NOT NULL,
    text TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX notes_passage ON notes (passage_id);
"""

# Books taken off the shelf, editions as stated by hand, versions of the site's tables, deeds.
M003_LIBRARY = """
CREATE TABLE set_aside (
    id TEXT PRIMARY KEY,
    generation INTEGER NOT NULL REFERENCES generations (id),
    sha256 TEXT NOT NULL,
    book TEXT NOT NULL,
    removed_at REAL NOT NULL,
    indexed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE stated_editions (book_id TEXT PRIMARY KEY, superseded_by TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE table_versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    saved_at REAL NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE TABLE deeds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    done_at REAL NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX pages_doubtful ON pages (generation) WHERE warnings != '[]' OR text = '';
"""

# Notes lie in folders; one with an owner is seen in that browser only.
M005_FOLDERS = """
ALTER TABLE notes ADD COLUMN folder TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN owner TEXT NOT NULL DEFAULT '';
"""

# A look-up goes on as long as no more than this passes between its questions.
SAME_LOOKUP_SECONDS = 30 * 60

MIGRATIONS = (M001_BOOKS, M002_DESK, M003_LIBRARY, M005_FOLDERS)
SCHEMA_VERSION = len(MIGRATIONS)


# The columns of `books` in their order, by the names of a Book's fields.
_BOOK_ROW = (
    "(:id, :generation, :sha256, :title, :source_file, :edition, :shelf, :authors, :publisher,"
    " :published, :isbn, :as_of, :pages, :passages, :superseded_by)"
)


@dataclass(frozen=True, slots=True)
class Job:
    """What became of one file. Times are seconds since the epoch; `reason` says why a job failed."""

    id: int
    source_file: str
    state: str
    reason: str
    book_id: str
    pages: int
    passages: int
    started_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Question:
    """One logged question; `hits` are the passage ids shown, best first."""

    id: int
    asked_at: float
    kind: str
    query: str
    answered: bool | None
    hits: tuple[str, ...]
    took_ms: float


@dataclass(frozen=True, slots=True)
class Lookup:
    """From the first question about a matter until it is solved; `queries` in the order asked.

    Times are seconds since the epoch, `solved_at` is None while nobody said it is solved.
    `answered` is whether the last question was.
    """

    id: int
    started_at: float
    solved_at: float | None
    queries: tuple[str, ...]
    answered: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said of a passage as an answer to a question; `name` is empty when not given."""

    id: int
    given_at: float
    query: str
    passage_id: str
    helpful: bool
    reason: str
    name: str


@dataclass(frozen=True, slots=True)
class Note:
    """A slip of paper on a passage (付箋). `name` and `folder` are empty when not given.

    `owner` is the browser that alone sees it; empty where everybody does.
    """

    id: int
    written_at: float
    passage_id: str
    text: str
    name: str
    folder: str
    owner: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A book taken off the shelf that can be put back: its pages, passages and file are kept."""

    book: Book
    generation: int
    sha256: str
    removed_at: float


@dataclass(frozen=True, slots=True)
class TableVersion:
    """The site's own glossary or table of law changes as it was saved; `content` is the file's text."""

    id: int
    saved_at: float
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Deed:
    """What an administrator did, from which machine (`who`), to which book or table."""

    id: int
    done_at: float
    who: str
    action: str
    subject: str
    detail: str


class Ledger:
    """One SQLite file in WAL mode; a connection a thread for reading, one lock for writing.

    Opening a file that a newer version wrote raises DataDirTooNew, one that is no ledger
    StoreUnavailable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: dict[threading.Thread, sqlite3.Connection] = {}
        self._opening = threading.Lock()
        self._closed = False
        self._write_lock = threading.RLock()
        self._writes = 0
        self._books: tuple[int, dict[str, Book]] = (-1, {})
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._migrate()
        except sqlite3.DatabaseError as error:
            self.close()
            raise StoreUnavailable(
                f"台帳 {path} を開けません ({error})。",
                hint="空き容量と権限を確かめ、壊れているときはバックアップから戻してください。",
                field=str(path),
            ) from error
        except DataDirTooNew:
            self.close()
            raise

    def _migrate(self) -> None:
        with self._writing() as db:
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            if found > SCHEMA_VERSION:
                raise DataDirTooNew(
                    f"データフォルダー {self.path.parent} は新しい版の栞で作られています"
                    f" (台帳の版 {found}、この製品の版 {SCHEMA_VERSION})。",
                    hint="栞を新しい版に更新するか、別のデータフォルダーを指定してください。",
                    field=str(self.path),
                )
            for version, script in enumerate(MIGRATIONS[found:], start=found + 1):
                # executescript would commit on its own, so each step carries its transaction.
                db.executescript(f"BEGIN;{script}PRAGMA user_version = {version};COMMIT;")

    @property
    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            if self._closed:
                raise sqlite3.ProgrammingError("the ledger is closed")
            db = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
            self._local.db = db
            with self._opening:
                self._close_ended()
                self._opened[threading.current_thread()] = db
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
        return db

    def _close_ended(self) -> None:
        # A service adds books in ever new threads; their connections must not pile up.
        for thread in [thread for thread in self._opened if not thread.is_alive()]:
            self._opened.pop(thread).close()

    @contextmanager
    def _writing(
        self, *, books: bool = True, logging: bool = False
    ) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it is kept, or nothing.

        One that leaves `books` and their generations alone keeps what is remembered of them.
        `logging` does not wait for the disk: a power cut may lose the last entries, and nothing else.
        """
        with self._write_lock:
            db = self._db
            if logging:
                db.execute("PRAGMA synchronous = NORMAL")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            else:
                db.commit()
            finally:
                if logging:
                    db.execute("PRAGMA synchronous = FULL")
                self._writes += books

    def close(self) -> None:
        """Closes every thread's connection; the ledger cannot be used afterwards."""
        with self._write_lock, self._opening:
            self._closed = True
            for db in self._opened.values():
                db.close()
            self._opened.clear()
            self._local = threading.local()

    # -- facts ------------------------------------------------------------------

    def fact(self, key: str) -> str:
        """A single remembered fact, such as which index is active; empty when never set."""
        row = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return str(row["value"]) if row else ""

    def set_fact(self, key: str, value: str) -> None:
        """Remembers one fact."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

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
                    _page_row(generation, page),
                )
                db.execute(
                    "INSERT INTO page_lines VALUES (?, ?, ?)",
                    (generation, page.index, _pack_lines(page.lines)),
                )
            db.executemany(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (_passage_row(generation, passage) for passage in passages),
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
            self._books = (writes, {str(row["id"]): _book(row) for row in rows})
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
        return (_book(row), str(row["sha256"])) if row else None

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
                    (_dump(asdict(book)), time.time(), book_id),
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

    # -- pages and passages -----------------------------------------------------

    def page(self, book_id: str, page_index: int) -> Page:
        """One page of the live generation, without line boxes; raises NotFound."""
        row = self._db.execute(
            "SELECT p.* FROM pages p JOIN books b ON b.generation = p.generation"
            " WHERE b.id = ? AND p.page_index = ?",
            (book_id, page_index),
        ).fetchone()
        if row is None:
            self.book(book_id)
            raise NotFound(
                f"書籍 {book_id} に{page_index + 1}枚目のページはありません。",
                hint="ページ番号を確かめてください。",
                field="page_index",
            )
        return _page(row)

    def page_text(self, book_id: str, page_index: int) -> str:
        """The text of one page as it is read; raises NotFound."""
        self.page(book_id, page_index)
        row = self._db.execute(
            "SELECT p.text FROM pages p JOIN books b ON b.generation = p.generation"
            " WHERE b.id = ? AND p.page_index = ?",
            (book_id, page_index),
        ).fetchone()
        return str(row["text"])

    def pages(self, book_id: str) -> list[Page]:
        """The pages of a book in order, without their lines."""
        self.book(book_id)
        rows = self._db.execute(
            "SELECT p.* FROM pages p JOIN books b ON b.generation = p.generation"
            " WHERE b.id = ? ORDER BY p.page_index",
            (book_id,),
        ).fetchall()
        return [_page(row) for row in rows]

    def lines(self, book_id: str, page_index: int) -> tuple[Line, ...]:
        """The printed lines of one page in reading order, with their boxes; raises NotFound.

        Pages written before lines were kept come as paragraphs without boxes.
        """
        text = self.page_text(book_id, page_index)
        row = self._db.execute(
            "SELECT l.lines FROM page_lines l JOIN books b ON b.generation = l.generation"
            " WHERE b.id = ? AND l.page_index = ?",
            (book_id, page_index),
        ).fetchone()
        if row is None:
            return tuple(Line(paragraph) for paragraph in text.splitlines())
        return _unpack_lines(row["lines"])

    def page_lengths(self, book_id: str) -> dict[int, int]:
        """How many characters each page of a book holds, by page index."""
        rows = self._db.execute(
            "SELECT p.page_index, length(p.text) AS length FROM pages p"
            " JOIN books b ON b.generation = p.generation WHERE b.id = ?",
            (book_id,),
        ).fetchall()
        return {int(row["page_index"]): int(row["length"]) for row in rows}

    def doubtful_pages(self) -> dict[str, int]:
        """How many pages of each book its reader noted something about, or found no text on.

        Books without such a page are left out.
        """
        # Of all generations at once: asked of one, the planner would read its pages whole.
        rows = self._db.execute(
            "SELECT b.id, d.n FROM (SELECT generation, count(*) AS n FROM pages"
            " WHERE warnings != '[]' OR text = '' GROUP BY generation) d"
            " JOIN books b ON b.generation = d.generation"
        ).fetchall()
        return {str(row["id"]): int(row["n"]) for row in rows}

    def passages(self, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Passage]:
        """Passages by (generation, passage id); keys that no longer exist are left out."""
        wanted = dict.fromkeys(keys)
        if not wanted:
            return {}
        marks = ", ".join(["(?, ?)"] * len(wanted))
        # One statement however many books the passages stand in; CROSS JOIN keeps its order.
        rows = self._db.execute(
            f"WITH wanted (generation, id) AS (VALUES {marks})"
            " SELECT p.*, g.book_id FROM wanted w"
            " CROSS JOIN passages p ON p.generation = w.generation AND p.id = w.id"
            " JOIN generations g ON g.id = p.generation",
            tuple(value for key in wanted for value in key),
        )
        return {(int(row["generation"]), str(row["id"])): _passage(row) for row in rows}

    def passage(self, passage_id: str) -> Passage:
        """One passage of a book on the shelf; raises NotFound."""
        book_id = passage_id.split("-", 1)[0]
        generation = self.live_generations().get(book_id, 0)
        passage = self.passages([(generation, passage_id)]).get((generation, passage_id))
        if passage is None:
            raise NotFound(
                f"パッセージ {passage_id} はこの書棚にありません。",
                hint="本が差し替えられた可能性があります。もう一度検索してください。",
                field="passage_id",
            )
        return passage

    def passages_of(self, book_id: str) -> Iterator[tuple[int, Passage]]:
        """A book's live passages in order, each with its generation."""
        rows = self._db.execute(
            "SELECT p.*, g.book_id FROM passages p JOIN generations g ON g.id = p.generation"
            " WHERE g.book_id = ? AND g.state = 'live' ORDER BY p.ordinal",
            (book_id,),
        )
        for row in rows:
            yield int(row["generation"]), _passage(row)

    def passages_in(self, generation: int) -> list[Passage]:
        """The passages of one generation in order, live or not."""
        rows = self._db.execute(
            "SELECT p.*, g.book_id FROM passages p JOIN generations g ON g.id = p.generation"
            " WHERE g.id = ? ORDER BY p.ordinal",
            (generation,),
        ).fetchall()
        return [_passage(row) for row in rows]

    def neighbours(self, passage: Passage, distance: int = 1) -> list[Passage]:
        """The passages before and after one in its book, itself left out, in order."""
        rows = self._db.execute(
            "SELECT p.*, g.book_id FROM passages p JOIN generations g ON g.id = p.generation"
            " WHERE g.book_id = ? AND g.state = 'live' AND p.ordinal BETWEEN ? AND ?"
            " AND p.ordinal != ? ORDER BY p.ordinal",
            (
                passage.book_id,
                passage.ordinal - distance,
                passage.ordinal + distance,
                passage.ordinal,
            ),
        ).fetchall()
        return [_passage(row) for row in rows]

    # -- jobs -------------------------------------------------------------------

    def start_job(self, source_file: str) -> int:
        """Notes that a file is being added."""
        with self._writing() as db:
            cursor = db.execute(
                "INSERT INTO jobs (source_file, state, started_at) VALUES (?, 'running', ?)",
                (source_file, time.time()),
            )
            return int(cursor.lastrowid or 0)

    def finish_job(
        self,
        job_id: int,
        state: str,
        *,
        reason: str = "",
        book_id: str = "",
        pages: int = 0,
        passages: int = 0,
    ) -> None:
        """Notes what became of a job: added, unchanged, failed or interrupted."""
        with self._writing() as db:
            db.execute(
                "UPDATE jobs SET state = ?, reason = ?, book_id = ?, pages = ?, passages = ?,"
                " finished_at = ? WHERE id = ?",
                (state, reason, book_id, pages, passages, time.time(), job_id),
            )

    def interrupt_running_jobs(self) -> int:
        """Marks jobs that a dead process left running; returns how many there were."""
        with self._writing() as db:
            cursor = db.execute(
                "UPDATE jobs SET state = 'interrupted', finished_at = ?,"
                " reason = '処理の途中で停止しました。もう一度追加してください。'"
                " WHERE state = 'running'",
                (time.time(),),
            )
            return cursor.rowcount

    def jobs(self, limit: int = 50) -> list[Job]:
        """The latest jobs, newest first."""
        rows = self._db.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return [Job(**dict(row)) for row in rows]

    # -- questions --------------------------------------------------------------

    def log_question(
        self,
        kind: str,
        query: str,
        hits: Sequence[str],
        took_ms: float,
        answered: bool | None = None,
    ) -> int:
        """Keeps a question with what was shown for it; returns its id."""
        with self._writing(books=False, logging=True) as db:
            cursor = db.execute(
                "INSERT INTO questions (asked_at, kind, query, answered, hits, took_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (time.time(), kind, query, answered, _dump(list(hits)), took_ms),
            )
            return int(cursor.lastrowid or 0)

    def questions(self, limit: int = 100) -> list[Question]:
        """The latest questions, newest first."""
        rows = self._db.execute(
            "SELECT * FROM questions ORDER BY id DESC LIMIT ?", (limit,)
        ).fetchall()
        return [
            Question(
                id=row["id"],
                asked_at=row["asked_at"],
                kind=row["kind"],
                query=row["query"],
                answered=None if row["answered"] is None else bool(row["answered"]),
                hits=tuple(json.loads(row["hits"])),
                took_ms=row["took_ms"],
            )
            for row in rows
        ]

    # -- the desk: look-ups, verdicts, notes ------------------------------------

    def log_lookup(
        self,
        query: str,
        hits: Sequence[str],
        took_ms: float,
        answered: bool,
        lookup: int | None = None,
    ) -> int:
        """Keeps a question asked at the desk with the look-up it belongs to; returns the look-up's id.

        That is `lookup` where it is open and went on a short while ago, else an open one
        in which the same was asked then, else a new one. A page loaded again counts once.
        """
        with self._writing(books=False, logging=True) as db:
            found = db.execute(
                "SELECT l.id, q.query FROM lookups l JOIN questions q ON q.lookup = l.id"
                " WHERE l.solved_at IS NULL AND q.asked_at > ? AND (l.id = ? OR q.query = ?)"
                " ORDER BY l.id = ? DESC, q.id DESC LIMIT 1",
                (time.time() - SAME_LOOKUP_SECONDS, lookup, query, lookup),
            ).fetchone()
            if found is not None and found["query"] == query:
                return int(found["id"])
            if found is not None:
                lookup = int(found["id"])
            else:
                cursor = db.execute("INSERT INTO lookups (started_at) VALUES (?)", (time.time(),))
                lookup = int(cursor.lastrowid or 0)
            db.execute(
                "INSERT INTO questions (asked_at, kind, query, answered, hits, took_ms, lookup)"
                " VALUES (?, 'ask', ?, ?, ?, ?, ?)",
                (time.time(), query, answered, _dump(list(hits)), took_ms, lookup),
            )
            return lookup

    def solve(self, lookup: int) -> None:
        """Ends a look-up: the matter is settled. Raises NotFound; a second time changes nothing."""
        with self._writing() as db:
            known = db.execute("SELECT 1 FROM lookups WHERE id = ?", (lookup,)).fetchone()
            if known is None:
                raise NotFound(
                    f"調べもの {lookup} の記録はありません。", hint="もう一度検索してください。"
                )
            db.execute(
                "UPDATE lookups SET solved_at = ? WHERE id = ? AND solved_at IS NULL",
                (time.time(), lookup),
            )

    def lookups(
        self, *, containing: str = "", since: float = 0.0, limit: int = 100
    ) -> list[Lookup]:
        """The latest look-ups, newest first; with `containing`, those with that in a question."""
        chosen = self._db.execute(
            "SELECT * FROM lookups l WHERE started_at >= ? AND EXISTS (SELECT 1 FROM questions q"
            " WHERE q.lookup = l.id AND instr(q.query, ?)) ORDER BY id DESC LIMIT ?",
            (since, containing, limit),
        ).fetchall()
        return [self._lookup(row) for row in chosen]

    def lookup(self, lookup: int) -> Lookup | None:
        """One look-up, or None."""
        row = self._db.execute("SELECT * FROM lookups WHERE id = ?", (lookup,)).fetchone()
        return self._lookup(row) if row else None

    def _lookup(self, row: sqlite3.Row) -> Lookup:
        asked = self._db.execute(
            "SELECT query, answered FROM questions WHERE lookup = ? ORDER BY id", (row["id"],)
        ).fetchall()
        last = asked[-1]["answered"] if asked else None
        return Lookup(
            id=row["id"],
            started_at=row["started_at"],
            solved_at=row["solved_at"],
            queries=tuple(str(one["query"]) for one in asked),
            answered=None if last is None else bool(last),
        )

    def give_verdict(
        self, query: str, passage_id: str, helpful: bool, reason: str = "", name: str = ""
    ) -> int:
        """Keeps a verdict on a passage; raises NotFound for an unknown passage.

        The same again within a minute is a button pressed twice.
        """
        self.passage(passage_id)
        with self._writing() as db:
            same = db.execute(
                "SELECT id FROM verdicts WHERE query = ? AND passage_id = ? AND helpful = ?"
                " AND reason = ? AND given_at > ?",
                (query, passage_id, helpful, reason, time.time() - 60),
            ).fetchone()
            if same is not None:
                return int(same["id"])
            cursor = db.execute(
                "INSERT INTO verdicts (given_at, query, passage_id, helpful, reason, name)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (time.time(), query, passage_id, helpful, reason, name),
            )
            return int(cursor.lastrowid or 0)

    def verdicts(self, *, since: float = 0.0, limit: int = 10_000) -> list[Verdict]:
        """The latest verdicts, newest first."""
        rows = self._db.execute(
            "SELECT * FROM verdicts WHERE given_at >= ? ORDER BY id DESC LIMIT ?", (since, limit)
        ).fetchall()
        return [Verdict(**(dict(row) | {"helpful": bool(row["helpful"])})) for row in rows]

    def likes(self, passage_ids: Sequence[str]) -> dict[str, int]:
        """How many found each of these passages helpful; those without a like are left out."""
        marks = ", ".join("?" * len(passage_ids))
        rows = self._db.execute(
            "SELECT passage_id, count(*) AS n FROM verdicts"
            f" WHERE helpful AND passage_id IN ({marks}) GROUP BY passage_id",
            tuple(passage_ids),
        ).fetchall()
        return {str(row["passage_id"]): int(row["n"]) for row in rows}

    def add_note(
        self, passage_id: str, text: str, name: str = "", *, folder: str = "", owner: str = ""
    ) -> int:
        """Puts a note on a passage; raises NotFound for an unknown passage."""
        self.passage(passage_id)
        with self._writing(books=False) as db:
            cursor = db.execute(
                "INSERT INTO notes (written_at, passage_id, text, name, folder, owner)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (time.time(), passage_id, text, name, folder, owner),
            )
            return int(cursor.lastrowid or 0)

    def change_note(self, note: int, *, folder: str, owner: str, reader: str = "") -> None:
        """Moves a note to a folder, and shares it (`owner` empty) or keeps it to one browser.

        Raises NotFound for a note that `reader` does not see.
        """
        with self._writing(books=False) as db:
            changed = db.execute(
                "UPDATE notes SET folder = ?, owner = ? WHERE id = ? AND owner IN ('', ?)",
                (folder, owner, note, reader),
            )
            if not changed.rowcount:
                raise NotFound(
                    f"付箋 {note} はありません。", hint="付箋の一覧を開き直してください。"
                )

    def remove_note(self, note: int, reader: str = "") -> None:
        """Takes a note that `reader` sees off its passage; one that is gone changes nothing."""
        with self._writing(books=False) as db:
            db.execute("DELETE FROM notes WHERE id = ? AND owner IN ('', ?)", (note, reader))

    def notes(self, passage_ids: Sequence[str], reader: str = "") -> dict[str, list[Note]]:
        """The notes on these passages that `reader` sees, oldest first, by passage."""
        marks = ", ".join("?" * len(passage_ids))
        rows = self._db.execute(
            f"SELECT * FROM notes WHERE owner IN ('', ?) AND passage_id IN ({marks}) ORDER BY id",
            (reader, *passage_ids),
        ).fetchall()
        found: dict[str, list[Note]] = {}
        for row in rows:
            found.setdefault(str(row["passage_id"]), []).append(Note(**dict(row)))
        return found

    def all_notes(
        self, reader: str = "", *, containing: str = "", folder: str | None = None, limit: int = 500
    ) -> list[Note]:
        """The latest notes that `reader` sees, newest first; of all folders unless one is given."""
        rows = self._db.execute(
            "SELECT * FROM notes WHERE owner IN ('', ?) AND instr(text, ?)"
            " AND (? IS NULL OR folder = ?) ORDER BY id DESC LIMIT ?",
            (reader, containing, folder, folder, limit),
        ).fetchall()
        return [Note(**dict(row)) for row in rows]

    def folders(self, reader: str = "") -> dict[str, int]:
        """How many notes that `reader` sees lie in each folder, by name; '' holds the rest."""
        rows = self._db.execute(
            "SELECT folder, count(*) AS n FROM notes WHERE owner IN ('', ?)"
            " GROUP BY folder ORDER BY folder",
            (reader,),
        ).fetchall()
        return {str(row["folder"]): int(row["n"]) for row in rows}

    def asked_like(self, words: Sequence[str], limit: int = 200) -> list[str]:
        """Questions answered before that hold one of these words, each once, the latest first."""
        if not words:
            return []
        like = " OR ".join(["instr(query, ?)"] * len(words))
        rows = self._db.execute(
            f"SELECT query FROM questions WHERE answered AND kind = 'ask' AND ({like})"
            " GROUP BY query ORDER BY max(id) DESC LIMIT ?",
            (*words, limit),
        ).fetchall()
        return [str(row["query"]) for row in rows]

    # -- the library desk: tables of the site, deeds -----------------------------

    def keep_table(self, name: str, content: str) -> int:
        """Keeps a version of one of the site's own tables; returns its number."""
        with self._writing(books=False) as db:
            cursor = db.execute(
                "INSERT INTO table_versions (saved_at, name, content) VALUES (?, ?, ?)",
                (time.time(), name, content),
            )
            return int(cursor.lastrowid or 0)

    def table_versions(self, name: str, limit: int = 50) -> list[TableVersion]:
        """The latest versions of one of the site's own tables, newest first."""
        rows = self._db.execute(
            "SELECT * FROM table_versions WHERE name = ? ORDER BY id DESC LIMIT ?", (name, limit)
        ).fetchall()
        return [TableVersion(**dict(row)) for row in rows]

    def note_deed(self, who: str, action: str, subject: str = "", detail: str = "") -> None:
        """Notes what an administrator did."""
        with self._writing(books=False) as db:
            db.execute(
                "INSERT INTO deeds (done_at, who, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
                (time.time(), who, action, subject, detail),
            )

    def deeds(self, limit: int = 500) -> list[Deed]:
        """The latest deeds of administrators, newest first."""
        rows = self._db.execute("SELECT * FROM deeds ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return [Deed(**dict(row)) for row in rows]


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _load(text: str) -> list[Any]:
    # Most passages cite nothing, and every search reads dozens.
    return json.loads(text) if text != "[]" else []


def _page_row(generation: int, page: Page) -> tuple[Any, ...]:
    return (
        generation,
        page.index,
        page.label,
        page.text,
        _dump(page.heads),
        page.width,
        page.height,
        int(page.vertical),
        page.extractor,
        page.confidence,
        _dump(page.warnings),
    )


def _pack_lines(lines: Sequence[Line]) -> bytes:
    rows = [
        [
            line.text,
            None if line.box is None else [round(side, 4) for side in _sides(line.box)],
            line.kind,
            line.starts_paragraph,
            line.level,
            round(line.size, 2),
            [[ruby.start, ruby.end, ruby.text] for ruby in line.ruby],
        ]
        for line in lines
    ]
    return zlib.compress(_dump(rows).encode())


def _unpack_lines(packed: bytes) -> tuple[Line, ...]:
    return tuple(
        Line(
            text,
            None if box is None else Box(*box),
            kind,
            starts,
            level,
            size,
            tuple(Ruby(*reading) for reading in ruby),
        )
        for text, box, kind, starts, level, size, ruby in json.loads(zlib.decompress(packed))
    )


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


def _page(row: sqlite3.Row) -> Page:
    return Page(
        index=row["page_index"],
        lines=(),
        label=row["label"],
        heads=tuple(json.loads(row["heads"])),
        width=row["width"],
        height=row["height"],
        vertical=bool(row["vertical"]),
        extractor=row["extractor"],
        confidence=row["confidence"],
        warnings=tuple(json.loads(row["warnings"])),
    )


def _book(row: sqlite3.Row) -> Book:
    values = dict(row)
    del values["generation"], values["sha256"]
    return Book(**values)


def _mark(db: sqlite3.Connection, successors: Mapping[str, str]) -> None:
    db.executemany(
        "UPDATE books SET superseded_by = ? WHERE id = ?",
        ((new_id, old_id) for old_id, new_id in successors.items()),
    )


def _passage_row(generation: int, passage: Passage) -> tuple[Any, ...]:
    boxes = [
        [
            page.page_index,
            [[round(side, 4) for side in (b.x0, b.y0, b.x1, b.y1)] for b in page.boxes],
        ]
        for page in passage.boxes
    ]
    return (
        generation,
        passage.id,
        passage.ordinal,
        passage.text,
        _dump(passage.section_path),
        passage.article,
        passage.kind,
        passage.page_index,
        passage.page_index_end,
        passage.page_label,
        _dump(boxes),
        _dump(passage.about),
        _dump(passage.cites),
        passage.context,
    )


def _passage(row: sqlite3.Row) -> Passage:
    boxes = tuple(
        PageBoxes(page_index, tuple(Box(*sides) for sides in page_boxes))
        for page_index, page_boxes in _load(row["boxes"])
    )
    return Passage(
        id=row["id"],
        book_id=row["book_id"],
        ordinal=row["ordinal"],
        text=row["text"],
        section_path=tuple(_load(row["section_path"])),
        article=row["article"],
        kind=row["kind"],
        page_index=row["page_index"],
        page_index_end=row["page_index_end"],
        page_label=row["page_label"],
        boxes=boxes,
        about=tuple(_load(row["about"])),
        cites=tuple(_load(row["cites"])),
        context=row["context"],
    )
