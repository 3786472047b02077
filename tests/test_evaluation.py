"""The shipped search against the committed baseline: what `shiori eval baseline` compares, one set of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.settings import Settings
from app.evaluation import configured
from eval import gate
from eval.datasets import load_dataset
from eval.runs import evaluate

QUESTIONS = Path(__file__).parents[2] / "shared" / "data" / "eval" / "koseki-counter-dev"


@pytest.mark.timeout(600)
@pytest.mark.skipif(
    not QUESTIONS.is_dir(), reason="../shared/data/eval/koseki-counter-dev がありません"
)
def test_the_search_is_no_worse_than_its_baseline() -> None:
    dataset = load_dataset(QUESTIONS)
    with configured(gate.CONFIG, dataset, Settings(), lambda done, total: None) as searcher:
        result = evaluate(dataset, searcher, config=gate.CONFIG)
    gate.check(result)
