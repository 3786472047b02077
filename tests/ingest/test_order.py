from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.core.book import Line, Page
from app.core.quality import doubts, quality
from ingest.readers.order import DOUBT, doubtful
from ingest.readers.pdf import read_pdf


def interleaved(page: Page) -> Page:
    """The page with the lines of its two halves mixed, as a reader blind to columns would."""
    half = len(page.lines) // 2
    mixed = [
        replace(line, starts_paragraph=False)
        for pair in zip(page.lines[:half], page.lines[half : 2 * half], strict=True)
        for line in pair
    ]
    return replace(page, lines=tuple(mixed))


def test_mixed_columns_are_suspected_and_right_ones_not(typeset: Path):
    pages = list(read_pdf(typeset / "lo_h2.pdf").pages)
    assert not doubtful(pages)
    pages[4] = interleaved(pages[4])
    assert doubtful(pages) == {4}


def test_short_pages_tell_nothing():
    pages = [Page(0, (Line("戸籍の届出"), Line("は本籍地", starts_paragraph=False)))]
    assert not doubtful(pages)
    assert not doubtful([])


def test_the_report_says_what_to_do():
    page = Page(0, (Line("文。"),), warnings=(DOUBT,))
    assert doubts(page, 2) == (DOUBT,)
    (found,) = quality([page], {0: 2}).doubtful
    assert "見比べ" in found.advice
