"""The command line, `shiori`. Results go to stdout, progress and errors to stderr.

Exit codes: 0 done, 1 something failed, 2 the command was used wrongly.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from app import cli_read
from app.cli_bench import bench
from app.cli_eval import eval_cli
from app.cli_models import models_cli
from app.core.errors import BadRequest, DataDirLocked, ShioriError
from app.core.glossary import ASKED
from app.core.models import OFFLINE
from app.core.settings import PREFIX
from app.terminal import (
    DataDirOption,
    JsonOption,
    err,
    load_settings,
    out,
    print_json,
    progress_bars,
    usage_message,
)

if TYPE_CHECKING:
    from app.api.schemas import FiltersIn
    from app.client import Client
    from app.core.datadir import Service
    from app.main import Shiori

cli = typer.Typer(
    name="shiori",
    help="専門書を検索し、根拠を引いて答えます。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ingest_cli = typer.Typer(help="書棚の本を追加・一覧・削除します。", no_args_is_help=True)
cli.command("bench")(bench)
cli.add_typer(ingest_cli, name="ingest")
cli.add_typer(eval_cli, name="eval")
cli.add_typer(models_cli, name="models")
cli.command()(cli_read.read)
ingest_cli.command()(cli_read.report)

# What typer makes of Ctrl-C.
_INTERRUPTED = 130

# The samples, or an index built anew, may have to be read before a service answers.
_STARTING_SECONDS = 300

KOption = Annotated[int, typer.Option("-k", help="表示するパッセージの数")]


@cli.callback()
def _root(data_dir: DataDirOption = None) -> None:
    """専門書を検索し、根拠を引いて答えます。"""
    if data_dir is not None:
        # The commands look there, unless they are given a folder of their own.
        os.environ[f"{PREFIX}DATA_DIR"] = str(data_dir)


def main() -> None:
    """Runs the command line; the one place where an unexpected error becomes a message."""
    os.environ.update(OFFLINE)
    try:
        code = cli(standalone_mode=False, prog_name="shiori")
    except ShioriError as error:
        _report(error)
        sys.exit(2 if isinstance(error, BadRequest) else 1)
    except Exception as error:  # the command line's outermost boundary
        if os.environ.get("SHIORI_LOG_LEVEL") == "debug":
            raise
        if hasattr(error, "exit_code") and hasattr(error, "format_message"):
            err.print(usage_message(error), soft_wrap=True)
            sys.exit(2)
        err.print(f"予期しない誤りが起きました: {type(error).__name__}: {error}")
        err.print("SHIORI_LOG_LEVEL=debug を付けて実行すると詳しい記録が出ます。")
        sys.exit(1)
    if code == _INTERRUPTED:
        err.print("中断しました。終わったところまでは残っています。同じコマンドで続けられます。")
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: ShioriError) -> None:
    err.print(Text(f"誤り: {error.message}", style="red"), soft_wrap=True)
    if error.hint:
        err.print(Text(error.hint), soft_wrap=True)


@contextmanager
def _product(data_dir: Path | None) -> Iterator[Shiori | Client]:
    """The product on a data directory, or the running service that holds it."""
    from app.client import Client
    from app.main import Shiori

    settings = load_settings(data_dir)
    try:
        with progress_bars() as progress:
            task = None

            def rebuilding(done: int, total: int) -> None:
                nonlocal task
                if task is None:
                    task = progress.add_task("索引の作り直し", total=total)
                progress.update(task, completed=done)

            product = Shiori(settings, on_progress=rebuilding)
    except DataDirLocked:
        service = _service_of(settings.data_dir)
        if service is None:
            raise
        with Client(service) as client:
            yield client
        return
    with product:
        yield product


def _service_of(folder: Path) -> Service | None:
    """The service that holds a data directory; one that is still starting is waited for."""
    from app.core.datadir import is_starting, running_service

    ends = time.monotonic() + _STARTING_SECONDS
    told = False
    while (service := running_service(folder)) is None:
        if not is_starting(folder) or time.monotonic() > ends:
            return running_service(folder)
        if not told:
            minutes = _STARTING_SECONDS // 60
            err.print(f"栞が起動するのを待っています (長くて{minutes}分。中止は Ctrl-C)。")
            told = True
        time.sleep(0.2)
    return service


# -- serve ----------------------------------------------------------------------


@cli.command()
def serve(
    data_dir: DataDirOption = None,
    host: Annotated[str | None, typer.Option(help="待ち受けるアドレス")] = None,
    port: Annotated[int | None, typer.Option(help="待ち受けるポート")] = None,
    samples: Annotated[
        bool, typer.Option(help="書棚が空のとき、見本の本を登録してから始める")
    ] = False,
) -> None:
    """検索サービスを起動します。"""
    from app.core import settings as settings_module
    from app.core import telemetry
    from app.main import Shiori
    from app.serving import run

    # Being stopped by a service manager ends it as Ctrl-C does: cleanly.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = settings_module.load(data_dir=data_dir, host=host, port=port)
    telemetry.configure(settings.log_level)
    with Shiori(settings, wait_for_model=False, serving=True) as product:
        if samples:
            with _watching() as watch:
                summary = product.add_samples(watch)
            if summary is not None:
                err.print(f"見本の本{len(summary.results) - len(summary.failed)}冊を登録しました。")
        run(product, lambda url: err.print(f"栞は {url} で動いています (終了は Ctrl-C)"))


# -- ingest ---------------------------------------------------------------------


@ingest_cli.command("add")
def ingest_add(
    paths: Annotated[list[Path], typer.Argument(help="ファイル、フォルダー、ZIP")],
    data_dir: DataDirOption = None,
    shelf: Annotated[str, typer.Option(help="本を置く書棚の名前")] = "",
    as_json: JsonOption = False,
) -> None:
    """本を書棚に追加します。変わっていない本は何もせず、変わった本は差し替えます。"""
    from app.client import Client

    with _product(data_dir) as product, _watching() as watch:
        if isinstance(product, Client):
            summary = product.add(paths, shelf, lambda event: watch(_Event(**event)))
        else:
            summary = product.add(paths, shelf=shelf, on_event=watch).as_json()
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary)
    if summary["files"]["failed"]:
        raise typer.Exit(1)


@ingest_cli.command("supplement")
def ingest_supplement(
    book_id: Annotated[str, typer.Argument(help="加除式の本の書籍ID (ingest list で分かります)")],
    files: Annotated[list[Path], typer.Argument(help="追録のPDF。古いものから順に")],
    remove: Annotated[
        list[str] | None, typer.Option(help="取り除くページの頁番号 (124の3)。何度でも指定できます")
    ] = None,
    as_of: Annotated[str, typer.Option(help="追録後の内容現在日 (2026-04-01)")] = "",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """追録のページを頁番号で差し替え・挿入し、本の次の版にします。前の版も残ります。"""
    from app.client import Client

    with _product(data_dir) as product, _watching() as watch:
        if isinstance(product, Client):
            made = product.supplement(
                book_id, files, remove or [], as_of, lambda event: watch(_Event(**event))
            )
        else:
            done = product.supplement(
                book_id, files, remove=remove or [], as_of=as_of, on_event=watch
            )
            made = done.as_json()
    if as_json:
        print_json(made)
        return
    name = f"{made['title']} {made['edition']} (ID {made['book_id']})"
    if made["state"] == "unchanged":
        out.print(Text(f"この追録は加えてあります: {name}"), soft_wrap=True)
    else:
        out.print(Text(f"次の版になりました: {name}"), soft_wrap=True)
    cli_read.print_changes(made)


class _Event:
    """An event of `ingest.jobs` as the service sends it."""

    def __init__(self, source: str, state: str, done: int, total: int, reason: str) -> None:
        self.source, self.state, self.done, self.total = source, state, done, total
        self.reason = reason


@contextmanager
def _watching() -> Iterator[Callable[[Any], None]]:
    """Shows the progress of files being read, with rate and time left."""
    with progress_bars() as progress:
        bars: dict[str, Any] = {}

        def watch(event: Any) -> None:
            name = Path(event.source).name
            if event.state == "reading":
                if event.source not in bars:
                    bars[event.source] = progress.add_task(name, total=event.total)
                progress.update(bars[event.source], completed=event.done, total=event.total)
                return
            if event.source in bars:
                progress.remove_task(bars.pop(event.source))
            if event.state == "failed":
                progress.console.print(Text(f"失敗: {event.reason}", style="red"), soft_wrap=True)
            elif event.state == "left_out":
                progress.console.print(
                    Text(f"対象外: {event.reason}", style="yellow"), soft_wrap=True
                )
            elif event.state == "added":
                progress.console.print(Text(f"追加: {name}"))

        yield watch


def _print_summary(summary: dict[str, Any]) -> None:
    files = summary["files"]
    left_out = f" 対象外{len(summary['left_out'])}" if summary["left_out"] else ""
    out.print(
        f"{files['seen']}件中 追加{files['added']} 変更なし{files['unchanged']}"
        f" 失敗{files['failed']}{left_out} / {summary['pages']:,}ページ"
        f" {summary['passages']:,}パッセージ {summary['seconds']:.1f}秒"
    )


@ingest_cli.command("list")
def ingest_list(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """書棚の本を一覧します。"""
    from app.client import Client

    with _product(data_dir) as product:
        if isinstance(product, Client):
            books = product.books()
        else:
            books = [asdict(book) for book in product.ledger.books().values()]
    if as_json:
        print_json(books)
        return
    # The id is what other commands take: it is shown whole, however narrow the window.
    table = Table(
        Column("ID", no_wrap=True), "書名", "版", "書棚", "内容現在日", "ページ", "パッセージ"
    )
    for book in books:
        table.add_row(
            book["id"],
            book["title"],
            book["edition"],
            book["shelf"],
            book["as_of"],
            str(book["pages"]),
            str(book["passages"]),
        )
    out.print(table)


@ingest_cli.command("remove")
def ingest_remove(
    book_ids: Annotated[list[str], typer.Argument(help="書籍ID (ingest list で分かります)")],
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """本を書棚から取り除きます。"""
    from app.client import Client

    with _product(data_dir) as product:
        removed = [
            product.remove(book_id)
            if isinstance(product, Client)
            else asdict(product.remove(book_id))
            for book_id in book_ids
        ]
    if as_json:
        print_json(removed)
        return
    for book in removed:
        out.print(f"取り除きました: {book['title']} {book['edition']}")


@ingest_cli.command("status")
def ingest_status(data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """書棚の状態と最近の処理を表示します。"""
    from app.client import Client

    with _product(data_dir) as product:
        if isinstance(product, Client):
            jobs = product.jobs()
        else:
            jobs = [asdict(job) for job in product.ledger.jobs()]
        health = product.health()
    if as_json:
        print_json({"health": health, "jobs": jobs})
        return
    out.print(
        f"{health['books']}冊 {health['passages']:,}パッセージ / 検索: {health['search']}"
        f" / エンジン: {health['engine']}"
    )
    for job in jobs[:20]:
        out.print(Text(f"{job['state']:<12}{job['source_file']} {job['reason']}"), soft_wrap=True)


# -- search and ask -------------------------------------------------------------

BookOption = Annotated[list[str] | None, typer.Option(help="書籍IDで絞る")]
ShelfOption = Annotated[list[str] | None, typer.Option(help="書棚名で絞る")]
EditionOption = Annotated[list[str] | None, typer.Option(help="版で絞る")]
AsOfOption = Annotated[str, typer.Option(help="この日に有効な版だけ (2026-04-01)")]
CitingOption = Annotated[
    list[str] | None, typer.Option(help="この条文・先例を引用している箇所だけ")
]


def _filters(
    book: list[str] | None,
    shelf: list[str] | None,
    edition: list[str] | None,
    as_of: str,
    citing: list[str] | None,
) -> FiltersIn:
    from app.api.schemas import FiltersIn

    return FiltersIn(
        books=book or [],
        shelves=shelf or [],
        editions=edition or [],
        as_of=as_of,
        citing=citing or [],
    )


@cli.command()
def search(
    question: Annotated[str, typer.Argument(help="質問文、語句、または条文・先例番号")],
    k: KOption = 10,
    data_dir: DataDirOption = None,
    book: BookOption = None,
    shelf: ShelfOption = None,
    edition: EditionOption = None,
    as_of: AsOfOption = "",
    citing: CitingOption = None,
    as_json: JsonOption = False,
) -> None:
    """質問に答えるパッセージを探します。"""
    from app.api.schemas import search_out
    from app.client import Client

    filters = _filters(book, shelf, edition, as_of, citing)
    with _product(data_dir) as product:
        if isinstance(product, Client):
            found = product.search(question, k, filters.model_dump())
        else:
            result = product.searcher.search(question, k, filters.to_filters())
            found = search_out(result).model_dump()
    if as_json:
        print_json(found)
        return
    for notice in found["notices"]:
        out.print(Text(notice, style="yellow"), soft_wrap=True)
    for expansion in found["expansions"]:
        added = "、".join(expansion["adds"] or expansion["articles"])
        is_like = expansion["term"] == ASKED
        err.print(
            Text(f"似た質問: {added}" if is_like else f"言い換え: {expansion['term']} → {added}")
        )
    for hit in found["hits"]:
        _print_hit(hit)
    if not found["hits"]:
        out.print("該当するパッセージはありません。")


@cli.command()
def ask(
    question: Annotated[str, typer.Argument(help="質問文")],
    k: KOption = 5,
    data_dir: DataDirOption = None,
    book: BookOption = None,
    shelf: ShelfOption = None,
    edition: EditionOption = None,
    as_of: AsOfOption = "",
    citing: CitingOption = None,
    as_json: JsonOption = False,
) -> None:
    """質問に、根拠を引いて答えます。"""
    from app.api.schemas import ask_out
    from app.client import Client

    filters = _filters(book, shelf, edition, as_of, citing)
    with _product(data_dir) as product:
        if isinstance(product, Client):
            answered = product.ask(question, k, filters.model_dump())
        else:
            answered = ask_out(product.answerer.ask(question, k, filters.to_filters())).model_dump()
    if as_json:
        print_json(answered)
        return
    for notice in answered["notices"]:
        out.print(Text(notice, style="yellow"), soft_wrap=True)
    numbers = {hit["passage_id"]: hit["rank"] for hit in answered["hits"]}
    for block in answered["answer"]:
        marks = "".join(f"[{numbers[id_]}]" for id_ in block["citations"] if id_ in numbers)
        out.print(Text(f"{block['text']} {marks}"), soft_wrap=True)
        for limit in block["limits"]:
            out.print(Text(f"   {limit['text']}"), soft_wrap=True)
        out.print()
    if not answered["answered"]:
        out.print(Text(answered["reason"], style="yellow"), soft_wrap=True)
        out.print("近い箇所:")
    for hit in answered["hits"]:
        _print_hit(hit)
    if answered["inquiry"]:
        out.print()
        out.print(Text(answered["inquiry"]), soft_wrap=True)


@cli.command()
def mcp(data_dir: DataDirOption = None) -> None:
    """MCPサーバーとして標準入出力で動きます (検索・箇所を開く・回答)。"""
    from app.api.mcp import ProductShelf, server
    from app.client import Client

    with _product(data_dir) as product:
        shelf = product if isinstance(product, Client) else ProductShelf(product)
        server(shelf).run("stdio")


def _print_hit(hit: dict[str, Any]) -> None:
    page = f" {hit['page_label']}頁" if hit["page_label"] else ""
    place = " > ".join(hit["section_path"])
    title = Text(f"{hit['rank']}. {hit['book_title']} {hit['edition']}{page}", style="bold")
    out.print(title, soft_wrap=True)
    out.print(Text(f"   {place}", style="dim"), soft_wrap=True)
    for warning in hit["warnings"]:
        out.print(Text(f"   注意: {warning}", style="yellow"), soft_wrap=True)
    text = hit["text"].replace("\n", " ")
    out.print(Text(f"   {text[:160]}{'…' if len(text) > 160 else ''}"), soft_wrap=True)
