from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import ModelUnavailable
from app.core.ledger import Ledger
from app.core.settings import Settings
from app.search.retrieve import Weights
from app.search.weights import chosen, remember

KNOWN = "ruri-v3-30m=/models/ruri"
UNKNOWN = "/models/house"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def test_without_a_model_there_is_no_dense_leg(ledger: Ledger) -> None:
    remember(ledger, "ruri-v3-30m", {"dense": 0.9})
    assert chosen(Settings(), ledger) == Weights()
    assert chosen(Settings(dense_weight=0.5), ledger).dense == 0.0


def test_a_model_nobody_measured_adds_nothing() -> None:
    weights = chosen(Settings(embed_model=UNKNOWN, rerank_model=UNKNOWN), None)
    assert (weights.dense, weights.rerank) == (0.0, 0.0)


def test_a_published_model_counts_a_little(ledger: Ledger) -> None:
    settings = Settings(
        embed_model=KNOWN, rerank_model="japanese-reranker-xsmall-v2=/models/reranker"
    )
    weights = chosen(settings, ledger)
    assert weights.dense > 0
    assert weights.rerank > 0


def test_what_was_tuned_for_the_model_comes_before_the_rule(ledger: Ledger) -> None:
    remember(ledger, "ruri-v3-30m", {"dense": 0.0, "grams": 0.4})
    remember(ledger, "house", {"dense": 0.7, "rerank": 0.6})
    assert chosen(Settings(embed_model=KNOWN), ledger).dense == 0.0
    assert chosen(Settings(embed_model=KNOWN), ledger).grams == 0.4
    assert chosen(Settings(embed_model=UNKNOWN), ledger).dense == 0.7
    assert chosen(Settings(rerank_model=UNKNOWN), ledger).rerank == 0.6


def test_a_setting_comes_before_what_was_tuned(ledger: Ledger) -> None:
    remember(ledger, "house", {"dense": 0.7, "rerank": 0.6})
    settings = Settings(
        embed_model=UNKNOWN, rerank_model=UNKNOWN, dense_weight=0.0, rerank_weight=0.2
    )
    weights = chosen(settings, ledger)
    assert (weights.dense, weights.rerank) == (0.0, 0.2)


def test_an_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(ModelUnavailable, match="ruri-v9") as caught:
        chosen(Settings(embed_model="ruri-v9=/models/x"), None)
    assert "ruri-v3-310m" in caught.value.hint
    assert caught.value.field == "embed_model"
