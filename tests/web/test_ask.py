from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.core.book import Passage
from app.main import Shiori
from app.search.acts import acts_of
from app.web.ask import Ask, cited_articles

QUESTION = "離婚しても今の名字を使い続けたい"


def page(client: TestClient, address: str, **parameters: str) -> html.HtmlElement:
    response = client.get(address, params=parameters)
    assert response.status_code == 200, response.text[:300]
    return html.fromstring(response.text)


def test_without_a_question_the_page_asks_for_one(client: TestClient) -> None:
    found = page(client, "/")
    assert found.xpath("//input[@name='q' and @autofocus]")
    assert not found.xpath("//*[contains(@class, 'passage')]")


def test_an_answer_is_verbatim_and_its_numbers_lead_to_the_passages(
    client: TestClient, product: Shiori
) -> None:
    found = page(client, "/", q=QUESTION)
    quotes = found.xpath("//ol[@class='blocks']/li")
    assert quotes
    for quote in quotes:
        text = quote.xpath("string(blockquote)")
        number = quote.xpath(".//a[@class='number']")[0]
        passage = found.get_element_by_id(number.get("href").removeprefix("#"))
        assert number.text == f"[{passage.get('id').removeprefix('p')}]"
        assert text in product.ledger.passage(passage.get("data-passage-id")).text


def test_a_passage_names_book_edition_printed_page_and_section(client: TestClient) -> None:
    found = page(client, "/", q="民767②")
    text = " ".join(found.xpath("//article[@id='p1']")[0].text_content().split())
    assert "（見本）" in text
    assert re.search(r"初版|第2版", text)
    assert re.search(r"[\dⅰ-ⅻ]+(〜[\dⅰ-ⅻ]+)?頁", text)
    assert found.xpath("//article[@id='p1']//p[@class='path']")


def test_words_of_the_question_are_marked_in_the_passages(client: TestClient) -> None:
    found = page(client, "/", q="死亡届はどこに出すか")
    marked = {mark.text for mark in found.xpath("//article//mark[@class='own']")}
    assert any("死亡" in text for text in marked)


def test_an_expansion_can_be_left_out_and_taken_back(client: TestClient) -> None:
    found = page(client, "/", q=QUESTION)
    terms = found.xpath("//section[@class='expansions']//span[@class='term']/text()")
    assert "名字" in terms
    link = next(
        item.xpath("a/@href")[0]
        for item in found.xpath("//section[@class='expansions']//li")
        if item.xpath("string(span)") == "名字"
    )
    without = html.fromstring(client.get(link).text)
    off = without.xpath("//li[@class='off']")
    assert [item.xpath("string(span)") for item in off] == ["名字"]
    back = html.fromstring(client.get(off[0].xpath("a/@href")[0]).text)
    assert not back.xpath("//li[@class='off']")


def test_the_typical_question_is_told_with_its_articles_and_can_be_left_out(
    client: TestClient,
) -> None:
    found = page(client, "/", q=QUESTION)
    (row,) = found.xpath("//section[@class='typical']")
    assert "『" in row.text_content()
    assert "戸籍法第77条の2" in row.xpath(".//a/text()")
    assert "よくある質問" not in found.xpath("string(//section[@class='expansions'])")
    (leave_out,) = row.xpath(".//a[starts-with(@aria-label, '外す')]/@href")
    without = html.fromstring(client.get(leave_out).text)
    (row,) = without.xpath("//section[@class='typical']")
    assert "使っていません" in row.text_content()
    (take_back,) = row.xpath(".//a/@href")
    back = html.fromstring(client.get(take_back).text)
    assert "『" in back.xpath("string(//section[@class='typical'])")


