"""Text → dense vectors, by a sentence-transformers model in a local folder.

The product needs no model; where the site has one, a single setting names it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.core import models
from app.core.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Passages are a few hundred characters; a longer window only costs memory.
_MAX_TOKENS = 1024
_QUESTIONS = 1000


class DenseModel:
    """A loaded model; vectors are unit length, float32, shape (texts, size)."""

    def __init__(
        self, name: str, model: SentenceTransformer, query: str, document: str, batch: int
    ) -> None:
        self.name = name
        self.size = int(model.get_embedding_dimension() or 0)
        self.max_tokens = int(model.max_seq_length or 0)
        self._model = model
        self._query = query
        self._document = document
        self._batch = batch
        # Tokenizers change state while they work, so threads take turns, a batch each.
        self._turn = threading.Lock()
        # Searching and then asking is the same question twice.
        self._remembered = lru_cache(maxsize=_QUESTIONS)(self._encode_question)

    def encode_query(self, text: str) -> tuple[float, ...]:
        """The vector of a question, with the model's question prompt."""
        return self._remembered(text)

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of passages, with the model's document prompt."""
        vectors = np.empty((len(texts), self.size), dtype=np.float32)
        # Texts of like length together: a batch is as slow as its longest text.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(texts), self._batch):
            part = order[start : start + self._batch]
            vectors[part] = self._encode([self._document + texts[number] for number in part])
        return vectors

    def _encode_question(self, text: str) -> tuple[float, ...]:
        return tuple(self._encode([self._query + text])[0].tolist())

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        try:
            with self._turn:
                vectors = self._model.encode(
                    texts,
                    # An empty prompt stops the library from adding one of its own.
                    prompt="",
                    batch_size=self._batch,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
        except RuntimeError as error:  # what torch raises where memory or the device gives out
            raise ModelUnavailable(
                f"埋め込みモデル {self.name} で計算できません: {error}",
                hint="SHIORI_EMBED_BATCH を小さくするか、SHIORI_EMBED_DEVICE を cpu にしてください。",
                field="embed_model",
            ) from error
        return np.asarray(vectors, dtype=np.float32)


def load(setting: str, *, device: str = "", batch: int = 32) -> DenseModel:
    """Loads the model a setting names: a folder, or `preset=folder`.

    Without a preset the prompts come from the model's own configuration. Raises
    ModelUnavailable naming the folder or preset at fault.
    """
    where = models.place(setting, "embed")
    with models.loading(where, "embed"):
        from sentence_transformers import SentenceTransformer

        model: Any = SentenceTransformer(
            str(where.folder), device=device or None, local_files_only=True
        )
    preset = where.preset
    own = int(model.max_seq_length or _MAX_TOKENS)
    model.max_seq_length = min(own, preset.max_tokens if preset else _MAX_TOKENS)
    prompts: dict[str, str] = model.prompts or {}
    query = preset.query_prompt if preset else prompts.get("query", "")
    document = (
        preset.document_prompt
        if preset
        else prompts.get("document", "") or prompts.get("passage", "")
    )
    loaded = DenseModel(where.name, model, query, document, batch)
    if preset and loaded.size != preset.size:
        raise ModelUnavailable(
            f"{where.folder} のモデルは{loaded.size}次元で、{preset.name} ({preset.size}次元) ではありません。",
            hint="フォルダーとプリセットの組を確かめてください。",
            field="embed_model",
        )
    return loaded


def model_name(setting: str) -> str:
    """The name an index remembers its model by: the preset, else the folder's name; '' for none."""
    return models.place(setting, "embed").name if setting else ""
