"""A second opinion on a sentence, where a model for it is configured: does the evidence entail it?

The checks of `verify` are decided by code and come first; this can only take away more.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, Literal

from app.core import models
from app.core.errors import ModelUnavailable

Relation = Literal["entails", "contradicts", "neutral"]

# The beginnings of the labels that models for natural language inference give.
_LABELS: dict[str, Relation] = {"entail": "entails", "contra": "contradicts", "neutral": "neutral"}
_REMEMBERED = 4096


class Judge:
    """A cross-encoder with the labels entailment, contradiction and neutral; loaded when first asked.

    Threads take turns. `folder` is the model's, `device` where it runs (empty chooses).
    """

    def __init__(self, folder: str, device: str = "") -> None:
        self._folder = folder
        self._device = device
        self._model: Any = None
        self._labels: list[Relation] = []
        self._turn = threading.Lock()
        self.relation = lru_cache(_REMEMBERED)(self._relation)

    def _relation(self, evidence: str, claim: str) -> Relation:
        """What the evidence is to the claim, the likeliest of the three; raises ModelUnavailable."""
        with self._turn:
            self._load()
            try:
                scores = self._model.predict([(evidence, claim)], show_progress_bar=False)[0]
            except RuntimeError as error:
                raise ModelUnavailable(
                    f"含意判定モデルで計算できません: {error}",
                    hint="SHIORI_EMBED_DEVICE を cpu にしてください。",
                    field="nli_model",
                ) from error
        return self._labels[int(scores.argmax())]

    def _load(self) -> None:
        if self._model is not None:
            return
        where = models.place(self._folder, "nli")
        with models.loading(where, "nli"):
            from sentence_transformers import CrossEncoder

            model = CrossEncoder(
                str(where.folder), device=self._device or None, local_files_only=True
            )
        named = model.config.id2label
        labels = [_label(str(named[number])) for number in range(model.num_labels)]
        if set(labels) != set(_LABELS.values()):
            raise ModelUnavailable(
                f"{where.folder} は含意判定モデルではありません (出力: {'、'.join(map(str, named.values()))})。",
                hint="entailment・contradiction・neutral の三つを出すモデルを SHIORI_NLI_MODEL に指定してください。",
                field="nli_model",
            )
        self._model, self._labels = model, [label for label in labels if label]


def _label(name: str) -> Relation | None:
    begun = (relation for start, relation in _LABELS.items() if name.lower().startswith(start))
    return next(begun, None)
