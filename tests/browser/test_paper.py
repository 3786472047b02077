"""What is printed, and pages that are pictures of paper."""

from __future__ import annotations

import io
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from playwright.sync_api import Page, expect

from app.core.settings import Settings
from app.main import SAMPLES, Shiori
from ingest.readers import ocr
from tests.browser.conftest import served
from tests.browser.test_journeys import drawn, is_marked

pytestmark = pytest.mark.timeout(600)

QUESTION = "離婚しても今の名字を使い続けたい"


def printed(page: Page) -> tuple[str, int]:
    """What the page is on paper: its text without spaces, and how many sheets."""
    pdf = pdfium.PdfDocument(io.BytesIO(page.pdf(format="A4")))
    text = "".join(sheet.get_textpage().get_text_bounded() for sheet in pdf)
    sheets = len(pdf)
    pdf.close()
    return "".join(text.split()), sheets


def test_a_slip_is_one_sheet_with_answer_citations_and_room_to_sign(page: Page, site: str) -> None:
    page.goto(f"{site}/slip?q={QUESTION}")
    text, sheets = printed(page)
    assert sheets == 1
    for words in ("調べもの控え", QUESTION, "婚氏続称", "頁", "内容現在", "職員確認", "確認者"):
        assert words in text
    for control in ("印刷する", "検索結果に戻る", "履歴"):
        assert control not in text


def test_an_answer_is_printed_with_its_question_and_without_controls(page: Page, site: str) -> None:
    page.goto(f"{site}/?q={QUESTION}")
    text, _ = printed(page)
    assert f"質問:{QUESTION}" in text
    assert "本の記述" in text
    for control in ("役に立った", "付箋を貼る", "解決した", "すべての本", "キー操作"):
        assert control not in text


def test_the_history_is_printed(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=死亡届を出せる人")
    page.goto(f"{site}/history?containing=死亡届")
    expect(page.get_by_role("button", name="印刷する")).to_be_visible()
    text, _ = printed(page)
    assert "死亡届を出せる人" in text
    assert "「死亡届」を含む質問" in text
    assert "印刷する" not in text


def test_the_draft_of_an_inquiry_is_written_on_and_printed(page: Page, site: str) -> None:
    page.goto(f"{site}/?q=在外公館で離婚届を出すときの手数料")
    page.get_by_role("link", name="受理照会の下書きを作る").click()
    draft = page.get_by_role("textbox", name="照会の文面")
    draft.press("End")
    page.keyboard.type("書き足した意見")
    text, _ = printed(page)
    assert "下書き" in text
    assert "書き足した意見" in text
    assert "印刷する" not in text


@pytest.mark.skipif(not ocr.available(), reason="the optional extra ocr is not installed")
def test_the_mark_lies_on_the_words_of_a_scanned_page(page: Page, tmp_path: Path) -> None:
    source = pdfium.PdfDocument(SAMPLES / "mondo.pdf")
    sheet = source[14]
    words = next(
        line for line in sheet.get_textpage().get_text_bounded().splitlines() if len(line) > 20
    )
    scan = tmp_path / "控え.pdf"
    # The upper half is enough, and half the work.
    half = (0, sheet.get_height() / 2, 0, 0)
    sheet.render(scale=2, crop=half).to_pil().convert("L").save(scan, resolution=144)
    source.close()
    with Shiori(Settings(data_dir=tmp_path / "data")) as product:
        [added] = product.add([scan]).results
        assert added.book_id
        with served(product) as address:
            page.goto(f"{address}/?q={words}&book={added.book_id}")
            page.locator("#p1 a[data-open]").click()
            drawn(page)
            assert is_marked(page, page.locator("rect.cited").first)
