"""The library desk: versions of the site's own tables, and what administrators did."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.core.ledger.connection import Connection


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


class Library(Connection):
    """Keeps the tables' versions and the deeds."""

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
