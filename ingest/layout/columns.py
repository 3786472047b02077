"""Lines → reading order: bands, columns within a band, rows within a column."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ingest.layout.lines import CLOSING, OPENING, REACH_WITH_RUBY, measure, to_rows
from ingest.layout.shapes import Cell, Row, Run, is_wide

_MIN_COLUMN = 6.0  # em; anything narrower is a column of a table or of page numbers
_MIN_GUTTER = 0.85  # em


def in_order(runs: list[Run], blocks: list[Run], em: float) -> list[Row]:
    """Bands between lines that cross a gutter, columns within a band, rows within a column."""
    pieces = [piece for run in runs for piece in _pieces(run, em)]
    edges = _gutters(pieces + [block for block in blocks if block.em], em)
    if not edges:
        return in_column(runs + blocks, em)
    runs = [piece for run in runs for piece in _parted(run, edges, em)]
    rows: list[Row] = []
    band: list[Run] = []
    for run in sorted(runs + blocks, key=lambda run: run.middle):
        if any(run.u0 < low and run.u1 > high for low, high in edges) or (
            (
                run.u1 - run.u0 < 4 * em
                and any(low <= run.u0 and run.u1 <= high for low, high in edges)
                and not _is_label(run, runs, em)
            )
            or _parts_all(run, runs, edges, em)
        ):
            rows += _columns(band, edges, em)
            rows += in_column([run], em)
            band = []
        else:
            band.append(run)
    return rows + _columns(band, edges, em)


def _pieces(run: Run, em: float) -> list[Run]:
    """What stands between a run's wide gaps, any of which may be a gutter."""
    least = (_MIN_GUTTER - 0.1) * em
    places = [
        number
        for number, (before, after) in enumerate(pairwise(run.cells), 1)
        if _begin(after) - _end(before) > least
    ]
    pieces = _split(run, places)
    return [replace(piece, u0=_begin(piece.cells[0]), u1=_end(piece.cells[-1])) for piece in pieces]


def _begin(cell: Cell) -> float:
    """Where a character's ink can begin: an opening bracket leaves half its cell free."""
    return cell.u0 + (0.5 * cell.em if cell.text in OPENING and is_wide(cell.text) else 0.0)


def _end(cell: Cell) -> float:
    """Where a character's ink can end: punctuation at a line's end may hang in the gutter."""
    return cell.u1 - (0.5 * cell.em if cell.text in CLOSING and is_wide(cell.text) else 0.0)


def _parted(run: Run, edges: list[tuple[float, float]], em: float) -> list[Run]:
    """A run linked across a narrow gutter, taken apart again."""

    def is_parted(before: Cell, after: Cell) -> bool:
        free_from, free_to = _end(before), _begin(after)
        for low, high in edges:
            # the strip may be wider than the gutter: labels hang out into it; a heading has spaces
            need = (0.75 if run.em < 1.12 * em else 0.95 * (high - low) / em) * em
            if min(free_to, high) - max(free_from, low) > need:
                return True
        return False

    pairs = enumerate(pairwise(run.cells), 1)
    return _split(run, [number for number, pair in pairs if is_parted(*pair)])


def _split(run: Run, places: list[int]) -> list[Run]:
    """A run cut before the cells of these numbers, each piece with the ruby beside it."""
    if not places:
        return [run]
    pieces = []
    for first, last in pairwise([0, *places, len(run.cells)]):
        piece = replace(run, cells=run.cells[first:last], readings=[])
        measure(piece)
        pieces.append(piece)
    for reading in run.readings:
        middle = (reading.u0 + reading.u1) / 2
        nearest = min(pieces, key=lambda piece: max(piece.u0 - middle, middle - piece.u1))
        nearest.readings.append(reading)
    return pieces


def _is_label(run: Run, runs: list[Run], em: float) -> bool:
    """Whether a line goes on after a short run: it hangs out before its column's other lines."""
    return any(
        abs(other.middle - run.middle) < 0.5 * em and 0 < other.u0 - run.u1 < 2 * em
        for other in runs
    )


def _parts_all(run: Run, runs: list[Run], edges: list[tuple[float, float]], em: float) -> bool:
    """Whether a heading in the first column heads all columns, though it crosses no gutter.

    Then all have text above it, none beside it, and go on below it on one level.
    """
    if run.em < 1.12 * em or _column_of(run, edges):
        return False
    above: set[int] = set()
    below: dict[int, float] = {}
    for other in runs:
        column = _column_of(other, edges)
        if column and other.v1 > run.v0 - 0.2 * em and other.v0 < run.v1 + 0.2 * em:
            return False
        if other.middle < run.middle:
            above.add(column)
        elif other is not run:
            below[column] = min(below.get(column, other.v0), other.v0)
    everywhere = len(above) == len(below) == len(edges) + 1
    return everywhere and max(below.values()) - min(below.values()) < 0.3 * em


def _column_of(run: Run, edges: list[tuple[float, float]]) -> int:
    """Which column a run stands in; what begins within a gutter hangs out of the one after it."""
    middle = (run.u0 + run.u1) / 2
    return sum(middle > (low + high) / 2 or run.u0 >= low for low, high in edges)


