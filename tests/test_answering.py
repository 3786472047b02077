from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.answering import measure
from app.core.settings import Settings
from eval.datasets import load_dataset


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    (root / "qrels").mkdir(parents=True)
    write(
        root / "corpus.jsonl",
        [
            {
                "_id": "d1",
                "title": "出生",
                "text": "出生の届出は、出生の日から十四日以内に、届出人がこれをしなければならない。",
            },
            {
                "_id": "d2",
                "title": "死亡",
                "text": "死亡の届出は、死亡の事実を知った日から七日以内に、これをしなければならない。",
            },
        ],
    )
    write(root / "queries.jsonl", [{"_id": "q1", "text": "出生の届出は何日以内か"}])
    write(root / "answers.jsonl", [{"_id": "q1", "answers": ["十四日以内"], "doc": "d1"}])
    write(root / "unanswerable.jsonl", [{"_id": "u1", "text": "粗大ごみの収集"}])
    (root / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\n", "utf-8")
    return root


def test_a_set_is_asked_and_measured(folder: Path, tmp_path: Path) -> None:
    report = measure(
        load_dataset(folder),
        Settings(data_dir=tmp_path / "site"),
        sentences=5,
        indexing=lambda done, total: None,
        asking=lambda done, total: None,
    )
    assert report.answers is not None
    assert report.answers.in_any == 1.0
    assert report.citations.hit == 1.0
    assert report.kept == 1.0
    assert report.refused == 1.0
    assert report.auroc == 1.0
    assert {row.kind for row in report.perturbed} >= {"unchanged", "number"}
    assert report.first_passage_ms[0] > 0
    assert json.dumps(report.as_json())


@pytest.mark.filterwarnings("ignore")
def test_a_models_answers_are_measured_with_what_did_not_stand(
    folder: Path, tmp_path: Path
) -> None:
    report = measure(
        load_dataset(folder),
        Settings(data_dir=tmp_path / "site", llm_factory="tests.contract.parrot:Parrot"),
        sentences=5,
        indexing=lambda done, total: None,
        asking=lambda done, total: None,
    )
    assert report.model == "parrot"
    assert report.citations.precision == 1.0
    assert report.citations.dropped == 0.5
    assert report.answers is not None
    assert report.answers.in_any == 1.0
    assert (report.retrieved, report.of_retrieved) == (1.0, 1.0)
