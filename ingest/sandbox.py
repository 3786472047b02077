"""Reads a file in a child process with limits, so that no file can hang or kill the service.

The child (`python -m ingest.sandbox`) sets its own limits before it opens the file
and answers with JSON lines: how far it is, the pages, or an error. Whatever else
happens to it (killed, out of memory, out of time) becomes an UnreadableFile.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from app.core import errors
from app.core.book import Box, Document, Line, OutlineItem, Page, Ruby
from app.core.errors import ShioriError, UnreadableFile
from app.core.settings import Settings

OnPage = Callable[[int, int], None]

_KNOWN = {kind.code: kind for kind in (errors.UnreadableFile, errors.UnknownFormat, errors.NoText)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may use.

    `memory`, `ocr_memory` (allowed once a picture has to be read) and `output` are
    bytes, times are seconds. `stall` is how long the child
    may be silent, that is, the longest one page may take. `second_ocr` allows asking
    another OCR program about doubtful pages.
    """

    memory: int = 2 << 30
    ocr_memory: int = 4 << 30
    cpu: int = 7200
    wall: int = 7200
    stall: int = 240
    pages: int = 10_000
    output: int = 512 << 20
    second_ocr: bool = True


DEFAULT_LIMITS = Limits()


def limits_of(settings: Settings) -> Limits:
    """The limits a site has set."""
    return Limits(
        memory=settings.reader_memory_mb << 20,
        cpu=settings.reader_seconds,
        wall=settings.reader_seconds,
        pages=settings.reader_pages,
        second_ocr=settings.second_ocr,
    )


def read_book(
    path: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    password: str | None = None,
    on_page: OnPage | None = None,
) -> Document:
    """Read a file of any known format in a child process.

    `on_page(done, total)` is called from this thread as pages are read. Raises
    UnreadableFile, UnknownFormat or NoText, naming the file, the cause and what to do.
    """
    request = {"path": str(path), "password": password, **asdict(limits)}
    with tempfile.TemporaryFile() as complaints:
        child = _start(complaints)
        try:
            assert child.stdin is not None  # opened as a pipe by _start
            with contextlib.suppress(BrokenPipeError), child.stdin:
                child.stdin.write(json.dumps(request).encode())
            progress = _Progress(on_page)
            document = _collect(child, path, limits, progress)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        if document is None:
            raise _died(path, progress, child.returncode, complaints)
    return document


