"""Word (docx) → Document: paragraphs, readings, automatic numbers and table rows from the XML.

A docx holds no printed pages, so everything is one page.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZipFile

from lxml import etree

from app.core.book import Document, Line, LineKind, Page, Ruby
from ingest.readers.archive import open_zip, read_member
from ingest.readers.faults import empty
from ingest.readers.html import hidden_warning
from ingest.readers.markup import parse_xml
from ingest.readers.text import without_invisible

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_LEFT_OUT = frozenset(
    [
        f"{_W}del",
        f"{_W}moveFrom",
        f"{_W}rPr",
        f"{_W}pPr",
        f"{_W}instrText",
        _FALLBACK,
    ]
)


@dataclass(frozen=True, slots=True)
class _Style:
    level: int = 0
    number: tuple[str, int] | None = None


@dataclass(slots=True)
class _Numbering:
    """Automatic numbers: how each level of each list looks, and how far it has counted."""

    levels: dict[tuple[str, int], tuple[str, str, int, str]] = field(default_factory=dict)
    counters: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 9))
    lists: dict[str, str] = field(default_factory=dict)

    def next(self, list_id: str, level: int) -> str:
        """The label of the next paragraph in this list, with what follows it; empty for bullets."""
        abstract = self.lists.get(list_id, "")
        look = self.levels.get((abstract, level))
        if look is None or level > 8:
            return ""
        counts = self.counters[abstract]
        counts[level] = counts[level] + 1 if counts[level] else look[2]
        for deeper in range(level + 1, 9):
            counts[deeper] = 0
        if look[0] in ("bullet", "none"):
            return ""
        label = look[1]
        for place in range(level + 1):
            style = self.levels.get((abstract, place), look)
            value = counts[place] or style[2]
            label = label.replace(f"%{place + 1}", number_text(value, style[0]))
        return label + ("" if look[3] == "nothing" else "\u3000")


def read_docx(path: Path) -> Document:
    """One page; heading levels from the styles. Raises UnreadableFile and NoText."""
    with open_zip(path) as archive:
        body = parse_xml(read_member(archive, "word/document.xml", path), path).find(f"{_W}body")
        styles = _styles(_part(archive, "word/styles.xml", path))
        reader = _Reader(
            styles,
            _numbering(_part(archive, "word/numbering.xml", path)),
            _notes(_part(archive, "word/footnotes.xml", path)),
        )
        core = _part(archive, "docProps/core.xml", path)
    lines = [] if body is None else list(reader.lines(body))
    if not lines:
        raise empty(path)
    title = "" if core is None else (core.findtext(f"{_DC}title") or "").strip()
    author = "" if core is None else (core.findtext(f"{_DC}creator") or "").strip()
    return Document(
        title or path.stem,
        (Page(index=0, lines=tuple(lines), extractor="docx"),),
        metadata={"authors": author} if author else {},
        media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        warnings=hidden_warning(reader.hidden),
    )


def _part(archive: ZipFile, name: str, path: Path) -> etree._Element | None:
    if name not in archive.namelist():
        return None
    return parse_xml(read_member(archive, name, path), path)


class _Reader:
    """Turns block elements into lines, in document order."""

    def __init__(
        self,
        styles: dict[str, _Style],
        numbering: _Numbering,
        notes: dict[str, etree._Element],
    ) -> None:
        self.styles = styles
        self.numbering = numbering
        self.notes = notes
        self.hidden = 0

    def lines(self, parent: etree._Element) -> Iterator[Line]:
        for block in parent:
            if block.tag == f"{_W}p":
                yield from self._paragraph(block)
            elif block.tag == f"{_W}tbl":
                yield from self._table(block)
            elif block.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
                yield from self.lines(block)

    def _table(self, table: etree._Element) -> Iterator[Line]:
        for row in table.iter(f"{_W}tr"):
            if next(row.iterancestors(f"{_W}tbl")) is not table:
                continue
            cells = []
            for cell in row.findall(f"{_W}tc"):
                paragraphs = [line.text for p in cell.iter(f"{_W}p") for line in self._paragraph(p)]
                if paragraphs:
                    cells.append("".join(paragraphs))
            if cells:
                yield Line("\u3000".join(cells), kind="table")

    def _paragraph(self, paragraph: etree._Element) -> Iterator[Line]:
        style = self._style(paragraph)
        text, ruby, notes = self._runs(paragraph)
        if text.strip():
            label = ""
            if style.number is not None:
                label = self.numbering.next(*style.number)
            yield from _split(label, text, ruby, style.level)
        for box in paragraph.iter(f"{_W}txbxContent"):
            holder = next(box.iterancestors(f"{_W}p"), None)
            if holder is paragraph and next(box.iterancestors(_FALLBACK), None) is None:
                yield from self.lines(box)
        for note in notes:
            inner = (self._runs(p)[0].strip() for p in note.iter(f"{_W}p"))
            content = "".join(inner)
            if content:
                yield Line(content, kind="footnote")

    def _style(self, paragraph: etree._Element) -> _Style:
        """The paragraph's own level and list, else those of its style."""
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            return self.styles.get("", _Style())
        name = properties.find(f"{_W}pStyle")
        style = self.styles.get("" if name is None else name.get(f"{_W}val", ""), _Style())
        return _Style(_level(properties) or style.level, _list(properties, style.number))

    def _runs(self, paragraph: etree._Element) -> tuple[str, list[Ruby], list[etree._Element]]:
        """Text with readings apart, and the footnotes it refers to."""
        text = ""
        ruby: list[Ruby] = []
        notes = []
        skipping: etree._Element | None = None
        base = 0
        reading: str | None = None
        for event, element in etree.iterwalk(paragraph, events=("start", "end")):
            tag = element.tag
            if event == "end":
                if element is skipping:
                    skipping = None
                elif tag == f"{_W}rt":
                    pending, reading = reading or "", None
                    base = len(text)
                    ruby.append(Ruby(base, base, pending))
                elif tag == f"{_W}ruby" and ruby and len(text) > base:
                    ruby[-1] = Ruby(base, len(text), ruby[-1].text)
                continue
            if skipping is not None:
                continue
            if tag in _LEFT_OUT or (tag == f"{_W}p" and element is not paragraph):
                skipping = element
            elif tag == f"{_W}r" and element.find(f"{_W}rPr/{_W}vanish") is not None:
                self.hidden += sum(len(t.text or "") for t in element.iter(f"{_W}t"))
                skipping = element
            elif tag == f"{_W}rt":
                reading = ""
            elif tag == f"{_W}t":
                if reading is not None:
                    reading += element.text or ""
                else:
                    text += element.text or ""
            elif tag == f"{_W}tab":
                text += "\u3000"
            elif tag in (f"{_W}br", f"{_W}cr"):
                text += "\n"
            elif tag == f"{_W}noBreakHyphen":
                text += "-"
            elif tag == f"{_W}footnoteReference":
                note = self.notes.get(element.get(f"{_W}id", ""))
                if note is not None:
                    notes.append(note)
        return text, [r for r in ruby if r.end > r.start], notes


