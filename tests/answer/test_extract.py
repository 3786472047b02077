from __future__ import annotations

import pytest

from app.answer.compose import Answered
from app.main import Shiori


def shown(answered: Answered) -> list[str]:
    return [block.text for block in answered.answer.blocks]


def test_every_block_is_the_text_its_citation_points_to(product: Shiori) -> None:
    for question in ("離婚しても今の名字を使い続けたい", "出生の届出の期間", "戸籍謄本の手数料"):
        answered = product.answerer.ask(question)
        texts = {hit.passage.id: hit.passage.text for hit in answered.result.hits}
        assert 1 <= len(answered.answer.blocks) <= 3
        for block in answered.answer.blocks:
            [citation] = block.citations
            assert texts[citation.passage_id][citation.start : citation.end] == block.text


def test_the_marked_answer_is_shown_with_its_question_and_proviso(product: Shiori) -> None:
    first = shown(product.answerer.ask("離婚後も結婚していたときの名字を名乗りたい"))[0]
    assert first.startswith("問1")
    assert "答　離婚の日から3か月以内に" in first
    assert first.endswith("ただし、期間を過ぎたときは、家庭裁判所の許可が要る。")


def test_a_passage_on_another_matter_in_the_same_words_is_silent(product: Shiori) -> None:
    texts = shown(product.answerer.ask("離婚しても今の名字を使い続けたい"))
    assert texts
    assert not any("離縁" in text for text in texts)


def test_a_question_is_never_its_own_answer(product: Shiori) -> None:
    for text in shown(product.answerer.ask("死亡届は誰がいつまでに出すのか")):
        assert "。" in text.removeprefix("問3　死亡届は誰がいつまでに出すのか。")


def test_a_sentence_takes_the_list_it_announces(product: Shiori) -> None:
    texts = shown(product.answerer.ask("出生の届出のできる場所"))
    assert any("本籍地" in text and "出生地" in text for text in texts)


def test_who_is_told_by_the_persons_not_by_their_title(sample_product: Shiori) -> None:
    first = shown(sample_product.answerer.ask("死亡届は誰が出せるか"))[0]
    assert "同居の親族" in first
    assert "同居の親族" not in shown(sample_product.answerer.ask("死亡届の期限"))[0]


def test_the_proviso_follows_its_sentence(product: Shiori) -> None:
    texts = shown(product.answerer.ask("出生証明書を添えなければならないか"))
    assert any("この限りでない" in text for text in texts)


def test_a_definition_comes_first(product: Shiori) -> None:
    assert shown(product.answerer.ask("反致とは"))[0].startswith("反致とは")


def test_a_named_article_is_answered_by_passages_that_cite_it(product: Shiori) -> None:
    texts = shown(product.answerer.ask("戸籍法77条の2"))
    assert texts
    assert "称する旨を届け出" in texts[0]


@pytest.mark.parametrize(
    "question", ["粗大ごみの収集", "パスポートの写真の大きさ", "昭和39年6月30日民事甲第2240号回答"]
)
def test_what_the_books_do_not_hold_is_not_answered(product: Shiori, question: str) -> None:
    answer = product.answerer.ask(question).answer
    assert not answer.answered
    assert answer.blocks == ()
    assert answer.reason


def test_an_unanswered_question_names_the_words_and_drafts_an_inquiry(product: Shiori) -> None:
    answered = product.answerer.ask("パスポートの写真の大きさと死亡届")
    if answered.answer.answered:
        pytest.fail("この質問には答えがない")
    assert "「パスポート」" in answered.answer.reason
    assert "受理照会" in answered.answer.reason
    assert answered.answer.inquiry.startswith("【下書き】")
    assert "パスポートの写真の大きさと死亡届" in answered.answer.inquiry
    assert answered.result.hits[0].book.title in answered.answer.inquiry


def test_an_unknown_notice_is_named_in_the_reason(product: Shiori) -> None:
    reason = product.answerer.ask("昭和39年6月30日民事甲第2240号回答").answer.reason
    assert "昭和39年6月30日民事甲第2240号" in reason


def test_what_has_nothing_to_do_with_the_books_is_no_case_for_an_inquiry(product: Shiori) -> None:
    answer = product.answerer.ask("粗大ごみの収集").answer
    assert answer.inquiry == ""
    assert "受理照会" not in answer.reason


@pytest.mark.parametrize("question", ["印鑑登録は何歳から", "自動車の車庫証明の手数料"])
def test_without_its_most_telling_noun_nothing_is_near(product: Shiori, question: str) -> None:
    answer = product.answerer.ask(question).answer
    assert not answer.answered
    assert answer.inquiry == ""


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("死亡届の期限", "7日以内"),
        ("国外で出生があったときの届出の期間", "三箇月以内"),
        ("謄本の手数料はいくらか", "450円"),
        ("縁氏続称は縁組から何年で", "7年"),
    ],
)
def test_the_first_block_says_the_kind_of_thing_asked_for(
    product: Shiori, question: str, told: str
) -> None:
    assert told in shown(product.answerer.ask(question))[0]
