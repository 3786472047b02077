from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadRequest, UnreadableFile
from eval.datasets import (
    Dataset,
    Query,
    limited,
    load_dataset,
    read_qrels,
    read_trec_qrels,
    write_dataset,
    write_qrels,
    write_trec_qrels,
)

WriteJsonl = Callable[[Path, Sequence[object]], None]

ids = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
qrels = st.dictionaries(
    ids, st.dictionaries(ids, st.integers(0, 3), min_size=1, max_size=4), max_size=4
)


def test_reads_a_beir_folder(tiny: Dataset) -> None:
    assert tiny.name == "tiny"
    assert tiny.corpus["d3"].title == "民法 第一条"
    assert tiny.corpus["d3"].book == "民法"
    assert tiny.queries["q2"].type == "situational"
    assert tiny.qrels == {"q1": {"d1": 2, "d2": 1}, "q2": {"d3": 1}}
    assert tiny.answers == {}
    assert tiny.unanswerable == {}


def test_fewer_questions_are_spread_over_all(tiny: Dataset) -> None:
    queries = {name: Query(name, name) for name in ("q0", "q1", "q2")}
    dataset = Dataset("三つ", tiny.corpus, queries, {name: {"d1": 1} for name in queries})
    assert list(limited(dataset, 2).queries) == ["q0", "q2"]
    assert limited(dataset, 0) is dataset
    assert limited(dataset, 9) is dataset
    with pytest.raises(BadRequest):
        limited(dataset, -1)


def test_only_questions_with_judgements_are_judged(tiny: Dataset) -> None:
    assert [query.id for query in tiny.judged] == ["q1", "q2"]


def test_reads_answers_and_unanswerable_where_they_exist(
    folder: Path, write_jsonl: WriteJsonl
) -> None:
    write_jsonl(folder / "answers.jsonl", [{"_id": "q1", "answers": ["事務", "戸籍の事務"]}])
    write_jsonl(folder / "unanswerable.jsonl", [{"_id": "u1", "text": "天気は"}])
    dataset = load_dataset(folder)
    assert dataset.answers == {"q1": ("事務", "戸籍の事務")}
    assert dataset.unanswerable["u1"].text == "天気は"


def test_several_sets_of_questions_share_a_corpus(folder: Path, tiny: Dataset) -> None:
    shared = folder.parent / "shared.jsonl"
    (folder / "corpus.jsonl").rename(shared)
    assert load_dataset(folder, corpus=shared) == tiny
    with pytest.raises(UnreadableFile, match="corpus"):
        load_dataset(folder)


def test_a_written_dataset_reads_back(tiny: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "tiny"
    write_dataset(copy, tiny.corpus.values(), tiny.queries.values(), tiny.qrels)
    assert load_dataset(copy) == tiny


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("corpus.jsonl", '{"_id": "d1", "text": "a"}\n{"_id":\n', "2 行目：JSON"),
        ("corpus.jsonl", '{"_id": "d1", "text": "a"}\n\n{"_id": "d1", "text": "b"}', "3 行目"),
        ("corpus.jsonl", '{"_id": "d1"}', "1 行目：text"),
        ("corpus.jsonl", '["d1"]', "1 行目：_id"),
        ("corpus.jsonl", '{"_id": "d 1", "text": ""}', "1 行目：_id"),
        ("queries.jsonl", '{"_id": "q1", "text": "a", "metadata": 3}', "1 行目：metadata"),
        ("answers.jsonl", '{"_id": "q1", "answers": "事務"}', "1 行目：answers"),
        ("qrels/test.tsv", "q1\td1\t1\n", "1 行目：見出し行"),
        ("qrels/test.tsv", "", "1 行目：見出し行"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1 d1 1\n", "2 行目：3 列"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t高\n", "2 行目：評価「高」"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t-1\n", "2 行目：評価"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td1\t2", "3 行目"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq9\td1\t1\n", "質問 q9"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td9\t1\n", "文書 d9"),
    ],
)
def test_an_error_names_file_and_line(folder: Path, name: str, content: str, expected: str) -> None:
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(UnreadableFile) as caught:
        load_dataset(folder)
    assert str(folder / name) in caught.value.message
    assert expected in caught.value.message
    assert caught.value.hint


def test_a_line_that_is_not_utf8_is_named(folder: Path) -> None:
    (folder / "queries.jsonl").write_bytes('{"_id": "q1", "text": "届"}'.encode("cp932"))
    with pytest.raises(UnreadableFile, match="1 行目：UTF-8"):
        load_dataset(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "queries.jsonl").unlink()
    with pytest.raises(UnreadableFile, match=r"queries\.jsonl がありません"):
        load_dataset(folder)


def test_a_file_saved_by_a_spreadsheet_reads_too(folder: Path) -> None:
    path = folder / "qrels" / "test.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_dataset(folder).qrels["q2"] == {"d3": 1}


@given(qrels)
def test_qrels_survive_both_forms(
    tmp_path_factory: pytest.TempPathFactory, judgements: dict[str, dict[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("qrels") / "q"
    write_qrels(path, judgements)
    assert read_qrels(path) == judgements
    write_trec_qrels(path, judgements)
    assert read_trec_qrels(path) == judgements


def test_a_trec_line_of_three_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("q1 0 d1 1\nq1 d1 1\n", "utf-8")
    with pytest.raises(UnreadableFile, match="2 行目"):
        read_trec_qrels(tmp_path / "qrels")
