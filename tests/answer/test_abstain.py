from __future__ import annotations

from app.answer.abstain import DRAFT, inquiry, reason
from app.answer.weigh import wanted
from app.main import Shiori


def test_the_reason_says_what_was_searched_and_what_is_unknown(product: Shiori) -> None:
    result = product.searcher.search("死亡届とパスポートの写真")
    said = reason(result, wanted(product.searcher, result), near=True)
    assert "「死亡」" in said
    assert "「パスポート」" in said
    assert "どこにもありません" in said
    assert "受理照会" in said


def test_far_from_the_books_nobody_is_sent_to_the_legal_affairs_bureau(product: Shiori) -> None:
    result = product.searcher.search("粗大ごみの収集")
    said = reason(result, wanted(product.searcher, result), near=False)
    assert "受理照会" not in said
    assert "担当の窓口" in said


def test_a_named_article_is_what_was_not_found(product: Shiori) -> None:
    result = product.searcher.search("戸籍法300条の届出")
    assert reason(result, wanted(product.searcher, result), near=True).startswith("戸籍法第300条を")


def test_the_draft_is_marked_quotes_the_nearest_and_leaves_the_rest_open(product: Shiori) -> None:
    result = product.searcher.search("死亡届を外国語で出せるか")
    draft = inquiry(result)
    assert draft.startswith(DRAFT)
    assert result.query in draft
    nearest = result.hits[0]
    assert f"{nearest.book.title} {nearest.book.edition} {nearest.passage.page_label}頁" in draft
    assert " ".join(nearest.passage.text.split())[:60] in draft
    for open_part in ("○○法務局長", "2　事案の概要", "4　当職の意見"):
        assert open_part in draft


def test_without_passages_there_is_no_draft(product: Shiori) -> None:
    assert inquiry(product.searcher.search("ｘｙｚｚｙ")) == ""
