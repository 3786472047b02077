"""How well a book was read: which pages somebody should look at, why, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.book import Page

# A word of a reason → what to do about it; the first that occurs counts.
_ADVICE = (
    ("画像のみ", "OCRを入れて (README「OCR」)、書棚の画面の「読み直す」で読み直してください。"),
    ("文字化け", "文字の情報を持つPDFを登録するか、OCRを入れて読み直してください。"),
    ("文字認識", "原本と見比べ、読み違いがあれば鮮明な版を登録してください。"),
    ("見えない文字", "隠された文字は除いてあります。入手元を確かめてください。"),
    (
        "並び",
        "原本と見比べ、列や段が混ざっていれば、作り直したファイルか画像で登録し直してください。",
    ),
    ("開けません", "PDFを作り直すか、入手し直してください。"),
    ("文字がありません", "白紙か図だけのページでなければ、OCRを入れて読み直してください。"),
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A page to look at, with the reasons and the next step."""

    page: Page
    reasons: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Quality:
    """The report of a book. `recognised` counts pages read by OCR, `extractors` pages by reader."""

    pages: int
    characters: int
    extractors: Mapping[str, int]
    without_text: int
    without_label: int
    recognised: int
    doubtful: tuple[Doubt, ...]

    def as_json(self) -> dict[str, object]:
        """The JSON shape of `shiori ingest report`."""
        return {
            "pages": self.pages,
            "characters": self.characters,
            "extractors": dict(self.extractors),
            "without_text": self.without_text,
            "without_label": self.without_label,
            "recognised": self.recognised,
            "bad_pages": [
                {
                    "page_index": doubt.page.index,
                    "label": doubt.page.label,
                    "confidence": doubt.page.confidence,
                    "reasons": list(doubt.reasons),
                    "advice": doubt.advice,
                }
                for doubt in self.doubtful
            ],
        }


def quality(pages: Sequence[Page], characters: Mapping[int, int]) -> Quality:
    """The report of a book's pages; `characters` is the length of each page's text by index."""
    doubtful = []
    for page in pages:
        if reasons := doubts(page, characters.get(page.index, 0)):
            doubtful.append(Doubt(page, reasons, _advice(reasons)))
    return Quality(
        pages=len(pages),
        characters=sum(characters.values()),
        extractors=Counter(page.extractor for page in pages),
        without_text=sum(not characters.get(page.index, 0) for page in pages),
        without_label=sum(not page.label for page in pages),
        recognised=sum(page.confidence is not None for page in pages),
        doubtful=tuple(doubtful),
    )


def doubts(page: Page, characters: int) -> tuple[str, ...]:
    """Why a page wants a look: what its reader noted, or that it has no text at all."""
    if not characters and not page.warnings:
        return ("文字がありません",)
    return page.warnings


def _advice(reasons: Sequence[str]) -> str:
    text = "".join(reasons)
    return next((advice for word, advice in _ADVICE if word in text), "原本と見比べてください。")
