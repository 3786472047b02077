"""How well files are read: character error rate against a known text, pages a second.

`shiori eval reading` runs this over a folder of `NAME.pdf` and `NAME.truth.txt` pairs;
a `NAME.truth.json` with the list `labels` states the printed number of every page. For a
scan without a known text, what NDL OCR reads of it (`NAME.ndlocr.xml`) is a text to compare.
"""

from __future__ import annotations

import json
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium
from lxml import etree

from app.core.book import Document
from app.core.errors import UnreadableFile
from ingest.readers.dispatch import SUFFIXES
from ingest.sandbox import read_book

# characters NFKC leaves apart although they are one kanji in another dress
_SAME = str.maketrans(
    {"戶": "戸", "⺟": "母", "⻑": "長", "⻄": "西", "⻘": "青", "⻭": "歯", "⺠": "民"}
)


TYPESET = 0.005
SCANNED = 0.015
SCANNED_VERTICAL = 0.04
"""The error rates aimed at: text set by a program, clean scans, and those of vertical pages."""

# Files worth reading without a known text: printed pages.
_PRINTED = {suffix for suffix, kind in SUFFIXES.items() if kind in ("pdf", "image")}
_BESIDE = (".truth.txt", ".truth.json", ".ndlocr.xml")


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One document's measures. Rates are shares (0.005 is half a percent), speeds pages a second.

    `kind` is the format and how its pages are set; `known` names the text it was compared
    with (truth, ndlocr or nothing), of `expected` characters. `labels_right` counts pages
    with the right printed number, None where the truth or the format has none.
    `plain_rate` and `plain_speed` are those of pdfium's own text, read in the same run.
    `error` says why a file could not be read; its measures are zero or None then.
    """

    name: str
    kind: str = ""
    pages: int = 0
    characters: int = 0
    known: str = ""
    expected: int = 0
    rate: float | None = None
    aim: float | None = None
    labels_right: int | None = None
    speed: float | None = None
    plain_rate: float | None = None
    plain_speed: float | None = None
    confidence: float | None = None
    warnings: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class KindRow:
    """The documents of one kind with a known text, taken together."""

    kind: str
    documents: int
    pages: int
    characters: int
    rate: float
    aim: float


def by_kind(rows: Iterable[ReadingRow]) -> list[KindRow]:
    """Error rate of each kind of document: all errors over all characters of its truths."""
    kinds: dict[str, list[ReadingRow]] = defaultdict(list)
    for row in rows:
        if row.known == "truth" and not row.error:
            kinds[row.kind].append(row)
    return [
        KindRow(
            kind,
            len(rows),
            sum(row.pages for row in rows),
            (characters := sum(row.expected for row in rows)),
            sum((row.rate or 0.0) * row.expected for row in rows) / characters,
            rows[0].aim or 0.0,
        )
        for kind, rows in sorted(kinds.items())
    ]


def character_error_rate(found: str, truth: str) -> float:
    """Edit distance over the length of the truth, both folded by `fold_for_check`.

    Raises ValueError where the truth is empty.
    """
    expected = fold_for_check(truth)
    if not expected:
        raise ValueError("the truth holds no characters")
    return edit_distance(fold_for_check(found), expected) / len(expected)


def fold_for_check(text: str) -> str:
    """NFKC, radicals as kanji, without white space and variation selectors."""
    folded = unicodedata.normalize("NFKC", text).translate(_SAME)
    return "".join(
        char
        for char in folded
        if not char.isspace() and not 0xFE00 <= ord(char) <= 0xFE0F and ord(char) < 0xE0100
    )


def edit_distance(found: str, truth: str) -> int:
    """Levenshtein distance by bit vectors (Hyyrö 2003): one step of long integers a character."""
    if not truth:
        return len(found)
    places: dict[str, int] = {}
    for number, char in enumerate(truth):
        places[char] = places.get(char, 0) | 1 << number
    mask = (1 << len(truth)) - 1
    last = 1 << (len(truth) - 1)
    plus, minus = mask, 0
    distance = len(truth)
    for char in found:
        match = places.get(char, 0)
        diagonal = (((match & plus) + plus) ^ plus) | match | minus
        rise = minus | ~(diagonal | plus) & mask
        fall = plus & diagonal
        if rise & last:
            distance += 1
        elif fall & last:
            distance -= 1
        rise = (rise << 1 | 1) & mask
        fall = fall << 1 & mask
        plus = fall | ~(diagonal | rise) & mask
        minus = rise & diagonal
    return distance


def document_text(document: Document) -> str:
    """All lines of a document in reading order, one a line."""
    return "\n".join(line.text for page in document.pages for line in page.lines)


def plain_text(path: Path) -> str:
    """What pdfium itself gives as the text of a PDF."""
    pdf = pdfium.PdfDocument(path)
    try:
        return "\n".join(pdf[index].get_textpage().get_text_range() for index in range(len(pdf)))
    finally:
        pdf.close()


def check(
    folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[ReadingRow]:
    """Measures every file below a folder that has a known text, and reads its other printed pages.

    One that cannot be read becomes a row that says why.
    """
    files = list(_files(folder))
    for done, path in enumerate(files):
        progress(done, len(files))
        truth, known = _truth(path)
        try:
            yield check_file(path, truth, _labels(_beside(path, ".truth.json")), known)
        except UnreadableFile as error:
            yield ReadingRow(path.name, known=known, error=error.in_full)
    progress(len(files), len(files))


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(_BESIDE) or path.suffix.lower() not in SUFFIXES:
            continue
        if path.suffix.lower() in _PRINTED or _beside(path, ".truth.txt").is_file():
            yield path


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.stem + ending)


def _truth(path: Path) -> tuple[str, str]:
    """The text a file should give, and what it is; empty where nobody knows."""
    if (truth := _beside(path, ".truth.txt")).is_file():
        return truth.read_text("utf-8"), "truth"
    if (other := _beside(path, ".ndlocr.xml")).is_file():
        lines = etree.parse(other, etree.XMLParser(resolve_entities=False)).iter("LINE")
        ordered = sorted(lines, key=lambda line: int(line.get("ORDER", "0")))
        return "\n".join(line.get("STRING", "") for line in ordered), "ndlocr"
    return "", ""


def _labels(path: Path) -> list[str] | None:
    if not path.is_file():
        return None
    labels: list[str] | None = json.loads(path.read_text("utf-8")).get("labels")
    return labels


def check_file(
    path: Path, truth: str = "", labels: Sequence[str] | None = None, known: str = "truth"
) -> ReadingRow:
    """Measures one file. The speed includes starting and ending the child process.

    `labels` are the printed numbers of all its pages, in order. Raises UnreadableFile.
    """
    began = time.perf_counter()
    document = read_book(path)
    seconds = time.perf_counter() - began
    pages = len(document.pages)
    text = document_text(document)
    plain_rate = plain_speed = None
    if path.suffix.lower() == ".pdf":
        began = time.perf_counter()
        plain = plain_text(path)
        plain_speed = pages / (time.perf_counter() - began)
        plain_rate = character_error_rate(plain, truth) if truth else None
    sure = [page.confidence for page in document.pages if page.confidence is not None]
    kind, aim = _kind(document, path)
    return ReadingRow(
        path.name,
        kind,
        pages,
        len(fold_for_check(text)),
        known if truth else "",
        len(fold_for_check(truth)),
        character_error_rate(text, truth) if truth else None,
        aim if truth else None,
        _right(document, labels),
        pages / seconds,
        plain_rate,
        plain_speed,
        min(sure, default=None),
        document.warnings,
    )


def _kind(document: Document, path: Path) -> tuple[str, float]:
    """The format and how most pages are set, and the error rate aimed at for such."""
    name = SUFFIXES.get(path.suffix.lower(), "").upper()
    pages = [page for page in document.pages if page.lines]
    if not any(page.width for page in pages):
        return name, TYPESET
    vertical, scanned = Counter(
        (page.vertical, page.extractor not in ("", "pdfium")) for page in pages
    ).most_common(1)[0][0]
    way = "縦組" if vertical else "横組"
    if scanned:
        return f"画像 {way}", SCANNED_VERTICAL if vertical else SCANNED
    return f"{name} {way}", TYPESET


def _right(document: Document, labels: Sequence[str] | None) -> int | None:
    if labels is None or not any(page.width for page in document.pages):
        return None  # flowing text has no printed pages
    return sum(page.label == label for page, label in zip(document.pages, labels, strict=False))
