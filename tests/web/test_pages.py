from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.main import Shiori, application

PAGES = (
    "/",
    "/?q=離婚",
    "/?q=自動車の車庫証明の手数料",
    "/history",
    "/notes",
    "/library",
    "/numbers",
    "/docs",
    "/slip?q=離婚",
    "/inquiry?q=自動車の車庫証明の手数料",
)


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_whole_and_safe(client: TestClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    page = html.fromstring(response.text)
    assert page.get("lang") == "ja"
    assert len(page.xpath("//h1")) == 1
    assert not page.xpath("//*[@style] | //style | //script[not(@src)]")
    for link in page.xpath("//link/@href | //script/@src | //img/@src"):
        assert link.startswith("/")
        assert client.get(link).status_code == 200


@pytest.mark.parametrize("address", [*PAGES, "/nowhere", "/static/shiori.css"])
def test_a_head_is_that_of_the_page_without_its_body(client: TestClient, address: str) -> None:
    whole, head = client.get(address), client.head(address)
    assert head.status_code == whole.status_code
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert head.content == b""


def test_an_unknown_page_is_answered_in_japanese(client: TestClient) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert "/nowhere というページはありません" in response.text
    assert client.delete("/history").status_code == 405


def test_the_interface_goes_on_answering_in_json(client: TestClient) -> None:
    for response, status in (
        (client.get("/v1/books/unknown"), 404),
        (client.get("/v1/nowhere"), 404),
        (client.get("/v1/search", params={"q": ""}), 422),
        (client.put("/v1/books"), 405),
    ):
        assert response.status_code == status
        assert response.json()["error"]["code"]
        assert response.headers["x-content-type-options"] == "nosniff"


def test_an_unforeseen_error_is_a_page_with_a_number_to_report(
    product: Shiori, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(product.searcher, "search", fail)
    client = TestClient(application(product, "token"), raise_server_exceptions=False)
    response = client.get("/", params={"q": "戸籍"})
    assert response.status_code == 500
    page = html.fromstring(response.text)
    assert "予期しない誤り" in page.text_content()
    assert page.xpath("//code")[0].text
    assert response.headers["content-security-policy"]


def test_the_description_names_every_operation(client: TestClient) -> None:
    page = html.fromstring(client.get("/docs").text)
    text = page.text_content()
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in text
    assert "curl" in text
    for example in page.xpath("//pre//text()"):
        if " -d '" in example:
            sent = json.loads(example.split(" -d '")[1].removesuffix("'"))
            address = example.split()[3].removeprefix("http://127.0.0.1:8000")
            assert client.post(address, json=sent).status_code == 200, example


def test_a_first_visit_is_small(client: TestClient) -> None:
    response = client.get("/")
    page = html.fromstring(response.text)
    files = page.xpath("//link/@href | //script/@src")
    modules = [
        f"/static/{name}.js"
        for name in ("copying", "keys", "saying", "staying", "uploading", "viewer", "writing")
    ]
    size = len(response.content) + sum(len(client.get(file).content) for file in files + modules)
    assert size < 150_000


def test_while_the_model_loads_one_can_ask_and_is_told(
    client: TestClient, product: Shiori, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = product.health() | {"status": "loading"}
    monkeypatch.setattr(product, "health", lambda: now)
    page = html.fromstring(client.get("/", params={"q": "死亡届"}).text)
    assert "準備をしています" in page.xpath("string(//p[@class='strip'])")
    assert page.xpath("//article")


def test_a_model_that_failed_is_named_in_the_foot(
    client: TestClient, product: Shiori, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "model_state", "failed")
    monkeypatch.setattr(product, "message", "モデルを読めません。")
    assert "モデルを読めません。" in html.fromstring(client.get("/").text).xpath("string(//footer)")
