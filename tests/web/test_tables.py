"""The site's glossary and law changes on the library desk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.core.settings import Settings
from app.main import Shiori, application

ROW = {
    "topic": "氏",
    "everyday": "看板名",
    "professional": "氏",
    "articles": "民法767条2項",
    "note": "",
}
QUESTION = "離婚した後の看板名"


@pytest.fixture(scope="module")
def shelf(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shiori]:
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("tables") / "data")
    with Shiori(Settings(data_dir=folder)) as product:
        yield product


@pytest.fixture
def client(shelf: Shiori) -> Iterator[TestClient]:
    words, changes = shelf.glossary, shelf.changes
    yield TestClient(
        application(shelf, "token"), base_url="http://localhost:8000", client=("127.0.0.1", 1)
    )
    for table in (shelf.site_glossary, shelf.site_changes):
        table.path.unlink(missing_ok=True)
    shelf.use_tables(words=words, changes=changes)


def knows(product: Shiori) -> bool:
    """Whether searches know the word of the site's row."""
    return "看板名" in [one.term for one in product.searcher.search(QUESTION).expansions]


def form(text: str, action: str) -> dict[str, str]:
    """The hidden fields of the form with an action that ends so."""
    page = html.fromstring(text)
    (found,) = page.xpath(f"//form[@action='{action}'][.//button]")[:1]
    return {field.name: field.value or "" for field in found.xpath(".//input[@name]")}


def preview(client: TestClient, data: dict[str, str], table: str = "glossary") -> str:
    response = client.post(f"/library/{table}/preview", data=data)
    assert response.status_code == 200, response.text
    return response.text


def save(client: TestClient, shown: str, table: str = "glossary") -> None:
    response = client.post(f"/library/{table}/save", data=form(shown, f"/library/{table}/save"))
    assert response.status_code == 200


def test_a_row_is_tried_saved_used_at_once_and_undone(client: TestClient, shelf: Shiori) -> None:
    shelf.ledger.log_lookup(QUESTION, [], 1.0, True)
    shown = preview(client, ROW | {"question": QUESTION})
    page = html.fromstring(shown)
    before, after = page.xpath("//div[@class='trial-sides']/div")
    assert "看板名" not in before.xpath("string(.//ul[@class='small'])")
    assert "民法767条2項" in after.xpath("string(.//ul[@class='small'])")
    assert before.xpath(".//li//a/@href") != after.xpath(".//li//a/@href")
    assert QUESTION in page.xpath("string(//section[@aria-labelledby='past'])")
    assert shelf.site_glossary.rows() == [], "nothing is saved by looking"
    assert not knows(shelf)

    save(client, shown)
    assert shelf.site_glossary.rows() == [tuple(ROW.values())]
    assert knows(shelf)
    assert "民法767条2項" in client.get("/", params={"q": QUESTION}).text

    save(client, preview(client, {"number": "1", "drop": "1"}))
    assert not knows(shelf)
    version = shelf.ledger.table_versions("glossary")[1]
    save(client, preview(client, {"version": str(version.id)}))
    assert knows(shelf)
    assert shelf.ledger.deeds()[0].action == "用語集を直す"
    assert "氏／看板名" in shelf.ledger.deeds()[0].detail


def test_a_bad_row_is_named_where_it_was_typed(client: TestClient, shelf: Shiori) -> None:
    response = client.post("/library/glossary/preview", data=ROW | {"articles": "民法"})
    assert response.status_code == 422
    page = html.fromstring(response.text)
    assert "1行目（氏／看板名）: 「民法」は法令名のある条文の表記ではありません" in page.xpath(
        "string(//*[@role='alert'])"
    )
    assert page.xpath("//input[@id='everyday']/@value") == ["看板名"]
    pasted = "氏\tみょうじ\t氏\n婚姻\t籍を入れる"
    response = client.post("/library/glossary/preview", data={"text": pasted})
    assert response.status_code == 422
    page = html.fromstring(response.text)
    assert "2行目（婚姻／籍を入れる）" in page.xpath("string(//*[@role='alert'])")
    assert "みょうじ" in page.xpath("string(//textarea[@id='text'])")
    assert shelf.site_glossary.rows() == []


