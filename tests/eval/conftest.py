from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from eval.datasets import Dataset, load_dataset

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "eval"

CORPUS = [
    {"_id": "d1", "title": "戸籍法 第一条", "text": "戸籍の事務", "metadata": {"law": "戸籍法"}},
    {"_id": "d2", "title": "戸籍法 第二条", "text": "届出の期間", "metadata": {"law": "戸籍法"}},
    {"_id": "d3", "title": "民法 第一条", "text": "婚姻の成立", "metadata": {"law": "民法"}},
    {"_id": "d4", "title": "民法 第二条", "text": "離婚の届出", "metadata": {"law": "民法"}},
]
QUERIES = [
    {"_id": "q1", "text": "戸籍とは", "metadata": {"type": "term"}},
    {"_id": "q2", "text": "結婚したい", "metadata": {"type": "situational"}},
    {"_id": "q3", "text": "判定のない質問", "metadata": {"type": "term"}},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t1\nq2\td3\t1\n"


def write_rows(path: Path, rows: Sequence[object]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture
def write_jsonl() -> Callable[[Path, Sequence[object]], None]:
    return write_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A BEIR folder of four documents, two judged questions and one without judgement."""
    root = tmp_path / "tiny"
    (root / "qrels").mkdir(parents=True)
    write_rows(root / "corpus.jsonl", CORPUS)
    write_rows(root / "queries.jsonl", QUERIES)
    (root / "qrels" / "test.tsv").write_text(QRELS, "utf-8")
    return root


@pytest.fixture
def tiny(folder: Path) -> Dataset:
    return load_dataset(folder)


@pytest.fixture(scope="session")
def counter() -> Dataset:
    """The 80 counter questions over 4,322 articles, where the data lies beside the repository."""
    path = SHARED / "koseki-counter-dev"
    if not path.is_dir():
        pytest.skip("../shared/data/eval/koseki-counter-dev がありません")
    return load_dataset(path)
