"""Adds files to the shelf: reads and cuts them in child processes, publishes them one by one.

One broken book never stops the rest, not even one that takes its reading process down,
and an interrupted run is taken up where it stopped: what is published is found
unchanged the next time.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from app.core.book import Book
from app.core.errors import NotReady, ShioriError, UnreadableFile, why
from app.core.settings import Settings
from ingest.files import Found, collect
from ingest.index import Shelf, fingerprint

log = logging.getLogger(__name__)

_What = TypeVar("_What")
_Made = TypeVar("_Made")

_PATIENCE = 0.5
"""How long a request to stop may go unheard, in seconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """Progress of one file.

    `state` is reading (with pages done and all), added, unchanged, failed or left_out.
    """

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
    """What became of a run over many files; `seconds` is wall time.

    `left_out` are files that lay among the books and are none, by name, with the reason.
    """

    results: list[FileResult] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
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
            "left_out": [
                {"file": file, "reason": reason} for file, reason in self.left_out.items()
            ],
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
    stopping: threading.Event | None = None,
) -> Summary:
    """Adds files, folders and ZIP archives; returns what became of every file.

    `shelf_name` is the shelf the books are put on where they do not name one. On
    KeyboardInterrupt, and with NotReady once `stopping` is set, the books already published
    stay and the rest is noted as interrupted.
    """
    started = time.perf_counter()
    summary = Summary()
    run = _Run(shelf, settings, shelf_name, summary, on_event, stopping or threading.Event())
    try:
        with collect(paths) as files:
            run.read(deque(run.tasks(files)))
    finally:
        run.interrupt()
    summary.seconds = time.perf_counter() - started
    return summary


@dataclass(frozen=True, slots=True)
class _Read:
    metadata: dict[str, str]
    prepared: Any  # ingest.pipeline.Prepared; not imported here, where LlamaIndex must not be


@dataclass(slots=True)
class _Run:
    """One run over many files; `open_jobs` are those whose end is not yet noted."""

    shelf: Shelf
    settings: Settings
    shelf_name: str
    summary: Summary
    on_event: Callable[[Event], None]
    stopping: threading.Event
    open_jobs: set[int] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)

    def tasks(self, files: Sequence[Found]) -> Iterator[_Task]:
        """The files that have to be read; the others' ends are noted at once."""
        for file in files:
            self._check_stopping()
            if file.left_out:
                self.summary.left_out[file.source] = file.left_out
                self.on_event(Event(file.source, "left_out", reason=file.left_out))
                continue
            job_id = self.shelf.ledger.start_job(file.source)
            self.open_jobs.add(job_id)
            try:
                if file.error is not None:
                    raise file.error
                digest = fingerprint(file.path)
            except OSError as error:
                reason = UnreadableFile(
                    f"{file.source} を開けません: {why(error)}。",
                    hint="ファイルの場所と権限を確かめてください。",
                )
                self._fail(job_id, file.source, reason)
                continue
            except ShioriError as reason:
                self._fail(job_id, file.source, reason)
                continue
            book_id, unchanged = self.shelf.find(file.source, digest)
            if unchanged:
                self._unchanged(job_id, file.source, book_id)
                continue
            book_id = book_id or self.shelf.new_id(file.source, digest)
            yield _Task(file.path, file.source, book_id, digest, job_id)

    def read(self, waiting: deque[_Task]) -> None:
        """Reads and publishes every task.

        When a reading process dies, the books in flight are read again one by one: the one
        that takes its process down once more is at fault.
        """
        while waiting:
            for task in self._read_until_broken(waiting):
                if self._read_until_broken(deque([task])):
                    self._fail(task.job_id, task.source, _deadly(task))

    def interrupt(self) -> None:
        """Notes the jobs whose end is not noted as interrupted."""
        for job_id in self.open_jobs:
            self.shelf.ledger.finish_job(job_id, "interrupted", reason="途中で止められました。")

    def _read_until_broken(self, waiting: deque[_Task]) -> list[_Task]:
        """Takes tasks and publishes them; returns those in flight when a reading process died."""
        workers = min(self.settings.workers or os.cpu_count() or 1, len(waiting))
        running: dict[Future[_Read], _Task] = {}
        job_ids = {task.source: task.job_id for task in waiting}

        def hear(event: Event) -> None:
            if event.source not in self.begun:
                self.begun.add(event.source)
                self.shelf.ledger.begin_job(job_ids[event.source])
            self.on_event(event)

        with reading_pool(workers, hear) as pool:
            while waiting or running:
                self._check_stopping()
                try:
                    # A few tasks ahead of the writer keep every core busy and memory flat.
                    while waiting and len(running) < workers + 1:
                        running[pool.submit(_read, waiting[0], self.settings)] = waiting[0]
                        waiting.popleft()
                    done = wait(running, timeout=_PATIENCE, return_when=FIRST_COMPLETED).done
                    for future in done:
                        self._finish(running[future], future)
                        del running[future]
                except BrokenProcessPool:
                    return list(running.values())
        return []

    def _check_stopping(self) -> None:
        if self.stopping.is_set():
            raise told_to_stop()

    def _finish(self, task: _Task, future: Future[_Read]) -> None:
        try:
            self._publish(task, future.result())
        except BrokenProcessPool:
            raise
        except ShioriError as reason:
            self._fail(task.job_id, task.source, reason)
        except Exception as error:  # job runner: one book never stops the rest
            log.exception("adding a book failed", extra={"file": task.source})
            unexpected = UnreadableFile(
                f"{task.source} の処理中に予期しない誤りが起きました"
                f" ({type(error).__name__}: {error})。",
                hint="ログを添えて管理者に知らせてください。他の本には影響ありません。",
            )
            self._fail(task.job_id, task.source, unexpected)

    def _publish(self, task: _Task, read: _Read) -> None:
        with self.shelf.writing:
            same, unchanged = self.shelf.find(task.source, task.fingerprint)
            if unchanged:  # the same content came twice, under two names or in two runs
                self._unchanged(task.job_id, task.source, same)
                return
            known = self.shelf.ledger.books().get(task.book_id)
            shelf_name = self.shelf_name or (known.shelf if known else "")
            book = Book(
                id=task.book_id,
                source_file=task.source,
                **{"shelf": shelf_name, **read.metadata},  # type: ignore[arg-type]
            )
            book = self.shelf.publish(book, task.path, task.fingerprint, read.prepared)
        self._close(task.job_id, "added", book_id=book.id, pages=book.pages, passages=book.passages)
        self.summary.results.append(
            FileResult(
                file=task.source,
                state="added",
                book_id=book.id,
                title=book.title,
                pages=book.pages,
                passages=book.passages,
                warnings=read.prepared.document.warnings,
            )
        )
        self.on_event(Event(task.source, "added", book.pages, book.pages))

    def _unchanged(self, job_id: int, source: str, book_id: str) -> None:
        self._close(job_id, "unchanged", book_id=book_id)
        title = self.shelf.ledger.book(book_id).title
        self.summary.results.append(FileResult(source, "unchanged", "", book_id, title))
        self.on_event(Event(source, "unchanged"))

    def _fail(self, job_id: int, source: str, reason: ShioriError) -> None:
        text = reason.in_full
        self._close(job_id, "failed", reason=text)
        self.summary.results.append(FileResult(source, "failed", text))
        self.on_event(Event(source, "failed", reason=text))

    def _close(self, job_id: int, state: str, **values: Any) -> None:
        self.shelf.ledger.finish_job(job_id, state, **values)
        self.open_jobs.discard(job_id)


