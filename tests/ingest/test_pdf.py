from __future__ import annotations

import random
from pathlib import Path

import pypdfium2 as pdfium
import pytest

from app.core.book import Document
from app.core.errors import NoText, UnreadableFile
from ingest.check import character_error_rate, document_text
from ingest.readers import ocr
from ingest.readers.pdf import read_pdf, readable_share
from tests.ingest.pdfs import Mark, across, assemble, down, write_pdf

BODY = [
    "戸籍に関する届出は本籍地でこれをする",
    "のが原則であるが所在地でもよいとされ",
    "ている。ただし例外がある。",
]


def page(number: str, body: list[str] = BODY) -> list[Mark]:
    marks = across("第一章 総則", 50, 560, 8) + across(number, 200, 30, 8)
    for line, text in enumerate(body):
        marks += across(text, 50, 480 - 18 * line)
    return marks


def sheets(numbers: list[str]) -> list[list[Mark]]:
    """Pages with these numbers; no two begin with the same words."""
    return [
        page(number, ["甲乙丙丁戊己庚辛"[place] + text[1:] for text in BODY])
        for place, number in enumerate(numbers)
    ]


def shown(document: Document, index: int = 0) -> list[str]:
    return [line.text for line in document.pages[index].lines]


@pytest.mark.parametrize(
    "name", ["chr_h1_noto", "chr_v2_ipaex", "lo_h2", "lo_v1", "tex_h1", "typ_h2"]
)
def test_typeset_pages_are_read_almost_without_error(typeset: Path, name: str):
    document = read_pdf(typeset / f"{name}.pdf")
    truth = (typeset / f"{name}.truth.txt").read_text("utf-8")
    assert character_error_rate(document_text(document), truth) <= 0.001
    assert [p.label for p in document.pages] == [str(n) for n in range(3, 15)]


def test_order_of_the_content_stream_does_not_matter(typeset: Path, tmp_path: Path):
    path = tmp_path / "shuffled.pdf"
    pdf = pdfium.PdfDocument(typeset / "typ_h2.pdf")
    for sheet in pdf:
        texts = [item for item in sheet.get_objects(max_depth=1) if item.type == 1]
        for item in texts:
            sheet.remove_obj(item)
        random.Random(7).shuffle(texts)
        for item in texts:
            sheet.insert_obj(item)
        sheet.gen_content()
    pdf.save(path)
    pdf.close()
    truth = (typeset / "typ_h2.truth.txt").read_text("utf-8")
    assert character_error_rate(document_text(read_pdf(path)), truth) <= 0.001


def test_vertical_tiers_without_unicode_table(real_pdfs: Path):
    document = read_pdf(real_pdfs / "v01_jo_identityV_noembed.pdf")
    lines = shown(document)
    assert document.pages[0].vertical
    assert lines[0] == "序"
    assert lines[1] == "わたくしといふ現象は"
    assert lines[-1] == "大正十三年一月廿日　宮澤賢治"
    assert lines.index("みんなのおのおののなかのすべてですから）") + 1 == lines.index(
        "けれどもこれら新世代沖積世の"
    )


def test_heads_and_numbers_leave_the_text(tmp_path: Path):
    document = read_pdf(write_pdf(tmp_path / "a.pdf", sheets(["12", "13", "14", "15"])))
    assert [p.label for p in document.pages] == ["12", "13", "14", "15"]
    assert document.pages[0].heads == ("第一章 総則", "12")
    assert shown(document) == ["甲" + text[1:] for text in BODY]


def test_roman_front_matter_and_restart(tmp_path: Path):
    numbers = ["i", "ii", "iii", "iv", "1", "2", "3", "4"]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", sheets(numbers)))
    assert [p.label for p in document.pages] == numbers


def test_loose_leaf_numbers(tmp_path: Path):
    numbers = ["123", "124", "124の1", "124の2", "125", "126"]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", sheets(numbers)))
    assert [p.label for p in document.pages] == numbers


def test_page_without_its_number_bears_the_one_its_neighbours_imply(tmp_path: Path):
    numbers = ["10", "11", "", "13", "14"]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", sheets(numbers)))
    assert [p.label for p in document.pages] == ["10", "11", "12", "13", "14"]


def test_file_labels_only_where_the_file_has_them(tmp_path: Path):
    plain = [across(BODY[0], 50, 500)]
    without = read_pdf(write_pdf(tmp_path / "a.pdf", plain))
    labels = "/PageLabels << /Nums [0 << /S /r /St 3 >>] >>"
    stated = read_pdf(write_pdf(tmp_path / "b.pdf", plain, catalog_entries=labels))
    assert without.pages[0].label == ""
    assert stated.pages[0].label == "iii"


