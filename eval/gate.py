"""A release gate: measured quality may not fall below the committed baseline.

The baseline file holds dataset → configuration → published result. Quality has a tolerance;
latency is recorded in the file and never fails anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from app.core.errors import ShioriError, UnreadableFile
from eval.measures import MEASURES
from eval.runs import Result

BASELINE = Path(__file__).with_name("baseline.json")
UPDATE_COMMAND = "shiori eval baseline --update"
TOLERANCE = 0.01

DATASETS = {"koseki-counter-dev": 0, "laws-caption": 0, "jsquad-valid": 500}
"""What the gate asks of: dataset → how many of its questions, evenly spread (0: all)."""

CONFIG = "lexical"
"""What the gate measures: search without any model, so that it is the same on every machine."""

_Baselines = dict[str, dict[str, dict[str, object]]]


class BelowBaseline(ShioriError):
    """A measure fell below the committed baseline, or there is none to compare with."""

    code = "below_baseline"


def check(result: Result, path: Path = BASELINE, *, tolerance: float = TOLERANCE) -> None:
    """Raise `BelowBaseline` when a measure's mean is more than `tolerance` under the baseline."""
    expected = _read(path).get(result.dataset, {}).get(result.config)
    if expected is None:
        raise BelowBaseline(
            f"{path} に {result.dataset}（{result.config}）の基準値がありません",
            hint=f"`{UPDATE_COMMAND}` で基準値を記録してください",
        )
    fallen = [
        f"{measure} {before:.4f} → {result.mean(measure):.4f}"
        for measure, before in _measured(expected).items()
        if result.mean(measure) < before - tolerance
    ]
    if expected.get("queries") != result.queries:
        fallen.append(f"質問数 {expected.get('queries')} → {result.queries}")
    if fallen:
        raise BelowBaseline(
            f"{result.dataset}（{result.config}）が基準を満たしません：{'、'.join(fallen)}"
            f"（許容差 {tolerance}）",
            hint=f"意図した変更なら `{UPDATE_COMMAND}` で基準値を更新してください",
        )


def update(result: Result, path: Path = BASELINE) -> None:
    """Record a result as the baseline of its dataset and configuration; others stay."""
    baselines = _read(path) if path.exists() else {}
    published = result.as_json()
    kept = ("queries", *MEASURES, "latency_ms")
    baselines.setdefault(result.dataset, {})[result.config] = {key: published[key] for key in kept}
    text = json.dumps(baselines, ensure_ascii=False, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def _measured(expected: Mapping[str, object]) -> dict[str, float]:
    values = {measure: expected.get(measure) for measure in MEASURES}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _read(path: Path) -> _Baselines:
    try:
        baselines: _Baselines = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            f"基準値のファイル {path} を読めません",
            hint=f"`{UPDATE_COMMAND}` で作り直してください",
            field=str(path),
        ) from error
    return baselines
