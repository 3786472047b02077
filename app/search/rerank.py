"""The best candidates read again: a cross-encoder judges question and passage together.

Slower than any leg and better at telling near misses apart, so it sees the first few only.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.core import models
from app.core.book import Passage
from app.core.errors import ModelUnavailable
from app.search.retrieve import Candidate

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

# A passage of the usual length and its headings fit; what is longer is cut at its end.
_MAX_TOKENS = 512
_REMEMBERED = 20_000


class Reranker:
    """A loaded cross-encoder; scores lie between 0 and 1, higher is more relevant.

    Threads take turns, a batch each. Pairs scored before are remembered.
    """

    def __init__(self, name: str, model: CrossEncoder, batch: int) -> None:
        self.name = name
        self.max_tokens = int(model.max_seq_length or 0)
        self._model = model
        self._batch = batch
        self._turn = threading.Lock()
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How relevant each text is to the question; shape (texts,).

        Raises ModelUnavailable where memory or the device gives out.
        """
        new = list(dict.fromkeys(text for text in texts if (question, text) not in self._known))
        # Texts of like length together: a batch is as slow as its longest text.
        new.sort(key=len)
        found: dict[str, float] = {}
        for start in range(0, len(new), self._batch):
            part = new[start : start + self._batch]
            found.update(zip(part, self._predict(question, part), strict=True))
        with self._turn:
            scores = [found.get(text, self._known.get((question, text), 0.0)) for text in texts]
            self._known.update({(question, text): score for text, score in found.items()})
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return np.asarray(scores, dtype=np.float32)

    def _predict(self, question: str, texts: Sequence[str]) -> list[float]:
        from torch.nn import Sigmoid

        try:
            with self._turn:
                judged = self._model.predict(
                    [(question, text) for text in texts],
                    batch_size=self._batch,
                    # Whatever the model's own configuration says: blending needs 0 to 1.
                    activation_fn=Sigmoid(),
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
        except RuntimeError as error:
            raise ModelUnavailable(
                f"並べ替えモデル {self.name} で計算できません: {error}",
                hint="SHIORI_RERANK_BATCH を小さくするか、SHIORI_EMBED_DEVICE を cpu にしてください。",
                field="rerank_model",
            ) from error
        return [float(score) for score in np.asarray(judged).reshape(-1)]


def load(setting: str, *, device: str = "", batch: int = 16) -> Reranker:
    """Loads the model a setting names: a folder, or `preset=folder`.

    Raises ModelUnavailable where there is none, it cannot be read, or it is no reranker
    (a model that gives one score to a pair).
    """
    where = models.place(setting, "rerank")
    with models.loading(where, "rerank"):
        from sentence_transformers import CrossEncoder

        model: Any = CrossEncoder(str(where.folder), device=device or None, local_files_only=True)
    if model.num_labels != 1:
        raise ModelUnavailable(
            f"{where.folder} は並べ替えモデルではありません (出力が{model.num_labels}個)。",
            hint="質問と文章の組に点数を一つ付けるモデルを SHIORI_RERANK_MODEL に指定してください。",
            field="rerank_model",
        )
    limit = where.preset.max_tokens if where.preset else _MAX_TOKENS
    model.max_seq_length = min(int(model.max_seq_length or limit), limit)
    return Reranker(where.name, model, batch)


def model_name(setting: str) -> str:
    """The name weights are remembered by: the preset, else the folder's name; '' for none."""
    return models.place(setting, "rerank").name if setting else ""


def reranked(
    question: str,
    candidates: Sequence[Candidate],
    reranker: Reranker,
    share: float,
    top: int,
    named: frozenset[str] = frozenset(),
) -> list[Candidate]:
    """The candidates in their new order, the first `top` judged by the reranker.

    New score = (1 - share) · score / best score + share · judgement, a judgement of 0 for a
    candidate that was not read. Passages that are one of the references in `named` stay above
    all others: no model knows better than the user which article was asked for.
    """
    best = max((candidate.score for candidate in candidates), default=0.0)
    if best <= 0:
        return list(candidates)
    judged = reranker.scores(question, [read_text(item.passage) for item in candidates[:top]])
    for place, candidate in enumerate(candidates):
        own = float(judged[place]) if place < len(judged) else 0.0
        candidate.score = (1 - share) * candidate.score / best + share * own
        if not named.isdisjoint(candidate.passage.about):
            candidate.score += 1
    return sorted(candidates, key=lambda item: (-item.score, item.key))


def read_text(passage: Passage) -> str:
    """What a reranker reads of a passage: its place in the book, then its text."""
    return "\n".join(("　".join(passage.section_path), passage.text))
