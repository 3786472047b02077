"""How well a file is read: character error rate against a known text, pages a second.

`shiori eval reading` runs this over a folder of `NAME.pdf` and `NAME.truth.txt` pairs;
a `NAME.truth.json` with the list `labels` states the printed number of every page.
"""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium

from app.core.book import Document
from app.core.errors import NoText
from ingest.sandbox import read_book

# characters NFKC leaves apart although they are one kanji in another dress
_SAME = str.maketrans(
    {"戶": "戸", "⺟": "母", "⻑": "長", "⻄": "西", "⻘": "青", "⻭": "歯", "⺠": "民"}
)


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One document's measures. Rates are shares (0.005 is half a percent), speeds pages a second.

    `labels_right` counts pages with the right printed number, None where the truth or the
    format has none.
    `plain_rate` and `plain_speed` are those of pdfium's own text, read in the same run.
    """

    name: str
    pages: int
    rate: float
    labels_right: int | None
    speed: float
    plain_rate: float | None
    plain_speed: float | None


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


def check(folder: Path) -> Iterator[ReadingRow]:
    """Measure every file of a folder that has a `.truth.txt` beside it, in order of name."""
    for truth_path in sorted(folder.glob("*.truth.txt")):
        truth = truth_path.read_text("utf-8")
        stem = truth_path.name.removesuffix(".truth.txt")
        labels = _labels(truth_path.with_name(f"{stem}.truth.json"))
        for path in sorted(folder.glob(f"{stem}.*")):
            if path.suffix in {".txt", ".json"}:
                continue
            try:
                yield check_file(path, truth, labels)
            except NoText:
                continue


def _labels(path: Path) -> list[str] | None:
    if not path.is_file():
        return None
    labels: list[str] | None = json.loads(path.read_text("utf-8")).get("labels")
    return labels


def check_file(path: Path, truth: str, labels: Sequence[str] | None = None) -> ReadingRow:
    """Measure one file. The speed includes starting and ending the child process.

    `labels` are the printed numbers of all its pages, in order.
    """
    began = time.perf_counter()
    document = read_book(path)
    seconds = time.perf_counter() - began
    pages = len(document.pages)
    plain_rate = plain_speed = None
    if path.suffix == ".pdf":
        began = time.perf_counter()
        plain = plain_text(path)
        plain_speed = pages / (time.perf_counter() - began)
        plain_rate = character_error_rate(plain, truth)
    return ReadingRow(
        path.name,
        pages,
        character_error_rate(document_text(document), truth),
        _right(document, labels),
        pages / seconds,
        plain_rate,
        plain_speed,
    )


def _right(document: Document, labels: Sequence[str] | None) -> int | None:
    if labels is None or not any(page.width for page in document.pages):
        return None  # flowing text has no printed pages
    return sum(page.label == label for page, label in zip(document.pages, labels, strict=False))
