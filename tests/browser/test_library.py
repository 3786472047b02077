"""The administrators' desk in a real browser: upload, bad pages, the glossary tried and saved."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pypdf import PdfReader, PdfWriter

from app.core.settings import Settings
from app.main import SAMPLES, Shiori
from tests.browser.conftest import served
from tests.browser.test_looks import faults, violations

pytestmark = pytest.mark.timeout(900)

# Reading a book takes its time on a small machine.
READ = 240_000


@pytest.fixture(scope="module")
def desk(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service whose shelf these tests change."""
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("desk") / "data")
    with Shiori(Settings(data_dir=folder)) as product, served(product) as address:
        yield address


@pytest.fixture(scope="module")
def half_scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of a page with text and one without."""
    sample = next(path for path in sorted(SAMPLES.iterdir()) if path.suffix == ".pdf")
    writer = PdfWriter()
    writer.add_page(PdfReader(sample).pages[12])
    picture = io.BytesIO()
    Image.new("L", (620, 877), 40).save(picture, "PDF")
    writer.add_page(PdfReader(picture).pages[0])
    path = tmp_path_factory.mktemp("books") / "半分の本.pdf"
    writer.write(path)
    return path


@pytest.fixture(scope="module")
def uploaded(desk: str, browser: Browser, half_scanned: Path) -> Iterator[Page]:
    """A page on which two files were sent, one of them broken, and what was seen meanwhile."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="ja-JP")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{desk}/library")
    broken = {"name": "壊れた本.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-nothing"}
    page.get_by_label("ファイル", exact=True).set_input_files(
        [
            {
                "name": half_scanned.name,
                "mimeType": "application/pdf",
                "buffer": half_scanned.read_bytes(),
            },
            broken,
        ]
    )
    page.evaluate(
        "seen => { const status = document.querySelector('[data-progress] [role=status]');"
        " window.seen = []; new MutationObserver(() => window.seen.push("
        "   document.querySelector('[data-progress]').textContent)).observe("
        "   status.parentElement, { childList: true, subtree: true, characterData: true }) }"
    )
    page.get_by_role("button", name="登録する").click()
    expect(page.locator("[data-progress] [role=status]")).to_contain_text(
        "登録を終えました", timeout=READ
    )
    yield page
    context.close()


def test_an_upload_is_followed_book_by_book(uploaded: Page) -> None:
    seen = uploaded.evaluate("window.seen.join(' ')")
    assert "登録しています" in seen
    assert "読んでいます" in seen or "待っています" in seen
    good, bad = uploaded.locator("[data-progress] li").all()
    expect(good).to_contain_text("登録しました")
    expect(bad).to_contain_text("登録できませんでした。")
    assert len(bad.inner_text()) > 40, "the reason is told"
    expect(uploaded.locator(".books")).to_contain_text("半分の本")
    expect(uploaded.locator("section[aria-labelledby=failed]")).to_contain_text("壊れた本.pdf")
    expect(uploaded.get_by_role("button", name="登録する")).to_be_enabled()
    assert violations(uploaded) == []