def test_what_the_books_do_not_say(client: TestClient) -> None:
    found = page(client, "/", q="自動車の車庫証明の手数料")
    assert "本に答えを確かめられませんでした" in found.xpath("//h1")[0].text_content()
    assert found.xpath("//article[contains(@class, 'passage')]")
    assert "近い箇所" in found.text_content()


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        ({"q": ""}, 422, "質問が空です"),
        ({"q": "戸籍" * 600}, 422, "長すぎます"),
        ({"q": "戸籍", "book": "nothing"}, 404, "この書棚にありません"),
        ({"q": "戸籍", "as_of": "きのう"}, 422, "日付"),
        ({"q": "戸籍", "citing": "あれ"}, 422, "条文や先例"),
    ],
)
def test_a_bad_question_is_answered_on_the_same_page(
    client: TestClient, parameters: dict[str, str], status: int, words: str
) -> None:
    response = client.get("/", params=parameters)
    assert response.status_code == status
    found = html.fromstring(response.text)
    assert words in found.xpath("//*[@role='alert']")[0].text_content()
    assert found.get_element_by_id("q").get("value") == parameters["q"]


def test_filters_are_kept_in_the_form_and_limit_the_hits(
    client: TestClient, product: Shiori
) -> None:
    book = next(iter(product.ledger.books().values()))
    found = page(client, "/", q="届出", book=book.id)
    shown = set(found.xpath("//article//span[@class='book']/text()"))
    assert shown == {book.title}
    assert found.get_element_by_id("book").get("value") == f"{book.title} {book.edition}".strip()
    # The other books are still counted, so that one can go over to them.
    assert len(found.xpath("//nav[@class='facets']//span[@class='count']")) > 1


def test_a_book_is_chosen_by_a_part_of_its_title(client: TestClient) -> None:
    for written in ("問答", "戸籍窓口問答集（見本） 第2版", "問答、問答集"):
        found = page(client, "/", q="離婚の届出", book=written)
        shown = set(found.xpath("//article//span[@class='book']/text()"))
        assert shown == {"戸籍窓口問答集（見本）"}
        assert found.get_element_by_id("book").get("value") == written
    both = page(client, "/", q="離婚の届出", book="手引、問答")
    assert len(set(both.xpath("//article//span[@class='book']/text()"))) == 2


def test_pages_that_cite_an_article(client: TestClient, product: Shiori) -> None:
    found = page(client, "/", q="民法第767条", citing="民法第767条")
    ids = found.xpath("//article/@data-passage-id")
    assert ids
    for passage_id in ids:
        cites = product.ledger.passage(passage_id).cites
        assert any(cite.split(":")[:2] == ["民法", "767"] for cite in cites)
    assert "民法第767条を引用している箇所" in found.text_content()


def test_a_kind_of_notification_limits_the_hits_and_the_others_are_counted(
    client: TestClient, product: Shiori
) -> None:
    found = page(client, "/", q="届出の期間", act="死亡・失踪")
    ids = found.xpath("//article/@data-passage-id")
    assert ids
    assert all("死亡・失踪" in acts_of(product.ledger.passage(each)) for each in ids)
    assert found.xpath("//select[@name='act']/option[@selected]/text()") == ["死亡・失踪"]
    facets = found.xpath("//nav[@aria-label='届出の種類で絞る']//a")
    assert len(facets) > 2
    assert [link.get("title") for link in facets if link.get("aria-current")] == ["死亡・失踪"]
    assert client.get("/", params={"q": "届出", "act": "昼食"}).status_code == 422


def test_a_follow_up_is_read_with_the_question_before_it_and_shown_whole(
    client: TestClient,
) -> None:
    first = page(client, "/", q="婚姻届の証人は誰か")
    lookup = first.xpath("//input[@name='lookup']/@value")[0]
    second = page(client, "/", q="では外国人の場合は？", lookup=lookup)
    box = second.get_element_by_id("q").get("value")
    assert "外国人" in box
    assert "証人" in box
    told = second.xpath("//p[contains(@class, 'read')]")[0]
    assert "では外国人の場合は？" in told.text_content()
    assert box in told.text_content()
    alone = html.fromstring(client.get(told.xpath("a/@href")[0]).text)
    assert alone.get_element_by_id("q").get("value") == "では外国人の場合は？"
    assert not alone.xpath("//p[contains(@class, 'read')]")


