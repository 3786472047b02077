"""Numbered headings set like the text (１　総説, 第１　通則, 1.2 届出, (1) 要件), told from list items.

A number alone proves nothing: items, paragraphs (項) and steps bear them too. It heads a
section where all numbers of its kind, counted on from 1, stand before a few words on a line
of their own, and what follows each of them is text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.core.book import Line

_LONGEST = 30  # characters of a title
_LOOK_AHEAD = 8  # lines of a paragraph within which its first sentence ends
_SPACE = "[\\s\u3000]"
# the number's forms after NFKC; each begins anew below a heading of another
_FORMS = {
    "第1": re.compile(rf"第([0-9]{{1,2}}){_SPACE}+(?=\S)"),
    "1.1": re.compile(rf"((?:[0-9]{{1,2}}[.\-])+[0-9]{{1,2}})[.]?{_SPACE}+(?=\S)"),
    "1": re.compile(rf"([0-9]{{1,2}})(?:[.、]{_SPACE}*|{_SPACE}+)(?=[^\s0-9])"),
    "(1)": re.compile(rf"\(([0-9]{{1,2}})\){_SPACE}*(?=\S)"),
}
_ENDS = ("。", "、", ".", ",", ":", ";", "?", "!")


@dataclass(frozen=True, slots=True)
class _Item:
    """A numbered line: its place, the form and value of its number, and whether it may be a heading."""

    at: int
    form: str
    before: tuple[int, ...]
    value: int
    heads: bool


def numbered_headings(lines: Sequence[Line]) -> dict[int, str]:
    """Which lines of a document are numbered headings: their indices, and the form of the number."""
    items = [item for at in range(len(lines)) if (item := _item(lines, at)) is not None]
    titles = {item.at for item in items if item.heads}
    first = {item.at for item in items if item.heads and item.value == 1}
    sure: dict[int, str] = {}
    for form in {item.form for item in items}:
        for run in _runs([item for item in items if item.form == form]):
            if len(run) > 1 and all(
                item.heads and _has_text(lines, item.at + 1, titles, first) for item in run
            ):
                sure |= {item.at: form for item in run}
    return sure


def _item(lines: Sequence[Line], at: int) -> _Item | None:
    line = lines[at]
    if line.kind not in ("body", "heading") or not line.starts_paragraph:
        return None
    text = unicodedata.normalize("NFKC", line.text).strip()
    for form, pattern in _FORMS.items():
        if match := pattern.match(text):
            *before, value = map(int, re.split(r"[.\-]", match[1]))
            title = text[match.end() :]
            alone = at + 1 == len(lines) or lines[at + 1].starts_paragraph
            heads = (
                alone
                and 2 <= len(title) <= _LONGEST
                and "。" not in title
                # 二　前項の… ends without a full stop where a line is lost
                and not title.endswith(_ENDS)
            )
            depth = f"{form}/{len(before)}" if before else form
            return _Item(at, depth, tuple(before), value, heads)
    return None


def _runs(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """Items of one form that count on from 1."""
    run: list[_Item] = []
    for item in items:
        if run and item.before == run[-1].before and item.value == run[-1].value + 1:
            run.append(item)
        elif item.value == 1:
            yield run
            run = [item]
    yield run


def _has_text(lines: Sequence[Line], at: int, titles: set[int], first: set[int]) -> bool:
    """Whether a paragraph of text, a table or the first heading of a deeper kind begins at a line."""
    if at >= len(lines):
        return False
    if lines[at].kind == "table" or at in first:
        return True
    if at in titles or lines[at].kind != "body":
        return False
    for number in range(at, min(at + _LOOK_AHEAD, len(lines))):
        if number > at and lines[number].starts_paragraph:
            return False
        if "。" in lines[number].text:
            return True
    return False
