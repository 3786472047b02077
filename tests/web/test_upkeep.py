from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.core.settings import Settings
from app.main import Shiori, application
from app.web.spreadsheet import as_csv


@pytest.fixture
def shelf(data_dir: Path) -> Iterator[Shiori]:
    with Shiori(Settings(data_dir=data_dir)) as product:
        yield product


def test_the_index_is_built_anew_while_it_is_searched(shelf: Shiori) -> None:
    client = TestClient(
        application(shelf, "token"), base_url="http://localhost:8000", client=("127.0.0.1", 1)
    )
    before = shelf.spec.name
    found = [hit.passage.id for hit in shelf.searcher.search("離婚届").hits]
    assert client.post("/library/upkeep/rebuild").status_code == 200
    state = client.get("/library/upkeep/progress").json()
    for _ in range(200):
        assert shelf.searcher.search("離婚届").hits
        state = client.get("/library/upkeep/progress").json()
        if not state["running"]:
            break
        time.sleep(0.1)
    assert state["done"] == state["total"] == len(shelf.ledger.books())
    assert "作り直しました" in state["words"]
    assert shelf.spec.name != before
    assert [hit.passage.id for hit in shelf.searcher.search("離婚届").hits] == found
    page = html.fromstring(client.get("/library/upkeep").text)
    assert "索引を作り直す" in page.xpath("string(//section[@aria-labelledby='deeds']//tbody)")
    file = client.get("/library/upkeep/deeds.csv")
    assert "127.0.0.1,索引を作り直す" in file.text


def test_upkeep_is_for_administrators(stranger: TestClient) -> None:
    assert stranger.get("/library/upkeep", follow_redirects=False).status_code == 303
    assert stranger.get("/library/upkeep/progress").status_code == 403
    assert stranger.get("/library/upkeep/deeds.csv", follow_redirects=False).status_code == 303
    assert stranger.post("/library/upkeep/rebuild").status_code == 403


def test_a_cell_is_never_a_formula() -> None:
    data = as_csv(("件名",), [("=HYPERLINK(1)",), ("ふつう",), (-3,)]).decode("utf-8-sig")
    assert data.splitlines() == ["件名", "'=HYPERLINK(1)", "ふつう", "-3"]
