"""`shiori read`, `ingest report` and `eval reading`: what the product reads of a file, and how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from app.core.errors import BadRequest
from app.terminal import (
    DataDirOption,
    JsonFile,
    JsonOption,
    err,
    load_settings,
    out,
    print_json,
    stages,
    write_json,
)

if TYPE_CHECKING:
    from app.core.book import Document, Page
    from ingest.check import KindRow, ReadingRow


def read(
    file: Annotated[Path, typer.Argument(help="読むファイル")],
    data_dir: DataDirOption = None,
    password: Annotated[str | None, typer.Option(help="暗号化されたPDFのパスワード")] = None,
    as_json: JsonOption = False,
) -> None:
    """ファイルを登録せずに読み、製品が読み取る文を表示します。"""
    from ingest.metadata import book_metadata
    from ingest.sandbox import limits_of, read_book

    document = read_book(file, limits=limits_of(load_settings(data_dir)), password=password)
    metadata = book_metadata(document, file)
    if as_json:
        print_json(document_json(document, metadata))
        return
    for page in document.pages:
        label = f" {page.label}頁" if page.label else ""
        out.print(f"── {page.index + 1}枚目{label} ({page.extractor})", style="bold")
        for warning in page.warnings:
            out.print(f"注意: {warning}", style="yellow")
        out.print(page.text, soft_wrap=True)


def document_json(document: Document, metadata: dict[str, str]) -> dict[str, Any]:
    """The JSON shape of `shiori read`: pages with text in reading order, and what stands beside it."""
    return {
        **metadata,
        "media_type": document.media_type,
        "warnings": list(document.warnings),
        "outline": [
            {"title": item.title, "level": item.level, "page_index": item.page_index}
            for item in document.outline
        ],
        "pages": [_page_json(page) for page in document.pages],
    }


def _page_json(page: Page) -> dict[str, Any]:
    return {
        "index": page.index,
        "label": page.label,
        "text": page.text,
        "extractor": page.extractor,
        "confidence": page.confidence,
        "warnings": list(page.warnings),
        "vertical": page.vertical,
        "heads": list(page.heads),
        "ruby": [
            {"base": line.text[ruby.start : ruby.end], "text": ruby.text}
            for line in page.lines
            for ruby in line.ruby
        ],
    }


def report(
    book_id: Annotated[str, typer.Argument(help="書籍ID (ingest list で分かります)")],
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """本がどれだけ正しく読めたかを、見直すべきページとともに表示します。"""
    from app.core.ledger import Ledger
    from app.core.quality import quality
    from ingest.supplement import changes_json, changes_of

    path = load_settings(data_dir).data_dir / "ledger.sqlite"
    if not path.is_file():
        raise BadRequest(
            f"{path.parent} に書棚がありません。",
            hint="--data-dir で書棚のあるフォルダーを指定してください。",
            field="data_dir",
        )
    # The ledger may be read while a service holds the directory.
    ledger = Ledger(path)
    book = ledger.book(book_id)
    found = quality(ledger.pages(book_id), ledger.page_lengths(book_id))
    changes = changes_of(ledger, book_id)
    ledger.close()
    changed = None if changes is None else changes_json(changes)
    if as_json:
        print_json(
            {"book_id": book.id, "title": book.title, **found.as_json(), "supplement": changed}
        )
        return
    out.print(f"{book.title} {book.edition}", style="bold")
    readers = "、".join(f"{name or '不明'} {count}" for name, count in found.extractors.items())
    out.print(
        f"{found.pages}ページ {found.characters:,}文字 / 読み取り: {readers} /"
        f" 文字のないページ {found.without_text} / 頁番号のないページ {found.without_label}"
    )
    if changed is not None:
        print_changes(changed)
    for doubt in found.doubtful:
        place = f"{doubt.page.label}頁" if doubt.page.label else f"{doubt.page.index + 1}枚目"
        out.print(f"{place}: {'。'.join(doubt.reasons)} → {doubt.advice}", soft_wrap=True)
    if not found.doubtful:
        out.print("見直すべきページはありません。")


def print_changes(changed: dict[str, Any]) -> None:
    """What a supplement changed, by printed label."""
    for name, key in (("差替え", "replaced"), ("追加", "added"), ("除去", "removed")):
        if changed[key]:
            labels = "、".join(changed[key])
            out.print(f"{name} {len(changed[key])}ページ: {labels}", soft_wrap=True)
    out.print(
        "パッセージ: 新しいもの {passages_new}、消えたもの {passages_gone}、"
        "同じもの {passages_same}".format(**changed)
    )
    for page in changed["left_out"]:
        out.print(
            f"綴じ込まなかったページ: {page['file']} の{page['page_index'] + 1}枚目 (頁番号がありません)",
            soft_wrap=True,
        )
    for warning in changed["warnings"]:
        out.print(f"注意: {warning}", style="yellow", soft_wrap=True)


def reading(
    folder: Annotated[
        Path, typer.Argument(help="本と 名前.truth.txt を置いたフォルダー (中も探す)")
    ],
    json_file: JsonFile = None,
) -> None:
    """正解のある本で読み取りの文字誤り率、頁番号、速さを測り、他のPDFと画像は読めたものを示します。"""
    from ingest.check import by_kind, check

    with stages() as stage:
        rows = list(check(folder, stage("読み取り")))
    if not rows:
        raise BadRequest(
            f"{folder} に測れる本がありません。",
            hint="本 (名前.pdf など) と、その正しい文 (名前.truth.txt) を並べて置いてください。",
            field=str(folder),
        )
    if json_file is not None:
        write_json(json_file, [asdict(row) for row in rows])
    else:
        _print_reading([row for row in rows if not row.error], by_kind(rows))
    for row in rows:
        if row.error:
            err.print(f"読めません: {row.error}", style="red", soft_wrap=True)
    if any(row.error and row.known == "truth" for row in rows):
        raise typer.Exit(1)


def cutting(
    folder: Annotated[Path, typer.Argument(help="評価データ (corpus.jsonl など) のフォルダー")],
    books: Annotated[Path, typer.Argument(help="その文書を含む本のフォルダー")],
    data_dir: DataDirOption = None,
    json_file: JsonFile = None,
) -> None:
    """本を一律の長さで切ったときと、章・条・項に沿って切ったときの検索の質を比べます。"""
    from app.cutting import compare
    from eval.datasets import load_dataset

    settings = load_settings(data_dir)
    with stages() as stage:
        rows = compare(load_dataset(folder), books, settings, stage)
    if json_file is not None:
        write_json(json_file, [asdict(row) for row in rows])
        return
    table = Table("切り方", "パッセージ", "nDCG@10", "recall@100")
    for row in rows:
        table.add_row(row.way, f"{row.passages:,}", f"{row.ndcg:.4f}", f"{row.recall:.4f}")
    out.print(table)


def _print_reading(rows: Sequence[ReadingRow], kinds: Sequence[KindRow]) -> None:
    table = Table("種類", "冊", "ページ", "正解の文字", "文字誤り率 %", "目標 %", title="種類ごと")
    for kind in kinds:
        table.add_row(
            kind.kind,
            str(kind.documents),
            str(kind.pages),
            f"{kind.characters:,}",
            f"{100 * kind.rate:.2f}",
            f"{100 * kind.aim:.1f}",
        )
    if kinds:
        out.print(table)
    table = Table(
        *("本", "種類", "ページ", "文字誤り率 %", "頁番号の正解", "ページ/秒"),
        *("pdfiumのみ 文字誤り率 %", "pdfiumのみ ページ/秒", "速さの比"),
        title="正解のある本",
    )
    for row in rows:
        if row.known == "truth":
            table.add_row(
                row.name,
                row.kind,
                str(row.pages),
                _percent(row.rate),
                "" if row.labels_right is None else f"{row.labels_right}/{row.pages}",
                f"{row.speed or 0:.1f}",
                _percent(row.plain_rate),
                "" if row.plain_speed is None else f"{row.plain_speed:.0f}",
                _ratio(row),
            )
    if table.row_count:
        out.print(table)
    table = Table(
        *("本", "種類", "ページ", "読んだ文字", "確信度", "NDL OCRとの違い %"),
        *("ページ/秒", "pdfiumとの速さの比", "注意"),
        title="正解のない本",
    )
    for row in rows:
        if row.known != "truth":
            table.add_row(
                row.name,
                row.kind,
                str(row.pages),
                f"{row.characters:,}",
                "" if row.confidence is None else f"{row.confidence:.2f}",
                _percent(row.rate),
                f"{row.speed or 0:.1f}",
                _ratio(row),
                "、".join(row.warnings),
            )
    if table.row_count:
        out.print(table)


def _ratio(row: ReadingRow) -> str:
    """Our pages a second as a share of what the bare extractor does."""
    return f"{row.speed / row.plain_speed:.3f}" if row.speed and row.plain_speed else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"
