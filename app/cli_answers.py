"""`shiori eval answers` and `shiori eval verify`: how good the answers are, and their verification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.terminal import (
    DataDirOption,
    JsonFile,
    JsonOption,
    load_settings,
    out,
    print_json,
    stages,
    write_json,
)

if TYPE_CHECKING:
    from eval.perturb import Row

_KINDS = {
    "unchanged": "そのまま",
    "benign": "書き方だけの変更",
    "paraphrase": "無害な言い換え",
    "number": "数字の変更",
    "reference": "条・項・号の変更",
    "bound": "以内・以上・前後の変更",
    "negation": "肯定と否定の反転",
    "modality": "できると義務の入れ替え",
    "condition": "条件・限定の反転",
    "conjunction": "及びと又はの入れ替え",
    "term": "用語の入れ替え",
    "role": "主体と相手の入れ替え",
    "merged": "別の文の主語との接ぎ合わせ",
    "passage": "別の箇所の引用",
    "proviso": "ただし書の脱落 (添えて示す割合)",
}

SentencesOption = Annotated[int, typer.Option(help="変えて試す文の数")]


def answers(
    folder: Annotated[
        Path, typer.Argument(help="corpus.jsonl・queries.jsonl・qrels/test.tsv のあるフォルダー")
    ],
    json_file: JsonFile = None,
    sentences: SentencesOption = 200,
    data_dir: DataDirOption = None,
) -> None:
    """答えの質を測ります: 正解・引用・答えない判断・検証・速さ。"""
    from app.answering import measure
    from eval.datasets import load_dataset

    settings = load_settings(data_dir)
    dataset = load_dataset(folder)
    with stages() as stage:
        report = measure(
            dataset,
            settings,
            sentences=sentences,
            indexing=stage("索引の作成"),
            asking=stage("回答"),
        )
    if json_file is not None:
        write_json(json_file, report.as_json())
        return
    table = Table("項目", "値")
    table.add_row("言語モデル", report.model or "なし (本の文をそのまま示す)")
    if report.answers is not None:
        table.add_row("正解を含む答え", f"{report.answers.in_any:.3f}")
        table.add_row("同じ、正しい箇所が見つかった質問のうち", f"{report.of_retrieved:.3f}")
        table.add_row("正解を含む最初の文", f"{report.answers.in_first:.3f}")
    table.add_row("引用の適合率", f"{report.citations.precision:.3f}")
    table.add_row("引用の再現率", f"{report.citations.recall:.3f}")
    table.add_row("正しい箇所を引いた質問", f"{report.citations.hit:.3f}")
    table.add_row("検証で除いた文", f"{report.citations.dropped:.3f}")
    table.add_row(f"答えた質問 (しきい値 {report.threshold})", f"{report.kept:.3f}")
    table.add_row("答えのない質問に答えなかった割合", f"{report.refused:.3f}")
    kept, refused = report.validated
    table.add_row("同じ二つ、しきい値を交差検証で選ぶと", f"{kept:.3f} / {refused:.3f}")
    table.add_row("AUROC / AURC", f"{report.auroc:.3f} / {report.aurc:.3f}")
    table.add_row("最初の箇所まで ms (中央値・95%)", f"{report.first_passage_ms}")
    table.add_row("最初の文まで ms (中央値・95%)", f"{report.first_sentence_ms}")
    out.print(table)
    out.print(_perturbed(report.perturbed))


def verify(
    data_dir: DataDirOption = None, sentences: SentencesOption = 200, as_json: JsonOption = False
) -> None:
    """登録した本の文を一か所ずつ変え、検証が気づくかを測ります。"""
    from dataclasses import asdict

    from app.answering import perturbed
    from app.main import Shiori

    settings = load_settings(data_dir).model_copy(update={"llm_url": "", "llm_factory": ""})
    with Shiori(settings) as product:
        rows = perturbed(product, sentences)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    out.print(_perturbed(rows))


def _perturbed(rows: list[Row]) -> Table:
    table = Table("変え方", "文", "そのまま示す", "出典の文に替える", "除く")
    for row in rows:
        shares = (f"{share:.3f}" for share in (row.kept, row.replaced, row.dropped))
        table.add_row(_KINDS[row.kind], str(row.sentences), *shares)
    return table
