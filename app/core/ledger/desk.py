"""What the desk says of passages: verdicts and notes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.errors import NotFound
from app.core.ledger.contents import Contents


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


class Desk(Contents):
    """Verdicts and notes; each stands on a passage of the shelf."""

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
