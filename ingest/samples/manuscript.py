"""Reads the Markdown subset the sample books are written in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

BODY_MARKER = "<!-- 本文 -->"
RUBY = re.compile(r"\{([^{}|]+)\|([^{}|]+)\}")

BlockKind = Literal["heading", "para", "list", "table", "note"]


@dataclass(frozen=True)
class Block:
    """One block of a manuscript; `level` counts from 1 for headings, `rows` belong to tables."""

    kind: BlockKind
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Manuscript:
    """A source file: its title-page facts, the matter before page 1, and the body."""

    meta: dict[str, str]
    front: tuple[Block, ...]
    body: tuple[Block, ...]


def read_manuscript(path: Path) -> Manuscript:
    """Parse a source file; raises ValueError where the front matter or the body marker is missing."""
    text = path.read_text(encoding="utf-8")
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if match is None or BODY_MARKER not in text:
        raise ValueError(f"{path.name}: front matter or {BODY_MARKER} is missing")
    meta = {key: str(value) for key, value in yaml.safe_load(match[1]).items()}
    front, body = text[match.end() :].split(BODY_MARKER, 1)
    return Manuscript(meta, tuple(parse_blocks(front)), tuple(parse_blocks(body)))


def parse_blocks(text: str) -> Iterator[Block]:
    """Blocks of the Markdown subset the sources use, separated by blank lines."""
    for chunk in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in chunk.splitlines() if line.strip()]
        while lines and (match := re.match(r"(#{1,4})\s+(.+)", lines[0])):
            yield Block("heading", match[2], len(match[1]))
            lines.pop(0)
        if not lines:
            continue
        if all(line.startswith("|") for line in lines):
            yield Block("table", rows=tuple(parse_rows(lines)))
        elif all(re.match(r"[-*] ", line) for line in lines):
            yield from (Block("list", line[2:].strip()) for line in lines)
        elif all(re.match(r"\[\^[^\]]+\]:", line) for line in lines):
            yield from (Block("note", line) for line in lines)
        elif lines[0].startswith("<!--"):
            continue
        else:
            yield Block("para", "".join(lines))


def parse_rows(lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Cells of a pipe table, without its rule line."""
    for line in lines:
        # Ruby carries a pipe of its own: {漢字|かんじ} would be cut in two.
        masked = RUBY.sub("{\\1\x00\\2}", line.strip("|"))
        cells = tuple(cell.strip().replace("\x00", "|") for cell in masked.split("|"))
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            yield cells


def plain(text: str) -> str:
    """Text without ruby, emphasis and note marks, for running heads and outlines."""
    return re.sub(r"\*\*|\[\^[^\]]+\]", "", RUBY.sub(r"\1", text))
