"""The REST interface: its promised shapes, and one error shape whatever goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.api import schemas
from app.api.schemas import ErrorOut
from app.api.service import create
from app.core.settings import Settings
from app.main import Shiori

QUESTION = "離婚しても今の名字を使い続けたい"
TOKEN = "token-of-this-machine"
HIT = {
    "rank",
    "score",
    "passage_id",
    "book_id",
    "book_title",
    "edition",
    "page_label",
    "page_index",
    "page_index_end",
    "section_path",
    "article",
    "text",
    "source_file",
}


@pytest.fixture(scope="module")
def product(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shiori]:
    """Questions are logged, so these tests have a shelf of their own."""
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("api") / "data")
    with Shiori(Settings(data_dir=folder)) as product:
        yield product


@pytest.fixture(scope="module")
def app(product: Shiori) -> FastAPI:
    return create(product, TOKEN)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def error(response: Any, status: int, code: str) -> dict[str, str]:
    """The error of a response, checked to have the one shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    body = response.json()
    assert set(body) == {"error"}
    found: dict[str, str] = body["error"]
    assert ErrorOut.model_validate(body, strict=True).model_dump() == body
    assert all(isinstance(value, str) for value in found.values())
    assert found["code"] == code
    assert found["message"]
    assert not found["message"].isascii(), found["message"]
    assert found["request_id"]
    return found


def without_time(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "took_ms"}


def test_a_search_has_the_promised_shape(client: TestClient) -> None:
    found = client.get("/v1/search", params={"q": QUESTION, "k": 3}).json()
    assert found["query"] == QUESTION
    assert found["took_ms"] > 0
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    for hit in found["hits"]:
        assert set(hit) >= HIT
        assert hit["text"]
        assert hit["page_index"] <= hit["page_index_end"]
        assert isinstance(hit["section_path"], list)


def test_an_answer_has_the_promised_shape(client: TestClient) -> None:
    asked = client.get("/v1/ask", params={"q": QUESTION}).json()
    assert (asked["query"], asked["answered"], asked["reason"]) == (QUESTION, True, "")
    texts = {hit["passage_id"]: hit["text"] for hit in asked["hits"]}
    assert asked["answer"]
    for sentence in asked["answer"]:
        assert sentence["citations"]
        assert any(sentence["text"] in texts[id_] for id_ in sentence["citations"])


@pytest.mark.parametrize("face", ["search", "ask"])
def test_get_and_post_answer_the_same(client: TestClient, face: str) -> None:
    got = client.get(f"/v1/{face}", params={"q": QUESTION, "k": 4}).json()
    posted = client.post(f"/v1/{face}", json={"query": QUESTION, "k": 4}).json()
    assert without_time(got) == without_time(posted)


def test_filters_limit_by_book_shelf_edition_and_citation(
    client: TestClient, product: Shiori
) -> None:
    for book in product.ledger.books().values():
        only = {"books": [book.id]}
        posted = client.post("/v1/search", json={"query": QUESTION, "filters": only}).json()
        assert {hit["book_id"] for hit in posted["hits"]} == {book.id}
        got = client.get("/v1/search", params={"q": QUESTION, "books": book.id}).json()
        assert without_time(got) == without_time(posted)
        by_edition = client.get("/v1/search", params={"q": QUESTION, "editions": book.edition})
        assert {hit["edition"] for hit in by_edition.json()["hits"]} <= {book.edition}
    nowhere = client.get("/v1/search", params={"q": QUESTION, "shelves": "無い棚"}).json()
    assert nowhere["hits"] == []
    long_ago = client.get("/v1/search", params={"q": QUESTION, "as_of": "1900-01-01"}).json()
    dated = {hit["book_id"] for hit in long_ago["hits"]}
    assert all(
        not (product.ledger.book(id_).published or product.ledger.book(id_).as_of) for id_ in dated
    )
    citing = client.get("/v1/search", params={"q": "届出", "citing": "戸籍法77条の2"}).json()
    assert citing["hits"]
    for hit in citing["hits"]:
        cites = client.get(f"/v1/passages/{hit['passage_id']}").json()["cites"]
        assert any(cite.startswith("戸籍法:77_2") for cite in cites)


def test_books_and_passages(client: TestClient, product: Shiori) -> None:
    books = client.get("/v1/books").json()
    assert {book["id"] for book in books} == set(product.ledger.books())
    assert client.get(f"/v1/books/{books[0]['id']}").json() == books[0]
    hit = client.get("/v1/search", params={"q": QUESTION, "k": 1}).json()["hits"][0]
    passage = client.get(f"/v1/passages/{hit['passage_id']}").json()
    assert passage["text"] == hit["text"]
    assert passage["book"]["id"] == hit["book_id"]
    for page in passage["boxes"]:
        for box in page["boxes"]:
            assert 0 <= box["x0"] <= box["x1"] <= 1


def test_health(client: TestClient, product: Shiori) -> None:
    health = client.get("/v1/health").json()
    assert health["status"] == "ready"
    assert health["books"] == len(product.ledger.books())
    assert health["passages"] == sum(book.passages for book in product.ledger.books().values())
    assert (health["search"], health["engine"]) == ("lexical", "embedded")


