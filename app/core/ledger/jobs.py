"""Jobs: what became of each file that was to be added."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.core.ledger.connection import Connection


@dataclass(frozen=True, slots=True)
class Job:
    """What became of one file. Times are seconds since the epoch; `reason` says why a job failed.

    `started_at` is when it was noted, and once work on it has begun when that was.
    """

    id: int
    source_file: str
    state: str
    reason: str
    book_id: str
    pages: int
    passages: int
    started_at: float
    finished_at: float | None


class Jobs(Connection):
    """Notes a job at its start and at its end."""

    def start_job(self, source_file: str) -> int:
        """Notes that a file is being added."""
        with self._writing() as db:
            cursor = db.execute(
                "INSERT INTO jobs (source_file, state, started_at) VALUES (?, 'running', ?)",
                (source_file, time.time()),
            )
            return int(cursor.lastrowid or 0)

    def begin_job(self, job_id: int) -> None:
        """Notes that work on a file begins now: it need not wait for others any more."""
        with self._writing() as db:
            db.execute("UPDATE jobs SET started_at = ? WHERE id = ?", (time.time(), job_id))

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