def test_a_bad_page_is_shown_as_it_is_printed(uploaded: Page, desk: str) -> None:
    uploaded.locator(".books tr", has_text="半分の本").locator("td a").click()
    (item,) = uploaded.locator(".bad-pages > li").all()
    expect(item).to_contain_text("2枚目")
    expect(item).to_contain_text("すること")
    picture = item.locator("img")
    picture.scroll_into_view_if_needed()
    uploaded.wait_for_function(
        "() => document.querySelector('.bad-pages img').naturalWidth > 0", timeout=60_000
    )
    shot = Image.open(io.BytesIO(picture.screenshot())).convert("L")
    middle = shot.getpixel((shot.width // 2, shot.height // 2))
    assert abs(int(str(middle)) - 40) < 12, "the grey of the page itself"
    for summary in uploaded.locator("main summary").all():
        summary.click()
    assert violations(uploaded) == []


def test_a_book_is_taken_off_and_put_back(uploaded: Page, desk: str) -> None:
    uploaded.goto(f"{desk}/library?containing=半分")
    uploaded.get_by_role("link", name="半分の本").click()
    uploaded.get_by_text("この本を外す…").click()
    uploaded.get_by_role("button", name="外す", exact=True).click()
    aside = uploaded.locator("section[aria-labelledby=aside]")
    expect(aside).to_contain_text("半分の本")
    assert violations(uploaded) == []
    aside.get_by_role("button", name="戻す").click()
    expect(uploaded.locator("h1")).to_contain_text("半分の本")
    uploaded.goto(f"{desk}/library")
    expect(uploaded.locator(".books")).to_contain_text("半分の本")


def test_a_glossary_row_is_tried_and_saved_by_keyboard(context: BrowserContext, desk: str) -> None:
    page = context.new_page()
    page.goto(f"{desk}/library/glossary")
    page.get_by_label("分類", exact=True).focus()
    for text in ("氏", "看板名", "氏", "民法767条2項", ""):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.type("離婚後の看板名")
    page.keyboard.press("Enter")
    sides = page.locator(".trial-sides > div")
    expect(sides).to_have_count(2, timeout=60_000)
    before, after = sides.all()
    expect(before.locator(".term", has_text="看板名")).to_have_count(0)
    expect(after).to_contain_text("民法767条2項")
    expect(after.locator(".compared")).to_contain_text("新しく入る")
    assert violations(page) == []
    page.get_by_role("button", name="保存する").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".site-rows")).to_contain_text("看板名")
    assert violations(page) == []
    page.goto(f"{desk}/?q=看板名の手続")
    expect(page.locator("main")).to_contain_text("民法767条2項")


def test_the_index_is_built_anew_in_sight(context: BrowserContext, desk: str) -> None:
    page = context.new_page()
    page.goto(f"{desk}/library/upkeep")
    page.get_by_role("button", name="索引を作り直す").click()
    status = page.locator("[data-rebuilding] [role=status]")
    expect(status).to_contain_text("索引を作り直しました", timeout=READ)
    expect(page.get_by_role("button", name="索引を作り直す")).to_be_enabled()
    assert violations(page) == []


def test_without_scripts_a_book_is_added_and_followed(browser: Browser, desk: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{desk}/library")
    page.get_by_label("ファイル", exact=True).set_input_files(
        {
            "name": "空き地.md",
            "mimeType": "text/markdown",
            "buffer": "# 空き地\n\n届け出る。\n".encode(),
        }
    )
    page.get_by_role("button", name="登録する").click()
    for _ in range(200):
        if "登録を終えました" in page.locator("[data-progress] [role=status]").inner_text():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(page.locator("[data-progress]")).to_contain_text("登録しました")
    expect(page.locator(".books")).to_contain_text("空き地")
    context.close()


def test_no_page_is_hard_to_read_or_cut_off(context: BrowserContext, desk: str) -> None:
    page = context.new_page()
    addresses = (
        "/library",
        "/library?containing=無い本",
        "/library/glossary?find=名字",
        "/library/law-changes?find=親権",
        "/library/upkeep",
        "/numbers",
    )
    complaints = {}
    for address in addresses:
        page.set_viewport_size({"width": 1366, "height": 768})
        page.goto(desk + address)
        for summary in page.locator("main summary").all():
            summary.click()
        complaints[address] = faults(page)
    page.goto(f"{desk}/library/glossary")
    page.get_by_label("分類", exact=True).fill("婚姻")
    page.get_by_role("button", name="効果を見る").first.click()
    expect(page.get_by_role("alert")).to_contain_text("行目（婚姻）")
    complaints["error"] = violations(page)
    assert {name: found for name, found in complaints.items() if found} == {}
