from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.main import Shiori
from app.web.desk import own_address
from app.web.view import duration


def ask(client: TestClient, question: str, **more: str) -> html.HtmlElement:
    return html.fromstring(client.get("/", params={"q": question, **more}).text)


def lookup_of(page: html.HtmlElement) -> int:
    return int(page.xpath("//input[@name='lookup']/@value")[0])


def test_a_look_up_goes_on_until_it_is_solved(client: TestClient, product: Shiori) -> None:
    first = lookup_of(ask(client, "死亡届を出せる人"))
    assert lookup_of(ask(client, "死亡届を出せる人")) == first, "a page loaded again counts once"
    assert lookup_of(ask(client, "死亡届の期間", lookup=str(first))) == first
    found = product.ledger.lookup(first)
    assert found is not None
    assert found.queries == ("死亡届を出せる人", "死亡届の期間")
    assert found.solved_at is None

    response = client.post(f"/lookups/{first}/solved")
    assert response.url.path == "/"
    assert "調べものを終えました" in response.text
    solved = product.ledger.lookup(first)
    assert solved is not None
    assert solved.solved_at is not None
    assert lookup_of(ask(client, "死亡届の期間", lookup=str(first))) != first
    assert client.post("/lookups/999999/solved").status_code == 404


def test_two_people_who_ask_the_same_have_a_look_up_each(
    client: TestClient, product: Shiori
) -> None:
    mine = lookup_of(ask(client, "認知届の届出地"))
    client.cookies.clear()
    yours = lookup_of(ask(client, "認知届の届出地"))
    assert yours != mine
    client.post(f"/lookups/{mine}/solved")
    still = product.ledger.lookup(yours)
    assert still is not None
    assert still.solved_at is None


def test_a_like_is_counted_beside_the_passage(client: TestClient, product: Shiori) -> None:
    page = ask(client, "国籍留保の届出")
    passage_id = page.xpath("//article/@data-passage-id")[0]
    form = {
        "query": "国籍留保の届出",
        "passage_id": passage_id,
        "helpful": "true",
        "back": "/?q=国籍留保の届出#p1",
    }
    answer = client.post("/verdicts", data=form)
    client.post("/verdicts", data=form)
    button = html.fromstring(answer.text).xpath("//article[@id='p1']//div[@class='deeds']//button")[
        0
    ]
    assert button.text_content().split() == ["役に立った", "1"]
    assert product.ledger.likes([passage_id]) == {passage_id: 1}
    assert client.post("/verdicts", data=form | {"passage_id": "no-such"}).status_code == 404


def test_a_note_is_stuck_on_seen_by_all_and_taken_off(client: TestClient) -> None:
    page = ask(client, "認知の届出")
    passage_id = page.xpath("//article/@data-passage-id")[0]
    back = "/?q=認知の届出"
    note = {"passage_id": passage_id, "text": "様式は<棚>の2段目", "name": "佐藤", "back": back}
    after = html.fromstring(client.post("/notes", data=note).text)
    assert "様式は<棚>の2段目" in after.xpath("string(//article[@id='p1'])")
    listed = html.fromstring(client.get("/notes").text)
    assert "佐藤" in listed.text_content()
    off = listed.xpath("//form[contains(@action, '/remove')]/@action")[0]
    assert "様式は" not in client.post(off, data={"back": "/notes"}).text
    assert client.post("/notes", data=note | {"text": " "}).status_code == 422
    assert client.post("/notes", data=note | {"text": "長" * 1001}).status_code == 422


def test_a_note_of_ones_own_is_seen_in_this_browser_only(
    client: TestClient, stranger: TestClient
) -> None:
    page = ask(client, "就籍の許可")
    passage_id = page.xpath("//article/@data-passage-id")[0]
    note = {
        "passage_id": passage_id,
        "text": "要確認の控え",
        "own": "true",
        "folder": "確かめる",
        "back": "/notes",
    }
    mine = client.post("/notes", data=note)
    assert "要確認の控え" in mine.text
    assert "httponly" in mine.history[0].headers["set-cookie"].lower()
    assert "要確認の控え" in ask(client, "就籍の許可").text_content()
    for seen in (stranger.get("/notes"), stranger.get("/", params={"q": "就籍の許可"})):
        assert "要確認の控え" not in seen.text
    assert "確かめる" not in stranger.get("/notes").text

    listed = html.fromstring(client.get("/notes", params={"folder": "確かめる"}).text)
    assert listed.xpath("//p[@class='written-note']/text()") == ["要確認の控え"]
    change = listed.xpath("//form[contains(@action, '/change')]/@action")[0]
    same_site = {"sec-fetch-site": "same-origin"}
    other = {"back": "/notes", "folder": "盗む"}
    assert stranger.post(change, data=other, headers=same_site).status_code == 404
    stranger.post(change.replace("change", "remove"), data=other, headers=same_site)
    shared = client.post(change, data={"back": "/notes", "folder": "渉外"})
    assert "係で共有" in shared.text
    assert "要確認の控え" in stranger.get("/notes", params={"folder": "渉外"}).text
    assert "当てはまる付箋はありません" in client.get("/notes", params={"folder": "確かめる"}).text


def test_the_history_is_searched_and_asked_again(client: TestClient) -> None:
    ask(client, "転籍届の添付書類")
    page = html.fromstring(client.get("/history", params={"containing": "転籍"}).text)
    links = page.xpath("//ul[@class='rows']//a")
    assert [link.text for link in links] == ["転籍届の添付書類"]
    again = html.fromstring(client.get(links[0].get("href")).text)
    assert again.get_element_by_id("q").get("value") == "転籍届の添付書類"
    assert "まだありません" in client.get("/history", params={"containing": "無い言葉"}).text


def test_the_slip_holds_question_answer_citations_and_room_to_sign(client: TestClient) -> None:
    text = html.fromstring(
        client.get("/slip", params={"q": "離婚しても今の名字を使い続けたい"}).text
    ).text_content()
    for words in ("離婚しても今の名字を使い続けたい", "頁", "職員確認", "内容現在"):
        assert words in text
    assert client.get("/slip", params={"q": ""}).status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
    ],
)
def test_forms_of_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/lookups/1/solved", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/?q=a#p1", "/?q=a#p1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
    ],
)
def test_one_is_sent_back_within_the_service_only(given: str, kept: str) -> None:
    assert own_address(given) == kept


@pytest.mark.parametrize(
    ("seconds", "said"), [(45.2, "45秒"), (59.9, "60秒"), (720, "12分"), (7500, "2時間5分")]
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    assert duration(seconds) == said
