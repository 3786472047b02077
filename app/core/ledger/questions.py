"""Questions asked and the look-ups they belong to."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.errors import NotFound
from app.core.ledger.connection import Connection
from app.core.ledger.rows import dump

# A look-up goes on as long as no more than this passes between its questions.
SAME_LOOKUP_SECONDS = 30 * 60


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
    `answered` is whether the last question was; `unanswered` are the questions that were not.
    """

    id: int
    started_at: float
    solved_at: float | None
    queries: tuple[str, ...]
    answered: bool | None
    unanswered: tuple[str, ...] = ()


class Questions(Connection):
    """The log of questions, alone and by look-up."""

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
                (time.time(), kind, query, answered, dump(list(hits)), took_ms),
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

    def log_lookup(
        self,
        query: str,
        hits: Sequence[str],
        took_ms: float,
        answered: bool,
        lookup: int | None = None,
        own: int | None = None,
    ) -> int:
        """Keeps a question asked at the desk with the look-up it belongs to; returns the look-up's id.

        That is `lookup` where it is open and went on a short while ago, else `own`, the
        last look-up of the same browser, where the same was asked in it then, else a new one.
        So a page loaded again counts once, and two people who ask the same count twice.
        """
        with self._writing(books=False, logging=True) as db:
            found = db.execute(
                "SELECT l.id, q.query FROM lookups l JOIN questions q ON q.lookup = l.id"
                " WHERE l.solved_at IS NULL AND q.asked_at > ?"
                " AND (l.id = ? OR (l.id = ? AND q.query = ?))"
                " ORDER BY l.id IS ? DESC, q.id DESC LIMIT 1",
                (time.time() - SAME_LOOKUP_SECONDS, lookup, own, query, lookup),
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
                (time.time(), query, answered, dump(list(hits)), took_ms, lookup),
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
            unanswered=tuple(str(one["query"]) for one in asked if one["answered"] == 0),
        )
