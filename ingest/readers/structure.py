"""What a PDF says of itself apart from its pages: password, title, author, outline, page labels.

pypdf reads it. Where pypdf gives up on a file, pdfium's own account stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
from pypdf import PasswordType, PdfReader
from pypdf.errors import DependencyError, PyPdfError

from app.core.book import OutlineItem
from ingest.readers.faults import locked

# What pypdf lets through on damaged files, besides its own errors.
_GIVES_UP = (
    PyPdfError,
    DependencyError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
_MOST_ITEMS = 20_000
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Structure:
    """Strings are cleaned by `clean_text`; `labels` holds one a page, none where none are stated."""

    pages: int
    title: str = ""
    author: str = ""
    outline: tuple[OutlineItem, ...] = ()
    labels: tuple[str, ...] = ()


def structure(path: Path, password: str | None) -> Structure | None:
    """What pypdf reads of a file; None where it gives up.

    Raises UnreadableFile where the file wants a password, or another one.
    """
    try:
        with path.open("rb") as file:
            reader = PdfReader(file)
            if reader.is_encrypted:
                opened = reader.decrypt(password or "")
                if opened == PasswordType.NOT_DECRYPTED:
                    raise locked(path, password)
            metadata = reader.metadata
            return Structure(
                len(reader.pages),
                clean_text((metadata and metadata.title) or ""),
                clean_text((metadata and metadata.author) or ""),
                tuple(_outline(reader)),
                _labels(reader),
            )
    except _GIVES_UP:
        return None


def structure_by_pdfium(pdf: pdfium.PdfDocument) -> Structure:
    """What pdfium reads of an open document."""
    labels = tuple(clean_text(pdf.get_page_label(index)) for index in range(len(pdf)))
    return Structure(
        len(pdf),
        clean_text(pdf.get_metadata_value("Title")),
        clean_text(pdf.get_metadata_value("Author")),
        tuple(_outline_by_pdfium(pdf)),
        labels if any(labels) else (),
    )


def _labels(reader: PdfReader) -> tuple[str, ...]:
    # Without /PageLabels pypdf would count 1, 2, 3.
    if "/PageLabels" not in reader.root_object:
        return ()
    return tuple(clean_text(label) for label in reader.page_labels)


def _outline(reader: PdfReader) -> Iterator[OutlineItem]:
    for number, (item, level) in enumerate(_flat(reader.outline, 1)):
        if number >= _MOST_ITEMS:
            return
        index = reader.get_destination_page_number(item)
        title = clean_text(str(item.title or ""))
        if title and index is not None and index >= 0:
            yield OutlineItem(title, level, index)


def _flat(items: list[Any], level: int) -> Iterator[tuple[Any, int]]:
    """Items with their levels: pypdf puts what stands below an item in a list after it."""
    for item in items:
        if not isinstance(item, list):
            yield item, level
        elif level < _DEEPEST:
            yield from _flat(item, level + 1)


def _outline_by_pdfium(pdf: pdfium.PdfDocument) -> Iterator[OutlineItem]:
    try:
        for number, item in enumerate(pdf.get_toc(max_depth=_DEEPEST)):
            if number >= _MOST_ITEMS:
                return
            dest = item.get_dest()
            index = dest.get_index() if dest is not None else None
            title = clean_text(item.get_title())
            if title and index is not None:
                yield OutlineItem(title, item.level + 1, index)
    except pdfium.PdfiumError:
        return


def usable_title(title: str) -> str:
    """A title, or nothing where a program put the name of its own source file there."""
    is_file = re.search(
        r"\.(docx?|tex|dvi|indd|xlsx?|html?|jtd|pdf)$|^(無題|untitled|Microsoft Word)", title, re.I
    )
    return "" if is_file else title


def clean_text(text: str) -> str:
    """A string from the file's own dictionary: control characters dropped, 16-bit EUC repaired."""
    repaired = _euc_repaired(text)
    return "".join(char for char in repaired if char.isprintable() or char == "\u3000").strip()


def _euc_repaired(text: str) -> str:
    """Bookmarks of dvipdfmx without a conversion table hold EUC-JP pairs as if they were UTF-16."""

    def is_euc(char: str) -> bool:
        return ord(char) >> 8 >= 0xA1 and ord(char) & 0xFF >= 0xA1 and ord(char) < 0xFF00

    suspects = [char for char in text if ord(char) > 0x2FFF]
    if not suspects or not all(is_euc(char) for char in suspects):
        return text
    try:
        return "".join(
            char.encode("utf-16-be").decode("euc_jp") if is_euc(char) else char for char in text
        )
    except UnicodeError:
        return text
