"""`shiori bench` and `shiori eval peers`: how fast the product is on this machine, and beside others."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.cli_eval import eval_cli
from app.terminal import DataDirOption, JsonFile, err, load_settings, out, stages, write_json

if TYPE_CHECKING:
    from app.bench import Bench, Speed
    from app.core.settings import Settings
    from eval.datasets import Dataset
    from eval.peers import Row, Vectors

LAWS = Path("../shared/data/laws/md")

_CALLS = {
    "engine": "エンジンだけ (語)",
    "hybrid": "エンジンだけ (語＋ベクトル)",
    "encoding": "質問の解析と符号化",
    "store": "索引 (製品の全脚)",
    "search": "検索全体",
    "http": "HTTP経由",
}


def bench(
    passages: Annotated[int, typer.Option(help="合成する書棚の大きさ (0なら作らない)")] = 100_000,
    dense: Annotated[int, typer.Option(help="合成する書棚のベクトルの次元 (0なら語だけ)")] = 256,
    laws: Annotated[
        Path | None, typer.Option(help="見本に加えて測る本のフォルダー (空なら評価データの法令)")
    ] = None,
    book_pages: Annotated[
        int, typer.Option(help="代わりに、この頁数の本1冊の登録にかかる時間とメモリだけを測る")
    ] = 0,
    json_file: JsonFile = None,
) -> None:
    """登録・起動・検索の速さを、この機械で一度に測ります。"""
    if book_pages:
        _large_book(book_pages, json_file)
        return
    from app import bench as benching

    if laws is None and LAWS.is_dir():
        laws = LAWS
    with stages() as stage:
        found = benching.run(passages, dense, laws, stage)
    _print(found)
    if json_file is not None:
        write_json(json_file, found.as_json())


def _large_book(pages: int, json_file: Path | None) -> None:
    # In this process, which has done nothing else: the memory it needed at most is what counts.
    from app.main import SAMPLES
    from ingest.bulk import measure

    with stages() as stage:
        found = measure(SAMPLES / "tebiki.pdf", pages, stage("大きな本"))
    out.print(
        f"{found.pages:,}ページ {found.passages:,}パッセージ {found.seconds:.0f}秒、"
        f"最大のメモリ: 登録 {found.writer:,} MiB、読み取り {found.reader:,} MiB"
    )
    if json_file is not None:
        write_json(json_file, asdict(found))


def _print(found: Bench) -> None:
    out.print("、".join(f"{name} {value}" for name, value in found.machine.items()))
    table = Table("登録", "プロセス", "冊", "秒", "ページ/秒", "パッセージ/秒")
    for run in found.ingestion:
        table.add_row(
            run.files,
            str(run.workers),
            str(run.books),
            f"{run.seconds:.1f}",
            f"{run.pages / run.seconds:.1f}",
            f"{run.passages / run.seconds:.1f}",
        )
    out.print(table)
    spent = asdict(found.stages)
    out.print(
        "見本の登録の内訳 (秒): 読み取り {reading:.1f}、分割と語のベクトル {cutting:.1f}、"
        "公開 {publishing:.1f}".format(**spent)
    )
    starts = "、".join(f"{seconds:.2f}" for seconds in found.starts)
    out.print(
        f"起動から最初の検索まで (秒): 中央値 {median(found.starts):.2f} ({starts})", soft_wrap=True
    )
    for speed in found.shelves:
        out.print(_table(speed))
    made = [speed for speed in found.shelves if speed.name == found.shelves[-1].name]
    if len(made) == 2:
        out.print(_growth(*made))


def _table(speed: Speed) -> Table:
    table = Table(
        "ミリ秒",
        "p50",
        "p95",
        "倍率",
        "1冊に限る p50",
        "p95",
        "倍率",
        title=f"{speed.name} {speed.passages:,}パッセージ {speed.books}冊"
        + (f" {speed.dense}次元" if speed.dense else ""),
        caption=f"登録 {speed.published:.1f}秒、開く {speed.opened:.2f}秒、"
        f"サービスのメモリ {speed.memory:,.0f} MiB。"
        f"倍率は「{_CALLS[speed.yardstick]}」(限定なし) の中央値に対するもの",
    )
    for call, name in _CALLS.items():
        if call not in speed.everything:
            continue
        row = [name]
        for times in (speed.everything, speed.one_book):
            if call in times:
                timing = times[call]
                row += [f"{timing.p50:.2f}", f"{timing.p95:.2f}", f"{speed.ratio(call, times):.1f}"]
            else:
                row += [""] * 3
        table.add_row(*row)
    return table


def _growth(small: Speed, large: Speed) -> Table:
    """How many times as long each call takes on the larger shelf."""
    table = Table(
        "中央値の伸び",
        f"{small.passages:,}",
        f"{large.passages:,}",
        "倍",
        title=f"書棚が{large.passages / small.passages:.0f}倍になると",
    )
    for call, name in _CALLS.items():
        if call in small.everything:
            before, after = small.everything[call].p50, large.everything[call].p50
            table.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.1f}")
    return table


@eval_cli.command("peers")
def peers(
    folders: Annotated[
        list[Path], typer.Argument(help="評価データのフォルダー (いくつでも)", metavar="FOLDER...")
    ],
    limit: Annotated[int, typer.Option(help="尋ねる質問の数 (0ならすべて)")] = 0,
    json_file: JsonFile = None,
    data_dir: DataDirOption = None,
) -> None:
    """同じ文書と質問で、他の検索エンジン (txtai、Haystack) と並べて測ります。"""
    from eval.datasets import limited, load_dataset

    # Loaded before anything is timed.
    importlib.import_module("ingest.pipeline")
    settings = load_settings(data_dir)
    vectors = _vectors(settings)
    found = []
    for folder in folders:
        dataset = limited(load_dataset(folder), limit)
        rows = _beside(dataset, settings, vectors)
        out.print(_beside_table(dataset, rows))
        found.append(
            {
                "dataset": dataset.name,
                "queries": len(dataset.judged),
                "documents": len(dataset.corpus),
                "model": settings.embed_model,
                "systems": [asdict(row) for row in rows],
            }
        )
    if json_file is not None:
        write_json(json_file, found)


def _beside(dataset: Dataset, settings: Settings, vectors: Vectors | None) -> list[Row]:
    from app import evaluation
    from eval import peers as others

    own = ("lexical",) if vectors is None else ("lexical", "default")
    rows = []
    with stages() as stage:
        for config in (*own, "words", "bm25-sudachi", "bm25-bigrams", "bm25-whitespace"):
            opened = partial(
                evaluation.configured, config, dataset, settings, stage(f"{config} 索引")
            )
            rows.append(others.measured(config, dataset, opened, stage(f"{config} 質問")))
        for name, engine in others.PEERS.items():
            try:
                others.required(name)
            except others.PeerMissing as error:
                err.print(error.in_full, soft_wrap=True)
                continue
            for shared in (None,) if vectors is None else (None, vectors):
                system = f"{name} {'bm25' if shared is None else 'hybrid'}"
                index = partial(others.indexed, engine, dataset, shared)
                rows.append(others.measured(system, dataset, index, stage(system)))
    return rows


def _beside_table(dataset: Dataset, rows: list[Row]) -> Table:
    table = Table(
        "構成",
        "nDCG@10",
        "95 % 区間",
        "recall@100",
        "MRR@10",
        "p50 ms",
        "p95 ms",
        "登録 件/秒",
        title=f"{dataset.name} 質問{len(dataset.judged)}件、文書{len(dataset.corpus):,}件",
    )
    for row in rows:
        table.add_row(
            row.system,
            f"{row.ndcg:.4f}",
            "{:.3f}〜{:.3f}".format(*row.interval),
            f"{row.recall:.4f}",
            f"{row.mrr:.4f}",
            f"{row.p50:.2f}",
            f"{row.p95:.2f}",
            f"{row.indexed_per_second:,.0f}",
        )
    return table


def _vectors(settings: Settings) -> Vectors | None:
    """The site's dense model for everybody, if it has one."""
    if not settings.embed_model:
        return None
    import numpy as np

    from app.core import embed
    from eval.peers import Vectors

    model = embed.load(settings.embed_model, device=settings.embed_device)
    return Vectors(
        documents=model.encode_documents,
        questions=lambda texts: np.array([model.encode_query(text) for text in texts], np.float32),
    )
