"""The models a site may bring: what each wants, where it lies, and how it is named.

Nothing is ever fetched on the way of a search: a folder that is not there is an error, not a
download. Only `fetch`, run by hand on a machine that is connected, downloads.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.core.errors import BadRequest, ModelUnavailable

Kind = Literal["embed", "rerank", "nli"]

# Read by the libraries when they are first imported.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A published model and what it wants.

    `kind` is what it is for, `size` the length of its vectors (0 for a reranker). `max_tokens`
    is the most that is read of a text here: never more than the model takes, and less where
    passages of a few hundred characters need no more. Pooling is what the model's own folder
    states.
    """

    name: str
    published_as: str
    kind: Kind
    licence: str
    max_tokens: int
    size: int = 0
    query_prompt: str = ""
    document_prompt: str = ""


_RURI = ("検索クエリ: ", "検索文書: ")
_E5 = ("query: ", "passage: ")

# Prompts, sizes and licences as the models' own cards state them.
PRESETS = {
    preset.name: preset
    for preset in (
        Preset("ruri-v3-30m", "cl-nagoya/ruri-v3-30m", "embed", "Apache-2.0", 1024, 256, *_RURI),
        Preset("ruri-v3-130m", "cl-nagoya/ruri-v3-130m", "embed", "Apache-2.0", 1024, 512, *_RURI),
        Preset("ruri-v3-310m", "cl-nagoya/ruri-v3-310m", "embed", "Apache-2.0", 1024, 768, *_RURI),
        Preset("bge-m3", "BAAI/bge-m3", "embed", "MIT", 1024, 1024),
        Preset(
            "multilingual-e5-large",
            "intfloat/multilingual-e5-large",
            "embed",
            "MIT",
            512,
            1024,
            *_E5,
        ),
        Preset(
            "japanese-reranker-xsmall-v2",
            "hotchpotch/japanese-reranker-xsmall-v2",
            "rerank",
            "MIT",
            512,
        ),
        Preset(
            "japanese-reranker-base-v2",
            "hotchpotch/japanese-reranker-base-v2",
            "rerank",
            "MIT",
            512,
        ),
        Preset(
            "ruri-v3-reranker-310m",
            "cl-nagoya/ruri-v3-reranker-310m",
            "rerank",
            "Apache-2.0",
            1024,
        ),
    )
}

_FIELDS: dict[Kind, str] = {
    "embed": "embed_model",
    "rerank": "rerank_model",
    "nli": "nli_model",
}
# What the product can load: no code, no weights in forms it does not read.
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors", "README.md", "LICENSE*")


@dataclass(frozen=True, slots=True)
class Place:
    """A model as a setting names it: a folder, with a preset or without."""

    folder: Path
    preset: Preset | None = None

    @property
    def name(self) -> str:
        """The name that indexes and weights remember a model by: the preset, else the folder."""
        return self.preset.name if self.preset else self.folder.resolve().name


def place(setting: str, kind: Kind) -> Place:
    """Reads a setting, a folder or `preset=folder`; raises ModelUnavailable for an unknown preset."""
    name, equals, folder = setting.partition("=")
    if not equals:
        return Place(Path(setting).expanduser())
    known = [preset.name for preset in PRESETS.values() if preset.kind == kind]
    if name not in known:
        raise ModelUnavailable(
            f"モデルのプリセット {name} はありません。",
            hint=f"使えるプリセット: {', '.join(known)}",
            field=_FIELDS[kind],
        )
    return Place(Path(folder).expanduser(), PRESETS[name])


@contextmanager
def loading(where: Place, kind: Kind) -> Iterator[None]:
    """Around the loading of a model: offline, and what goes wrong becomes ModelUnavailable."""
    field = _FIELDS[kind]
    if not any((where.folder / name).is_file() for name in ("modules.json", "config.json")):
        raise ModelUnavailable(
            f"モデルのフォルダー {where.folder} に modules.json も config.json もありません。",
            hint=f"モデル一式を入れたフォルダーを SHIORI_{field.upper()} に指定してください。",
            field=field,
        )
    os.environ.update(OFFLINE)
    from safetensors import SafetensorError

    try:
        with warnings.catch_warnings():
            # Deprecations inside the model libraries are theirs to mend.
            warnings.simplefilter("ignore")
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            yield
    except (
        OSError,
        ValueError,
        RuntimeError,
        ImportError,
        KeyError,
        TypeError,
        SafetensorError,  # weights whose copying was cut short
    ) as error:
        raise ModelUnavailable(
            f"モデル {where.folder} を読み込めません: {error}",
            hint="フォルダーの中身と SHIORI_EMBED_DEVICE を確かめてください。",
            field=field,
        ) from error


def stated_licence(folder: Path) -> str:
    """The licence a model's own README states in its head matter; '' where it states none."""
    try:
        lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    for line in lines[1:]:
        if line == "---":
            break
        if line.startswith("license:"):
            return line.removeprefix("license:").strip()
    return ""


def fetch(preset: str, folder: Path) -> Path:
    """Downloads a published model into `folder/<preset>` and returns that folder.

    For a connected machine only; the folder is then carried to the closed one. Raises
    BadRequest for an unknown preset, ModelUnavailable where the download fails.
    """
    if preset not in PRESETS:
        raise BadRequest(
            f"モデルのプリセット {preset} はありません。",
            hint=f"使えるプリセット: {', '.join(PRESETS)}",
            field="preset",
        )
    # The switches are read at import: lifted here, before the library first comes in.
    for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ.pop(switch, None)
    import httpx
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    published = PRESETS[preset].published_as
    failed = (OSError, ValueError, httpx.HTTPError, HfHubHTTPError, OfflineModeIsEnabled)
    was_offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    try:
        snapshot_download(published, local_dir=folder / preset, allow_patterns=list(_WANTED))
    except failed as error:
        raise ModelUnavailable(
            f"{published} を取得できません: {str(error).splitlines()[0]}",
            hint="インターネットに接続した機器で実行し、できたフォルダーをこの機器に移してください。",
            field="preset",
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = was_offline
        os.environ.update(OFFLINE)
    return folder / preset
