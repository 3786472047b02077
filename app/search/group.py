"""Near-duplicates: the same text in several books is one hit that names its other places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.book import Passage
from app.core.japanese import bigrams

# Two passages this alike say the same thing. Jaccard similarity of character pairs
# (Broder 1997, On the resemblance and containment of documents).
_ALIKE = 0.8
_BITS = 4096


@dataclass(frozen=True, slots=True)
class _Shape:
    """A text's character pairs; `bits` has one set for the hash of each, `lost` fell on one set before."""

    pairs: frozenset[str]
    bits: int
    lost: int


def grouped(passages: Sequence[Passage], limit: int) -> list[tuple[int, list[int]]]:
    """Up to `limit` groups: the place of the first passage, and of those in other books like it.

    Passages of one book are never grouped: there, repetition is the book's own doing.
    """
    groups: list[tuple[int, list[int]]] = []
    shapes: list[_Shape] = []
    for place, passage in enumerate(passages):
        own = _shape(passage.text)
        twin = next(
            (
                number
                for number, (first, _) in enumerate(groups)
                if passages[first].book_id != passage.book_id and _alike(shapes[number], own)
            ),
            None,
        )
        if twin is not None:
            groups[twin][1].append(place)
        elif len(groups) < limit:
            groups.append((place, []))
            shapes.append(own)
        else:
            break
    return groups


def _shape(text: str) -> _Shape:
    pairs = frozenset(bigrams(text))
    places = bytearray(_BITS // 8)
    for pair in pairs:
        place = hash(pair) % _BITS
        places[place >> 3] |= 1 << (place & 7)
    bits = int.from_bytes(places, "little")
    return _Shape(pairs, bits, len(pairs) - bits.bit_count())


def _alike(one: _Shape, other: _Shape) -> bool:
    smaller, larger = sorted((len(one.pairs), len(other.pairs)))
    # Sizes rule most texts out, and the bits nearly all others: what the sets share sets a bit
    # in both, except for what was lost.
    if not smaller or smaller < _ALIKE * larger:
        return False
    at_most = (one.bits & other.bits).bit_count() + min(one.lost, other.lost)
    if at_most < _ALIKE * (smaller + larger - at_most):
        return False
    return len(one.pairs & other.pairs) >= _ALIKE * len(one.pairs | other.pairs)