@pytest.mark.parametrize("face", ["search", "ask"])
@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": " 　\n"}, "query"),
        ({"query": "字" * 10_000}, "query"),
        ({}, "query"),
        ({"query": 5}, "query"),
        ({"query": QUESTION, "k": 0}, "k"),
        ({"query": QUESTION, "k": 201}, "k"),
        ({"query": QUESTION, "k": "たくさん"}, "k"),
        ({"query": QUESTION, "kk": 1}, "kk"),
        ({"query": QUESTION, "filters": {"as_of": "きのう"}}, "as_of"),
        ({"query": QUESTION, "filters": {"citing": ["むかしむかし"]}}, "citing"),
        ({"query": QUESTION, "filters": {"acts": ["結納"]}}, "acts"),
        ({"query": QUESTION, "filters": {"author": "x"}}, "filters.author"),
    ],
)
def test_a_bad_question_is_explained(
    client: TestClient, face: str, question: dict[str, Any], field: str
) -> None:
    found = error(client.post(f"/v1/{face}", json=question), 422, "bad_request")
    assert found["field"] == field
    assert found["hint"]


@pytest.mark.parametrize("params", [{"q": ""}, {}, {"q": "a" * 10_000}, {"q": "離婚", "k": "x"}])
def test_a_bad_question_in_the_address_is_explained(
    client: TestClient, params: dict[str, str]
) -> None:
    error(client.get("/v1/search", params=params), 422, "bad_request")
    error(client.get("/v1/ask", params=params), 422, "bad_request")


def test_a_body_that_is_no_json_is_explained(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    error(client.post("/v1/search", content=b"{", headers=headers), 422, "bad_request")
    error(client.post("/v1/search", content=b"\xff\xfe", headers=headers), 422, "bad_request")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/books/ffffffffffff",
        "/v1/passages/ffffffffffff-0",
        "/v1/passages/x",
        "/v1/nothing",
        "/x",
    ],
)
def test_what_is_not_there_is_named(client: TestClient, path: str) -> None:
    found = error(client.get(path), 404, "not_found")
    assert path.rpartition("/")[2] in found["message"]


def test_an_unknown_book_in_a_filter_is_named(client: TestClient) -> None:
    question = {"query": QUESTION, "filters": {"books": ["ffffffffffff"]}}
    found = error(client.post("/v1/search", json=question), 404, "not_found")
    assert "ffffffffffff" in found["message"]


def test_a_method_that_is_not_offered_is_named(client: TestClient) -> None:
    error(client.delete("/v1/books"), 405, "method_not_allowed")
    error(client.post("/v1/health"), 405, "method_not_allowed")


def test_an_unexpected_failure_has_the_shape_and_no_details(app: FastAPI) -> None:
    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    with TestClient(app, raise_server_exceptions=False) as client:
        response = client.get("/broken")
    assert "secret" not in response.text
    error(response, 500, "internal")


def test_answers_carry_the_id_that_logs_have(client: TestClient) -> None:
    good = client.get("/v1/health")
    bad = client.get("/v1/nothing")
    assert good.headers["x-request-id"] != bad.headers["x-request-id"]
    assert bad.json()["error"]["request_id"] == bad.headers["x-request-id"]


@pytest.mark.parametrize("token", ["", "wrong", "トークン"])
def test_local_commands_need_the_token_of_this_machine(client: TestClient, token: str) -> None:
    headers = {"X-Shiori-Token": token.encode()}
    body = {"paths": ["/etc/hostname"]}
    error(client.post("/v1/local/ingest", json=body, headers=headers), 403, "forbidden")
    error(client.delete("/v1/local/books/x", headers=headers), 403, "forbidden")
    error(client.get("/v1/local/jobs", headers=headers), 403, "forbidden")
    admitted = client.get("/v1/local/jobs", headers={"X-Shiori-Token": TOKEN})
    assert admitted.status_code == 200


def test_the_description_leads_nowhere_else(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    assert "/v1/search" in description["paths"]
    assert not [path for path in description["paths"] if "local" in path]


def test_every_example_of_the_description_is_valid_and_whole(app: FastAPI) -> None:
    shapes = app.openapi()["components"]["schemas"]
    shown = {name for name in shapes if "examples" in shapes[name]}
    assert shown >= {"QuestionIn", "SearchOut", "AskOut", "BookOut", "PassageOut", "HealthOut"}
    for name in shown:
        shape: type[BaseModel] = getattr(schemas, name)
        for example in shapes[name]["examples"]:
            shape.model_validate(example)
            if name.endswith("Out"):
                assert example.keys() == shape.model_fields.keys()


def test_questions_are_kept_for_tuning(client: TestClient, product: Shiori) -> None:
    client.get("/v1/search", params={"q": "分籍"})
    client.get("/v1/ask", params={"q": "分籍"})
    asked, searched = product.ledger.questions(limit=2)
    assert (asked.kind, asked.query, searched.kind, searched.query) == (
        "ask",
        "分籍",
        "search",
        "分籍",
    )
    assert asked.answered is not None
    assert searched.hits
