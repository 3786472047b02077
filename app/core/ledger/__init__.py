"""The ledger: books, their generations, passages, jobs and questions. The only room with SQL.

The ledger and the kept originals are the truth; the vector index can be rebuilt from them.

A book's content is written as a *generation*. It is `building` while its rows and
vectors are written, becomes `live` in one transaction, and is `retired` in the
same transaction that makes its successor live. Search leaves out every generation
that is not live (`hidden`), so a book is seen whole or not at all, whatever dies when.
"""

from __future__ import annotations

from app.core.ledger.books import SetAside
from app.core.ledger.desk import Desk, Note, Verdict
from app.core.ledger.jobs import Job, Jobs
from app.core.ledger.library import Deed, Library, TableVersion
from app.core.ledger.migrations import SCHEMA_VERSION
from app.core.ledger.questions import Lookup, Question, Questions

__all__ = [
    "SCHEMA_VERSION",
    "Deed",
    "Job",
    "Ledger",
    "Lookup",
    "Note",
    "Question",
    "SetAside",
    "TableVersion",
    "Verdict",
]


class Ledger(Desk, Questions, Jobs, Library):
    """One SQLite file in WAL mode; a connection a thread for reading, one lock for writing.

    Opening a file that a newer version wrote raises DataDirTooNew, one that is no ledger
    StoreUnavailable. Each part of it is a module: books (and generations), contents (pages
    and passages), desk, questions, jobs, library; connection is the file itself.
    """