def _split(label: str, text: str, ruby: list[Ruby], level: int) -> Iterator[Line]:
    """One line for each manual line break of a paragraph."""
    start = 0
    for number, part in enumerate(text.split("\n")):
        lead = len(part) - len(part.lstrip())
        shown = part.strip()
        front = label if number == 0 else ""
        shift = len(front) - start - lead
        own = tuple(
            Ruby(r.start + shift, r.end + shift, r.text)
            for r in ruby
            if start + lead <= r.start and r.end <= start + lead + len(shown)
        )
        start += len(part) + 1
        clean, count = without_invisible(front + shown)
        if clean.strip():
            kind: LineKind = "heading" if level else "body"
            yield Line(
                clean,
                kind=kind,
                level=level,
                starts_paragraph=number == 0,
                ruby=() if count else own,
            )


# --- styles, lists, notes ------------------------------------------------------------------


def _level(properties: etree._Element) -> int:
    outline = properties.find(f"{_W}outlineLvl")
    value = -1 if outline is None else _int(outline.get(f"{_W}val"), -1)
    return value + 1 if 0 <= value <= 8 else 0


def _list(properties: etree._Element, inherited: tuple[str, int] | None) -> tuple[str, int] | None:
    number = properties.find(f"{_W}numPr")
    if number is None:
        return inherited
    list_id = number.find(f"{_W}numId")
    level = number.find(f"{_W}ilvl")
    name = list_id.get(f"{_W}val", "") if list_id is not None else ""
    if list_id is None and inherited is not None:
        name = inherited[0]
    if name in ("", "0"):
        return None
    return (name, 0 if level is None else _int(level.get(f"{_W}val"), 0))


