"""Retakes the pictures of the README: `python -m tests.browser.screenshots`.

They show the sample shelf as a newcomer sees it after `make run`.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from app.core.settings import Settings
from app.main import Shiori
from tests.browser.conftest import CHROMIUM, served

FOLDER = Path(__file__).parents[2] / "app" / "web" / "screenshots"
# Colours enough for text and marks; a picture stays well under 150 kB.
COLOURS = 96

QUESTION = "離婚しても今の名字を使い続けたい"
# What a morning at the counter might ask, so that the history and the numbers have something to show.
MORNING = (
    "死亡届を出せる人",
    "転籍届の添付書類",
    "父が日本人、母が外国人の子の出生届",
    "婚姻届の証人は誰か",
    "民767②",
    "国籍留保の届出",
    "離婚届の用紙の色",
)


def take(browser: Browser, address: str) -> None:
    """Takes every picture of a running service."""
    wide = {"width": 1366, "height": 768}
    page = browser.new_page(viewport=wide, locale="ja-JP")
    page.goto(f"{address}/?q={QUESTION}")
    _page_is_drawn(page)
    keep(page, "answer")
    page.goto(f"{address}/?q=届出の何日以内はいつから数えるか")
    page.locator(".passage", has_text="問答集").first.locator("a[data-open]").first.click()
    _page_is_drawn(page)
    page.locator("#viewer").scroll_into_view_if_needed()
    keep(page, "page")
    page.goto(f"{address}/?q=在外公館で離婚届を出すときの手数料")
    keep(page, "silent")
    page.goto(f"{address}/library")
    keep(page, "library")
    page.goto(f"{address}/numbers")
    keep(page, "numbers")
    page.close()
    tablet = browser.new_page(
        viewport={"width": 820, "height": 1180}, locale="ja-JP", color_scheme="dark"
    )
    tablet.goto(f"{address}/?q={QUESTION}")
    keep(tablet, "tablet-dark")
    tablet.close()


def keep(page: Page, name: str) -> None:
    """Keeps what the window shows as a PNG of few colours."""
    page.wait_for_load_state("networkidle")
    page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    few = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    few.save(FOLDER / f"{name}.png", optimize=True)
    print(f"{name}.png {(FOLDER / f'{name}.png').stat().st_size // 1000} kB")


def _page_is_drawn(page: Page) -> None:
    page.wait_for_function(
        "() => { const i = document.querySelector('.paper img'); return i && i.complete && i.naturalWidth }"
    )


def main() -> None:
    """A fresh sample shelf, a morning of questions, and the pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Shiori(Settings(data_dir=Path(folder))) as product,
    ):
        product.add_samples()
        with served(product) as address, sync_playwright() as playwright:
            for question in MORNING:
                httpx.get(address, params={"q": question}).raise_for_status()
            browser = playwright.chromium.launch(
                executable_path=str(CHROMIUM),
                args=["--no-sandbox", "--lang=ja"],
                env={**os.environ, "LANGUAGE": "ja"},
            )
            take(browser, address)
            browser.close()


if __name__ == "__main__":
    main()
