"""Plain text → Document: the encoding is found, a line is a paragraph."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.book import Document, Line, Page
from ingest.readers.faults import empty, unknown_encoding

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)


def read_text(path: Path) -> Document:
    """One page for each form feed, else one page. Raises UnreadableFile and NoText."""
    text, warnings = decode(path)
    pages = tuple(
        Page(index=index, lines=_lines(part), extractor="text")
        for index, part in enumerate(text.split("\f"))
    )
    if not any(page.lines for page in pages):
        raise empty(path)
    return Document(path.stem, pages, media_type="text/plain", warnings=warnings)


def _lines(text: str) -> tuple[Line, ...]:
    return tuple(Line(line.strip()) for line in text.splitlines() if line.strip())


def decode(path: Path) -> tuple[str, tuple[str, ...]]:
    """A text file's content and warnings. Tries UTF-8, UTF-16 by its mark, EUC-JP and CP932.

    Invisible characters (control, zero-width, direction marks) are dropped and counted.
    Raises UnreadableFile where no encoding fits.
    """
    text = decode_bytes(path.read_bytes())
    if text is None:
        raise unknown_encoding(path)
    clean, count = without_invisible(text)
    return clean, (f"見えない文字を{count}字除きました",) if count else ()


def decode_bytes(data: bytes) -> str | None:
    """Decoded text, None where no known encoding fits."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _try(data, "utf-16")
    if b"\x1b$" in data:
        return _try(data, "iso2022_jp")
    text = _try(data, "utf-8-sig")
    if text is not None:
        return text
    # both may decode a short text; kana tell which one it is
    found = [text for text in (_try(data, "euc_jp"), _try(data, "cp932")) if text is not None]
    return max(found, key=_kana, default=None)


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _kana(text: str) -> int:
    return sum(1 for char in text if "ぁ" <= char <= "ヶ") - sum(
        2 for char in text if "｡" <= char <= "ﾟ"
    )


def without_invisible(text: str) -> tuple[str, int]:
    """The text without characters that print nothing, and how many there were."""
    return _CONTROL.subn("", text)
