from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest

from app.core.errors import UnreadableFile
from ingest.readers import ocr, second
from ingest.readers.ocr import Reading, order
from ingest.readers.strokes import _bracket
from ingest.sandbox import DEFAULT_LIMITS, read_book

needs_ocr = pytest.mark.skipif(
    not ocr.available(), reason="the optional extra ocr is not installed"
)


def reading(text: str, x0: float, y0: float, x1: float, y1: float) -> Reading:
    return Reading(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), text, 0.99)


def test_vertical_lines_are_ordered_from_right_to_left():
    left = reading("これをしなければならない", 50, 50, 80, 350)
    right = reading("戸籍に関する届出は本籍地で", 100, 50, 130, 375)
    page = order([left, right], 72 / 200)
    assert page.vertical
    assert [row.text for row in page.rows] == [right.text, left.text]


def test_lines_of_a_page_scanned_askew_stay_apart():
    lines = []
    for number in range(4):
        top = 100 + 40 * number
        corners = ((100, top), (1100, top + 30), (1100, top + 55), (100, top + 25))
        lines.append(Reading(corners, f"{number}" + "届" * 40, 0.99))
    page = order(lines[::-1], 72 / 200)
    assert [row.text[0] for row in page.rows] == ["0", "1", "2", "3"]


def test_short_line_in_a_padded_box_is_no_larger_than_the_others():
    lines = [reading("届" * 20, 100, 50 + 40 * n, 580, 86 + 40 * n) for n in range(3)]
    sizes = [row.em for row in order([*lines, reading("う。", 100, 170, 148, 206)], 1.0).rows]
    assert sizes == pytest.approx([24.0] * 4)


def test_padded_ruby_is_no_line_of_its_own():
    base = reading("戸籍に関する届出は本籍地で", 100, 50, 425, 80)
    ruby = reading("こせき", 102, 33, 150, 51)
    (row,) = order([ruby, base], 72 / 200).rows
    assert row.text == base.text


def save(page: pdfium.PdfPage, path: Path, clip: tuple[float, float, float, float]) -> Path:
    """A picture of part of a page, at the resolution pages are read."""
    page.render(scale=ocr.DPI / 72, crop=clip).to_pil().save(path, dpi=(ocr.DPI, ocr.DPI))
    return path


@needs_ocr
def test_picture_of_vertical_text_keeps_its_punctuation(typeset: Path, tmp_path: Path):
    # the first lines of the page, at its right edge
    pdf = pdfium.PdfDocument(typeset / "chr_v2_ipaex.pdf")
    path = save(pdf[0], tmp_path / "紙.png", (385, 380, 40, 40))
    pdf.close()
    page = read_book(path).pages[0]
    assert page.vertical
    assert page.extractor == "rapidocr"
    assert page.confidence is not None
    assert page.confidence > 0.9
    assert "届出人が数人あるときは、そのうち一人の所在地で届け出ても" in page.text
    assert "こせき" not in page.text


@needs_ocr
def test_a_picture_lying_on_its_side_is_read_upright(real_pdfs: Path, tmp_path: Path):
    pdf = pdfium.PdfDocument(real_pdfs / "s05_image_horizontal_text.pdf")
    picture = pdf[0].render(scale=1.5).to_pil()
    pdf.close()
    picture.rotate(90, expand=True).save(tmp_path / "横.png", dpi=(108, 108))
    page = read_book(tmp_path / "横.png").pages[0]
    assert page.lines[0].text.startswith("つれづれなるままに")
    assert page.height > page.width
    boxes = [line.box for line in page.lines if line.box is not None]
    assert [box.x0 for box in boxes] == sorted(box.x0 for box in boxes)


@needs_ocr
def test_pdf_of_pictures_is_read(real_pdfs: Path):
    document = read_book(real_pdfs / "s05_image_horizontal_text.pdf")
    assert document.pages[0].lines[0].text.startswith("つれづれなるままに")
    assert document.warnings[0] == "文字認識の確認が必要です: 1ページ"


@needs_ocr
def test_broken_picture(tmp_path: Path):
    path = tmp_path / "紙.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 200)
    with pytest.raises(UnreadableFile, match="画像として開けません"):
        read_book(path)


needs_tesseract = pytest.mark.skipif(
    not {"jpn", "jpn_vert"} <= second.languages(),
    reason="Tesseract with the languages jpn and jpn_vert is not installed",
)


@needs_ocr
@needs_tesseract
def test_a_second_program_is_asked_about_doubtful_pages(real_pdfs: Path):
    path = real_pdfs / "s05_image_horizontal_text.pdf"
    warnings = read_book(path).pages[0].warnings
    assert any(warning.startswith("別の文字認識(Tesseract)の読みとの一致") for warning in warnings)
    alone = read_book(path, limits=replace(DEFAULT_LIMITS, second_ocr=False)).pages[0]
    assert len(alone.warnings) == len(warnings) - 1


@needs_tesseract
def test_the_second_program_reads_both_directions(typeset: Path):
    for name, vertical, crop, expected in (
        ("lo_h2.pdf", False, (60, 500, 300, 80), "出生"),
        ("lo_v1.pdf", True, (300, 80, 60, 80), "出生"),
    ):
        pdf = pdfium.PdfDocument(typeset / name)
        image = pdf[1].render(scale=ocr.DPI / 72, crop=crop, rev_byteorder=True).to_numpy()
        found = second.opinion(image[:, :, :3].copy(), vertical=vertical, dpi=ocr.DPI)
        pdf.close()
        assert found is not None
        assert expected in found


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("登録ユーザ一、「スカイツリ1」", "登録ユーザー、「スカイツリー」"),
        ("ー般の第一条", "一般の第一条"),
        ("許可されている°", "許可されている。"),
        ("摂氏25°C", "摂氏25°C"),
        ("G00gleの40件", "Googleの40件"),
        ("コーヒー一杯、サービス一覧", "コーヒー一杯、サービス一覧"),
    ],
)
def test_look_alikes_are_told_apart_by_their_neighbours(read: str, meant: str):
    assert ocr._mended(read) == meant


BRACKETS = {
    "「": [(0, 0, 18, 2), (16, 0, 18, 7)],
    "」": [(0, 5, 18, 7), (0, 0, 2, 7)],
    "（": [(3, 0, 15, 2), (0, 2, 4, 7), (14, 2, 18, 7)],
    "）": [(3, 5, 15, 7), (0, 0, 4, 5), (14, 0, 18, 5)],
    "": [(0, 2, 18, 5)],
}


@pytest.mark.parametrize(("bracket", "strokes"), BRACKETS.items())
def test_brackets_of_vertical_text_are_told_by_their_shape(
    bracket: str, strokes: list[tuple[int, int, int, int]]
):
    ink = np.zeros((7, 18), bool)
    for x0, y0, x1, y1 in strokes:
        ink[y0:y1, x0:x1] = True
    assert _bracket(ink) == bracket
