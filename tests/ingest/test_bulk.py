from __future__ import annotations

from pathlib import Path

from ingest.bulk import measure
from tests.ingest.pdfs import across, write_pdf


def test_a_book_of_many_pages_is_added_and_measured(tmp_path: Path) -> None:
    pages = [across(f"第{number}条　戸籍の届出をする。", 50, 500) for number in range(1, 4)]
    heard: list[tuple[int, int]] = []
    found = measure(
        write_pdf(tmp_path / "本.pdf", pages), 30, lambda done, total: heard.append((done, total))
    )
    assert (found.pages, heard[-1]) == (30, (30, 30))
    assert found.passages == 30
    assert 20 < found.writer < 4000
    assert 20 < found.reader < 4000
