"""Turns the blocks of a manuscript into HTML, for the printed books and the EPUB alike."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.samples.manuscript import RUBY, Block, plain

WARNING = "この本はソフトウェアのために作った見本であり、実務の根拠にはならない。"
KANJI_DIGITS = "〇一二三四五六七八九"


@dataclass(frozen=True)
class Heading:
    """A heading with the anchor its table-of-contents entry points to."""

    anchor: str
    title: str
    level: int


class Composer:
    """Turns blocks into HTML and numbers headings and notes as it goes."""

    def __init__(self, *, kanji: bool) -> None:
        self.kanji = kanji
        self.headings: list[Heading] = []
        self._note_numbers: dict[str, str] = {}
        self._pending: list[str] = []

    def compose(self, blocks: Iterable[Block]) -> str:
        """The blocks as HTML; notes stand at the end of the section they belong to."""
        parts: list[str] = []
        for block in blocks:
            if block.kind == "heading" and block.level <= 2:
                parts.append(self._flush_notes())
            parts.append(self._block(block))
        parts.append(self._flush_notes())
        return "\n".join(part for part in parts if part)

    def inline(self, text: str) -> str:
        """Ruby, emphasis and note marks of one paragraph as XHTML."""
        out = html.escape(text, quote=False)
        out = RUBY.sub(r"<ruby>\1<rp>（</rp><rt>\2</rt><rp>）</rp></ruby>", out)
        out = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", out)
        return re.sub(r"\[\^([^\]]+)\]", lambda match: self._note_mark(match[1]), out)

    def _block(self, block: Block) -> str:
        if block.kind == "heading":
            heading = Heading(f"s{len(self.headings)}", plain(block.text), block.level)
            self.headings.append(heading)
            title = self.inline(block.text)
            return f'<h{block.level} id="{heading.anchor}">{title}</h{block.level}>'
        if block.kind == "table":
            return self._table(block.rows)
        if block.kind == "list":
            return f'<p class="item">・{self.inline(block.text)}</p>'
        if block.kind == "note":
            key, text = block.text[2:].split("]:", 1)
            self._pending.append(
                f'<p class="note">{self._note_mark(key)}　{self.inline(text.strip())}</p>'
            )
            return ""
        answer = ' class="answer"' if re.match(r"(\*\*)?答(\*\*)?[　\s]", block.text) else ""
        return f"<p{answer}>{self.inline(block.text)}</p>"

    def _table(self, rows: tuple[tuple[str, ...], ...]) -> str:
        lines = []
        for number, row in enumerate(rows):
            tag = "th" if number == 0 else "td"
            lines.append(
                "<tr>" + "".join(f"<{tag}>{self.inline(c)}</{tag}>" for c in row) + "</tr>"
            )
        return "<table>" + "".join(lines) + "</table>"

    def _note_mark(self, key: str) -> str:
        if key not in self._note_numbers:
            number = len(self._note_numbers) + 1
            self._note_numbers[key] = kanji_number(number) if self.kanji else str(number)
        return f'<span class="mark">（注{self._note_numbers[key]}）</span>'

    def _flush_notes(self) -> str:
        notes, self._pending = self._pending, []
        return f'<div class="notes">{"".join(notes)}</div>' if notes else ""


def cover_html(meta: dict[str, str]) -> str:
    """The cover."""
    return (
        '<section class="cover">'
        f'<p class="title">{meta["title"]}</p><p class="subtitle">{meta["subtitle"]}</p>'
        f'<p class="warn">{WARNING}</p>'
        f'<p class="by">{meta["authors"]}</p><p class="publisher">{meta["publisher"]}</p></section>'
    )


def colophon_html(meta: dict[str, str], *, kanji: bool) -> str:
    """The last page: title, edition, dates, publisher, and what the book is not."""
    lines = "".join(f"<p>{name}　{value}</p>" for name, value in imprint(meta, kanji=kanji))
    return f'<section class="colophon"><p class="title">{meta["title"]}</p>{lines}<p class="warn">{WARNING}</p></section>'


def imprint(meta: dict[str, str], *, kanji: bool) -> list[tuple[str, str]]:
    """What the colophon states, in the order it is printed."""
    return [
        ("版", meta["edition"]),
        ("発行", japanese_date(meta["published"], kanji=kanji)),
        ("内容現在日", japanese_date(meta["as_of"], kanji=kanji)),
        ("著者", meta["authors"]),
        ("発行所", meta["publisher"]),
    ]


def full_date(iso: str) -> str:
    """A day for file formats that need one: 2026-04 as 2026-04-01."""
    return iso + "-01" * (2 - iso.count("-"))


def japanese_date(iso: str, *, kanji: bool) -> str:
    """2026-04-01 as 令和八年四月一日 or 令和8年4月1日; the Reiwa era only, which all samples are from."""
    year, *rest = (int(part) for part in iso.split("-"))
    units = zip((year - 2018, *rest), "年月日", strict=False)
    return "令和" + "".join(
        (kanji_number(number) if kanji else str(number)) + unit for number, unit in units
    )


def kanji_number(number: int) -> str:
    """1 to 99 as vertical books count: 十二."""
    tens, ones = divmod(number, 10)
    lead = "" if tens == 0 else ("十" if tens == 1 else KANJI_DIGITS[tens] + "十")
    return lead + (KANJI_DIGITS[ones] if ones else "")
