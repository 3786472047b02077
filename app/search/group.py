"""Near-duplicates: the same text in several books is one hit that names its other places."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.book import Passage
from app.core.japanese import bigrams

# Two passages this alike say the same thing. Jaccard similarity of character pairs
# (Broder 1997, On the resemblance and containment of documents).
_ALIKE = 0.8


def grouped(passages: Sequence[Passage], limit: int) -> list[tuple[int, list[int]]]:
    """Up to `limit` groups: the place of the first passage, and of those in other books like it.

    Passages of one book are never grouped: there, repetition is the book's own doing.
    """
    groups: list[tuple[int, list[int]]] = []
    pairs: list[frozenset[str]] = []
    for place, passage in enumerate(passages):
        own = frozenset(bigrams(passage.text))
        twin = next(
            (
                number
                for number, (first, _) in enumerate(groups)
                if passages[first].book_id != passage.book_id and _alike(pairs[number], own)
            ),
            None,
        )
        if twin is not None:
            groups[twin][1].append(place)
        elif len(groups) < limit:
            groups.append((place, []))
            pairs.append(own)
        else:
            break
    return groups


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    smaller, larger = sorted((len(one), len(other)))
    # Sizes alone rule most pairs out before the sets are compared.
    if not smaller or smaller < _ALIKE * larger:
        return False
    return len(one & other) >= _ALIKE * len(one | other)
