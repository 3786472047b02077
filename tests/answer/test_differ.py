from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.answer.differ import differ
from app.core.settings import Settings
from app.main import Shiori

OLD = """\
# 第1章　手数料
## 問1　戸籍謄本の手数料はいくらか。
答　戸籍謄本の手数料は、1通につき400円である。
"""
NEW = OLD.replace("400円", "450円")
APART = """\
# 第1章　手数料
## 問1　除籍謄本の手数料はいくらか。
答　除籍謄本の手数料は、1通につき750円である。
"""


@pytest.fixture(scope="module")
def shelf(
    tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., str]
) -> Iterator[Shiori]:
    with Shiori(Settings(data_dir=tmp_path_factory.mktemp("differing"))) as product:
        publish(product, "手数料便覧", OLD, "令和2年版")
        publish(product, "窓口便覧", NEW, "令和6年版")
        publish(product, "除籍便覧", APART)
        yield product


def test_books_that_disagree_are_set_side_by_side(shelf: Shiori) -> None:
    answered = shelf.answerer.ask("戸籍謄本の手数料はいくらか")
    [found] = answered.answer.differing
    texts = {hit.passage.id: hit.passage.text for hit in answered.result.hits}
    for side in found.sides:
        citation = side.citation
        assert texts[citation.passage_id][citation.start : citation.end] == side.text
    assert sorted("450円" in side.text for side in found.sides) == [False, True]
    notice = answered.answer.notices[0]
    for said in ("『手数料便覧』 令和2年版", "400円", "『窓口便覧』 令和6年版", "450円"):
        assert said in notice


def test_a_near_duplicate_that_says_something_else_is_a_hit_of_its_own(shelf: Shiori) -> None:
    searched = shelf.searcher.search("戸籍謄本の手数料はいくらか")
    assert searched.hits[0].similar
    hits = shelf.answerer.ask("戸籍謄本の手数料はいくらか").result.hits
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert {hit.book.title for hit in hits[:2]} == {"手数料便覧", "窓口便覧"}
    assert hits[1].passage.id not in hits[0].similar
    assert len(shelf.answerer.ask("戸籍謄本の手数料はいくらか", 1).result.hits) == 1


def test_a_book_on_another_matter_does_not_disagree(shelf: Shiori) -> None:
    notices = shelf.answerer.ask("戸籍謄本の手数料はいくらか").answer.notices
    assert not any("除籍便覧" in notice for notice in notices)


def test_one_book_alone_does_not_disagree(product: Shiori) -> None:
    assert product.answerer.ask("離婚しても今の名字を使い続けたい").answer.differing == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("届出は、離婚の日から三箇月以内にする。", "届出は、離婚の日から6か月以内にする。"),
        ("外国人も証人となることができる。", "外国人は証人となることができない。"),
    ],
)
def test_what_cannot_both_be_right_differs(one: str, other: str) -> None:
    assert differ(one, other)
    assert differ(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("届出期間は14日以内である。", "届出期間は、十四日以内とする。"),
        ("死亡届は7日以内に届け出る。", "出生届は14日以内に届け出る。"),
        ("届出は、七日以内にする。", "届出は、7日以内（国外では3か月以内）にする。"),
        ("養親は20歳に達していなければならない。", "養子は15歳に達していなければならない。"),
        ("", "届出は、七日以内にする。"),
    ],
)
def test_what_can_both_be_right_does_not(one: str, other: str) -> None:
    assert not differ(one, other)


def test_what_is_not_needed_is_not_opposed_to_what_is_the_case() -> None:
    one = "自己又は配偶者の直系卑属を養子とする場合は要しない。"
    other = "配偶者の直系卑属を養子とする場合に当たる。"
    assert not differ(one, other)
    assert differ(one, "自己又は配偶者の直系卑属を養子とする場合も要する。")


def test_rows_of_a_table_on_two_things_do_not_differ() -> None:
    assert not differ(
        "戸籍の謄本・抄本、戸籍証明書　一通　四百五十円",
        "除かれた戸籍の謄本・抄本、除籍証明書　1通　750円",
    )
    assert differ("戸籍の謄本・抄本　一通　四百五十円", "戸籍の謄本・抄本　1通　750円")
