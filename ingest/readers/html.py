"""HTML → Document: what a reader of the page sees; scripts, styles and hidden parts are dropped."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from app.core.book import Document, Page
from ingest.readers.faults import empty, unknown_encoding
from ingest.readers.markup import Flow, parse_html
from ingest.readers.text import decode_bytes

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_\-]+)", re.I)


def read_html(path: Path) -> Document:
    """One page; the heading levels are h1 to h6. Raises UnreadableFile and NoText."""
    root = parse_html(decode_html(path.read_bytes(), path), path)
    flow = Flow()
    body = root.find("body")
    flow.walk(root if body is None else body)
    lines = tuple(line for page in flow.pages for line in page.lines)
    if not lines:
        raise empty(path)
    title = " ".join((root.findtext(".//title") or "").split())
    return Document(
        title or path.stem,
        (Page(index=0, lines=lines, extractor="html"),),
        media_type="text/html",
        warnings=hidden_warning(flow.hidden),
    )


def hidden_warning(count: int) -> tuple[str, ...]:
    """A warning where characters nobody sees were dropped."""
    return (f"見えない文字を{count}字除きました",) if count else ()


def decode_html(data: bytes, path: Path) -> str:
    """Text by the charset the page states, else by what fits. Raises UnreadableFile."""
    stated = _CHARSET.search(data[:4096])
    if stated and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        name = stated[1].decode("ascii").lower()
        if name in {"shift_jis", "sjis", "x-sjis", "shift-jis", "windows-31j"}:
            name = "cp932"
        try:
            return data.decode(codecs.lookup(name).name, errors="strict")
        except (LookupError, UnicodeDecodeError):
            pass  # the page misstates its charset
    text = decode_bytes(data)
    if text is None:
        raise unknown_encoding(path)
    return text
