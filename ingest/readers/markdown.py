"""Markdown → Document: headings become levels, everything else paragraphs and table rows."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.book import Document, Line, Page, Ruby
from ingest.readers.faults import empty
from ingest.readers.text import decode

_HEADING = re.compile(r"(#{1,6})[ \t\u3000]+(.*?)[ \t]*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_TABLE = re.compile(r"\s*\|")
_TABLE_RULE = re.compile(r"\s*\|?[\s:|-]*-{2,}[\s:|-]*$")
_RULE = re.compile(r"\s*([-*_])(\s*\1){2,}\s*$")
_ITEM = re.compile(r"\s*([-*+]|\d{1,3}[.)])\s+")
_BULLET = re.compile(r"^\s*[-*+]\s+")
_QUOTE = re.compile(r"^\s*(>\s?)+")
_META = re.compile(r"([a-z_]+)\s*:\s*(.*)$")
_FIELDS = frozenset(
    ["title", "edition", "authors", "publisher", "published", "isbn", "as_of", "shelf"]
)
_RUBY = re.compile(r"<ruby>(.*?)</ruby>", re.S)
_INLINE = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"`([^`]+)`"), r"\1"),
    (re.compile(r"<br\s*/?>"), "\u3000"),
    (re.compile(r"</?(?:b|i|u|em|strong|span|sub|sup|small|div|p|a)\b[^>]*>"), ""),
    (re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>])"), r"\1"),
)


def read_markdown(path: Path) -> Document:
    """One page. A leading `---` block may state title, edition, authors and so on.

    A source line goes on with the paragraph before it unless a blank line, a list
    mark or the end of a sentence parts them. Raises UnreadableFile and NoText.
    """
    text, warnings = decode(path)
    metadata, body = _front_matter(text)
    lines = _lines(re.sub(r"<!--.*?-->", "", body, flags=re.S))
    if not lines:
        raise empty(path)
    first = next((line.text for line in lines if line.level == 1), "")
    title = metadata.pop("title", "") or first or path.stem
    page = Page(index=0, lines=tuple(lines), extractor="markdown")
    return Document(
        title, (page,), metadata=metadata, media_type="text/markdown", warnings=warnings
    )


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    head = re.match(r"---[ \t]*\n(.*?\n)---[ \t]*\n", text, re.S)
    if head is None:
        return {}, text
    found = {}
    for row in head[1].splitlines():
        field = _META.match(row)
        if field and field[1] in _FIELDS and field[2].strip():
            found[field[1]] = field[2].strip().strip("\"'")
    return found, text[head.end() :]


def _lines(text: str) -> list[Line]:
    lines: list[Line] = []
    fenced = False
    open_paragraph = False
    for row in text.splitlines():
        if _FENCE.match(row):
            fenced = not fenced
            open_paragraph = False
            continue
        if fenced:
            if row.strip():
                lines.append(Line(row.rstrip()))
            continue
        if not row.strip() or _RULE.match(row) or _TABLE_RULE.match(row):
            open_paragraph = False
            continue
        heading = _HEADING.match(row)
        if heading:
            content, ruby = _inline(heading[2])
            if content:
                level = len(heading[1])
                lines.append(Line(content, kind="heading", level=level, ruby=ruby))
            open_paragraph = False
        elif _TABLE.match(row):
            content, _ = _inline("\u3000".join(_cells(row)))
            if content:
                lines.append(Line(content, kind="table"))
            open_paragraph = False
        else:
            item = _ITEM.match(row)
            content, ruby = _inline(_BULLET.sub("", _QUOTE.sub("", row)))
            if content:
                goes_on = open_paragraph and not item and not lines[-1].text.endswith("。")
                lines.append(Line(content, starts_paragraph=not goes_on, ruby=ruby))
                open_paragraph = not row.endswith("  ")
    return lines


def _cells(row: str) -> list[str]:
    cells = (cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|")))
    return [cell for cell in cells if cell]


def _inline(text: str) -> tuple[str, tuple[Ruby, ...]]:
    """Text without its marks, and the readings of `<ruby>` elements."""
    plain = ""
    ruby = []
    place = 0
    for match in _RUBY.finditer(text):
        plain += _plain(text[place : match.start()])
        for base, reading in re.findall(r"(.*?)<rt>(.*?)</rt>", match[1], re.S):
            start = len(plain)
            plain += re.sub(r"<rp>.*?</rp>|<[^>]*>", "", base)
            if len(plain) > start:
                ruby.append(Ruby(start, len(plain), reading.strip()))
        place = match.end()
    plain += _plain(text[place:])
    lead = len(plain) - len(plain.lstrip())
    moved = tuple(Ruby(r.start - lead, r.end - lead, r.text) for r in ruby)
    return plain.strip(), moved


def _plain(text: str) -> str:
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text
