"""The built sample books are in the repository and are what README.md of the shelf says they are."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from lxml import etree
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from ingest.samples.epub import build_epub
from ingest.samples.manuscript import Block, parse_blocks, plain, read_manuscript

SAMPLES = Path(__file__).parents[2] / "ingest" / "samples"
BOOKS = ["tebiki.pdf", "mondo.pdf", "shogai.epub"]
XHTML = "{http://www.w3.org/1999/xhtml}"


def page_texts(name: str) -> list[str]:
    with pdfium.PdfDocument(SAMPLES / name) as pdf:
        return [page.get_textpage().get_text_bounded() for page in pdf]


def fonts(reader: PdfReader) -> list[DictionaryObject]:
    found = {}
    for page in reader.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            found[font.idnum] = font.get_object()
    return list(found.values())


@pytest.mark.parametrize("name", BOOKS)
def test_book_is_built_small_and_on_the_sample_shelf(name: str) -> None:
    assert 10_000 < (SAMPLES / name).stat().st_size < 1_500_000
    sidecar = tomllib.loads((SAMPLES / f"{name}.toml").read_text(encoding="utf-8"))
    assert sidecar == {"shelf": "見本棚"}


@pytest.mark.parametrize("name", ["tebiki.pdf", "mondo.pdf"])
def test_fonts_are_embedded_truetype_subsets(name: str) -> None:
    embedded = fonts(PdfReader(SAMPLES / name))
    assert embedded
    for font in embedded:
        descendant = font["/DescendantFonts"][0].get_object()
        assert re.fullmatch(r"/[A-Z]{6}\+BIZUD(Mincho-Regular|Gothic-Bold)", font["/BaseFont"])
        assert "/FontFile2" in descendant["/FontDescriptor"].get_object()
        assert "/ToUnicode" in font


@pytest.mark.parametrize(("name", "pages"), [("tebiki.pdf", 34), ("mondo.pdf", 34)])
def test_books_are_long_enough_to_search(name: str, pages: int) -> None:
    assert len(PdfReader(SAMPLES / name).pages) >= pages


@pytest.mark.parametrize("name", ["tebiki.pdf", "mondo.pdf"])
def test_printed_numbers_differ_from_pdf_pages(name: str) -> None:
    texts = page_texts(name)
    first = next(
        n for n, text in enumerate(texts) if re.search(r"第[一1]章", text) and "目次" not in text
    )
    assert first > 4
    assert all(chr(0x2170 + n) in texts[n] for n in range(1, first))
    for n in range(first, len(texts) - 1):
        assert re.search(rf"(?<!\d){n - first + 1}(?!\d)", texts[n])


@pytest.mark.parametrize("name", ["tebiki.pdf", "mondo.pdf"])
def test_every_page_says_sample(name: str) -> None:
    texts = list(page_texts(name))
    assert texts
    assert all("見本" in text for text in texts)


def test_only_the_question_book_carries_page_labels() -> None:
    assert "/PageLabels" not in PdfReader(SAMPLES / "tebiki.pdf").trailer["/Root"]
    reader = PdfReader(SAMPLES / "mondo.pdf")
    assert "/PageLabels" in reader.trailer["/Root"]
    assert reader.page_labels[1] == "ii"
    assert "1" in reader.page_labels


@pytest.mark.parametrize("name", ["tebiki.pdf", "mondo.pdf"])
def test_outline_leads_to_the_page_of_its_heading(name: str) -> None:
    reader = PdfReader(SAMPLES / name)
    texts = page_texts(name)
    chapters = [item for item in reader.outline if not isinstance(item, list)]
    assert len(chapters) > 8
    for item in chapters:
        page = reader.get_destination_page_number(item)
        assert page is not None
        assert squeezed(str(item["/Title"])) in squeezed(texts[page])


def test_guide_states_the_three_months_of_keeping_the_married_name() -> None:
    text = squeezed("".join(page_texts("tebiki.pdf")))
    assert "離婚の日から三箇月以内に、戸籍法の定めるところにより届け出ることによって" in text
    assert "民七六七②、戸七七の二" in text


def test_epub_is_well_formed_with_ruby_and_navigation() -> None:
    with zipfile.ZipFile(SAMPLES / "shogai.epub") as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"application/epub+zip"
        trees = {
            name: etree.fromstring(archive.read(name))
            for name in archive.namelist()
            if name.endswith((".xhtml", ".opf", ".xml"))
        }
    nav = trees["EPUB/nav.xhtml"]
    targets = [link.get("href", "") for link in nav.iter(XHTML + "a")]
    assert len(targets) > 20
    for target in targets:
        name, anchor = target.split("#")
        assert trees[f"EPUB/{name}"].xpath("//*[@id=$id]", id=anchor)
    assert any(True for tree in trees.values() for _ in tree.iter(XHTML + "ruby"))


def test_epub_is_what_its_source_builds(tmp_path: Path) -> None:
    build_epub(read_manuscript(SAMPLES / "sources" / "shogai.md"), tmp_path / "shogai.epub")
    assert members(tmp_path / "shogai.epub") == members(SAMPLES / "shogai.epub"), (
        "run `make samples`"
    )


@pytest.mark.parametrize("name", ["tebiki", "mondo"])
def test_pdf_holds_what_its_source_says(name: str) -> None:
    """The text of every heading of the source is in the built book (a stale build is not)."""
    text = squeezed("".join(page_texts(f"{name}.pdf")))
    book = read_manuscript(SAMPLES / "sources" / f"{name}.md")
    headings = [block.text for block in book.body if block.kind == "heading"]
    missing = [title for title in headings if squeezed(plain(title)) not in text]
    assert not missing, "run `make samples`"


def test_source_blocks() -> None:
    source = "# 章\n\n段落{漢字|かんじ}。\n\n| 項 | 読み |\n|---|---|\n| {氏|うじ} | 二 |\n\n- 一\n- 二\n\n[^a]: 注"
    assert list(parse_blocks(source)) == [
        Block("heading", "章", 1),
        Block("para", "段落{漢字|かんじ}。"),
        Block("table", rows=(("項", "読み"), ("{氏|うじ}", "二"))),
        Block("list", "一"),
        Block("list", "二"),
        Block("note", "[^a]: 注"),
    ]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)
