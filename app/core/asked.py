"""Typical questions: how people ask about an article, set against a new question by their words.

A resident says 離婚してもこの苗字でいたい, the statute 婚姻の際に称していた氏を称する: they share hardly
a word. So the articles' texts are expanded with the questions they answer (Nogueira et al. 2019,
Document Expansion by Query Prediction), here questions written by people who know the field. All that
is asked about one article is one document, and documents are ranked by BM25 (Robertson & Zaragoza
2009). It happens at question time, so that a new row counts at once and no index is built anew.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

_K1 = 1.2
_B = 0.5

# Articles that share few of the question's words say nothing about it; the best few dozen are enough.
_VOTING = 60
# A word asked this often about an article belongs to its matter; asked once, it may be anybody's.
_OFTEN = 3
# Votes fall with the square of the score, so that the best articles stand out.
_SHARPNESS = 2


@dataclass(frozen=True, slots=True)
class TypicalQuestion:
    """A question as people put it, its words, and the ids of the articles that answer it (民法:767).

    `text` is empty where there are words only, which nobody would say like that.
    """

    text: str
    words: frozenset[str]
    articles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """What the typical questions say of a question.

    `votes` are article ids with 0 to 1, the best with 1. `coverage` is the share of the question's
    words, weighed by their rarity, that is asked about the best article, 0 to 1. `nearest` is the
    question about it that shares most, None where there is none. `said` are, by article,
    those of the words that are often asked about it.
    """

    votes: dict[str, float] = field(default_factory=dict)
    coverage: float = 0.0
    nearest: TypicalQuestion | None = None
    said: dict[str, frozenset[str]] = field(default_factory=dict)


class TypicalQuestions:
    """All typical questions, one document an article."""

    def __init__(self, questions: Iterable[TypicalQuestion]) -> None:
        about: dict[str, list[TypicalQuestion]] = defaultdict(list)
        for question in questions:
            for article in question.articles:
                about[article].append(question)
        self._about = dict(about)
        self._weights: dict[TypicalQuestion, float] = {}
        self._often: dict[str, frozenset[str]] = {}
        documents = {
            article: Counter(word for question in asked for word in question.words)
            for article, asked in self._about.items()
        }
        holding = Counter(word for document in documents.values() for word in document)
        total = len(documents)
        self._rarest = math.log(1 + (total + 0.5) / 0.5)
        self._idf = {
            word: math.log(1 + (total - count + 0.5) / (count + 0.5))
            for word, count in holding.items()
        }
        for asked in self._about.values():
            self._weights |= {question: self._weight(question.words) for question in asked}
        lengths = {article: sum(document.values()) for article, document in documents.items()}
        usual = sum(lengths.values()) / total if total else 1.0
        self._postings: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for article, document in documents.items():
            often = (word for word, count in document.items() if count >= _OFTEN)
            self._often[article] = frozenset(often)
            norm = _K1 * (1 - _B + _B * lengths[article] / usual)
            for word, count in document.items():
                weight = self._idf[word] * count * (_K1 + 1) / (count + norm)
                self._postings[word].append((article, weight))

    def rarity(self, word: str) -> float:
        """The word's inverse document frequency; of a word nobody asked with, the highest."""
        return self._idf.get(word, self._rarest)

    def like(self, words: Collection[str]) -> Likeness:
        """What is asked about articles in these words; each word counts once."""
        wanted = frozenset(words)
        scores: dict[str, float] = defaultdict(float)
        # A sum depends on its order, and a set has another one in every process.
        for word in sorted(wanted):
            for article, weight in self._postings.get(word, ()):
                scores[article] += weight
        if not scores:
            return Likeness()
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:_VOTING]
        first, best = ranked[0]
        # BM25 approaches K1 + 1 times the rarity of a word that is asked again and again.
        most = (_K1 + 1) * self._weight(wanted)
        return Likeness(
            votes={article: (score / best) ** _SHARPNESS for article, score in ranked},
            coverage=best / most,
            nearest=self._nearest(self._about[first], wanted),
            said={article: self._often[article] & wanted for article, _ in ranked},
        )

    def _weight(self, words: Collection[str]) -> float:
        return math.fsum(map(self.rarity, words))

    def _nearest(
        self, asked: Sequence[TypicalQuestion], wanted: frozenset[str]
    ) -> TypicalQuestion | None:
        whole = self._weight(wanted)

        def overlap(question: TypicalQuestion) -> float:
            shared = self._weight(question.words & wanted)
            return shared / (whole + self._weights[question] - shared)

        return max((question for question in asked if question.text), key=overlap, default=None)
