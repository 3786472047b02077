"""Weight-free baselines on the same corpus: BM25 over four ways to cut Japanese text.

A system that does not beat these has not earned its models.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from sudachipy import Dictionary, SplitMode, Tokenizer

from app.core.japanese import tokens
from eval.datasets import CorpusDocument
from eval.runs import Searcher

Tokenize = Callable[[str], Sequence[str]]

_CONTENT = ("L", "N")
_DROPPED = {"助詞", "助動詞", "補助記号", "空白"}
# Sudachi refuses inputs of more than 49,149 bytes.
_PIECE = 10_000


def whitespace(text: str) -> list[str]:
    """White-space split, lower-cased: what an engine without Japanese does."""
    return text.lower().split()


def bigrams(text: str) -> list[str]:
    """Pairs of neighbouring letters or digits after NFKC and lower-casing; a lone one stands alone."""
    folded = unicodedata.normalize("NFKC", text).lower()
    words = "".join(c if unicodedata.category(c)[0] in _CONTENT else " " for c in folded).split()
    return [word[at : at + 2] for word in words for at in range(max(1, len(word) - 1))]


def sudachi(text: str) -> list[str]:
    """Short-unit words (mode A) in Sudachi's normalised form, particles and punctuation dropped.

    Deliberately not the product's analyser: a yardstick must not move with what it measures.
    """
    words = _tokenizer()
    return [
        word.normalized_form()
        for line in text.splitlines()
        for start in range(0, len(line), _PIECE)
        for word in words.tokenize(line[start : start + _PIECE])
        if word.part_of_speech()[0] not in _DROPPED
    ]


def product(text: str) -> list[str]:
    """The product's own words: what its analyser adds to plain Sudachi, without anything else."""
    return [token.norm for token in tokens(text)]


@cache
def _tokenizer() -> Tokenizer:
    return Dictionary(dict="core").tokenizer(SplitMode.A)


BASELINES: Mapping[str, Tokenize] = {
    "bm25-whitespace": whitespace,
    "bm25-bigrams": bigrams,
    "bm25-sudachi": sudachi,
    "bm25-product": product,
}


def bm25_searcher(
    corpus: Iterable[CorpusDocument], tokenize: Tokenize, *, k1: float = 1.2, b: float = 0.75
) -> Searcher:
    """Index title and text of every document; documents without a question's word are not returned.

    BM25 after Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with
    idf = ln(1 + (N - df + 0.5) / (df + 0.5)). Equal scores keep the order of the corpus.
    """
    ids: list[str] = []
    lengths: list[int] = []
    postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, document in enumerate(corpus):
        counts = Counter(tokenize(f"{document.title}\n{document.text}"))
        ids.append(document.id)
        lengths.append(counts.total())
        for term, count in counts.items():
            postings[term].append((number, count))
    length = np.array(lengths, dtype=np.float64)
    penalty = k1 * (1 - b + b * length / max(length.mean(), 1.0)) if ids else length

    weights = {}
    for term, rows in postings.items():
        numbers, count = np.array(rows, dtype=np.int64).T
        idf = np.log(1 + (len(ids) - len(rows) + 0.5) / (len(rows) + 0.5))
        weights[term] = (numbers, idf * count * (k1 + 1) / (count + penalty[numbers]))

    def search(question: str, k: int) -> list[tuple[str, float]]:
        scores = np.zeros(len(ids))
        for term, times in Counter(tokenize(question)).items():
            if term in weights:
                numbers, weight = weights[term]
                scores[numbers] += times * weight
        best = np.argsort(-scores, kind="stable")[:k]
        return [(ids[n], float(scores[n])) for n in best if scores[n] > 0]

    return search
