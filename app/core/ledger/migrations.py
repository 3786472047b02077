"""What each version of the ledger adds to the one before it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable


def m001_books(db: sqlite3.Connection) -> None:
    """Books, generations, pages, passages, jobs, questions and single facts."""
    _run(
        db,
        """
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
        """,
    )


def m002_desk(db: sqlite3.Connection) -> None:
    """Printed lines with their boxes, look-ups, verdicts on passages, notes."""
    _run(
        db,
        """
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
        """,
    )


def m003_library(db: sqlite3.Connection) -> None:
    """Books taken off the shelf, editions as stated by hand, versions of the site's tables, deeds."""
    _run(
        db,
        """
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
        """,
    )


def m004_folders(db: sqlite3.Connection) -> None:
    """Notes lie in folders; one with an owner is seen in that browser only."""
    _run(
        db,
        """
        ALTER TABLE notes ADD COLUMN folder TEXT NOT NULL DEFAULT '';
        ALTER TABLE notes ADD COLUMN owner TEXT NOT NULL DEFAULT '';
        """,
    )


def _run(db: sqlite3.Connection, script: str) -> None:
    # One by one: executescript would commit, and a migration is kept whole or not at all.
    for statement in script.split(";"):
        db.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m001_books,
    m002_desk,
    m003_library,
    m004_folders,
)
SCHEMA_VERSION = len(MIGRATIONS)
