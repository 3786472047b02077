"""Which files a person means by a path: a file, a folder with all in it, a ZIP archive."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ShioriError, UnreadableFile, why
from ingest.readers import find_files, unpack_zip


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read: where it lies, the name it is known by, or why it cannot be had."""

    path: Path
    source: str
    error: ShioriError | None = None


@contextmanager
def collect(paths: Sequence[Path]) -> Iterator[list[Found]]:
    """The files behind `paths`; those from archives exist as long as the context does."""
    with ExitStack() as stack:
        yield [found for path in paths for found in _found(path, stack)]


def _found(path: Path, stack: ExitStack) -> Iterator[Found]:
    path = path.expanduser().absolute()
    try:
        # A file that was named is read whatever it is called: its reader says what is wrong.
        files = list(find_files([path])) if stat.S_ISDIR(path.stat().st_mode) else [path]
    except FileNotFoundError:
        yield _missing(path, "が見つかりません。", "パスの綴りと場所を確かめてください。")
        return
    except OSError as error:
        at_fault = Path(error.filename or path)
        yield _missing(
            at_fault, f"を開けません: {why(error)}。", "ファイルの場所と権限を確かめてください。"
        )
        return
    if not files:
        yield _missing(
            path,
            "に読める本がありません。",
            "PDF、EPUB、DOCX、XLSX、HTML、Markdown、テキスト、法令XML、画像、ZIPを置いてください。",
        )
    for file in files:
        if file.suffix.lower() == ".zip":
            yield from _unpacked(file, stack)
        else:
            yield Found(file, str(file))


def _unpacked(archive: Path, stack: ExitStack) -> Iterator[Found]:
    into = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shiori-")))
    try:
        files = unpack_zip(archive, into)
    except ShioriError as error:
        yield Found(archive, str(archive), error)
        return
    for file in files:
        yield Found(file, f"{archive}/{file.relative_to(into)}")


def _missing(path: Path, cause: str, hint: str) -> Found:
    return Found(path, str(path), UnreadableFile(f"{path} {cause}", hint=hint, field=str(path)))
