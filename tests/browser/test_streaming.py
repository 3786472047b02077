"""The answer of a language model as it comes, stops, waits, fails, and is cut off."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.core.settings import Settings
from app.main import Shiori
from tests.browser.conftest import served
from tests.browser.scribe import Scribe
from tests.browser.test_looks import violations

pytestmark = pytest.mark.timeout(600)

QUESTION = "死亡届は誰が届け出るのか"


@pytest.fixture(autouse=True)
def at_its_own_pace(writer: Scribe) -> Iterator[None]:
    yield
    writer.refuses = writer.broken = False
    writer.hold(after=0)
    writer.go.set()


def test_the_books_come_at_once_and_the_model_sentence_by_sentence(
    page: Page, written_site: str, writer: Scribe
) -> None:
    writer.hold(after=1)
    page.goto(f"{written_site}/?q={QUESTION}")
    # The model has not finished its first sentence for all the page shows.
    expect(page.locator(".answer > .blocks blockquote").first).to_be_visible()
    expect(page.locator(".passage").first).to_be_visible()
    log = page.get_by_role("log")
    expect(log.locator("li")).to_have_count(1)
    expect(page.locator("[data-status]")).to_have_text(re.compile("1文を書きました"))
    assert violations(page) == []
    number = log.locator(".number")
    number.hover()
    expect(page.locator(f"#p{number.get_attribute('data-passage')}")).to_have_class(
        re.compile("pointed")
    )
    number.click()
    expect(page.locator("#viewer [data-sheet]")).to_be_visible()
    above = page.locator(".written").bounding_box()
    below = page.locator(".answer > .blocks").bounding_box()
    assert above
    assert below
    assert above["y"] < below["y"]

    writer.go.set()
    expect(page.locator(".writing")).to_have_count(0)
    count = page.locator(".written .blocks > li").count()
    assert count > 1
    expect(page.locator("[data-said]")).to_have_text(f"まとめを書き終えました。{count}文です。")
    assert violations(page) == []
    page.reload()
    expect(page.locator(".written .blocks > li")).to_have_count(count)
    expect(page.locator(".writing")).to_have_count(0)
    expect(page.locator(".verbatim blockquote").first).to_be_hidden()
    page.get_by_text("本の記述をそのまま見る").click()
    expect(page.locator(".verbatim blockquote").first).to_be_visible()


def test_it_can_be_stopped_and_the_model_is_free_again(
    page: Page, written_site: str, writer: Scribe
) -> None:
    writer.hold(after=1)
    page.goto(f"{written_site}/?q=婚姻届の証人は誰か")
    expect(page.get_by_role("log").locator("li")).to_have_count(1)
    page.get_by_role("button", name="やめる").click()
    expect(page.locator(".written [role=alert]")).to_contain_text("やめました")
    assert writer.left.wait(10)
    expect(page.locator(".answer > .blocks blockquote").first).to_be_visible()
    expect(page.get_by_role("button", name="もう一度書く")).to_be_focused()
    assert violations(page) == []
    writer.go.set()
    page.get_by_role("button", name="もう一度書く").click()
    expect(page.locator("[data-said]")).to_have_text(re.compile("まとめを書き終えました"))


def test_one_who_waits_sees_the_place_in_the_queue(
    page: Page, context: BrowserContext, written_site: str, writer: Scribe
) -> None:
    writer.hold()
    page.goto(f"{written_site}/?q=出生届の期間")
    expect(page.locator("[data-status]")).to_contain_text("書き、")
    second = context.new_page()
    second.goto(f"{written_site}/?q=転籍届の添付書類")
    expect(second.locator("[data-status]")).to_contain_text("前に1件")
    expect(second.locator(".passage").first).to_be_visible()
    writer.go.set()
    for each in (page, second):
        expect(each.locator(".writing")).to_have_count(0)


@pytest.mark.parametrize("fault", ["refuses", "broken"])
def test_a_model_that_fails_leaves_the_books_own_words(
    page: Page, written_site: str, writer: Scribe, fault: str
) -> None:
    setattr(writer, fault, True)
    page.goto(f"{written_site}/?q=認知の届出は誰がするか")
    expect(page.locator(".written .notice")).to_contain_text("言語モデル")
    expect(page.locator(".written li")).to_have_count(0)
    expect(page.locator(".answer > .blocks blockquote").first).to_be_visible()
    assert violations(page) == []


def test_a_model_that_is_not_there_is_said_to_be_so(
    page: Page, sample_data: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(sample_data, tmp_path / "data")
    settings = Settings(data_dir=folder, llm_url="http://127.0.0.1:9")
    with Shiori(settings) as product, served(product) as address:
        page.goto(f"{address}/?q={QUESTION}")
        expect(page.locator(".written .notice")).to_contain_text("つながりません")
        expect(page.locator(".answer > .blocks blockquote").first).to_be_visible()
        page.reload()
        expect(page.locator(".foot")).to_contain_text("つながりません")


@contextmanager
def process(folder: Path, port: int, llm_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The service in a process of its own, once it answers."""
    code = "import app.cli; app.cli.main()"
    environment = os.environ | {"SHIORI_LLM_URL": llm_url}
    command = [sys.executable, "-c", code, "serve", "--data-dir", str(folder), "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as service:
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        try:
            yield service
        finally:
            service.kill()


def test_a_service_that_is_restarted_meanwhile(
    page: Page, sample_data: Path, tmp_path: Path, writer: Scribe
) -> None:
    folder = shutil.copytree(sample_data, tmp_path / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    writer.hold(after=1)
    with process(folder, port, writer.url) as service:
        page.goto(f"http://127.0.0.1:{port}/?q={QUESTION}")
        expect(page.get_by_role("log").locator("li")).to_have_count(1)
        page.locator("#q").focus()
        service.kill()
        service.wait()
        told = page.locator(".written [role=alert]")
        expect(told).to_contain_text("途中で止まりました")
        expect(page.locator("#q")).to_be_focused()
        # What was verified stays, and so does everything below; what needs the service says so.
        expect(page.get_by_role("log").locator("li")).to_have_count(1)
        page.locator(".passage a[data-open]").first.click()
        expect(page.locator("#viewer")).to_contain_text("栞につながりません")
        page.locator("#p1").get_by_role("button", name="役に立った").click()
        expect(page.locator("[data-said]")).to_contain_text("栞につながりません")
        assert violations(page) == []
    writer.go.set()
    with process(folder, port, writer.url):
        page.get_by_role("button", name="もう一度書く").click()
        expect(page.locator("[data-said]")).to_have_text(re.compile("まとめを書き終えました"))
