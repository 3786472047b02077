from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer.weigh import Wanted, confidence, held, lacks, named_ids, speaks_of, wanted
from app.main import Shiori

WANTED = Wanted(
    weights={"名字": 3.0, "使う": 1.0},
    nouns=frozenset({"名字"}),
    stands=((("名字",), (("氏",),), frozenset({"民法:767"})),),
    said={"戸籍法:77_2": frozenset({"使う"})},
)


@pytest.mark.parametrize(
    ("there", "about", "share"),
    [
        ({"名字", "使う"}, (), 1.0),
        ({"使う"}, (), 0.25),
        ({"氏", "使う"}, (), (3 * 0.85 + 1) / 4),
        ({"使う"}, ("民法:767",), (3 * 0.85 + 1) / 4),
        ({"名字"}, ("戸籍法:77_2",), (3 + 1 * 0.85) / 4),
        (set(), (), 0.0),
    ],
)
def test_a_word_counts_itself_or_by_what_stands_for_it(
    there: set[str], about: tuple[str, ...], share: float
) -> None:
    assert WANTED.coverage(there, about) == pytest.approx(share)


@given(
    st.sets(st.sampled_from(["名字", "使う", "氏", "届"])), st.sampled_from(["届", "名字", "氏"])
)
def test_more_words_never_cover_less(there: set[str], more: str) -> None:
    assert 0 <= WANTED.coverage(there) <= WANTED.coverage(there | {more}) <= 1


def test_nothing_wanted_is_covered_by_nothing() -> None:
    assert Wanted(weights={}).coverage({"名字"}) == 0.0


def test_what_asks_has_no_weight_and_what_is_nowhere_is_known(product: Shiori) -> None:
    asked = wanted(product.searcher, product.searcher.search("パスポートは誰がいつ出すのか"))
    assert "誰" not in asked.weights
    assert asked.unknown == ("パスポート",)


def test_confidence_is_the_best_passages_share(product: Shiori) -> None:
    result = product.searcher.search("死亡届は誰がいつまでに出すのか")
    asked = wanted(product.searcher, result)
    assert confidence(result, asked) == max(held(hit, asked) for hit in result.hits[:3])
    assert not lacks(result.hits[0], asked)


def test_a_named_article_is_answered_by_what_cites_it_or_not_at_all(product: Shiori) -> None:
    there = product.searcher.search("民法767条2項")
    assert named_ids(there.question) == {"民法:767", "民法:767:2"}
    assert speaks_of(there.hits[0], named_ids(there.question))
    assert confidence(there, wanted(product.searcher, there)) == 1.0
    nowhere = product.searcher.search("民法300条")
    assert confidence(nowhere, wanted(product.searcher, nowhere)) == 0.0


@pytest.mark.parametrize(
    ("question", "sure"),
    [
        ("戸籍謄本の手数料はいくらか", True),
        ("死亡届は何日以内に出すのか", True),
        ("死亡届の手数料はいくらか", False),
        ("死亡届を出せる時間帯は", False),
        ("死亡届の様式", False),
    ],
)
def test_a_passage_without_the_kind_of_thing_asked_for_is_less_sure(
    product: Shiori, question: str, sure: bool
) -> None:
    result = product.searcher.search(question)
    asked = wanted(product.searcher, result)
    assert asked.kinds
    best = max(held(hit, asked) for hit in result.hits[:3])
    assert (confidence(result, asked) == best) is sure


@pytest.mark.parametrize(
    ("question", "text", "told"),
    [
        ("出生届は何日以内か", "出生の日から十四日以内に届け出る。", 1.0),
        ("離婚してから何日待つ", "待つ期間はない。", 1.0),
        ("離婚してから何日待つ", "令和6年4月1日以後に生まれた子", 0.0),
        ("届出は何日以内か", "発生した日を1日目として数える。", 0.0),
        ("分籍は何歳から", "成年に達した者は分籍できる。", 1.0),
        ("証人は何人か", "成年の証人二人以上が署名する。", 1.0),
        ("手数料はいくらか", "条例で定める。", 0.0),
        ("離婚届の書き方", "14日以内に届け出る。", 0.0),
    ],
)
def test_a_span_an_age_or_a_sum_is_told_from_a_date(
    product: Shiori, question: str, text: str, told: float
) -> None:
    asked = wanted(product.searcher, product.searcher.search(question))
    assert asked.said_of(text)[0] == told


def test_a_professional_word_is_stood_for_by_no_other() -> None:
    row = (("認知", "届け"), (("認知", "届け出"), ("嫡出", "無い", "子")), frozenset[str]())
    asked = Wanted(weights={"認知": 3.0, "届け": 1.0}, stands=(row,))
    assert asked.coverage({"嫡出", "無い", "子"}) == pytest.approx(0.85 / 4)
