"""Every setting, once. Values come from the command line, SHIORI_* variables and shiori.toml.

An unknown key or a value that cannot be used is refused by name: a misspelt
setting that is silently ignored is worse than a start that fails.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.errors import SettingsError, demand, why

PREFIX = "SHIORI_"
FILE_NAME = "shiori.toml"

# Read by tests and the Makefile, not by the product.
_OUTSIDE = {"SHIORI_TEST_QDRANT_URL"}


class Settings(BaseModel):
    """The settings of one process; frozen once loaded. Each field is SHIORI_<NAME> in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(
        default=Path("shiori-data"),
        description="データを置くフォルダー (台帳・索引・原本・ページ画像)",
    )
    host: str = Field(default="127.0.0.1", description="サービスが待ち受けるアドレス")
    port: int = Field(default=8000, ge=1, le=65535, description="サービスが待ち受けるポート")
    qdrant_url: str = Field(
        default="",
        description="QdrantサーバーのURL。空なら組み込みのエンジンを使う",
    )
    qdrant_api_key: str = Field(default="", description="QdrantサーバーのAPIキー", repr=False)
    qdrant_collection: str = Field(
        default="shiori", min_length=1, description="Qdrantサーバーでのコレクション名の先頭部分"
    )
    embed_model: str = Field(
        default="",
        description="埋め込みモデルのフォルダー。「プリセット名=フォルダー」とすれば前置語などもそろう。空なら語による検索だけ",
    )
    embed_device: str = Field(
        default="", description="埋め込みモデルを動かす装置 (cpu, cuda など)。空なら自動"
    )
    embed_batch: int = Field(default=32, ge=1, le=4096, description="一度に埋め込む文章の数")
    dense_weight: float | None = Field(
        default=None,
        ge=0.0,
        le=10.0,
        description="意味による検索の重み (語による検索を1として)。空ならeval tuneで決めた値、無ければプリセットのモデルは0.3、ほかは0",
    )
    rerank_model: str = Field(
        default="",
        description="並べ替えモデルのフォルダー (「プリセット名=フォルダー」も可)。空なら並べ替えない",
    )
    rerank_weight: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="最終の点数に占める並べ替えモデルの割合 (0〜1)。空ならeval tuneで決めた値、無ければプリセットのモデルは0.5、ほかは0",
    )
    rerank_candidates: int = Field(
        default=30, ge=2, le=200, description="並べ替えモデルに読ませる上位の件数"
    )
    rerank_batch: int = Field(
        default=16, ge=1, le=1024, description="並べ替えモデルに一度に渡す組の数"
    )
    glossary: tuple[Path, ...] = Field(
        default=(), description="追加の用語集ファイル (TSV)。製品付属の用語集に重ねる"
    )
    law_changes: tuple[Path, ...] = Field(
        default=(), description="追加の法改正一覧ファイル (TSV)。製品付属の一覧に重ねる"
    )
    admin_password: str = Field(
        default="",
        repr=False,
        description="書棚の画面で本を登録・変更・削除する人の合言葉。空なら、栞が動いている機械からだけ行える",
    )
    llm_url: str = Field(
        default="",
        description="OpenAI互換の言語モデルサーバーのURL。空なら言語モデルを使わず、本の文をそのまま示す",
    )
    llm_model: str = Field(
        default="", description="言語モデルの名前。空ならサーバーが最初に挙げるモデル"
    )
    llm_api_key: str = Field(default="", description="言語モデルサーバーのAPIキー", repr=False)
    llm_factory: str = Field(
        default="",
        pattern=r"^$|^[\w.]+:\w+$",
        description="LlamaIndexのLLMを返す、引数の無い関数の名前 (モジュール:関数)。あればURLより先に使う",
    )
    nli_model: str = Field(
        default="",
        description="言語モデルの文を根拠と照らし合わせる含意判定モデルのフォルダー。空なら規則だけで照らし合わせる",
    )
    llm_timeout: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="言語モデルが一つの答えを書き終えるまで待つ秒数 (順番待ちを含む)",
    )
    llm_context: int = Field(
        default=0, ge=0, description="言語モデルの文脈長 (トークン)。0ならサーバーに尋ねる"
    )
    llm_parallel: int = Field(
        default=1, ge=1, le=64, description="言語モデルに同時に書かせる答えの数"
    )
    llm_queue: int = Field(
        default=8,
        ge=0,
        le=1000,
        description="言語モデルの順番を待てる質問の数。超えたら本の文を示す",
    )
    question_max_chars: int = Field(default=1000, ge=1, description="質問の最大文字数")
    upload_max_mb: int = Field(default=512, ge=1, description="登録できる1ファイルの最大MB")
    reader_memory_mb: int = Field(
        default=2048, ge=256, description="本を読む子プロセスが使えるメモリのMB"
    )
    reader_seconds: int = Field(default=3600, ge=1, description="1冊を読む子プロセスに許す秒数")
    reader_pages: int = Field(default=20000, ge=1, description="1冊として受け付ける最大ページ数")
    second_ocr: bool = Field(
        default=True,
        description="文字認識が不確かなページを、入っていればTesseractにも読ませて一致の割合を示す",
    )
    workers: int = Field(default=0, ge=0, description="本を読む子プロセスの数。0ならCPUのコア数")
    passage_chars: int = Field(
        default=600, ge=100, le=4000, description="パッセージの長さの目安 (文字数)"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="ログの詳しさ"
    )


def load(**overrides: Any) -> Settings:
    """Settings from `overrides` (None means not given), then the environment, then shiori.toml.

    The file is read from the data directory. Raises SettingsError naming the key and the bad value.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    from_env = _environment()
    data_dir = Path(
        given.get("data_dir")
        or from_env.get("data_dir")
        or Settings.model_fields["data_dir"].default
    )
    merged = {**_file(data_dir / FILE_NAME), **from_env, **given}
    merged["data_dir"] = data_dir.expanduser()
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise _as_settings_error(error) from None


def _environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in os.environ.items():
        if not name.startswith(PREFIX) or name in _OUTSIDE:
            continue
        key = name.removeprefix(PREFIX).lower()
        _check_known(key, name)
        if key in ("glossary", "law_changes"):
            found[key] = tuple(Path(part) for part in value.split(os.pathsep) if part)
        elif value != "":
            found[key] = value
    return found


def _file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        cause = f"{why(error)}。" if isinstance(error, OSError) else str(error)
        raise SettingsError(
            f"設定ファイル {path} を読めません: {cause}",
            hint="TOMLの書き方とファイルの権限を確かめてください。",
            field=str(path),
        ) from None
    for key in values:
        _check_known(key, f"{path} の {key}")
    if "data_dir" in values:
        raise SettingsError(
            f"設定ファイル {path} に data_dir は書けません。",
            hint="このファイルはデータフォルダーの中にあります。--data-dir または SHIORI_DATA_DIR を使ってください。",
            field="data_dir",
        )
    return values


def _check_known(key: str, shown: str) -> None:
    if key in Settings.model_fields:
        return
    near = difflib.get_close_matches(key, Settings.model_fields, n=1)
    hint = f"「{near[0]}」のことですか。" if near else "READMEの設定一覧を見てください。"
    raise SettingsError(f"設定 {shown} はありません。", hint=hint, field=key)


def _as_settings_error(error: ValidationError) -> SettingsError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    value = "***" if "api_key" in key or "password" in key else repr(first["input"])
    return SettingsError(
        f"設定 {key} の値 {value} は使えません: {demand(first)}。",
        hint=f"{PREFIX}{key.upper()} または {FILE_NAME} の {key} を直してください。",
        field=key,
    )
