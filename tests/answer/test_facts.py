from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer.facts import Amount, facts, numbers_in_place, opposites, predicates
from app.core.japanese import fold


def said(text: str) -> list[tuple[str, bool]]:
    return [(each.kind, each.holds) for each in predicates(fold(text))]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("届け出なければならない。", ("must", True)),
        ("認められているものでなければならない。", ("must", True)),
        ("届け出なくてもよい。", ("must", False)),
        ("証人は要しない。", ("must", False)),
        ("証人を要する。", ("must", True)),
        ("受理することができる。", ("can", True)),
        ("受理することができません。", ("can", False)),
        ("受理してはならない。", ("can", False)),
        ("婚姻は無効である。", ("is", True)),
        ("戸籍に記載しない。", ("is", False)),
    ],
)
def test_what_is_said_of_a_matter(text: str, last: tuple[str, bool]) -> None:
    assert said(text)[-1] == last


@given(st.integers(1, 99), st.sampled_from(["日", "か月", "円", "人", "歳", "通"]))
def test_an_amount_is_one_however_it_is_written(number: int, unit: str) -> None:
    tens, ones = divmod(number, 10)
    digits = "〇一二三四五六七八九"
    kanji = (
        (digits[tens] if tens > 1 else "") + ("十" if tens else "") + (digits[ones] if ones else "")
    )
    written = facts(f"手数料は{number}{unit}とする。").amounts
    assert (
        written == facts(f"手数料は{kanji}{unit}とする。").amounts == (Amount(str(number), unit),)
    )


def test_an_era_year_and_a_western_one_are_one_date() -> None:
    assert facts("令和6年4月1日").dates == facts("2024年4月1日").dates == ((2024, 4, 1),)


@pytest.mark.parametrize("text", ["1951年（昭和26年）10月4日", "昭和二十六年（1951年）十月四日"])
def test_a_year_written_both_ways_is_one_date(text: str) -> None:
    assert facts(text).dates == ((1951, 10, 4),)


def test_references_are_ids() -> None:
    assert facts("民七六七②による").ids == facts("民法第767条第2項による").ids


def test_a_number_is_known_by_the_words_around_it() -> None:
    assert list(numbers_in_place("離婚の日から三箇月以内")) == [(("日から", "か"), "3")]
    assert list(numbers_in_place("第三条、第五条")) == []


def test_opposites_are_on_the_same_words() -> None:
    may = list(predicates("外国人は証人となることができる。"))
    may_not = list(predicates("外国人は証人となることができない。"))
    other = list(predicates("手数料を免除することができない。"))
    assert opposites(may, may_not, 0.5, 1.0) == may
    assert opposites(may, may, 0.5, 1.0) == []
    assert opposites(may, other, 0.5, 1.0) == []
    assert opposites(may, [], 0.5, 1.0) == []


@pytest.mark.parametrize(
    ("text", "kind", "holds"),
    [
        ("家庭裁判所の許可を得なければならない。", "must", True),
        ("届出を認めなければならない。", "must", True),
        ("署名する義務があります。", "must", True),
        ("証人を添える義務はありません。", "must", False),
        ("添えなくてもかまいません。", "must", False),
        ("請求を妨げない。", "can", True),
        ("郵送してもかまいません。", "can", True),
        ("許可を得ないで届け出ることは認められません。", "can", False),
    ],
)
def test_what_is_allowed_or_required_is_read(text: str, kind: str, holds: bool) -> None:
    last = facts(text).predicates[-1]
    assert (last.kind, last.holds) == (kind, holds)
