from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.core.errors import UnreadableFile
from eval.datasets import Dataset
from eval.gate import BelowBaseline, check, update
from eval.runs import Result, evaluate


def measured(dataset: Dataset, documents: str) -> Result:
    return evaluate(
        dataset, lambda question, k: [(doc, 1.0) for doc in documents.split()], config="標準"
    )


def test_a_result_as_good_as_its_baseline_passes(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    update(measured(tiny, "d1 d4 d3"), path)
    check(measured(tiny, "d1 d4 d3"), path)
    check(measured(tiny, "d1 d3 d2"), path)


def test_a_fall_names_the_measure_and_the_command(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    update(measured(tiny, "d1 d3 d2"), path)
    with pytest.raises(BelowBaseline) as caught:
        check(measured(tiny, "d4 d1 d2 d3"), path)
    assert "mrr@10 0.7500 → 0.3750" in caught.value.message
    assert "recall@10" not in caught.value.message
    assert "shiori eval baseline --update" in caught.value.hint


def test_a_fall_within_tolerance_passes(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    update(measured(tiny, "d1 d3 d2"), path)
    check(measured(tiny, "d4 d1 d2 d3"), path, tolerance=0.5)


def test_speed_never_fails(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    update(measured(tiny, "d1"), path)
    baseline = json.loads(path.read_text("utf-8"))
    assert set(baseline["tiny"]["標準"]["latency_ms"]) == {"p50", "p95"}
    baseline["tiny"]["標準"]["latency_ms"] = {"p50": 0.0, "p95": 0.0}
    path.write_text(json.dumps(baseline), "utf-8")
    check(measured(tiny, "d1"), path)


def test_a_changed_question_set_fails(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    update(measured(tiny, "d1"), path)
    fewer = Dataset("tiny", tiny.corpus, tiny.queries, {"q1": {"d1": 1}})
    with pytest.raises(BelowBaseline, match="質問数 2 → 1"):
        check(measured(fewer, "d1"), path)


def test_a_missing_baseline_names_the_command(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    with pytest.raises(UnreadableFile, match="基準値"):
        check(measured(tiny, "d1"), path)
    path.write_text("{}", "utf-8")
    with pytest.raises(BelowBaseline) as caught:
        check(measured(tiny, "d1"), path)
    assert "--update" in caught.value.hint


def test_an_update_keeps_the_other_baselines(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    other = Dataset("別", tiny.corpus, tiny.queries, tiny.qrels)
    update(measured(other, "d1"), path)
    update(measured(tiny, "d1"), path)
    assert set(json.loads(path.read_text("utf-8"))) == {"tiny", "別"}
