"""Two pages on one sheet: the printed numbers of the left and the right half."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LEVEL = 0.02  # of the sheet's height: how far facing numbers may stand apart


@dataclass(frozen=True, slots=True)
class Number:
    """A number at a sheet's top or bottom: its text, value and script, its middle as a share of the sheet.

    `alone` is true where nothing else stands on its line.
    """

    text: str
    value: int
    script: str
    x: float
    y: float
    alone: bool


class _Count(NamedTuple):
    """How a book's sheets are numbered: the left half's value less twice the sheet's place, and
    what the right half bears more."""

    script: str
    start: int
    step: int


def facing_numbers(sheets: Mapping[int, Sequence[Number]]) -> dict[int, tuple[str, str]]:
    """The numbers (left, right) of the sheets that bear two, given each sheet's candidates.

    They are level, follow each other and grow by two from sheet to sheet. A half that prints
    none has the one its neighbours imply. A single sheet must print both, each on its own line.
    """
    found: dict[int, dict[_Count, tuple[str, str]]] = defaultdict(dict)
    votes: Counter[_Count] = Counter()
    for place, numbers in sheets.items():
        for left, right in _pairs(numbers):
            count = _Count(left.script, left.value - 2 * place, right.value - left.value)
            if len(sheets) > 1 or (left.alone and right.alone):
                found[place].setdefault(count, (left.text, right.text))
        votes.update(list(found[place]))
    needed = min(2, len(sheets))
    sure = {count for count, sheets_of in votes.items() if sheets_of >= needed}
    labels = {}
    for place, numbers in sheets.items():
        counts = [*found[place], *_halves(numbers, place)]
        best = max(
            (count for count in counts if count in sure), key=votes.__getitem__, default=None
        )
        if best is not None:
            value = best.start + 2 * place
            implied = (str(value), str(value + best.step))
            if best in found[place] or (best.script == "1" and min(value, value + best.step) > 0):
                labels[place] = found[place].get(best, implied)
    return labels


def _pairs(numbers: Sequence[Number]) -> Iterator[tuple[Number, Number]]:
    for left in numbers:
        for right in numbers:
            if (
                left.x < 0.5 < right.x
                and left.script == right.script
                and abs(right.value - left.value) == 1
                and abs(right.y - left.y) < _LEVEL
            ):
                yield left, right


def _halves(numbers: Iterable[Number], place: int) -> Iterator[_Count]:
    """What a number on one half alone would make of the sheet."""
    for number in numbers:
        for step in (1, -1):
            value = number.value if number.x < 0.5 else number.value - step
            yield _Count(number.script, value - 2 * place, step)
