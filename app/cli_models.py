"""`shiori models`: which models there are, fetching one, and trying one out on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from app.core import models
from app.core.models import PRESETS
from app.terminal import DataDirOption, JsonOption, err, load_settings, out, print_json

if TYPE_CHECKING:
    from app.core.settings import Settings

models_cli = typer.Typer(help="埋め込みモデルと並べ替えモデルを調べます。", no_args_is_help=True)

_USES = {"embed": "意味による検索", "rerank": "並べ替え"}
_SENTENCES = (
    "婚姻によって氏を改めた者は、離婚によって婚姻前の氏に復する。",
    "離婚しても今の名字を使い続けたい。",
)
_TRIALS = 32


@models_cli.command("list")
def list_presets(as_json: JsonOption = False) -> None:
    """プリセットのあるモデルを一覧します。"""
    if as_json:
        print_json([_described(preset) for preset in PRESETS.values()])
        return
    for preset in PRESETS.values():
        size = f"{preset.size}次元、" if preset.size else ""
        out.print(Text(preset.name, style="bold"), soft_wrap=True)
        out.print(
            Text(
                f"    {_USES[preset.kind]}、{preset.published_as}、{preset.licence}、"
                f"{size}{preset.max_tokens}トークンまで読む"
            ),
            soft_wrap=True,
        )


@models_cli.command("fetch")
def fetch(
    preset: Annotated[str, typer.Argument(help="プリセット名 (models list で分かります)")],
    to: Annotated[Path, typer.Option("--to", help="この下にプリセット名のフォルダーを作る")],
) -> None:
    """インターネットにつながる機器で、モデル一式を取得します。閉じた機器にはフォルダーごと移します。"""
    folder = models.fetch(preset, to)
    out.print(f"{folder} に取得しました。移した先で確かめるには:")
    out.print(f"  shiori models check {preset}={folder}", soft_wrap=True)


@models_cli.command("check")
def check(
    model: Annotated[
        str, typer.Argument(help="モデルのフォルダー、または プリセット名=フォルダー")
    ],
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """手元のモデルをオフラインで、サービスと同じ設定で読み込み、大きさと速さを測ります。"""
    settings = load_settings(data_dir)
    err.print("読み込んでいます…")
    name, _, folder = model.partition("=")
    kind = PRESETS[name].kind if folder and name in PRESETS else _kind(Path(model))
    trial = _check_reranker if kind == "rerank" else _check_embedder
    found = trial(model, settings)
    if as_json:
        print_json(found)
        return
    table = Table("項目", "値", show_header=False)
    for label, value in found.items():
        table.add_row(_LABELS[label], str(value))
    out.print(table)


_LABELS = {
    "model": "モデル",
    "kind": "種類",
    "published_as": "公開名",
    "licence": "ライセンス",
    "size": "次元",
    "max_tokens": "読むトークン",
    "megabytes": "フォルダーの大きさ (MB)",
    "load_seconds": "読み込み (秒)",
    "texts_per_second": "1秒に読む文章 (約400文字)",
    "similarity": "例文どうしの近さ",
}


def _described(preset: models.Preset) -> dict[str, Any]:
    return {
        "name": preset.name,
        "kind": preset.kind,
        "published_as": preset.published_as,
        "licence": preset.licence,
        "size": preset.size,
        "max_tokens": preset.max_tokens,
    }


def _kind(folder: Path) -> models.Kind:
    """A sentence-transformers folder with pooling makes vectors; a bare classifier scores pairs."""
    config = folder.expanduser() / "config.json"
    classifier = config.is_file() and "ForSequenceClassification" in config.read_text("utf-8")
    return "rerank" if classifier else "embed"


def _check_embedder(setting: str, settings: Settings) -> dict[str, Any]:
    from app.core import embed

    started = time.perf_counter()
    model = embed.load(setting, device=settings.embed_device, batch=settings.embed_batch)
    loaded = time.perf_counter() - started
    vectors = model.encode_documents(_SENTENCES)
    return {
        **_common(setting, "embed", loaded),
        "size": model.size,
        "max_tokens": model.max_tokens,
        "texts_per_second": _speed(lambda texts: model.encode_documents(texts)),
        "similarity": round(float(vectors[0] @ vectors[1]), 3),
    }


def _check_reranker(setting: str, settings: Settings) -> dict[str, Any]:
    from app.search import rerank

    started = time.perf_counter()
    model = rerank.load(setting, device=settings.embed_device, batch=settings.rerank_batch)
    loaded = time.perf_counter() - started
    answer, question = _SENTENCES
    return {
        **_common(setting, "rerank", loaded),
        "max_tokens": model.max_tokens,
        "texts_per_second": _speed(lambda texts: model.scores(question, texts)),
        "similarity": round(float(model.scores(question, [answer])[0]), 3),
    }


def _common(setting: str, kind: models.Kind, loaded: float) -> dict[str, Any]:
    where = models.place(setting, kind)
    files = (path for path in where.folder.rglob("*") if path.is_file())
    return {
        "model": where.name,
        "kind": kind,
        "published_as": where.preset.published_as if where.preset else "",
        "licence": where.preset.licence if where.preset else models.stated_licence(where.folder),
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "load_seconds": round(loaded, 1),
    }


def _speed(read: Any) -> float:
    # Texts that differ, as a reranker remembers those it has seen.
    texts = [f"{number}。" + _SENTENCES[0] * 14 for number in range(_TRIALS)]
    started = time.perf_counter()
    read(texts)
    return round(_TRIALS / (time.perf_counter() - started), 1)