def _columns(band: list[Run], edges: list[tuple[float, float]], em: float) -> list[Row]:
    rows: list[Row] = []
    columns: dict[int, list[Run]] = defaultdict(list)
    for run in band:
        columns[_column_of(run, edges)].append(run)
    for number in sorted(columns):
        rows += in_column(columns[number], em)
    return rows


def _gutters(runs: list[Run], em: float) -> list[tuple[float, float]]:
    """Free strips along u that part columns of running text."""
    long_runs = [run for run in runs if run.u1 - run.u0 > 2 * em]
    if len(long_runs) < 4:
        return []
    step = em / 20
    start = min(run.u0 for run in long_runs)
    bins = int((max(run.u1 for run in long_runs) - start) / step) + 2
    cover = [0] * (bins + 1)
    for run in long_runs:
        cover[int((run.u0 - start) / step)] += 1
        cover[min(bins, int((run.u1 - start) / step) + 1)] -= 1
    total = 0
    for number, change in enumerate(cover):
        total += change
        cover[number] = total
    # headings may cross a gutter; without any, a column of two lines counts as well
    for limit in (0.0, 0.12 * max(cover)):
        edges: list[tuple[float, float]] = []
        left = start
        for first, last in _low_stretches(cover, limit):
            low, high = start + first * step, start + last * step
            if high - low >= _MIN_GUTTER * em and _parts_columns(long_runs, left, low, high, em):
                edges.append((low, high))
                left = high
        if edges:
            return edges
    return []


def _low_stretches(cover: list[int], limit: float) -> list[tuple[int, int]]:
    """Inner stretches of the profile that do not rise above the limit."""
    stretches = []
    first: int | None = None
    for number, count in enumerate(cover):
        if count > limit:
            if first:
                stretches.append((first, number))
            first = None
        elif first is None:
            first = number
    return stretches


def _parts_columns(runs: list[Run], left: float, low: float, high: float, em: float) -> bool:
    """Whether running text stands on both sides of a free strip.

    Text set to a measure fills its lines up to the gutter. Ragged text does not, but
    then lines begin flush on both sides and are of a kind; cells of a table are shorter
    and stand level with one another.
    """
    before = _lines([run for run in runs if run.u0 >= left - em and run.u1 <= low + em], em)
    after = _lines([run for run in runs if run.u0 >= high - em], em)
    if len(before) < 3 or not after or low - left < _MIN_COLUMN * em:
        return False
    if max(line.u1 - line.u0 for line in after) < _MIN_COLUMN * em:
        return False
    full = [line for line in before if line.u1 > low - 2.5 * em and line.u0 < left + 3 * em]
    if len(full) >= 0.35 * len(before):
        return True
    level = sum(any(abs(line.v - other.v) < 0.2 * em for other in before) for line in after)
    flush = sum(line.u0 < high + 2.2 * em for line in after)
    long_enough = median(line.u1 - line.u0 for line in before + after) >= _MIN_COLUMN * em
    return (
        len(after) >= 3
        and flush >= 0.6 * len(after)
        and long_enough
        and (level < 0.5 * len(after) or high - low > 3 * em)
    )


class _Line(NamedTuple):
    """Where a line begins and ends, and its middle across."""

    u0: float
    u1: float
    v: float


def _lines(runs: list[Run], em: float) -> list[_Line]:
    """The lines that runs on one level make."""
    levels: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: run.middle):
        if levels and run.middle - levels[-1][0].middle < 0.5 * em:
            levels[-1].append(run)
        else:
            levels.append([run])
    return [
        _Line(min(run.u0 for run in level), max(run.u1 for run in level), level[0].middle)
        for level in levels
    ]


def in_column(runs: list[Run], em: float) -> list[Row]:
    """Rows of one column, top to bottom."""
    extent = _extent([run for run in runs if run.cells], em)
    rows: list[Row] = []
    group: list[Run] = []
    for run in sorted(runs, key=lambda run: run.middle):
        if run.block:
            rows += to_rows(group, extent)
            group = []
            rows += [replace(row, column=extent) if row.table else row for row in run.block]
            continue
        if group and not _same_row(group, run):
            rows += to_rows(group, extent)
            group = []
        group.append(run)
    return rows + to_rows(group, extent)


def _same_row(group: list[Run], run: Run) -> bool:
    ruby = any(member.readings for member in (*group, run))
    largest = max(max(member.em for member in group), run.em)
    # so may the mark of a note that touches the text
    mark = run.em < 0.8 * largest and any(-0.6 < (run.u0 - m.u1) / largest < 0.3 for m in group)
    reach = (REACH_WITH_RUBY if ruby or mark else 0.5) * largest
    near = abs(group[0].middle - run.middle) < reach
    return near and all(
        mark or run.u0 > member.u1 - 1 or run.u1 < member.u0 + 1 for member in group
    )


def _extent(runs: list[Run], em: float) -> tuple[float, float]:
    """Where the column's lines begin and end: the outermost edge that several lines share."""
    if not runs:
        return (0.0, 0.0)
    starts = sorted(run.u0 for run in runs)
    ends = sorted((run.u1 for run in runs), reverse=True)
    return (_shared(starts, em), _shared(ends, em))


def _shared(values: list[float], em: float) -> float:
    """The first value that several others come near to; the first of all where none is shared."""
    wanted = max(2, 0.12 * len(values))
    for value in values:
        if sum(abs(value - other) < 0.6 * em for other in values) >= wanted:
            return value
    return values[0]