def test_a_shipped_row_is_found_and_switched_off(client: TestClient, shelf: Shiori) -> None:
    page = client.get("/library/glossary", params={"find": "ハンコ"}).text
    first = html.fromstring(page).xpath("//section[@aria-labelledby='shipped']//tbody/tr")[0]
    fields = {one.name: one.value for one in first.xpath(".//form//input")} | {"off": "1"}
    shown = preview(client, fields)
    assert "止めます" in shown
    save(client, shown)
    assert shelf.site_glossary.rows()[0][1] == "!" + fields["everyday"]
    gone = (fields["topic"], fields["everyday"])
    assert gone not in {entry.key for entry in shelf.glossary.entries}


def test_two_administrators_do_not_overwrite_each_other(client: TestClient) -> None:
    first = preview(client, ROW)
    second = preview(client, ROW | {"everyday": "サーネーム"})
    save(client, first)
    late = client.post("/library/glossary/save", data=form(second, "/library/glossary/save"))
    assert late.status_code == 409
    assert "ほかの人が先に" in late.text


def test_a_law_change_warns_from_the_next_question_on(client: TestClient, shelf: Shiori) -> None:
    row = {
        "effective": "2026-10-01",
        "subject": "試しの改正",
        "articles": "民法767条",
        "keywords": "",
        "summary": "試しに変わった。",
        "question": "離婚しても今の名字を使い続けたい",
    }
    by_itself = html.fromstring(preview(client, row | {"question": ""}, "law-changes"))
    assert "「民法767条」をこの改正より前の内容の本で調べたとき" in by_itself.text_content()
    _, after = by_itself.xpath("//div[@class='trial-sides']/div")
    assert "試しの改正" in after.text_content()
    shown = preview(client, row, "law-changes")
    page = html.fromstring(shown)
    before, after = page.xpath("//div[@class='trial-sides']/div")
    assert "試しの改正" in after.text_content()
    assert "試しの改正" not in before.text_content()
    assert page.xpath("//section[@aria-labelledby='older']//li")
    save(client, shown, "law-changes")
    asked = {"q": "離婚しても今の名字を使い続けたい"}
    assert "試しに変わった。" in client.get("/", params=asked).text
    bad = client.post("/library/law-changes/preview", data=row | {"effective": "来年"})
    assert "施行日「来年」は日付ではありません" in bad.text


def test_a_saved_table_is_there_after_a_restart(tmp_path: Path, sample_data: Path) -> None:
    folder = shutil.copytree(sample_data, tmp_path / "data")
    with Shiori(Settings(data_dir=folder)) as product:
        product.site_glossary.save([tuple(ROW.values())], product.site_glossary.mark())
        file = product.site_glossary.path
    with Shiori(Settings(data_dir=folder)) as product:
        assert knows(product)
    # Named in the settings too, its rows still count once.
    with Shiori(Settings(data_dir=folder, glossary=(file,))) as product:
        assert knows(product)
        assert product.site_glossary.checked(product.site_glossary.rows())


def test_the_tables_are_for_administrators(shelf: Shiori) -> None:
    stranger = TestClient(
        application(shelf, "token"), base_url="http://shiori.lan", client=("10.1.2.3", 1)
    )
    for table in ("glossary", "law-changes"):
        away = stranger.get(f"/library/{table}", follow_redirects=False)
        assert away.headers["location"] == "/library"
        assert stranger.get(f"/library/{table}.tsv", follow_redirects=False).status_code == 303
        for deed in ("preview", "save"):
            assert stranger.post(f"/library/{table}/{deed}", data={"text": ""}).status_code == 403
