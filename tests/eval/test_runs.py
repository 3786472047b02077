from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadRequest, UnreadableFile
from eval.datasets import Dataset
from eval.runs import evaluate, read_run, result_of_run, result_of_trec, write_run


def searcher(question: str, k: int) -> Sequence[tuple[str, float]]:
    if question == "戸籍とは":
        return [("d1", 2.0), ("d4", 1.0), ("d1", 0.5), ("d2", 0.1)]
    return []


def test_result_has_the_published_form(tiny: Dataset) -> None:
    result = evaluate(tiny, searcher, config="試し").as_json()
    assert set(result) == {
        "dataset", "config", "queries", "ndcg@10", "recall@10", "recall@100", "mrr@10",
        "latency_ms", "by_type", "intervals",
    }  # fmt: skip
    assert (result["dataset"], result["config"], result["queries"]) == ("tiny", "試し", 2)
    assert result["recall@10"] == 0.5
    assert result["mrr@10"] == 0.5
    # gains 2, 0, 1 against 2, 1; the second question is unanswered
    assert result["ndcg@10"] == round((2 + 0.5) / (2 + 0.63093) / 2, 4)
    assert set(result["latency_ms"]) == {"p50", "p95"}
    assert result["by_type"]["term"]["queries"] == 1
    assert result["by_type"]["term"]["recall@100"] == 1.0
    assert result["by_type"]["situational"]["ndcg@10"] == 0.0
    json.dumps(result)


def test_a_repeated_document_counts_at_its_best_rank(tiny: Dataset) -> None:
    run = evaluate(tiny, searcher, config="c").run
    assert run["q1"] == [("d1", 2.0), ("d4", 1.0), ("d2", 0.1)]


def test_progress_is_told_after_each_question(tiny: Dataset) -> None:
    seen: list[tuple[int, int]] = []
    evaluate(tiny, searcher, config="c", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_an_id_outside_the_corpus_is_an_error(tiny: Dataset) -> None:
    with pytest.raises(BadRequest, match="d9"):
        evaluate(tiny, lambda question, k: [("d9", 1.0)], config="c")


def test_a_shallow_run_is_refused(tiny: Dataset) -> None:
    with pytest.raises(BadRequest, match="recall@100"):
        evaluate(tiny, searcher, config="c", k=10)


def test_a_dataset_without_judgements_is_refused(tiny: Dataset) -> None:
    empty = Dataset("空", tiny.corpus, tiny.queries, {})
    with pytest.raises(BadRequest, match="空"):
        evaluate(empty, searcher, config="c")


def test_a_run_file_is_measured_as_it_was(tiny: Dataset, tmp_path: Path) -> None:
    result = evaluate(tiny, searcher, config="c")
    write_run(tmp_path / "c.trec", result.run)
    again = result_of_run(tiny, tmp_path / "c.trec")
    assert (again.config, again.per_query) == ("c", result.per_query)


def test_a_run_is_measured_on_trec_judgements_without_a_corpus(
    tiny: Dataset, tmp_path: Path
) -> None:
    result = evaluate(tiny, searcher, config="c")
    write_run(tmp_path / "c.trec", {**result.run, "未判定": [("どこか", 1.0)]})
    again = result_of_trec(tiny.qrels, tmp_path / "c.trec")
    assert (again.config, again.per_query) == ("c", result.per_query)
    with pytest.raises(BadRequest, match="一つもありません"):
        result_of_trec({"別の質問": {"d1": 1}}, tmp_path / "c.trec")


def test_a_run_of_another_corpus_is_refused(tiny: Dataset, tmp_path: Path) -> None:
    write_run(tmp_path / "c.trec", {"q1": [("elsewhere", 1.0)]})
    with pytest.raises(BadRequest, match="elsewhere"):
        result_of_run(tiny, tmp_path / "c.trec")


scores = st.floats(-1e6, 1e6, width=32)


@given(st.lists(scores, max_size=8))
def test_a_run_file_keeps_the_order_whatever_the_scores(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float]
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.trec"
    docs = [f"d{n}" for n in range(len(numbers))]
    write_run(path, {"q": list(zip(docs, numbers, strict=True))})
    again = read_run(path).get("q", [])
    assert [doc for doc, _ in again] == docs
    assert [score for _, score in again] == sorted({s for _, s in again}, reverse=True)


def test_distinct_scores_are_written_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    write_run(path, {"q": [("a", 2.5), ("b", 0.25)]}, tag="my run")
    assert path.read_text("utf-8") == "q Q0 a 1 2.5 my_run\nq Q0 b 2 0.25 my_run\n"


@pytest.mark.parametrize(
    "line", ["q Q0 a 2 1.0", "q Q0 a x 1.0 t", "q Q0 a 2 nan t", "q Q0 d 2 1.0 t"]
)
def test_a_bad_run_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 d 1 1.0 t\n{line}\n", "utf-8")
    with pytest.raises(UnreadableFile, match="2 行目"):
        read_run(path)


def test_a_missing_run_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"run\.trec"):
        read_run(tmp_path / "run.trec")
