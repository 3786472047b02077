"""Which reader reads a file: its first bytes decide, its name only where they cannot."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from app.core.book import Document
from app.core.errors import UnknownFormat, UnreadableFile
from ingest.readers.faults import broken, too_many_pages

OnPage = Callable[[int, int], None]

SUFFIXES = {
    ".pdf": "pdf",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".docx": "docx",
    ".epub": "epub",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".xml": "lawxml",
    ".xlsx": "xlsx",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".tif": "image",
    ".tiff": "image",
    ".zip": "zip",
}
"""Known file names and the format each stands for."""

_NAMES = {
    "pdf": "PDF",
    "markdown": "Markdown",
    "text": "テキスト",
    "docx": "Word文書(docx)",
    "epub": "EPUB",
    "html": "HTML",
    "lawxml": "法令XML",
    "xlsx": "Excelブック(xlsx)",
    "image": "画像",
    "zip": "ZIP",
    "ole": "旧形式のOffice文書",
}
_KNOWN_BY_CONTENT = ("pdf", "docx", "xlsx", "epub")
_JUNK = ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini")
_FUNCTIONS = {
    "markdown": ("ingest.readers.markdown", "read_markdown"),
    "text": ("ingest.readers.text", "read_text"),
    "docx": ("ingest.readers.docx", "read_docx"),
    "epub": ("ingest.readers.epub", "read_epub"),
    "html": ("ingest.readers.html", "read_html"),
    "lawxml": ("ingest.readers.lawxml", "read_lawxml"),
    "xlsx": ("ingest.readers.xlsx", "read_xlsx"),
}


def read(
    path: Path,
    *,
    password: str | None = None,
    on_page: OnPage | None = None,
    max_pages: int = 10_000,
) -> Document:
    """Read a file in this process; `ingest.sandbox.read_book` does it in a child with limits.

    A file whose name and content disagree is read by its content, with a warning.
    Raises UnknownFormat, UnreadableFile or NoText.
    """
    if not path.is_file():
        raise UnreadableFile(
            f"{path.name}が見つかりません。",
            hint="ファイルの場所と名前を確かめてください。",
            field=path.name,
        )
    if path.stat().st_size == 0:
        raise UnreadableFile(
            f"{path.name}は空のファイル(0バイト)です。",
            hint="元のファイルをもう一度コピーしてください。",
            field=path.name,
        )
    kind = sniff(path)
    document = _read_as(kind, path, password, on_page, max_pages)
    named = SUFFIXES.get(path.suffix.lower(), "")
    if named and named != kind:
        note = f"拡張子は{path.suffix}ですが、中身は{_NAMES[kind]}として読みました"
        document = Document(
            document.title,
            document.pages,
            document.outline,
            document.metadata,
            document.media_type,
            (*document.warnings, note),
        )
    return document


def _read_as(
    kind: str, path: Path, password: str | None, on_page: OnPage | None, max_pages: int
) -> Document:
    if kind == "pdf":
        from ingest.readers.pdf import read_pdf

        return read_pdf(path, password=password, on_page=on_page, max_pages=max_pages)
    if kind == "image":
        from ingest.readers.ocr import read_image

        return read_image(path, on_page=on_page, max_pages=max_pages)
    if kind == "ole":
        raise UnknownFormat(
            f"{path.name}は旧形式のOffice文書か、パスワードで保護されたOffice文書です。",
            hint="docx・xlsx形式で、保護を外して保存し直してください。",
            field=path.name,
        )
    if kind == "zip":
        raise UnknownFormat(
            f"{path.name}はZIPファイルです。そのままでは本として読めません。",
            hint="展開してから、中のファイルを登録してください。",
            field=path.name,
        )
    module, function = _FUNCTIONS[kind]
    reader: Callable[[Path], Document] = getattr(import_module(module), function)
    document = reader(path)
    count = len(document.pages)
    if count > max_pages:
        raise too_many_pages(path, count, max_pages)
    if on_page is not None:
        on_page(count, count)
    return document


def sniff(path: Path) -> str:
    """The format of a file, one of the values of `SUFFIXES` or `ole`.

    Raises UnknownFormat where neither content nor name tells.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    named = SUFFIXES.get(path.suffix.lower(), "")
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _sniff_zip(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "ole"
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")):
        return "image"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<?xml") or start.startswith(b"<law"):
        return "html" if b"<html" in start else "lawxml"
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    if named in {"markdown", "text", "html", "lawxml"} and b"\x00" not in head:
        return named
    if named in {"text", "markdown"} and head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return named
    if named:
        raise UnreadableFile(
            f"{path.name}は{_NAMES[named]}ではありません(中身が壊れているか、別の形式です)。",
            hint="元のファイルを開けるか確かめ、正しい形式で保存し直してください。",
            field=path.name,
        )
    raise UnknownFormat(
        f"{path.name}の形式には対応していません。",
        hint="PDF、Word(docx)、Excel(xlsx)、EPUB、HTML、Markdown、テキスト、法令XML、画像が読めます。",
        field=path.name,
    )


def _sniff_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        named = SUFFIXES.get(path.suffix.lower(), "zip")
        raise broken(path, _NAMES[named]) from error
    if "word/document.xml" in names:
        return "docx"
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "META-INF/container.xml" in names:
        return "epub"
    return "zip"


def find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """All files in the given files and folders, in order of path, but for what `is_junk`."""
    for path in sorted(paths):
        if is_junk(path.name):
            continue
        if path.is_dir():
            yield from find_files(list(path.iterdir()))
        else:
            yield path


def is_junk(name: str) -> bool:
    """Whether a file or folder is kept by a system for itself: hidden, a lock, a cache of pictures."""
    return name.startswith((".", "~$")) or name.lower() in _JUNK


def is_book(path: Path) -> bool:
    """Whether a file found in a folder is meant to be read: by its name, or by what is in it."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        return path.is_file() and sniff(path) in _KNOWN_BY_CONTENT
    except (OSError, UnknownFormat, UnreadableFile):
        return False
