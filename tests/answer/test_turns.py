from __future__ import annotations

import pytest

from app.answer.turns import turned

SOURCE = "嫡出でない子の父又は母は、婚姻前の氏を称する者に限り、家庭裁判所の許可を得て、配偶者を除き、届け出ることができる。"


@pytest.mark.parametrize(
    ("said", "instead", "told"),
    [
        ("父又は母", "父及び母", "「又は」が「及び」"),
        ("婚姻前", "婚姻後", "「前の」が「後の」"),
        ("者に限り", "者に限らず", "「に限り」が「に限ら"),
        ("者に限り、", "者、", "「に限り」が落ちて"),
        ("を除き", "を含み", "「を除」が「を含」"),
        ("嫡出でない子", "嫡出の子", "落ちて"),
    ],
)
def test_a_small_word_exchanged_turns_a_sentence(said: str, instead: str, told: str) -> None:
    reasons = "".join(turned(SOURCE.replace(said, instead), SOURCE))
    assert told in reasons


@pytest.mark.parametrize(
    "claim",
    [
        SOURCE,
        "父か母は、家庭裁判所の許可を得て届け出ることができます。",
        "家庭裁判所の許可を得れば、嫡出でない子の父または母は、婚姻前の氏を称する者に限り届け出ることができる。",
        "",
    ],
)
def test_saying_less_or_otherwise_turns_nothing(claim: str) -> None:
    assert not list(turned(claim, SOURCE))


def test_two_nouns_that_changed_places_are_told() -> None:
    source = "遺言執行者がないときは、家庭裁判所は、利害関係人の請求によって、これを選任する。"
    claim = "遺言執行者がないときは、利害関係人は、家庭裁判所の請求によって、これを選任する。"
    assert "入れ替わって" in "".join(turned(claim, source))
    told = "遺言執行者がないときは、利害関係人の請求によって、家庭裁判所がこれを選任する。"
    assert not list(turned(told, source))
