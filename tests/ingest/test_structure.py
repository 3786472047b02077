from __future__ import annotations

from pathlib import Path

import pypdfium2 as pdfium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

from app.core.book import OutlineItem
from app.core.errors import UnreadableFile
from ingest.readers.pdf import read_pdf
from ingest.readers.structure import (
    Structure,
    clean_text,
    structure,
    structure_by_pdfium,
    usable_title,
)
from tests.ingest.pdfs import across, write_pdf

LABELS = "/PageLabels << /Nums [0 << /S /r /St 3 >>] >>"


def described(folder: Path) -> Path:
    """Two pages with a title, an author, an outline of two levels and page labels."""
    pages = [across(text, 50, 500) for text in ("出生の届出をする。", "婚姻の届出をする。")]
    made = PdfWriter(clone_from=write_pdf(folder / "plain.pdf", pages, catalog_entries=LABELS))
    made.add_metadata({"/Title": "戸籍の手引", "/Author": "見本編集室"})
    chapter = made.add_outline_item(title="第一章　出生", page_number=0)
    made.add_outline_item(title="第一節　婚姻", page_number=1, parent=chapter)
    made.write(folder / "described.pdf")
    return folder / "described.pdf"


EXPECTED = Structure(
    2,
    "戸籍の手引",
    "見本編集室",
    (OutlineItem("第一章　出生", 1, 0), OutlineItem("第一節　婚姻", 2, 1)),
    ("iii", "iv"),
)


def test_both_readers_say_the_same(tmp_path: Path) -> None:
    path = described(tmp_path)
    assert structure(path, None) == EXPECTED
    pdf = pdfium.PdfDocument(path)
    assert structure_by_pdfium(pdf) == EXPECTED
    pdf.close()


def test_a_document_bears_what_its_file_says(tmp_path: Path) -> None:
    document = read_pdf(described(tmp_path))
    assert (document.title, document.metadata) == ("戸籍の手引", {"authors": "見本編集室"})
    assert document.outline == EXPECTED.outline
    assert [page.label for page in document.pages] == ["iii", "iv"]


def test_labels_are_not_invented(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [across("出生の届出", 50, 500)] * 2)
    assert structure(path, None) == Structure(2)


@pytest.mark.parametrize(("algorithm", "password"), [("RC4-128", "mado"), ("AES-256", "窓口 2026")])
def test_a_locked_file_opens_with_its_password_alone(
    tmp_path: Path, algorithm: str, password: str
) -> None:
    made = PdfWriter(clone_from=described(tmp_path))
    made.encrypt(password, algorithm=algorithm)
    made.write(tmp_path / "locked.pdf")
    path = tmp_path / "locked.pdf"
    with pytest.raises(UnreadableFile, match="パスワードで保護"):
        read_pdf(path)
    with pytest.raises(UnreadableFile, match="パスワードが違います"):
        read_pdf(path, password="違う")
    assert structure(path, password) == EXPECTED
    assert read_pdf(path, password=password).title == "戸籍の手引"


def test_protection_without_a_password_opens(tmp_path: Path) -> None:
    made = PdfWriter(clone_from=described(tmp_path))
    made.encrypt("", owner_password="owner", algorithm="AES-256")
    made.write(tmp_path / "open.pdf")
    assert read_pdf(tmp_path / "open.pdf").title == "戸籍の手引"


@pytest.mark.parametrize(
    ("whole", "damaged"), [(b"startxref", b"startxxxx"), (b"/Type /Pages", b"/Type /Pagez")]
)
def test_pdfium_stands_in_where_pypdf_gives_up_or_loses_pages(
    tmp_path: Path, whole: bytes, damaged: bytes
) -> None:
    path = described(tmp_path)
    path.write_bytes(path.read_bytes().replace(whole, damaged))
    found = structure(path, None)
    assert found is None or found.pages == 0
    document = read_pdf(path)
    assert (document.title, document.outline) == ("戸籍の手引", EXPECTED.outline)


@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=30))
def test_no_damage_comes_through(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[float, int]]
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    data = bytearray(described(folder).read_bytes())
    for place, value in places:
        data[int(place * (len(data) - 1))] = value
    path = folder / "damaged.pdf"
    path.write_bytes(data)
    try:
        found = structure(path, None)
    except UnreadableFile:
        return
    assert found is None or all(item.title and item.page_index >= 0 for item in found.outline)


def test_titles_that_are_names_of_source_files_are_none() -> None:
    assert usable_title("戸籍の手引") == "戸籍の手引"
    assert [usable_title(text) for text in ("手引.docx", "Microsoft Word - 手引", "無題")] == [
        ""
    ] * 3


def test_bookmarks_in_sixteen_bit_euc_are_repaired() -> None:
    garbled = "".join(
        "戸籍の届出".encode("euc_jp")[n : n + 2].decode("utf-16-be") for n in range(0, 10, 2)
    )
    assert clean_text(garbled) == "戸籍の届出"
    assert clean_text("第一章 総則\x00") == "第一章 総則"
