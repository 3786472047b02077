"""The file itself: opening, migrating, reading and writing it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import DataDirTooNew, StoreUnavailable
from app.core.ledger.migrations import MIGRATIONS, SCHEMA_VERSION


class Connection:
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
            for version, migrate in enumerate(MIGRATIONS[found:], start=found + 1):
                db.execute("BEGIN")
                migrate(db)
                db.execute(f"PRAGMA user_version = {version}")
                db.commit()

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

    def fact(self, key: str) -> str:
        """A single remembered fact, such as which index is active; empty when never set."""
        row = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return str(row["value"]) if row else ""

    def set_fact(self, key: str, value: str) -> None:
        """Remembers one fact."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))
