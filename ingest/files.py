"""Which files a person means by a path: a file, a folder with all in it, a ZIP archive."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ShioriError, UnreadableFile, why
from ingest.metadata import sidecar_of
from ingest.readers import find_files, is_book, unpack_zip


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read: where it lies, the name it is known by, or why it cannot be had.

    `left_out` says why a file that lies among the books is none of them.
    """

    path: Path
    source: str
    error: ShioriError | None = None
    left_out: str = ""


@contextmanager
def collect(paths: Sequence[Path]) -> Iterator[list[Found]]:
    """The files behind `paths`; those from archives exist as long as the context does."""
    with ExitStack() as stack:
        yield [found for path in paths for found in _found(path, stack)]


def _found(path: Path, stack: ExitStack) -> Iterator[Found]:
    path = path.expanduser().absolute()
    try:
        # A file that was named is read whatever it is called: its reader says what is wrong.
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        files = list(find_files(list(path.iterdir()))) if is_folder else [path]
    except FileNotFoundError:
        yield _missing(path, "が見つかりません。", "パスの綴りと場所を確かめてください。")
        return
    except OSError as error:
        at_fault = Path(error.filename or path)
        yield _missing(
            at_fault, f"を開けません: {why(error)}。", "ファイルの場所と権限を確かめてください。"
        )
        return
    if is_folder and not any(map(is_book, files)):
        yield _missing(
            path,
            "に読める本がありません。",
            "PDF、EPUB、DOCX、XLSX、HTML、Markdown、テキスト、法令XML、画像、ZIPを置いてください。",
        )
    beside = set(files)
    for file in files:
        if file.suffix.lower() == ".zip":
            yield from _unpacked(file, stack)
        elif not is_folder:
            yield Found(file, str(file))
        else:
            yield from _among(file, str(file), beside)


def _unpacked(archive: Path, stack: ExitStack) -> Iterator[Found]:
    into = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shiori-")))
    try:
        files = unpack_zip(archive, into)
    except ShioriError as error:
        yield Found(archive, str(archive), error)
        return
    beside = set(files)
    for file in files:
        yield from _among(file, f"{archive}/{file.relative_to(into)}", beside)


def _among(file: Path, source: str, beside: set[Path]) -> Iterator[Found]:
    """A file in a folder or archive, with the others there: a book, a book's sidecar or neither."""
    if is_book(file):
        yield Found(file, source)
        return
    reason = "本として読めない形式です。"
    hint = "本であれば、PDF、docx、xlsx、EPUB、HTML、Markdown、テキストのどれかで保存し直してください。"
    if file.suffix == ".toml":
        if any(sidecar_of(book) == file for book in beside):
            return
        reason = f"書誌を書いたファイルなら、本のファイル({file.stem})が隣にありません。"
        hint = "名前を「本のファイル名.toml」にしてください。"
    yield Found(file, source, left_out=f"{source}: {reason}{hint}")


def _missing(path: Path, cause: str, hint: str) -> Found:
    return Found(path, str(path), UnreadableFile(f"{path} {cause}", hint=hint, field=str(path)))
