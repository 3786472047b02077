"""Tells pages whose lines may be in the wrong order: where they meet, the text makes no sense.

Inside a line the pairs of neighbouring characters are right. Where one line flows on to
the next, the pairs must be as common in the book as those; where columns were
interleaved they are not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.core.book import Page
from ingest.layout.shapes import is_kana, is_kanji

DOUBT = "行の並びが疑わしい"

_FEWEST = 15  # joints of a page that can tell
_SURE = 4.0  # standard errors below the share to be expected


def doubtful(pages: Sequence[Page]) -> set[int]:
    """Indices of pages where far fewer pairs at line joints are known than pairs inside lines."""
    known: Counter[str] = Counter()
    for page in pages:
        known.update(_inside(page))
    found = set()
    for page in pages:
        joints = list(_joints(page))
        inside = list(_inside(page))
        if len(joints) < _FEWEST or not inside:
            continue
        # A pair inside a line counts as known where it stands elsewhere too.
        expected = sum(known[pair] > 1 for pair in inside) / len(inside)
        share = sum(known[pair] > 0 for pair in joints) / len(joints)
        error = math.sqrt(expected * (1 - expected) / len(joints))
        if share < 0.6 * expected and expected - share > _SURE * error:
            found.add(page.index)
    return found


def _inside(page: Page) -> Iterator[str]:
    for line in page.lines:
        if line.kind == "body":
            yield from (a + b for a, b in pairwise(line.text) if _is_word(a) and _is_word(b))


def _joints(page: Page) -> Iterator[str]:
    for before, line in pairwise(page.lines):
        flows = not line.starts_paragraph and before.kind == line.kind == "body"
        if flows and before.text and line.text:
            pair = before.text[-1], line.text[0]
            if _is_word(pair[0]) and _is_word(pair[1]):
                yield "".join(pair)


def _is_word(char: str) -> bool:
    return is_kana(char) or is_kanji(char)
