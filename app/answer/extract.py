"""The answer without a model: the best sentences of the best passages, verbatim.

A 問答's answer comes before its explanation; a sentence is widened to the proviso
(ただし書) that limits it. A question whose weighty words the passages do not hold
is not answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.book import Citation, Hit
from app.core.japanese import sentences, tokens
from app.search.pipeline import SearchResult
from app.search.question import words

MAX_BLOCKS = 3
# A passage far below the best one does not speak in the answer.
_SHARE_OF_BEST = 0.5
_PROVISO = re.compile(r"[\s　]*(ただし|但し|もつとも|もっとも)")
_ANSWER_MARK = re.compile(r"[\s　]*(答|回答|Ａ|A)(?=[\s　：:．.])")


@dataclass(frozen=True, slots=True)
class Block:
    """One verbatim stretch of a passage, `text == passage.text[start:end]` of its citation."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or why there is none.

    `confidence` is the share (0 to 1) of the question's word weight that the best
    passage holds.
    """

    answered: bool
    blocks: tuple[Block, ...]
    reason: str
    confidence: float


def extract(result: SearchResult, weights: Mapping[str, float], threshold: float) -> Answer:
    """The extractive answer to a search.

    `weights` is how much each of the question's words says (its inverse document
    frequency; 0 for a word no passage holds). Below `threshold` confidence the
    question counts as not answered by the books.
    """
    wanted = _wanted(result, weights)
    if not result.hits:
        return Answer(False, (), "該当するパッセージがありません。", 0.0)
    confidence = max(_coverage(hit, wanted, result) for hit in result.hits[:MAX_BLOCKS])
    if confidence < threshold and not result.question.mentions:
        return Answer(
            False, (), "登録された本に、この質問への答えは見つかりませんでした。", confidence
        )
    best = result.hits[0].score
    speaking = [hit for hit in result.hits[:MAX_BLOCKS] if hit.score >= _SHARE_OF_BEST * best]
    blocks = [block for hit in speaking if (block := _block(hit, wanted))]
    return Answer(True, tuple(blocks[:MAX_BLOCKS]), "", confidence)


def _wanted(result: SearchResult, weights: Mapping[str, float]) -> dict[str, float]:
    """The question's own words with their weights."""
    return {
        term: weights.get(term, 0.0)
        for term, weight in result.question.terms.items()
        if weight >= 1.0
    }


def _coverage(hit: Hit, wanted: Mapping[str, float], result: SearchResult) -> float:
    """The share of the wanted words' weight that a passage, or the glossary for it, holds."""
    total = sum(wanted.values())
    if total <= 0:
        return 0.0
    passage = hit.passage
    there = {
        token.norm
        for token in tokens("\n".join((hit.book.title, *passage.section_path, passage.text)))
    }
    there |= _stood_for(result, there, passage.about)
    return sum(weight for term, weight in wanted.items() if term in there) / total


def _stood_for(result: SearchResult, there: set[str], about: Sequence[str]) -> set[str]:
    """Words of the question whose professional counterpart, or whose article, is there."""
    terms: set[str] = set()
    for expansion in result.expansions:
        added = {word for text in expansion.adds for word in words(text)}
        if added & there or set(about) & set(result.question.articles):
            terms.update(words(expansion.term))
    return terms


def _block(hit: Hit, wanted: Mapping[str, float]) -> Block | None:
    """The part of a passage that answers best: its marked answer, or its best sentence."""
    text = hit.passage.text
    spans = _body_sentences(hit)
    if not spans:
        return None
    marked = next((n for n, span in enumerate(spans) if _ANSWER_MARK.match(text, *span)), None)
    if marked is not None:
        start, end = spans[marked]
        number = marked
    else:
        scored = [
            (_sentence_score(text[start:end], wanted), -n) for n, (start, end) in enumerate(spans)
        ]
        number = -max(scored)[1]
        start, end = spans[number]
    # What limits a sentence belongs to it.
    while number + 1 < len(spans) and _PROVISO.match(text, spans[number + 1][0]):
        number += 1
        end = spans[number][1]
    return Block(text[start:end], (Citation(hit.passage.id, start, end),))


def _body_sentences(hit: Hit) -> list[tuple[int, int]]:
    """The sentences of a passage, its own heading left out."""
    text = hit.passage.text
    spans = sentences(text)
    first_line = text.find("\n")
    if hit.passage.kind and first_line > 0 and len(spans) > 1:
        spans = [span for span in spans if span[0] > first_line]
    return spans


def _sentence_score(sentence: str, wanted: Mapping[str, float]) -> float:
    found = {token.norm for token in tokens(sentence)}
    return sum(weight for term, weight in wanted.items() if term in found)
