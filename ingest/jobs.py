"""Adds files to the shelf: reads and cuts them in child processes, publishes them one by one.

One broken book never stops the rest, and an interrupted run is taken up where it
stopped: what is published is found unchanged the next time.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from app.core.book import Book
from app.core.errors import ShioriError, UnreadableFile
from app.core.settings import Settings
from ingest.files import Found, collect
from ingest.index import Shelf, fingerprint

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Progress of one file: `state` is reading (with pages done and all), added, unchanged or failed."""

    source: str
    state: str
    done: int = 0
    total: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file; `reason` names cause and next step of a failure."""

    file: str
    state: str
    reason: str = ""
    book_id: str = ""
    title: str = ""
    pages: int = 0
    passages: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Summary:
    """What became of a run over many files; `seconds` is wall time."""

    results: list[FileResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> list[FileResult]:
        """The files that could not be added."""
        return [result for result in self.results if result.state == "failed"]

    def as_json(self) -> dict[str, Any]:
        """The stable JSON shape of `shiori ingest add --json`."""
        added = [result for result in self.results if result.state == "added"]
        return {
            "files": {
                "seen": len(self.results),
                "added": len(added),
                "unchanged": sum(result.state == "unchanged" for result in self.results),
                "failed": len(self.failed),
            },
            "failed": [{"file": item.file, "reason": item.reason} for item in self.failed],
            "added": [
                {
                    "file": item.file,
                    "book_id": item.book_id,
                    "title": item.title,
                    "pages": item.pages,
                    "passages": item.passages,
                    "warnings": list(item.warnings),
                }
                for item in added
            ],
            "pages": sum(item.pages for item in added),
            "passages": sum(item.passages for item in added),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class _Task:
    path: Path
    source: str
    book_id: str
    fingerprint: str
    job_id: int


def add(
    shelf: Shelf,
    paths: Sequence[Path],
    settings: Settings,
    *,
    shelf_name: str = "",
    on_event: Callable[[Event], None] = lambda event: None,
) -> Summary:
    """Adds files, folders and ZIP archives; returns what became of every file.

    `shelf_name` is the shelf the books are put on where they do not name one. On
    KeyboardInterrupt the books already published stay, the rest is noted as interrupted.
    """
    started = time.perf_counter()
    summary = Summary()
    with collect(paths) as files:
        tasks = list(_tasks(shelf, files, summary, on_event))
        if tasks:
            _run(shelf, tasks, settings, shelf_name, summary, on_event)
    summary.seconds = time.perf_counter() - started
    return summary


def _tasks(
    shelf: Shelf,
    files: Sequence[Found],
    summary: Summary,
    on_event: Callable[[Event], None],
) -> Iterator[_Task]:
    for file in files:
        job_id = shelf.ledger.start_job(file.source)
        try:
            if file.error is not None:
                raise file.error
            digest = fingerprint(file.path)
        except OSError as error:
            reason = UnreadableFile(
                f"{file.source} を開けません: {error.strerror or error}",
                hint="ファイルの場所と権限を確かめてください。",
            )
            _fail(shelf, job_id, file.source, reason, summary, on_event)
            continue
        except ShioriError as reason:
            _fail(shelf, job_id, file.source, reason, summary, on_event)
            continue
        book_id, unchanged = shelf.find(file.source, digest)
        if unchanged:
            shelf.ledger.finish_job(job_id, "unchanged", book_id=book_id)
            title = shelf.ledger.book(book_id).title
            summary.results.append(FileResult(file.source, "unchanged", "", book_id, title))
            on_event(Event(file.source, "unchanged"))
            continue
        book_id = book_id or shelf.new_id(file.source, digest)
        yield _Task(file.path, file.source, book_id, digest, job_id)


def _run(
    shelf: Shelf,
    tasks: Sequence[_Task],
    settings: Settings,
    shelf_name: str,
    summary: Summary,
    on_event: Callable[[Event], None],
) -> None:
    workers = min(settings.workers or os.cpu_count() or 1, len(tasks))
    with _pool(workers, on_event) as pool:
        running: dict[Future[_Read], _Task] = {}
        waiting = iter(tasks)
        try:
            while True:
                # A few tasks ahead of the writer keep every core busy and memory flat.
                while len(running) < workers + 1 and (task := next(waiting, None)):
                    running[pool.submit(_read, task, settings)] = task
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    try:
                        result = _publish(shelf, task, future.result(), shelf_name)
                    except BrokenProcessPool:
                        raise
                    except ShioriError as reason:
                        _fail(shelf, task.job_id, task.source, reason, summary, on_event)
                    except Exception as error:  # job runner: one book never stops the rest
                        log.exception("adding a book failed", extra={"file": task.source})
                        unexpected = UnreadableFile(
                            f"{task.source} の処理中に予期しない誤りが起きました"
                            f" ({type(error).__name__}: {error})。",
                            hint="ログを添えて管理者に知らせてください。他の本には影響ありません。",
                        )
                        _fail(shelf, task.job_id, task.source, unexpected, summary, on_event)
                    else:
                        summary.results.append(result)
                        on_event(Event(task.source, "added", result.pages, result.pages))
        except BaseException:
            for task in [*running.values(), *waiting]:
                shelf.ledger.finish_job(task.job_id, "interrupted", reason="途中で止められました。")
            raise


@dataclass(frozen=True, slots=True)
class _Read:
    metadata: dict[str, str]
    prepared: Any  # ingest.pipeline.Prepared; not imported here, where LlamaIndex must not be


def _publish(shelf: Shelf, task: _Task, read: _Read, shelf_name: str) -> FileResult:
    known = shelf.ledger.books().get(task.book_id)
    book = replace(
        Book(id=task.book_id, title="", source_file=task.source),
        **{"shelf": known.shelf if known else shelf_name, **read.metadata},
    )
    book = shelf.publish(book, task.path, task.fingerprint, read.prepared)
    shelf.ledger.finish_job(
        task.job_id, "added", book_id=book.id, pages=book.pages, passages=book.passages
    )
    return FileResult(
        file=task.source,
        state="added",
        book_id=book.id,
        title=book.title,
        pages=book.pages,
        passages=book.passages,
        warnings=read.prepared.document.warnings,
    )


def _fail(
    shelf: Shelf,
    job_id: int,
    source: str,
    reason: ShioriError,
    summary: Summary,
    on_event: Callable[[Event], None],
) -> None:
    text = f"{reason.message} {reason.hint}".strip()
    shelf.ledger.finish_job(job_id, "failed", reason=text)
    summary.results.append(FileResult(source, "failed", text))
    on_event(Event(source, "failed", reason=text))


# -- in the child process -------------------------------------------------------

_events: Any = None


def _start_child(events: Any) -> None:
    global _events
    _events = events
    # Ctrl-C is the parent's to handle; it ends the children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read(task: _Task, settings: Settings) -> _Read:
    from ingest.metadata import book_metadata
    from ingest.pipeline import prepare
    from ingest.sandbox import Limits, read_book

    def on_page(done: int, total: int) -> None:
        _events.put(Event(task.source, "reading", done, total))

    limits = Limits(
        memory=settings.reader_memory_mb << 20,
        cpu=settings.reader_seconds,
        wall=settings.reader_seconds,
        pages=settings.reader_pages,
    )
    document = read_book(task.path, limits=limits, on_page=on_page)
    metadata = book_metadata(document, task.path)
    document = replace(document, title=metadata["title"])
    return _Read(metadata, prepare(document, task.book_id, passage_chars=settings.passage_chars))


@contextmanager
def _pool(workers: int, on_event: Callable[[Event], None]) -> Iterator[ProcessPoolExecutor]:
    """A pool of reading processes whose progress events reach `on_event`."""
    context = get_context("spawn")
    events: Any = context.Queue()
    done = threading.Event()

    def forward() -> None:
        while not done.is_set():
            try:
                on_event(events.get(timeout=0.2))
            except queue.Empty:
                continue

    forwarder = threading.Thread(target=forward, daemon=True)
    forwarder.start()
    pool = ProcessPoolExecutor(workers, context, _start_child, (events,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list((pool._processes or {}).values()):
            process.terminate()
        done.set()
        forwarder.join()