def told_to_stop() -> NotReady:
    """The error of a run whose service ends meanwhile."""
    return NotReady(
        "サービスが終了するため、登録を途中で止めました。",
        hint="登録し終えた本は残っています。同じ操作で続きから始められます。",
    )


def _deadly(task: _Task) -> UnreadableFile:
    return UnreadableFile(
        f"{task.source} を処理するプロセスが2度続けて異常終了しました。",
        hint="ファイルが壊れていないか、メモリが足りているかを確かめてください。他の本には影響ありません。",
    )


# -- in the child process -------------------------------------------------------

_events: Any = None


def _start_child(events: Any) -> None:
    global _events
    _events = events
    # Ctrl-C is the parent's to handle; it ends the children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A parent that was killed could not end its children, and they would wait for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def report_pages(source: str) -> Callable[[int, int], None]:
    """A callback that reports pages done and all to the parent; for processes of `reading_pool`."""
    return lambda done, total: _events.put(Event(source, "reading", done, total))


def _read(task: _Task, settings: Settings) -> _Read:
    from ingest.metadata import book_metadata
    from ingest.pipeline import prepare
    from ingest.sandbox import limits_of, read_book

    on_page = report_pages(task.source)
    on_page(0, 0)  # it is this one's turn
    document = read_book(task.path, limits=limits_of(settings), on_page=on_page)
    metadata = book_metadata(document, task.path)
    document = replace(document, title=metadata["title"])
    return _Read(metadata, prepare(document, task.book_id, passage_chars=settings.passage_chars))


@contextmanager
def reading_pool(workers: int, on_event: Callable[[Event], None]) -> Iterator[ProcessPoolExecutor]:
    """A pool of reading processes whose progress events reach `on_event`."""
    # They are forked from a process of its own that has imported what they need: the second
    # book added by a service does not wait for LlamaIndex again.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ingest.metadata", "ingest.pipeline", "ingest.sandbox"])
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
        children = list(pool._processes.values())  # the pool forgets them when it shuts down
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()
        done.set()
        forwarder.join()


def read_alone(
    read: Callable[[_What, Settings], _Made],
    task: _What,
    settings: Settings,
    on_event: Callable[[Event], None],
    stopping: threading.Event,
    broken: ShioriError,
) -> _Made:
    """What `read(task, settings)` gives in a process of its own.

    Raises `broken` where that process ends before it is done, NotReady once `stopping` is set.
    """
    with reading_pool(1, on_event) as pool:
        future = pool.submit(read, task, settings)
        while not wait([future], timeout=_PATIENCE).done:
            if stopping.is_set():
                raise told_to_stop()
        try:
            return future.result()
        except BrokenProcessPool:
            raise broken from None
