from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app.core.settings import Settings
from app.main import Shiori, application
from tests.browser.scribe import Scribe, scribe

CHROMIUM = Path("/usr/bin/chromium")

# Long enough for a machine that runs other tests meanwhile; what passes does not wait.
expect.set_options(timeout=60_000)


def settle(page: Page) -> None:
    """Waits until the evidence stands beside the answer: nothing moves under the mouse any more."""
    expect(page.locator("#viewer [data-sheet]")).to_be_visible()


@contextmanager
def served(product: Shiori) -> Iterator[str]:
    """The address of a service over a product."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            application(product, "token"),
            log_config=None,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        while not server.started:
            time.sleep(0.02)
        httpx.get(f"{address}/?q=離婚").raise_for_status()
        yield address
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def site(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running service on the sample shelf."""
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("browser") / "data")
    with Shiori(Settings(data_dir=folder)) as product, served(product) as address:
        yield address


@pytest.fixture(scope="session")
def writer() -> Iterator[Scribe]:
    """A language model whose pace the test sets."""
    with scribe() as running:
        yield running


@pytest.fixture(scope="session")
def written_site(
    sample_data: Path, tmp_path_factory: pytest.TempPathFactory, writer: Scribe
) -> Iterator[str]:
    """The address of a service that has a language model."""
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("written") / "data")
    settings = Settings(data_dir=folder, llm_url=writer.url, llm_timeout=20)
    with Shiori(settings) as product, served(product) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--lang=ja"]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="ja-JP")
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, site: str) -> Iterator[Page]:
    """A page that fails its test for anything the browser complains of."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error"
            and "ERR_" not in message.text
            and "status of" not in message.text
            else None
        ),
    )
    yield page
    assert not complaints
