"""Text → sparse vectors: BM25F term weights from our own analyser.

The engine multiplies in the inverse document frequency, so a vector here holds
the rest of the formula: saturated term frequency, normalised by field length and
summed over weighted fields (Robertson & Zaragoza 2009, The Probabilistic Relevance
Framework: BM25 and Beyond, §3.6).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.core.book import Passage
from app.core.japanese import bigrams, tokens
from app.core.store import Sparse

WORDS = "words"
GRAMS = "grams"
VECTORS = (WORDS, GRAMS)

# Raise it when the vectors or the reference ids kept for the same passage change: indexes of
# another encoding are rebuilt from the ledger, and serve until then.
ENCODING = 2

_K1 = 1.2


@dataclass(frozen=True, slots=True)
class Field:
    """How much a field's terms count, how strongly its length is normalised, and its usual length."""

    weight: float
    b: float
    usual_length: float


# Usual lengths are in terms. They are constants, not averages of the shelf, so that adding a book
# never changes the vectors of another.
FIELDS = {
    "heading": Field(weight=2.0, b=0.3, usual_length=9),
    "path": Field(weight=1.0, b=0.3, usual_length=8),
    "body": Field(weight=1.0, b=0.75, usual_length=66),
    "context": Field(weight=0.5, b=0.75, usual_length=20),
}


def encode_passage(passage: Passage, book_title: str) -> dict[str, Sparse]:
    """The sparse vectors of a passage, one by the words and one by the character pairs."""
    path = passage.section_path
    own = path[-1] if path else ""
    body = passage.text.removeprefix(own).strip() if own else passage.text
    texts = {
        "heading": own,
        "path": "\n".join((book_title, *path[:-1])),
        "body": body,
        "context": passage.context,
    }
    words = {name: [token.norm for token in tokens(text)] for name, text in texts.items() if text}
    grams = {name: bigrams(text) for name, text in texts.items() if text and name != "path"}
    return {WORDS: _weigh(words), GRAMS: _weigh(grams)}


def encode_query(terms: Mapping[str, float]) -> Sparse:
    """The sparse vector of a question: each term with its weight."""
    return _sparse({term_id(term): weight for term, weight in terms.items()})


@lru_cache(maxsize=500_000)
def term_id(term: str) -> int:
    """A term's index in the sparse vector: 32 bits of its hash, so that no vocabulary is kept."""
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "big")


def _weigh(fields: Mapping[str, Iterable[str]]) -> Sparse:
    weighed: dict[str, float] = {}
    for name, terms in fields.items():
        frequency = Counter(terms)
        shape = FIELDS[name]
        length = sum(frequency.values()) / shape.usual_length
        scale = shape.weight / (1 - shape.b + shape.b * length)
        for term, count in frequency.items():
            weighed[term] = weighed.get(term, 0.0) + count * scale
    return _sparse({term_id(term): tf * (_K1 + 1) / (_K1 + tf) for term, tf in weighed.items()})


def _sparse(values: Mapping[int, float]) -> Sparse:
    indices = sorted(values)
    return Sparse(indices=indices, values=[values[index] for index in indices])
