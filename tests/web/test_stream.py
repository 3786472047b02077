from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.core.settings import Settings
from app.main import Shiori, application
from tests.browser.scribe import Scribe, scribe

QUESTION = "離婚しても今の名字を使い続けたい"


@pytest.fixture
def writer() -> Iterator[Scribe]:
    with scribe() as running:
        yield running


@pytest.fixture
def client(data_dir: Path, writer: Scribe) -> Iterator[TestClient]:
    """A browser of a service with a language model."""
    settings = Settings(data_dir=data_dir, llm_url=writer.url, llm_timeout=5)
    with (
        Shiori(settings) as product,
        TestClient(application(product, "token"), base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


def events(client: TestClient, address: str) -> list[tuple[str, str]]:
    found = []
    name = ""
    for line in client.get(address).text.splitlines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            found.append((name, json.loads(line.removeprefix("data: "))))
    return found


def asked(client: TestClient, **more: str) -> html.HtmlElement:
    return html.fromstring(client.get("/", params={"q": QUESTION, **more}).text)


def test_the_page_does_not_wait_for_the_model_and_then_shows_what_it_wrote(
    client: TestClient, writer: Scribe
) -> None:
    writer.go.clear()  # a page that waited would wait for good
    page = asked(client)
    assert page.xpath("//blockquote")
    assert page.xpath("//article")
    address = page.xpath("//section/@data-writes")[0]
    writer.go.set()
    sent = events(client, address)
    names = [name for name, _ in sent]
    assert names[0] == "status"
    assert names[-1] == "done"
    sentences = [html.fromstring(text) for name, text in sent if name == "sentence"]
    assert sentences
    for sentence in sentences:
        assert sentence.xpath(".//a[@class='number'][@data-page]")
        assert sentence.xpath(".//p[@class='sentence']/@data-cite | .//blockquote/@data-cite")

    # Loaded again, and printed, it is the same answer without another look at the model.
    writer.refuses = True
    again = asked(client)
    assert not again.xpath("//section/@data-writes")
    assert "まとめ" in again.xpath("string(//h1)")
    assert len(again.xpath("//h1")) == 1
    texts = [item.xpath("string(.//p[@class='sentence'] | .//blockquote)") for item in sentences]
    shown = again.xpath("//div[@class='written']//li")
    assert [
        item.xpath("string(.//p[@class='sentence'] | .//blockquote)") for item in shown
    ] == texts
    slip = client.get("/slip", params={"q": QUESTION}).text
    assert all(text in slip for text in texts)


def test_without_scripts_one_can_wait_for_the_whole(client: TestClient) -> None:
    link = asked(client).xpath("//noscript//a/@href")[0]
    page = html.fromstring(client.get(link).text)
    assert "まとめ" in page.xpath("string(//h1)")


def test_a_model_that_fails_leaves_the_books_own_words_and_a_notice(
    client: TestClient, writer: Scribe
) -> None:
    writer.refuses = True
    page = asked(client)
    assert page.xpath("//blockquote")
    name, text = events(client, page.xpath("//section/@data-writes")[0])[-1]
    assert name == "done"
    done = html.fragment_fromstring(text, create_parent=True)
    assert "言語モデル" in done.xpath("string(.//p[@role='note'])")
    assert not done.xpath(".//li")
    assert asked(client).xpath("//section/@data-writes"), "the next look tries again"
    waited = asked(client, wait="true")
    assert "言語モデル" in waited.xpath("string(//p[@role='note'])")
    assert waited.xpath("//blockquote")


def test_what_the_books_do_not_say_never_reaches_the_model(client: TestClient) -> None:
    page = asked(client, q="自動車の車庫証明の手数料")
    assert not page.xpath("//section/@data-writes")


def test_a_bad_question_is_an_error_status(client: TestClient) -> None:
    assert client.get("/answer", params={"q": ""}).status_code == 422
    assert client.get("/answer", params={"q": "戸籍", "book": "nothing"}).status_code == 404


def test_another_sites_page_cannot_set_the_model_to_work(client: TestClient) -> None:
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert client.get("/answer", params={"q": QUESTION}, headers=elsewhere).status_code == 403
