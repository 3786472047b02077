"""Text → dense vectors, by a sentence-transformers model in a local folder.

The product needs no model; where the site has one, a single setting names it. Nothing
is ever fetched: a folder that is not there is an error, not a download.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

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
    """What a published model wants: prompts before the text and its length limit in tokens."""

    name: str
    published_as: str
    query_prompt: str
    document_prompt: str
    max_tokens: int
    licence: str


# Prompts, lengths and licences as the models' own cards state them.
PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "ruri-v3-30m",
            "cl-nagoya/ruri-v3-30m",
            "検索クエリ: ",
            "検索文書: ",
            8192,
            "Apache-2.0",
        ),
        Preset(
            "ruri-v3-130m",
            "cl-nagoya/ruri-v3-130m",
            "検索クエリ: ",
            "検索文書: ",
            8192,
            "Apache-2.0",
        ),
        Preset(
            "ruri-v3-310m",
            "cl-nagoya/ruri-v3-310m",
            "検索クエリ: ",
            "検索文書: ",
            8192,
            "Apache-2.0",
        ),
        Preset("bge-m3", "BAAI/bge-m3", "", "", 8192, "MIT"),
        Preset(
            "multilingual-e5-large",
            "intfloat/multilingual-e5-large",
            "query: ",
            "passage: ",
            512,
            "MIT",
        ),
    )
}

# Passages are a few hundred characters; a longer window only costs memory.
_MAX_TOKENS = 1024


class DenseModel:
    """A loaded model; vectors are unit length, float32, shape (texts, size)."""

    def __init__(
        self, name: str, model: SentenceTransformer, query: str, document: str, batch: int
    ) -> None:
        self.name = name
        self.size = int(model.get_embedding_dimension() or 0)
        self._model = model
        self._query = query
        self._document = document
        self._batch = batch

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, with the model's question prompt."""
        return self._encode(texts, self._query)

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, with the model's document prompt."""
        return self._encode(texts, self._document)

    def _encode(self, texts: Sequence[str], prompt: str) -> NDArray[np.float32]:
        vectors = self._model.encode(
            [prompt + text for text in texts],
            # An empty prompt stops the library from adding one of its own.
            prompt="",
            batch_size=self._batch,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(vectors, dtype=np.float32)


def load(setting: str, *, device: str = "", batch: int = 32) -> DenseModel:
    """Loads the model a setting names: a folder, or `preset=folder`.

    Without a preset the prompts come from the model's own configuration. Raises
    ModelUnavailable naming the folder or preset at fault.
    """
    preset, folder = _parse(setting)
    if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
        raise ModelUnavailable(
            f"埋め込みモデルのフォルダー {folder} に modules.json も config.json もありません。",
            hint="モデル一式を入れたフォルダーを SHIORI_EMBED_MODEL に指定してください。",
            field="embed_model",
        )
    os.environ.update(OFFLINE)
    with warnings.catch_warnings():
        # Deprecations inside the model libraries are theirs to mend.
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer

        try:
            model: Any = SentenceTransformer(
                str(folder), device=device or None, local_files_only=True
            )
        except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
            raise ModelUnavailable(
                f"埋め込みモデル {folder} を読み込めません: {error}",
                hint="フォルダーの中身と SHIORI_EMBED_DEVICE を確かめてください。",
                field="embed_model",
            ) from error
    limit = preset.max_tokens if preset else int(model.max_seq_length or _MAX_TOKENS)
    model.max_seq_length = min(limit, _MAX_TOKENS)
    prompts: dict[str, str] = model.prompts or {}
    query = preset.query_prompt if preset else prompts.get("query", "")
    document = (
        preset.document_prompt
        if preset
        else prompts.get("document", "") or prompts.get("passage", "")
    )
    return DenseModel(model_name(setting), model, query, document, batch)


def model_name(setting: str) -> str:
    """The name an index remembers its model by: the preset, else the folder's name."""
    preset, folder = _parse(setting)
    return preset.name if preset else folder.resolve().name


def default_weight(setting: str) -> float:
    """How much the dense leg counts beside the words (which count 1) until it is calibrated.

    Known models help; of a model nobody has measured little is trusted.
    """
    if not setting:
        return 0.0
    preset, _ = _parse(setting)
    return 0.3 if preset else 0.1


def _parse(setting: str) -> tuple[Preset | None, Path]:
    name, equals, folder = setting.partition("=")
    if not equals:
        return None, Path(setting).expanduser()
    if name not in PRESETS:
        raise ModelUnavailable(
            f"埋め込みモデルのプリセット {name} はありません。",
            hint=f"使えるプリセット: {', '.join(PRESETS)}",
            field="embed_model",
        )
    return PRESETS[name], Path(folder).expanduser()
