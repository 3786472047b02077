"""A very large book, made from a real one, and what adding it takes: time and memory."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.core.ledger import Ledger
from app.core.settings import Settings
from app.core.store import Schema
from app.core.store.edge import EdgeStore


@dataclass(frozen=True, slots=True)
class Bulk:
    """What adding one large book took. `seconds` is wall time, memory the largest resident set in MiB.

    `writer` is the process that publishes, `reader` the largest of its children.
    """

    pages: int
    passages: int
    seconds: float
    writer: int
    reader: int


def build(model: Path, pages: int, into: Path) -> Path:
    """A PDF of `pages` pages: those of `model` again and again."""
    from pypdf import PdfReader, PdfWriter

    reader, writer = PdfReader(model), PdfWriter()
    for number in range(pages):
        writer.add_page(reader.pages[number % len(reader.pages)], excluded_keys=["/Annots"])
    writer.write(into)
    return into


def measure(
    model: Path, pages: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> Bulk:
    """Adds a book of `pages` pages to an empty shelf.

    The largest resident sets are those of this process and its children since they began:
    call it in a process that has done nothing else.
    """
    from app.core import lexical
    from ingest.index import Shelf
    from ingest.jobs import add

    with tempfile.TemporaryDirectory(prefix="shiori-bulk-") as folder:
        root = Path(folder)
        book = build(model, pages, root / "大冊.pdf")
        store = EdgeStore(root / "index", Schema(sparse=lexical.VECTORS))
        ledger = Ledger(root / "ledger.sqlite")
        try:
            shelf = Shelf(ledger, store, root / "originals")
            began = time.perf_counter()
            summary = add(
                shelf,
                [book],
                Settings(data_dir=root),
                on_event=lambda event: progress(event.done, event.total),
            )
            seconds = time.perf_counter() - began
        finally:
            store.close()
            ledger.close()
    added = summary.as_json()
    peaks = [
        resource.getrusage(whose).ru_maxrss >> 10
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return Bulk(added["pages"], added["passages"], round(seconds, 2), *peaks)
