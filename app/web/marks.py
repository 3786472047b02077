"""Marks the words of a question, and the glossary's words for them, in a passage as printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape

from app.core.japanese import sentences, tokens
from app.search.question import Question, words

OWN, GLOSSARY = "own", "glossary"
# Words so common that marking them would hide the others.
_PLAIN = {
    "事",
    "物",
    "者",
    "為",
    "時",
    "場合",
    "今",
    "有る",
    "無い",
    "出来る",
    "行う",
    "良い",
    "何",
}
_SNIPPET_CHARS = 180


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to mark: the user's own words, and the professional terms for them, word by word."""

    own: frozenset[str]
    terms: frozenset[tuple[str, ...]]


def wanted(question: Question) -> Wanted:
    """What to mark for a question, by normal forms."""
    own = {term for term, weight in question.terms.items() if weight >= 1.0}
    terms = {words(added) for expansion in question.expansions for added in expansion.adds}
    return Wanted(
        frozenset(own - _PLAIN), frozenset(term for term in terms if term and term[0] not in _PLAIN)
    )


def spans(text: str, sought: Wanted) -> list[tuple[int, int, str]]:
    """Start, end and kind of each stretch to mark, in order; neighbours of a kind are one.

    A term of several words is marked where they follow each other, particles apart.
    """
    there = _words(text)
    norms = [norm for norm, _, _ in there]
    kinds = [OWN if norm in sought.own else "" for norm in norms]
    joined: set[int] = set()
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for term in sought.terms:
        by_first.setdefault(term[0], []).append(term)
    for at, norm in enumerate(norms):
        for term in by_first.get(norm, ()):
            end = at + len(term)
            if tuple(norms[at:end]) == term:
                kinds[at:end] = [kind or GLOSSARY for kind in kinds[at:end]]
                joined.update(range(at + 1, end))
    _drop_lonely_characters(kinds, there, sought)
    found: list[tuple[int, int, str]] = []
    for number, (_, start, end) in enumerate(there):
        kind = kinds[number]
        if not kind or (found and start < found[-1][1]):
            continue
        near = bool(found) and (found[-1][1] == start or _is_joint(number, joined, there))
        if near and found[-1][2] == kind:
            found[-1] = (found[-1][0], end, kind)
        else:
            found.append((start, end, kind))
    return found


def _drop_lonely_characters(
    kinds: list[str], there: Sequence[tuple[str, int, int]], sought: Wanted
) -> None:
    """Takes the mark off a single character that stands apart from other marks (法 of 準拠法).

    Unless the question has nothing but such characters.
    """
    if all(len(word) == 1 for word in sought.own):
        return
    for number, (_, start, end) in enumerate(there):
        if kinds[number] != OWN or end - start > 1:
            continue
        before = number > 0 and kinds[number - 1] and there[number - 1][2] == start
        after = number + 1 < len(there) and kinds[number + 1] and there[number + 1][1] == end
        if not before and not after:
            kinds[number] = ""


def _is_joint(number: int, joined: set[int], there: Sequence[tuple[str, int, int]]) -> bool:
    """Whether a word belongs to the same term as the one before it, a particle or two between."""
    return number in joined and there[number][1] - there[number - 1][2] <= 3


def marked(text: str, sought: Wanted, start: int = 0, end: int | None = None) -> Markup:
    """Characters `start:end` of a text as HTML, the wanted words inside `<mark>`."""
    end = len(text) if end is None else end
    parts: list[Markup] = []
    at = start
    for first, last, kind in spans(text, sought):
        if first < at or last > end:
            continue
        parts += [
            escape(text[at:first]),
            Markup('<mark class="{}">{}</mark>').format(kind, text[first:last]),
        ]
        at = last
    parts.append(escape(text[at:end]))
    return Markup("").join(parts)


def snippet(text: str, sought: Wanted) -> tuple[int, int]:
    """The stretch of whole sentences, about 180 characters, with the most different wanted words."""
    cuts = sentences(text)
    if not cuts or len(text) <= _SNIPPET_CHARS * 1.5:
        return 0, len(text)
    found = spans(text, sought)
    best = (-1, 0, 0)
    for number, (start, _) in enumerate(cuts):
        end = cuts[number][1]
        for _, later in cuts[number:]:
            if later - start > _SNIPPET_CHARS:
                break
            end = later
        held = {text[a:b] for a, b, _ in found if start <= a and b <= end}
        best = max(best, (len(held), -start, end))
    return -best[1], best[2]


@lru_cache(maxsize=2000)
def _words(text: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((token.norm, token.start, token.end) for token in tokens(text))