def child_environment() -> dict[str, str]:
    """What a child that opens files of strangers may know of our environment."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "2",
    }


def _start(complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ingest.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env=child_environment(),
        close_fds=True,
    )


@dataclass(slots=True)
class _Progress:
    """How many pages the child has read, and whom to tell."""

    on_page: OnPage | None
    done: int = 0
    total: int = 0

    def tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self.on_page is not None:
            self.on_page(done, total)

    @property
    def where(self) -> str:
        """The page at fault, in words; empty where the pages are not the trouble."""
        return f"{self.done + 1}ページ目で、" if 0 < self.done < self.total else ""


def _collect(
    child: subprocess.Popen[bytes], path: Path, limits: Limits, progress: _Progress
) -> Document | None:
    """The document the child sends; None where it ends without having sent one."""
    pages: list[Page] = []
    for message in _messages(child, path, limits, progress):
        if "done" in message:
            progress.tell(int(message["done"]), int(message["total"]))
        elif "page" in message:
            pages.append(_page(message["page"]))
        elif "error" in message:
            raise _error(message["error"])
        elif "document" in message:
            return _document(message["document"], pages)
    return None


def _messages(
    child: subprocess.Popen[bytes], path: Path, limits: Limits, progress: _Progress
) -> Iterator[dict[str, Any]]:
    """Messages as they arrive. Raises UnreadableFile where time or size runs out."""
    assert child.stdout is not None  # opened as a pipe by _start
    end = time.monotonic() + limits.wall
    buffer = b""
    received = 0
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            patience = min(limits.stall, end - time.monotonic())
            if patience <= 0 or not selector.select(patience):
                raise UnreadableFile(
                    f"{path.name}: {progress.where}読み取りに時間がかかりすぎたため中止しました。",
                    hint="ファイルが壊れていないか確かめるか、分けて登録してください。",
                    field=path.name,
                )
            data = os.read(child.stdout.fileno(), 1 << 20)
            if not data:
                return
            received += len(data)
            if received > limits.output:
                raise UnreadableFile(
                    f"{path.name}の文字の量が上限を超えています。",
                    hint="ファイルを分けて登録してください。",
                    field=path.name,
                )
            buffer += data
            *whole, buffer = buffer.split(b"\n")
            for row in whole:
                yield json.loads(row)


def _died(path: Path, progress: _Progress, code: int, complaints: IO[bytes]) -> UnreadableFile:
    """Why a child ended without an answer, from its exit and its last words."""
    complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 4000))
    words = complaints.read().decode("utf-8", "replace").strip().splitlines()
    last = words[-1] if words else ""
    if code == -signal.SIGXCPU:
        cause = "読み取りに時間がかかりすぎたため中止しました"
    elif "MemoryError" in last or "bad_alloc" in last or code == -signal.SIGKILL:
        cause = "読み取りに必要なメモリが上限を超えました"
    elif code < 0:
        cause = f"読み取り中に異常終了しました({signal.Signals(-code).name})"
    else:
        cause = f"読み取り中に異常終了しました({last.split(':')[0] or code})"
    return UnreadableFile(
        f"{path.name}: {progress.where}{cause}。",
        hint="ファイルが壊れている可能性があります。開けるか確かめ、保存し直して登録してください。",
        field=path.name,
    )


def _error(fields: dict[str, str]) -> ShioriError:
    kind = _KNOWN.get(fields["code"], UnreadableFile)
    return kind(fields["message"], hint=fields["hint"], field=fields["field"])


# --- what travels between the two ----------------------------------------------------------


def _line_out(line: Line) -> list[Any]:
    box = line.box
    return [
        line.text,
        None if box is None else [box.x0, box.y0, box.x1, box.y1],
        line.kind,
        line.starts_paragraph,
        line.level,
        line.size,
        [[ruby.start, ruby.end, ruby.text] for ruby in line.ruby],
        line.label,
    ]


def _line_in(row: list[Any]) -> Line:
    text, box, kind, starts, level, size, ruby, label = row
    return Line(
        text,
        None if box is None else Box(*box),
        kind,
        starts,
        level,
        size,
        tuple(Ruby(*reading) for reading in ruby),
        label,
    )


def _page_out(page: Page) -> dict[str, Any]:
    return {
        "index": page.index,
        "lines": [_line_out(line) for line in page.lines],
        "label": page.label,
        "heads": page.heads,
        "width": page.width,
        "height": page.height,
        "vertical": page.vertical,
        "extractor": page.extractor,
        "confidence": page.confidence,
        "warnings": page.warnings,
    }


def _page(fields: dict[str, Any]) -> Page:
    lists = {
        "lines": tuple(_line_in(row) for row in fields["lines"]),
        "heads": tuple(fields["heads"]),
        "warnings": tuple(fields["warnings"]),
    }
    return Page(**(fields | lists))


def _document_out(document: Document) -> dict[str, Any]:
    return {
        "title": document.title,
        "outline": [[item.title, item.level, item.page_index] for item in document.outline],
        "metadata": document.metadata,
        "media_type": document.media_type,
        "warnings": document.warnings,
    }


def _document(fields: dict[str, Any], pages: list[Page]) -> Document:
    return Document(
        fields["title"],
        tuple(pages),
        tuple(OutlineItem(*item) for item in fields["outline"]),
        fields["metadata"],
        fields["media_type"],
        tuple(fields["warnings"]),
    )


# --- the child -----------------------------------------------------------------------------


def _child() -> None:
    """Read one request from standard input and answer on standard output."""
    request = json.loads(sys.stdin.buffer.read())
    memory, ceiling = request["memory"], max(request["memory"], request["ocr_memory"])
    resource.setrlimit(resource.RLIMIT_AS, (memory, ceiling))
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu"], request["cpu"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 20, 256 << 20))
    signal.alarm(request["wall"])  # ends the child even where the parent is gone
    # libraries may print; only our own messages go to the parent
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        answers.flush()

    from ingest.readers import read, second

    if not request["second_ocr"]:
        second.forbid()
    try:
        document = read(
            Path(request["path"]),
            password=request["password"],
            on_page=lambda done, total: send({"done": done, "total": total}),
            max_pages=request["pages"],
        )
    except ShioriError as error:
        send({"error": error.as_dict()})
        return
    for page in document.pages:
        send({"page": _page_out(page)})
    send({"document": _document_out(document)})


if __name__ == "__main__":
    _child()
