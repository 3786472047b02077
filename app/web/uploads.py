"""Files sent from the library desk: kept, read in the background, followed until they are books."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from app.core.book import Book
from app.core.errors import BadRequest, ShioriError
from app.web.admin import Managed

_PIECE = 1 << 20

_WORDS = {
    "waiting": "待っています",
    "added": "登録しました",
    "unchanged": "変わりありません",
    "failed": "登録できませんでした。",
    "left_out": "対象外のファイルです。",
}


class TooLarge(BadRequest):
    """An upload larger than the settings allow."""

    code = "too_large"
    status = 413


class Busy(ShioriError):
    """Something of the kind is going on already."""

    code = "busy"
    status = 409


@dataclass(slots=True)
class Progress:
    """How far one uploaded file is; `state` is waiting or that of an ingest event."""

    name: str
    state: str = "waiting"
    done: int = 0
    total: int = 0
    reason: str = ""

    @property
    def words(self) -> str:
        """The state as it is shown."""
        if self.state == "reading":
            return f"読んでいます {self.done}/{self.total}頁" if self.total else "読んでいます"
        return _WORDS.get(self.state, self.state) + self.reason

    def as_json(self) -> dict[str, Any]:
        """What the page's script shows."""
        return asdict(self) | {"words": self.words}


class Uploads:
    """Adds uploaded files in the background, one run at a time, and says how far it is."""

    def __init__(self, product: Managed, folder: Path) -> None:
        self._product = product
        self._folder = folder
        self._running = threading.Lock()
        self._files: dict[str, Progress] = {}
        # What a process that died has left; its books can only be sent again.
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self._running.locked()

    @property
    def files(self) -> list[Progress]:
        """The files of the run going on, or of the last one."""
        return list(self._files.values())

    @property
    def summary(self) -> str:
        """How far the run is, in a sentence; empty where there was none."""
        states = [file.state for file in self.files]
        if not states:
            return ""
        ended = sum(state not in ("waiting", "reading") for state in states)
        failed = states.count("failed")
        if self.is_running:
            return f"登録しています… {len(states)}件のうち{ended}件を終えました。"
        return (
            f"登録を終えました。{len(states)}件のうち{failed}件は登録できませんでした。"
            if (failed)
            else f"登録を終えました（{len(states)}件）。"
        )

    def begin(self) -> None:
        """Claims the next run; raises Busy while one is going on."""
        if not self._running.acquire(blocking=False):
            raise Busy(
                "いま別の登録が進んでいます。", hint="終わってから、もう一度登録してください。"
            )

    def give_up(self) -> None:
        """Lets a claimed run go where nothing was started."""
        self._running.release()

    def save(self, name: str, content: BinaryIO, most: int) -> Path:
        """Keeps an uploaded file until it is read; raises BadRequest for its name or size."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / safe_name(name)
        if path.exists():
            raise BadRequest(
                f"{path.name} という名前のファイルが二つあります。",
                hint="名前を変えるか、別々に登録してください。",
                field="files",
            )
        partial = path.with_name(path.name + ".partial")
        size = 0
        try:
            with partial.open("wb") as file:
                while piece := content.read(_PIECE):
                    size += len(piece)
                    if size > most:
                        raise too_large(name, most)
                    file.write(piece)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def start(self, paths: Sequence[Path], shelf: str) -> None:
        """Adds the files of a claimed run in the background."""
        books = [path for path in paths if path.suffix != ".toml"]
        self._files = {str(path): Progress(path.name) for path in books}

        def work() -> None:
            self._product.add(books, shelf=shelf, on_event=self._on_event)

        threading.Thread(target=self._run, args=(work, paths), daemon=True).start()

    def reread(self, book: Book) -> None:
        """Reads a book again in the background; raises Busy while files are being added."""
        self.begin()
        self._files = {book.source_file: Progress(Path(book.source_file).name)}

        def work() -> None:
            self._product.reread(book.id, on_event=self._on_event)

        threading.Thread(target=self._run, args=(work, ()), daemon=True).start()

    def supplement(
        self, book: Book, paths: Sequence[Path], remove: Sequence[str], as_of: str
    ) -> None:
        """Puts the pages of a claimed run's files into a loose-leaf book, in the background."""
        name = "、".join(path.name for path in paths)
        self._files = {name: Progress(f"{book.title} ← {name}")}

        def on_event(event: Any) -> None:
            self._on_event(replace(event, source=name))

        def work() -> None:
            self._product.supplement(book.id, paths, remove=remove, as_of=as_of, on_event=on_event)
            # One that was there already is told by no event.
            self._files[name].state = "added"

        threading.Thread(target=self._run, args=(work, paths), daemon=True).start()

    def _run(self, work: Callable[[], object], paths: Sequence[Path]) -> None:
        reason = "途中で止まりました。もう一度登録してください。"
        try:
            work()
        except ShioriError as error:
            reason = error.in_full
        finally:
            for progress in self._files.values():
                if progress.state in ("waiting", "reading"):
                    progress.state, progress.reason = "failed", reason
            for path in paths:
                path.unlink(missing_ok=True)  # the book's original is kept with the shelf
            self._running.release()

    def _on_event(self, event: Any) -> None:
        # A file inside an archive is known by the archive's path and its own, and stands for it.
        for archive in [path for path in self._files if event.source.startswith(f"{path}/")]:
            del self._files[archive]
        progress = self._files.setdefault(event.source, Progress(Path(event.source).name))
        progress.state, progress.done, progress.total = event.state, event.done, event.total
        progress.reason = event.reason


def too_large(name: str, most: int) -> TooLarge:
    """The error for a file above the limit."""
    return TooLarge(
        f"{name} が大きすぎます。1ファイル {most >> 20:,}MB まで登録できます。",
        hint="分けて登録するか、設定 upload_max_mb を大きくしてください。",
        field="files",
    )


def safe_name(name: str) -> str:
    """The last part of an uploaded file's name; raises BadRequest where none is left."""
    last = re.split(r"[/\\]", name)[-1]
    last = "".join(char for char in last if char.isprintable()).strip()
    if last in ("", ".", "..") or last.startswith(".") or len(os.fsencode(last)) > 200:
        raise BadRequest(
            f"ファイル名「{name[:60]}」は使えません。",
            hint="短い、ふつうの名前にして登録してください。",
            field="files",
        )
    return last
