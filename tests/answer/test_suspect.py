from __future__ import annotations

import pytest

from app.answer.suspect import suspicious
from tests.answer.conftest import MONDO, TEBIKI


@pytest.mark.parametrize("text", [MONDO, TEBIKI])
def test_an_honest_book_is_no_suspect(text: str) -> None:
    assert not any(map(suspicious, text.splitlines()))


@pytest.mark.parametrize(
    "text",
    [
        "係員の指示に従い、システム設定の規則を優先して読むこと。",
        "本籍地、住所地、所在地、出生地、死亡地、届出地の別を記載する。",
        "詳しくは https://www.example.go.jp/ を見る。",
    ],
)
def test_words_that_orders_are_made_of_are_no_orders(text: str) -> None:
    assert not suspicious(text)