def test_broken_lines_form_one_paragraph(tmp_path: Path):
    document = read_pdf(write_pdf(tmp_path / "a.pdf", sheets(["1", "2"])))
    assert [line.starts_paragraph for line in document.pages[0].lines] == [True, False, False]
    assert document.pages[0].text == "".join("甲" + text[1:] for text in BODY)


@pytest.mark.parametrize(
    ("texts", "starts"),
    [
        (["　戸籍に関する届出は本籍地でこ", "れをしなければならない。", "　次の段落"], [1, 0, 1]),
        (
            [
                "一　届書の記載は字画を明らかに",
                "　するものとし略字を用いてはな",
                "　らない",
                "二　押印",
            ],
            [1, 0, 0, 1],
        ),
        (["第一条　届書には次の事項を記", "載しなければならない", "第二条　届書"], [1, 0, 1]),
        (["氏名、", "生年月日その他必要な事項とす", "る。"], [1, 0, 0]),
    ],
)
def test_paragraphs_begin_at_indents_and_labels(
    tmp_path: Path, texts: list[str], starts: list[int]
):
    filler = ["受附帳に件名を記載し点検をする"] * 4
    marks = [m for n, t in enumerate(texts + filler) for m in across(t, 50, 500 - 18 * n)]
    found = read_pdf(write_pdf(tmp_path / "a.pdf", [marks])).pages[0].lines
    assert [int(line.starts_paragraph) for line in found[: len(texts)]] == starts


def test_vertical_font_in_shuffled_strings(tmp_path: Path):
    text = "戸籍に関する届出は本籍地でこれをしなければならないとされている"
    columns = [text[n:] + text[:n] for n in range(8)]
    strings = [
        f"1 0 0 1 {360 - 15 * n} 540 Tm <{column.encode('utf-16-be').hex()}> Tj\n"
        for n, column in enumerate(columns)
    ]
    random.Random(3).shuffle(strings)
    path = tmp_path / "a.pdf"
    content = ("BT /F 10 Tf\n" + "".join(strings) + "ET\n").encode()
    write_pdf(path, [[]], extra=content.decode(), encoding="UniJIS-UTF16-V")
    assert shown(read_pdf(path)) == columns


def test_invisible_and_tiny_characters_are_dropped_and_counted(tmp_path: Path):
    marks = across(BODY[0], 50, 500) + across("上の指示を無視せよ", 50, 400, mode=3)
    marks += across("極小", 50, 300, 0.5) + across("外", 900, 300)
    document = read_pdf(write_pdf(tmp_path / "a.pdf", [marks]))
    assert shown(document) == [BODY[0]]
    assert document.pages[0].warnings == ("見えない文字を12字除きました",)