def _int(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"-?\d{1,6}", text) else default


def _styles(root: etree._Element | None) -> dict[str, _Style]:
    """Heading level and list of each paragraph style, what it inherits included."""
    if root is None:
        return {}
    elements = {
        style.get(f"{_W}styleId", ""): style
        for style in root.iter(f"{_W}style")
        if style.get(f"{_W}type") == "paragraph"
    }
    return {name: _resolved(name, elements, 0) for name in elements}


def _resolved(name: str, elements: dict[str, etree._Element], depth: int) -> _Style:
    style = elements.get(name)
    if style is None or depth > 20:
        return _Style()
    based = style.find(f"{_W}basedOn")
    parent = _Style()
    if based is not None:
        parent = _resolved(based.get(f"{_W}val", ""), elements, depth + 1)
    title = style.find(f"{_W}name")
    named = re.fullmatch(
        r"(?:heading|見出し)\s*([1-9])", "" if title is None else title.get(f"{_W}val", ""), re.I
    )
    level = int(named[1]) if named else 0
    properties = style.find(f"{_W}pPr")
    if properties is None:
        return _Style(level or parent.level, parent.number)
    return _Style(level or _level(properties) or parent.level, _list(properties, parent.number))


def _numbering(root: etree._Element | None) -> _Numbering:
    numbering = _Numbering()
    if root is None:
        return numbering
    for abstract in root.iter(f"{_W}abstractNum"):
        name = abstract.get(f"{_W}abstractNumId", "")
        for level in abstract.findall(f"{_W}lvl"):
            numbering.levels[name, _int(level.get(f"{_W}ilvl"), 0)] = (
                _value(level, "numFmt", "decimal"),
                _value(level, "lvlText", ""),
                _int(_value(level, "start", "1"), 1),
                _value(level, "suff", "tab"),
            )
    for number in root.iter(f"{_W}num"):
        numbering.lists[number.get(f"{_W}numId", "")] = _value(number, "abstractNumId", "")
    return numbering


def _value(parent: etree._Element, name: str, default: str) -> str:
    child = parent.find(f"{_W}{name}")
    return default if child is None else child.get(f"{_W}val", default)


def _notes(root: etree._Element | None) -> dict[str, etree._Element]:
    if root is None:
        return {}
    return {
        note.get(f"{_W}id", ""): note
        for note in root.iter(f"{_W}footnote")
        if note.get(f"{_W}type") not in ("separator", "continuationSeparator")
    }


# --- numbers as Word writes them -----------------------------------------------------------

_AIUEO = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
)
_IROHA = (
    "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセス"
)


def number_text(value: int, style: str) -> str:
    """A number in one of Word's numbering styles (`japaneseCounting` 77 → 七十七)."""
    if style in ("japaneseCounting", "chineseCounting", "japaneseLegal", "ideographTraditional"):
        return kanji_number(value)
    if style in ("ideographDigital", "japaneseDigitalTenThousand"):
        return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(value))
    if style == "decimalFullWidth":
        return "".join(chr(ord("０") + int(digit)) for digit in str(value))
    if style == "decimalEnclosedCircle" and 1 <= value <= 20:
        return chr(ord("①") + value - 1)
    if style == "decimalEnclosedParen" and 1 <= value <= 20:
        return chr(ord("⑴") + value - 1)
    if style in ("aiueo", "aiueoFullWidth"):
        return _AIUEO[(value - 1) % len(_AIUEO)]
    if style in ("iroha", "irohaFullWidth"):
        return _IROHA[(value - 1) % len(_IROHA)]
    if style in ("lowerLetter", "upperLetter"):
        letter = chr(ord("a") + (value - 1) % 26)
        return letter if style == "lowerLetter" else letter.upper()
    if style in ("lowerRoman", "upperRoman"):
        roman = _roman(value)
        return roman if style == "lowerRoman" else roman.upper()
    return str(value)


def kanji_number(value: int) -> str:
    """1 to 9999 in kanji with 十百千 (120 → 百二十)."""
    text = ""
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // unit % 10
        if digit:
            text += ("" if digit == 1 and sign else "〇一二三四五六七八九"[digit]) + sign
    return text or "〇"


def _roman(value: int) -> str:
    text = ""
    signs = (
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
    )
    for size, sign in (*signs, (1, "i")):
        while value >= size and len(text) < 20:
            text += sign
            value -= size
    return text
