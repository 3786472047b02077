"""Search, then answer: the one way every face of the product asks."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.answer.extract import Answer, extract
from app.search.pipeline import NO_FILTERS, Filters, Searcher, SearchResult

# Below this share of the question's word weight the books count as silent.
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with the search it rests on; `took_ms` is the whole time in milliseconds."""

    result: SearchResult
    answer: Answer
    took_ms: float


class Answerer:
    """Answers questions from the passages that a searcher finds."""

    def __init__(self, searcher: Searcher, threshold: float = THRESHOLD) -> None:
        self._searcher = searcher
        self._threshold = threshold

    def ask(self, text: str, k: int = 10, filters: Filters = NO_FILTERS) -> Answered:
        """The answer to a question and the `k` passages nearest to it."""
        started = time.perf_counter()
        result = self._searcher.search(text, k, filters)
        weights = self._searcher.word_weights(result.question)
        answer = extract(result, weights, self._threshold)
        took_ms = (time.perf_counter() - started) * 1000
        return Answered(result, answer, round(took_ms, 3))
