"""`shiori eval`: how good the search is, on judged questions."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from app.cli_answers import answers, verify
from app.cli_read import cutting, reading
from app.core.errors import BadRequest
from app.terminal import DataDirOption, JsonFile, err, load_settings, out, stages, write_json

if TYPE_CHECKING:
    from app.core.settings import Settings
    from eval.abstain import Outcome
    from eval.answers import AnswerCheck
    from eval.datasets import Dataset
    from eval.runs import Result

eval_cli = typer.Typer(help="検索の質を測ります。", no_args_is_help=True)
eval_cli.command()(reading)
eval_cli.command()(cutting)
eval_cli.command()(answers)
eval_cli.command()(verify)

SHARED_DATA = Path("../shared/data/eval")

DatasetArgument = Annotated[
    Path, typer.Argument(help="corpus.jsonl・queries.jsonl・qrels/test.tsv のあるフォルダー")
]
CorpusOption = Annotated[
    Path | None, typer.Option(help="フォルダーのcorpus.jsonlの代わりに使う文書のファイル")
]
ConfigOption = Annotated[
    str, typer.Option(help="default、lexical (モデルなし)、words (語だけ)、または bm25-…")
]


@eval_cli.command("run")
def run(
    folder: DatasetArgument,
    json_file: JsonFile = None,
    run_file: Annotated[Path | None, typer.Option(help="順位を書くTRECファイル")] = None,
    qrels_file: Annotated[Path | None, typer.Option(help="正解を書くTREC qrelsファイル")] = None,
    config: ConfigOption = "default",
    corpus: CorpusOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """評価付きの質問で検索の質と速さを測ります。"""
    from eval.datasets import load_dataset, write_trec_qrels
    from eval.runs import write_run

    settings = load_settings(data_dir)
    dataset = load_dataset(folder, corpus=corpus)
    result = _measured(dataset, config, settings)
    if run_file is not None:
        write_run(run_file, result.run, tag=result.config)
    if qrels_file is not None:
        write_trec_qrels(qrels_file, dataset.qrels)
    if json_file is not None:
        write_json(json_file, result.as_json())
    else:
        out.print(_table(result))


@eval_cli.command("measure")
def measure(
    qrels: Annotated[Path, typer.Argument(help="正解 (TREC qrels: 質問 0 文書 評価)")],
    run_file: Annotated[Path, typer.Argument(help="順位 (TREC run)", metavar="RUN")],
    json_file: JsonFile = None,
) -> None:
    """TRECの正解と順位のファイルだけから、検索の質を測ります (どの検索エンジンの順位でも)。"""
    from eval.datasets import read_trec_qrels
    from eval.runs import result_of_trec

    result = result_of_trec(read_trec_qrels(qrels), run_file)
    if json_file is not None:
        write_json(json_file, result.as_json())
    else:
        out.print(_table(result))


@eval_cli.command("compare")
def compare(
    folder: DatasetArgument,
    before: Annotated[Path, typer.Argument(help="前の順位 (--run-file で書いたファイル)")],
    after: Annotated[Path, typer.Argument(help="後の順位")],
    top: Annotated[int, typer.Option(help="表示する質問の数")] = 10,
) -> None:
    """二つの順位を質問ごとに比べます。"""
    from eval import compare as comparing
    from eval.datasets import load_dataset
    from eval.report import LABELS, verdict
    from eval.runs import result_of_run

    dataset = load_dataset(folder)
    found = comparing.compare(
        dataset, result_of_run(dataset, before), result_of_run(dataset, after), top=top
    )
    table = Table("指標", found.before, found.after, "差", "95 % 区間", "p")
    for item in found.differences:
        table.add_row(
            LABELS[item.measure],
            f"{item.before:.4f}",
            f"{item.after:.4f}",
            f"{item.change:+.4f}",
            f"{item.low:+.4f} 〜 {item.high:+.4f}",
            f"{item.p:.4f}",
        )
    out.print(table)
    out.print(f"上がった質問 {found.better}件、下がった質問 {found.worse}件。{verdict(found)}")
    for change in found.changes:
        out.print(
            Text(f"{change.after - change.before:+.3f} {change.query} {change.text}"),
            soft_wrap=True,
        )
        for rank in change.ranks:
            out.print(Text(f"    {rank.before or '-'} → {rank.after or '-'} {rank.title}"))


@eval_cli.command("report")
def report(
    folder: DatasetArgument,
    html: Annotated[Path, typer.Option(help="書き出すHTMLファイル")],
    before: Annotated[Path | None, typer.Option(help="比べる前の順位 (TRECファイル)")] = None,
    config: ConfigOption = "default",
    data_dir: DataDirOption = None,
) -> None:
    """測った結果を一つのHTMLにまとめます (外部の読み込みなし)。"""
    from app.evaluation import (
        PRODUCT_CONFIGS,
        check_config,
        documents,
        indexed,
        shown_sentences,
        withholding,
    )
    from eval.answers import check_answers
    from eval.datasets import load_dataset
    from eval.report import write_report
    from eval.runs import evaluate, result_of_run

    settings = load_settings(data_dir)
    dataset = load_dataset(folder)
    check_config(config)
    outcomes: tuple[Outcome, ...] = ()
    answers: AnswerCheck | None = None
    if config in PRODUCT_CONFIGS:
        with (
            stages() as stage,
            indexed(config, dataset, settings, stage("索引の作成")) as (_, searcher),
        ):
            result = evaluate(dataset, documents(searcher), config=config, progress=stage("質問"))
            if dataset.unanswerable:
                outcomes = withholding(dataset, searcher, stage("回答")).outcomes
            if dataset.answers:
                shown = shown_sentences(searcher)
                answers = check_answers(dataset, shown, progress=stage("正解の文字列"))
    else:
        result = _measured(dataset, config, settings)
    write_report(
        html,
        dataset,
        result,
        before=None if before is None else result_of_run(dataset, before),
        outcomes=outcomes,
        answers=answers,
        created=datetime.date.today().isoformat(),
    )
    err.print(f"{html} に書きました。")


@eval_cli.command("abstain")
def abstain(
    folder: DatasetArgument,
    json_file: JsonFile = None,
    config: ConfigOption = "default",
    corpus: CorpusOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """答えのない質問に答えずにいられるかを測ります (unanswerable.jsonl が必要)。"""
    from app.evaluation import PRODUCT_CONFIGS, indexed, withholding
    from eval.datasets import load_dataset

    dataset = load_dataset(folder, corpus=corpus)
    if not dataset.unanswerable:
        raise BadRequest(
            f"{folder} に unanswerable.jsonl がありません。",
            hint="本に答えのない質問を1行1件で書いて置いてください。",
            field=str(folder),
        )
    if config not in PRODUCT_CONFIGS:
        raise BadRequest(
            f"構成 {config} は答えを出しません。",
            hint=f"使える構成: {', '.join(PRODUCT_CONFIGS)}",
            field="config",
        )
    settings = load_settings(data_dir)
    with (
        stages() as stage,
        indexed(config, dataset, settings, stage("索引の作成")) as (_, searcher),
    ):
        found = withholding(dataset, searcher, stage("回答")).as_json()
    if json_file is not None:
        write_json(json_file, {"dataset": dataset.name, "config": config, **found})
        return
    table = Table("項目", "値")
    for name, value in found.items():
        table.add_row(name, str(value))
    out.print(table)


@eval_cli.command("tune")
def tune(
    folder: DatasetArgument,
    data_dir: DataDirOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="測るだけで記録しない")] = False,
) -> None:
    """設定したモデルの重みを、評価付きの質問で決めます。"""
    from app.evaluation import keep_weights, tune_weights
    from eval.datasets import load_dataset
    from eval.report import LABELS

    settings = load_settings(data_dir)
    dataset = load_dataset(folder)
    with stages() as stage:
        found = tune_weights(dataset, settings, stage("索引の作成"), stage("重みの比較"))
    table = Table("脚", "前", "後", "伸び (選択に使わない質問で)", "95 % 区間")
    for step in found.steps:
        table.add_row(
            step.leg,
            f"{step.before:g}",
            f"{step.after:g}",
            f"{step.gain:+.4f}",
            f"{step.low:+.4f} 〜 {step.high:+.4f}",
        )
    out.print(table)
    for step in found.steps:
        tried = "  ".join(f"{weight:g}: {value:.4f}" for weight, value in step.means.items())
        out.print(Text(f"{step.leg} の重みと{LABELS['ndcg@10']}  {tried}"), soft_wrap=True)
    out.print(f"{LABELS['ndcg@10']} {found.base_ndcg:.4f} → {found.tuned_ndcg:.4f}")
    if not dry_run:
        keep_weights(settings, found.weights)
        out.print("台帳に記録しました。サービスは次の起動からこの重みを使います。")


@eval_cli.command("baseline")
def baseline(
    update: Annotated[
        bool, typer.Option("--update", help="今の値を新しい基準として記録する")
    ] = False,
    data: Annotated[Path, typer.Option(help="評価データのあるフォルダー")] = SHARED_DATA,
    file: Annotated[Path | None, typer.Option(help="基準値のファイル (空なら製品付属)")] = None,
) -> None:
    """検索の質が記録した基準を下回らないことを確かめます。"""
    from app.core.settings import Settings
    from eval import gate
    from eval.datasets import limited, load_dataset

    kept = file or gate.BASELINE
    # The site's own settings would make the gate another one everywhere.
    settings = Settings()
    for name, questions in gate.DATASETS.items():
        if not (data / name / "corpus.jsonl").is_file():
            err.print(f"{name}: {data / name} に評価データがないので確かめません。")
            continue
        dataset = limited(load_dataset(data / name), questions)
        result = _measured(dataset, gate.CONFIG, settings)
        shown = f"{name}: nDCG@10 {result.mean('ndcg@10'):.4f}"
        if update:
            gate.update(result, kept)
            out.print(f"{shown} を基準として記録しました。")
        else:
            gate.check(result, kept)
            out.print(f"{shown} は基準を満たしています。")


@eval_cli.command("questions")
def questions(
    folder: Annotated[Path, typer.Argument(help="作るフォルダー (空であること)")],
    data_dir: DataDirOption = None,
) -> None:
    """記録された質問から、評価用の質問集を作ります。"""
    from app.evaluation import site_questions

    settings = load_settings(data_dir)
    dataset = site_questions(folder, settings)
    out.print(
        f"{folder}: 質問{len(dataset.queries)}件、正解の付いた質問{len(dataset.judged)}件、"
        f"パッセージ{len(dataset.corpus):,}件"
    )
    out.print(
        "qrels/test.tsv に「質問ID、パッセージID、0〜3の評価」をタブ区切りで書き足すと測れます。"
        "shown.tsv は質問ごとに表示されたパッセージです。"
    )


def _measured(dataset: Dataset, config: str, settings: Settings) -> Result:
    from app.evaluation import configured
    from eval.runs import evaluate

    with stages() as stage:
        indexing = stage(f"{dataset.name} 索引の作成")
        with configured(config, dataset, settings, indexing) as searcher:
            return evaluate(
                dataset, searcher, config=config, progress=stage(f"{dataset.name} 質問")
            )


def _table(result: Result) -> Table:
    from eval.measures import MEASURES
    from eval.report import LABELS

    published = result.as_json()
    table = Table(
        "質問の種類",
        "件数",
        *(LABELS[measure] for measure in MEASURES),
        title=f"{result.dataset} ({result.config})",
        caption=f"検索1回の時間 中央値 {result.latency(50):.1f} ms、95 % {result.latency(95):.1f} ms"
        if result.latency_ms
        else None,
    )
    intervals = result.intervals()
    table.add_row("すべて", str(result.queries), *(f"{result.mean(m):.4f}" for m in MEASURES))
    table.add_row("95 % 区間", "", *("{:.3f}〜{:.3f}".format(*intervals[m]) for m in MEASURES))
    groups = published["by_type"]
    assert isinstance(groups, dict)
    for name, group in groups.items():
        table.add_row(
            name, str(group["queries"]), *(f"{group[measure]:.4f}" for measure in MEASURES)
        )
    return table
