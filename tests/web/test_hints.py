from __future__ import annotations

from pathlib import Path

import pytest

from app.core import glossary
from app.core.ledger import Ledger
from app.web.hints import related, spellings

WORDS = glossary.load()


@pytest.mark.parametrize(
    ("question", "unknown", "meant"),
    [
        ("胎児認地の届出", [], "胎児認知の届出"),
        ("ちゃくしゅつ推定とは", [], "嫡出推定とは"),
        ("準拠方はどう決める", [], "準拠法はどう決める"),
        ("特別養女子縁組の年齢", ["特別養女子縁組"], "特別養子縁組の年齢"),
    ],
)
def test_a_word_that_sounds_or_looks_like_one_of_the_field_is_offered(
    question: str, unknown: list[str], meant: str
) -> None:
    assert meant in spellings(question, unknown, WORDS)


@pytest.mark.parametrize(
    "question", ["離婚の届出", "転籍届けの添付書類", "自動車の車庫証明の手数料", "a", "ー", ""]
)
def test_what_is_written_well_is_left_alone(question: str) -> None:
    assert spellings(question, [], WORDS) == []


def test_likest_questions_come_first_and_only_those_that_were_answered(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for query, answered in (
        ("離婚届の証人", True),
        ("離婚届の用紙はどこにあるか教えて", True),
        ("離婚届の証人の住所", True),
        ("離婚届の証人の年齢", False),
        ("住民票の写し", True),
    ):
        ledger.log_question("ask", query, [], 1.0, answered)
    assert related("離婚届の証人の人数", ledger) == ["離婚届の証人", "離婚届の証人の住所"]
    assert related("離婚届の証人の人数", ledger, ["離婚届の証人"]) == ["離婚届の証人の住所"]
    assert related("離婚届の証人", ledger) == ["離婚届の証人の住所"]
    ledger.close()