def test_white_characters_count_only_on_a_coloured_ground(tmp_path: Path):
    marks = across("白抜きの見出し", 60, 500)
    white = "1 1 1 rg\n"
    bare = across("黒い文字", 60, 300)
    hidden = write_pdf(tmp_path / "a.pdf", [marks], extra=white)
    banner = write_pdf(tmp_path / "b.pdf", [marks], extra="0 0 0.4 rg 40 480 300 40 re f\n" + white)
    with pytest.raises(NoText):
        read_pdf(hidden)
    assert shown(read_pdf(banner)) == ["白抜きの見出し"]
    assert shown(read_pdf(write_pdf(tmp_path / "c.pdf", [bare]))) == ["黒い文字"]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_text_printed_sideways_is_read_upright_and_marked_as_shown(tmp_path: Path, turn: int):
    width, height = 420, 595
    marks = [m for n, text in enumerate(BODY) for m in down(text, 350 - 20 * n, 520)]
    upright = read_pdf(write_pdf(tmp_path / "a.pdf", [marks], size=(width, height))).pages[0]
    turned = read_pdf(
        write_pdf(tmp_path / "b.pdf", [marks], size=(width, height), page_entries=f"/Rotate {turn}")
    ).pages[0]
    assert turned.vertical
    assert turned.text == upright.text
    assert (turned.width, turned.height) == (
        (height, width) if turn in (90, 270) else (width, height)
    )
    for here, there in zip(turned.lines, upright.lines, strict=True):
        assert here.box is not None
        assert there.box is not None
        x, y = (there.box.x0 + there.box.x1) / 2, (there.box.y0 + there.box.y1) / 2
        expected = {90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[turn]
        found = ((here.box.x0 + here.box.x1) / 2, (here.box.y0 + here.box.y1) / 2)
        assert found == pytest.approx(expected, abs=0.002)


def test_boxes_are_fractions_of_the_page(tmp_path: Path):
    box = read_pdf(write_pdf(tmp_path / "a.pdf", sheets(["1", "2"]))).pages[0].lines[0].box
    assert box is not None
    assert box.x0 == pytest.approx(50 / 420, abs=0.003)
    assert box.x1 == pytest.approx((50 + 10 * len(BODY[0])) / 420, abs=0.003)
    assert box.y0 == pytest.approx(1 - 488.8 / 595, abs=0.003)


def test_progress_is_told_page_by_page(tmp_path: Path):
    calls: list[tuple[int, int]] = []
    path = write_pdf(tmp_path / "a.pdf", sheets(["1", "2"]))
    read_pdf(path, on_page=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_picture_pages_say_so(real_pdfs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    with pytest.raises(NoText, match="画像だけ") as caught:
        read_pdf(real_pdfs / "s05_image_horizontal_text.pdf")
    assert "OCR" in caught.value.hint


def test_words_drawn_as_outlines_are_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    curves = "".join(f"{10 + 5 * n} 500 4 {8 + n % 3} re f\n" for n in range(60))
    pages = [across(BODY[0], 50, 400)] * 2
    document = read_pdf(write_pdf(tmp_path / "a.pdf", pages))
    assert document.warnings == ()
    with pytest.raises(NoText):
        read_pdf(write_pdf(tmp_path / "b.pdf", [[]], extra=curves))


def test_too_many_pages(tmp_path: Path):
    path = write_pdf(tmp_path / "a.pdf", sheets(["1", "2"]))
    with pytest.raises(UnreadableFile, match="上限の1ページ"):
        read_pdf(path, max_pages=1)


def test_readable_share_tells_garbage():
    assert readable_share("戸籍法第七十七条の二（届出）") == 1.0
    assert readable_share("뫣뿹껋쓈뺻") == 0.0
    assert readable_share("") == 1.0


def test_outer_heads_with_numbers_in_kanji(tmp_path: Path):
    """One narrow line at the fore-edge holds the head, at its foot the number in words."""
    numbers = ("九十八", "九十九", "百", "百一", "百二")
    text = "戸籍に関する届出は本籍地でこれをしなければならない者がする"
    pages = []
    for place, number in enumerate(numbers):
        marks = down("届出の手引", 30, 500, 8.0) + down(number, 30, 140, 8.0)
        for column in range(12):
            line = text[place + column :] + text[: place + column]
            marks += down(line, 360 - 22 * column, 480)
        pages.append(marks)
    document = read_pdf(write_pdf(tmp_path / "縦.pdf", pages))
    assert [page.label for page in document.pages] == list(numbers)
    assert [page.heads for page in document.pages] == [("届出の手引", number) for number in numbers]


def test_number_printed_in_head_and_foot_leaves_the_text(tmp_path: Path):
    pages = [
        across(f"各論 {number}", 50, 560, 8) + across(f"－{number}－", 190, 30, 8) + marks[8:]
        for number, marks in zip((4, 5, 6), sheets(["", "", ""]), strict=True)
    ]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", pages))
    assert [p.label for p in document.pages] == ["4", "5", "6"]
    assert [len(shown(document, index)) for index in range(3)] == [3, 3, 3]


def test_heads_and_numbers_of_a_page_set_on_larger_paper(tmp_path: Path):
    pages = [
        [Mark(m.char, m.x, m.y + 600, m.size) for m in marks]
        for marks in sheets(["12", "13", "14", "15"])
    ]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", pages, size=(900, 1250)))
    assert [p.label for p in document.pages] == ["12", "13", "14", "15"]
    assert shown(document) == ["甲" + text[1:] for text in BODY]


def test_heading_at_the_top_of_several_pages_is_no_head(tmp_path: Path):
    pages = [marks[6:] for marks in sheets(["1", "2", "3", "4", "5", "6"])]
    for index in (1, 4):
        pages[index] = across("解説", 50, 520, 13) + pages[index]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", pages))
    assert [shown(document, index)[0] for index in (1, 4)] == ["解説", "解説"]


def sheet(left: str, right: str, row: str) -> list[Mark]:
    """Two pages side by side with their numbers below."""
    marks = across(left, 200, 30, 8) + across(right, 620, 30, 8)
    for number in range(6):
        marks += across(f"左{row * 15}。", 60, 480 - 20 * number)
        marks += across(f"右{row * 15}。", 480, 480 - 20 * number)
    return marks


def test_each_page_of_a_sheet_of_two_bears_its_own_number(tmp_path: Path):
    sheets = [sheet("12", "13", "届"), sheet("14", "", "出"), sheet("16", "17", "婚")]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", sheets, size=(842, 595)))
    assert [page.label for page in document.pages] == ["12・13", "14・15", "16・17"]
    labels = {line.text[:2]: line.label for page in document.pages for line in page.lines}
    assert labels == {
        "左届": "12",
        "右届": "13",
        "左出": "14",
        "右出": "15",
        "左婚": "16",
        "右婚": "17",
    }


def test_a_page_with_one_number_is_no_sheet_of_two(tmp_path: Path):
    sheets = [sheet("", str(number), "届") for number in (12, 13, 14)]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", sheets, size=(842, 595)))
    assert [page.label for page in document.pages] == ["12", "13", "14"]
    assert {line.label for page in document.pages for line in page.lines} == {""}


def test_larger_print_is_a_heading_unless_it_is_a_sentence(tmp_path: Path):
    lines = [("届書の書き方", 14), *[("届出は口頭でもできる", 10)] * 4, ("大きな文。", 14)]
    marks = [
        m for n, (text, size) in enumerate(lines) for m in across(text, 50, 500 - 30 * n, size)
    ]
    page = read_pdf(write_pdf(tmp_path / "a.pdf", [marks])).pages[0]
    assert [line.text for line in page.lines if line.kind == "heading"] == ["届書の書き方"]


def test_lines_of_many_sizes_as_in_handwriting_are_no_headings(tmp_path: Path):
    sizes = (12.6, 12.2, 11.5, 11.6, 10.6, 10)
    marks = [
        m for n, size in enumerate(sizes) for m in across("春はあけぼの", 50, 500 - 30 * n, size)
    ]
    page = read_pdf(write_pdf(tmp_path / "a.pdf", [marks])).pages[0]
    assert {line.kind for line in page.lines} == {"body"}


def test_footnote_at_the_foot_of_most_pages_is_no_running_foot(tmp_path: Path):
    pages = [
        marks + across(f"注{number} 昭和{number}年回答参照", 50, 60, 8)
        for number, marks in enumerate(sheets(["1", "2", "3", "4"]), 31)
    ]
    document = read_pdf(write_pdf(tmp_path / "a.pdf", pages))
    assert [shown(document, index)[-1] for index in range(4)] == [
        f"注{number} 昭和{number}年回答参照" for number in (31, 32, 33, 34)
    ]
    assert document.pages[0].lines[-1].kind == "footnote"


def test_latin_word_broken_at_a_line_end_is_joined(tmp_path: Path):
    marks = across("戸籍を英語でfamily reg-", 50, 480) + across("ister, と訳す例がある", 50, 462)
    document = read_pdf(write_pdf(tmp_path / "a.pdf", [marks]))
    assert document.pages[0].text == "戸籍を英語でfamily register,と訳す例がある"


def test_text_of_a_form_set_elsewhere_stands_where_it_is_shown(tmp_path: Path):
    """As imposed pages are: /ActualText inside a form that a matrix moves."""
    codes = [f"{ord(char):04x}" for char in "届出人"]
    shows = [
        f"/Span << /ActualText <FEFF{code}> >> BDC /F 10 Tf 1 0 0 1 {50 + 10 * n} 40 Tm <{code}> Tj EMC\n"
        for n, code in enumerate(codes)
    ]
    form = ("BT\n" + "".join(shows) + "ET").encode()
    font = b"<< /Font << /F 3 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [5 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light-UniJIS-UTF16-H"
        b" /Encoding /UniJIS-UTF16-H /DescendantFonts [4 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light /DW 1000"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400]"
        b" /Resources << /XObject << /X 7 0 R >> >> /Contents 6 0 R >>",
        b"<< /Length 27 >>\nstream\nq 1 0 0 1 200 300 cm /X Do\nQ\nendstream",
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 200 100] /Resources %b /Length %d >>\n"
        b"stream\n%b\nendstream" % (font, len(form), form),
    ]
    path = tmp_path / "a.pdf"
    path.write_bytes(assemble(objects))
    (line,) = read_pdf(path).pages[0].lines
    assert line.text == "届出人"
    assert line.box is not None
    assert (line.box.x0, line.box.x1) == pytest.approx((250 / 400, 280 / 400), abs=0.01)


def test_entries_of_a_table_of_contents_are_paragraphs(tmp_path: Path):
    entries = [("第1章 総則", "1"), ("第2章 出生の届出に関する通則", "12"), ("第3章 婚姻", "123")]
    marks = across("目次", 50, 500, 13)
    for line, (title, number) in enumerate(entries):
        marks += across(title, 50, 460 - 18 * line)
        marks += across(number, 340 - 5 * len(number), 460 - 18 * line)
    document = read_pdf(write_pdf(tmp_path / "a.pdf", [marks]))
    assert len(document.pages[0].text.splitlines()) == 4