def test_a_question_that_stands_by_itself_is_no_follow_up(client: TestClient) -> None:
    first = page(client, "/", q="婚姻届の証人は誰か")
    lookup = first.xpath("//input[@name='lookup']/@value")[0]
    second = page(client, "/", q="出生届は何日以内か", lookup=lookup)
    assert second.get_element_by_id("q").get("value") == "出生届は何日以内か"


def test_another_spelling_is_offered_where_nothing_was_found(client: TestClient) -> None:
    found = page(client, "/", q="帯児認地の証人は何人か")
    offered = found.xpath("//p[contains(@class, 'spelling')]//a")
    assert any("認知" in link.text for link in offered)
    assert not page(client, "/", q=QUESTION).xpath("//p[contains(@class, 'spelling')]")


def test_questions_like_it_are_offered_from_the_history(client: TestClient) -> None:
    page(client, "/", q="国籍喪失届を出せる人")
    found = page(client, "/", q="国籍喪失届の期間")
    assert "国籍喪失届を出せる人" in found.xpath("//section[@class='related']//a/text()")
    assert "国籍喪失届の期間" not in found.xpath("//section[@class='related']//a/text()")


def test_a_named_article_leads_to_the_pages_that_cite_it(client: TestClient) -> None:
    found = page(client, "/", q="民767②")
    [link] = found.xpath("//section[@class='citing-links']//a")
    assert link.text == "民法第767条を引用している頁"
    assert html.fromstring(client.get(link.get("href")).text).xpath("//article")


def test_the_empty_page_offers_the_latest_look_ups(client: TestClient) -> None:
    page(client, "/", q="国籍留保の届出")
    recent = page(client, "/").xpath("//section[@aria-labelledby='recent']//a/text()")
    assert "国籍留保の届出" in recent


def test_an_inquiry_is_drafted_where_the_books_are_near_but_silent(client: TestClient) -> None:
    question = "自動車の車庫証明の手数料"
    draft = page(client, "/inquiry", q=question).xpath("//*[@role='textbox']")
    assert (draft and question in draft[0].text_content()) or "近い箇所がない" in page(
        client, "/inquiry", q=question
    ).text_content()
    assert "本に答えがある" in page(client, "/inquiry", q=QUESTION).text_content()


def test_more_passages_on_request(client: TestClient) -> None:
    first = page(client, "/", q="届出")
    more = first.xpath("//a[contains(text(), '件も表示')]/@href")[0]
    second = html.fromstring(client.get(more).text)
    assert len(second.xpath("//article")) > len(first.xpath("//article"))


def test_the_foot_says_what_searches(client: TestClient) -> None:
    foot = page(client, "/").xpath("//footer")[0].text_content()
    assert "lexical" in foot
    assert "embedded" in foot
    assert "3冊" in foot


def test_an_address_carries_the_whole_question() -> None:
    ask = Ask("離婚 & 氏", book=("a", "b"), as_of="2026-04-01", without=("名字",), lookup=3)
    assert ask.url == (
        "/?q=%E9%9B%A2%E5%A9%9A+%26+%E6%B0%8F&book=a&book=b"
        "&without=%E5%90%8D%E5%AD%97&as_of=2026-04-01&lookup=3"
    )
    assert ask.without_but("名字").without == ()
    assert ask.but(shown=20).but(book=()).shown == 10


def test_cited_articles_are_named_once_without_their_paragraphs() -> None:
    passage = Passage("b-1", "b", 0, "民767②、戸77の2、民法767条1項による。")
    assert cited_articles(passage) == ("民法第767条", "戸籍法第77条の2")


def test_a_script_in_a_question_stays_text(client: TestClient) -> None:
    response = client.get("/", params={"q": "<script>alert(1)</script>"})
    assert "<script>alert" not in response.text
