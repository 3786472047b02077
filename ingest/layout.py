"""Characters with boxes → printed lines in reading order, horizontal or vertical.

Everything happens in reading coordinates: `u` runs along a line and `v` from line
to line. A horizontal page has u = x, v = y; a vertical one u = y, v = −x, so that
two columns of a horizontal page and two tiers of a vertical one are the same thing.
Lengths are points, boxes have their origin at the top left.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from statistics import median

from app.core.book import Ruby

RUBY_RATIO = 0.62
"""A kana line smaller than this share of the line beside it is its ruby."""

_LINK_GAP = 1.3  # em between two characters of one run: a full-width space and some slack
_MIN_COLUMN = 6.0  # em; anything narrower is a column of a table or of page numbers
_KANJI = re.compile(
    "[\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af々〇〆ヶ]"
)
_NUMBER = re.compile(
    "[-‐–—−]?([0-9０-９]+(の[0-9０-９]+)*|[ivxlcⅰ-ⅿ]+|[〇一二三四五六七八九十百]+)[-‐–—−]?"
)
_OPENING = frozenset("（「『〔［｛〈《【([{“‘")
_CLOSING = frozenset("）」』〕］｝〉》】)]}、。，．・：；！？,.:;!?”’")


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character in its cell: `em` high and as wide as it advances.

    `char` may hold several code points (a base with its variation selector).
    `turned` is true where the character lies on its side.
    """

    char: str
    x0: float
    y0: float
    x1: float
    y1: float
    em: float
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A thin straight line of a table; horizontal when `y0 == y1`."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line that a wide gap sets apart."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Row:
    """A printed line on its page. `start`, `end`, `top` and `bottom` are reading coordinates.

    `column` is the extent along u of the column it stands in. `across` is true where
    the line runs against the page's direction (a horizontal head over vertical text).
    """

    text: str
    parts: tuple[Part, ...]
    em: float
    start: float
    end: float
    top: float
    bottom: float
    column: tuple[float, float]
    ruby: tuple[Ruby, ...] = ()
    table: bool = False
    across: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in points."""
        return (
            min(part.x0 for part in self.parts),
            min(part.y0 for part in self.parts),
            max(part.x1 for part in self.parts),
            max(part.y1 for part in self.parts),
        )


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A page's rows in reading order."""

    rows: tuple[Row, ...]
    vertical: bool
    em: float


@dataclass(slots=True)
class _Cell:
    """A glyph in reading coordinates; `glyphs` are more than one for 縦中横."""

    text: str
    u0: float
    u1: float
    v0: float
    v1: float
    em: float
    glyphs: tuple[Glyph, ...]

    @property
    def middle(self) -> float:
        return (self.v0 + self.v1) / 2


@dataclass(slots=True)
class _Run:
    """Cells that follow each other without a wide gap, or a finished block standing for one."""

    cells: list[_Cell]
    u0: float
    u1: float
    v0: float
    v1: float
    em: float
    block: list[Row] = field(default_factory=list)
    readings: list[_Cell] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return (self.v0 + self.v1) / 2


def arrange(
    glyphs: Sequence[Glyph],
    rules: Sequence[Rule] = (),
    *,
    ruby_ratio: float = RUBY_RATIO,
    vertical: bool | None = None,
) -> Arrangement:
    """Put a page's glyphs into lines and the lines into reading order.

    Spaces may be missing or present in `glyphs`; order in the sequence does not matter.
    `ruby_ratio` is the largest size of ruby as a share of the line it stands beside;
    `vertical` states the direction where it is known.
    """
    inked = _without_doubles([glyph for glyph in glyphs if not glyph.char.isspace()])
    if not inked:
        return Arrangement((), vertical=False, em=0.0)
    em = body_size(inked)
    gaps = _gaps(inked)
    if vertical is None:
        vertical = _vote(inked, gaps)
    fold = _fold(inked, em) if vertical else None
    if fold is not None:
        halves = ([g for g in inked if g.x0 > fold], [g for g in inked if g.x0 <= fold])
        rows = [
            row
            for half in halves
            for row in arrange(half, rules, ruby_ratio=ruby_ratio, vertical=True).rows
        ]
        return Arrangement(tuple(rows), vertical=True, em=em)
    tables = _tables(inked, rules, vertical, em)
    in_table = {id(glyph) for table in tables for glyph in table.cells}
    outside = [
        (glyph, gap) for glyph, gap in zip(inked, gaps, strict=True) if id(glyph) not in in_table
    ]
    along, across = _by_direction(outside, vertical)
    runs = _with_ruby(_link(_cells(along, vertical)), ruby_ratio)
    blocks = [_table_block(table, vertical, em) for table in tables]
    blocks += _across_blocks(across, vertical)
    if vertical:
        runs, margins = _margins(runs, em)
        blocks += margins
    rows = _order(runs, blocks, em)
    return Arrangement(tuple(rows), vertical, em)


def _fold(glyphs: Sequence[Glyph], em: float) -> float | None:
    """Where the fold of two facing pages of vertical text lies, None for a single page."""
    left, right = min(g.x0 for g in glyphs), max(g.x1 for g in glyphs)
    height = max(g.y1 for g in glyphs) - min(g.y0 for g in glyphs)
    if right - left < 1.2 * height:
        return None
    edge = left
    for glyph in sorted(glyphs, key=lambda g: g.x0):
        middle = (edge + glyph.x0) / 2
        central = 0.4 < (middle - left) / (right - left) < 0.6
        if glyph.x0 - edge > 3 * em and central:
            return middle
        edge = max(edge, glyph.x1)
    return None


def body_size(glyphs: Iterable[Glyph]) -> float:
    """The commonest character size in points, to a tenth of a point."""
    sizes = Counter(round(glyph.em, 1) for glyph in glyphs if is_wide(glyph.char))
    if not sizes:
        sizes = Counter(round(glyph.em, 1) for glyph in glyphs)
    return sizes.most_common(1)[0][0] or 1.0


@cache
def is_wide(char: str) -> bool:
    """Whether a character fills a whole em (kanji, kana, full-width forms)."""
    return unicodedata.east_asian_width(char[0]) in "WF"


def is_kana(char: str) -> bool:
    """Hiragana, katakana and the marks that stand among them."""
    return "ぁ" <= char[0] <= "ヿ" or "ｦ" <= char[0] <= "ﾟ"


def is_kanji(char: str) -> bool:
    """Kanji, radicals standing for them, the iteration mark and 〇."""
    return _KANJI.match(char) is not None


def is_vertical(glyphs: Sequence[Glyph]) -> bool:
    """Direction by vote: does each wide character's nearest neighbour stand below or beside it?"""
    return _vote(glyphs, _gaps(glyphs))


def _vote(glyphs: Sequence[Glyph], gaps: list[tuple[float, float]]) -> bool:
    below = beside = 0
    for glyph, (gap_x, gap_y) in zip(glyphs, gaps, strict=True):
        if glyph.turned or not is_wide(glyph.char):
            continue
        if gap_y < gap_x:
            below += 1
        elif gap_x < gap_y:
            beside += 1
    return below > beside


def _gaps(glyphs: Sequence[Glyph]) -> list[tuple[float, float]]:
    """For each glyph the free space to its nearest neighbour in its row and in its column (points).

    Infinite where none stands within about two em. Neighbours of another size do not
    count, or ruby would vote.
    """
    step = 2.5 * body_size(glyphs)
    grid: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, glyph in enumerate(glyphs):
        grid[int(glyph.x0 // step), int(glyph.y0 // step)].append(number)
    gap_x = [float("inf")] * len(glyphs)
    gap_y = [float("inf")] * len(glyphs)
    for (column, line), here in grid.items():
        ahead = [
            other
            for place in ((1, 0), (-1, 1), (0, 1), (1, 1))
            for other in grid.get((column + place[0], line + place[1]), ())
        ]
        for rank, number in enumerate(here):
            glyph = glyphs[number]
            em, x0, y0, x1, y1 = glyph.em, glyph.x0, glyph.y0, glyph.x1, glyph.y1
            for other_number in here[rank + 1 :] + ahead:
                other = glyphs[other_number]
                if not 0.69 * em < other.em < 1.45 * em:
                    continue
                apart_x = other.x0 - x1 if other.x0 > x0 else x0 - other.x1
                apart_y = other.y0 - y1 if other.y0 > y0 else y0 - other.y1
                if apart_y < -0.5 * em:
                    if apart_x < gap_x[number]:
                        gap_x[number] = apart_x
                    if apart_x < gap_x[other_number]:
                        gap_x[other_number] = apart_x
                if apart_x < -0.4 * em:
                    if apart_y < gap_y[number]:
                        gap_y[number] = apart_y
                    if apart_y < gap_y[other_number]:
                        gap_y[other_number] = apart_y
    return list(zip(gap_x, gap_y, strict=True))


def _without_doubles(glyphs: list[Glyph]) -> list[Glyph]:
    """Drop characters printed twice in one place, as some programs do for bold."""
    seen: dict[tuple[str, int, int], list[Glyph]] = defaultdict(list)
    kept = []
    for glyph in glyphs:
        step = glyph.em
        key = (glyph.char, int(glyph.x0 // step), int(glyph.y0 // step))
        near = (
            other
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for other in seen.get((key[0], key[1] + dx, key[2] + dy), ())
        )
        if any(abs(o.x0 - glyph.x0) + abs(o.y0 - glyph.y0) < 0.2 * step for o in near):
            continue
        seen[key].append(glyph)
        kept.append(glyph)
    return kept


def _by_direction(
    spaced: list[tuple[Glyph, tuple[float, float]]], vertical: bool
) -> tuple[list[Glyph], list[list[Glyph]]]:
    """Part the page's own direction from lines that run across it (glyphs with their `_gaps`)."""
    glyphs = [glyph for glyph, _ in spaced]
    suspects = []
    for glyph, (gap_x, gap_y) in spaced:
        own, other = (gap_y, gap_x) if vertical else (gap_x, gap_y)
        if other < 0.6 * glyph.em and own > 1.6 * glyph.em:
            suspects.append(glyph)
    if not suspects:
        return glyphs, []
    chains = _link([_cell(glyph, not vertical) for glyph in suspects])
    across = []
    for chain in chains:
        members = [glyph for cell in chain.cells for glyph in cell.glyphs]
        if len(members) >= (2 if vertical else 4) and not _is_number_row(chain):
            across.append(members)
    taken = {id(glyph) for members in across for glyph in members}
    return [glyph for glyph in glyphs if id(glyph) not in taken], across


def _is_number_row(chain: _Run) -> bool:
    """Numbers at the foot of neighbouring vertical lines, which stand in a row by chance."""
    gaps = [after.u0 - before.u1 > 0.3 * before.em for before, after in pairwise(chain.cells)]
    return any(gaps) and not any(is_wide(cell.text) for cell in chain.cells)


def _cell(glyph: Glyph, vertical: bool) -> _Cell:
    if vertical:
        return _Cell(glyph.char, glyph.y0, glyph.y1, -glyph.x1, -glyph.x0, glyph.em, (glyph,))
    return _Cell(glyph.char, glyph.x0, glyph.x1, glyph.y0, glyph.y1, glyph.em, (glyph,))


def _cells(glyphs: Sequence[Glyph], vertical: bool) -> list[_Cell]:
    """Reading coordinates; in vertical text digits standing side by side become one cell (縦中横)."""
    if not vertical:
        return [_cell(glyph, vertical=False) for glyph in glyphs]
    cells = []
    narrow: list[Glyph] = []
    for glyph in glyphs:
        if glyph.turned or glyph.x1 - glyph.x0 > 0.75 * glyph.em:
            cells.append(_cell(glyph, vertical=True))
        else:
            narrow.append(glyph)
    narrow.sort(key=lambda glyph: (round(glyph.y0 / glyph.em), glyph.x0))
    groups: list[list[Glyph]] = []
    for glyph in narrow:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and abs(glyph.y0 - last.y0) < 0.3 * glyph.em
            and -0.3 * glyph.em < glyph.x0 - last.x1 < 0.25 * glyph.em
        ):
            groups[-1].append(glyph)
        else:
            groups.append([glyph])
    for group in groups:
        first, last = group[0], group[-1]
        middle = (first.x0 + last.x1) / 2
        half = max(first.em, last.x1 - first.x0) / 2
        cells.append(
            _Cell(
                "".join(glyph.char for glyph in group),
                first.y0,
                first.y1,
                -middle - half,
                -middle + half,
                first.em,
                tuple(group),
            )
        )
    return cells


def _link(cells: list[_Cell]) -> list[_Run]:
    """Chain cells along u into runs."""
    if not cells:
        return []
    step = max(median(cell.em for cell in cells) / 2, 0.1)
    open_runs: dict[int, list[_Run]] = defaultdict(list)
    runs: list[_Run] = []
    for cell in sorted(cells, key=lambda cell: cell.u0):
        middle = cell.middle
        bucket = int(middle // step)
        best: _Run | None = None
        best_cost = float("inf")
        for near in range(bucket - 2, bucket + 3):
            for run in open_runs.get(near, ()):
                last = run.cells[-1]
                em = max(last.em, cell.em)
                off = abs(last.middle - middle)
                gap = cell.u0 - last.u1
                if off > 0.38 * em or not -0.7 * em < gap < _LINK_GAP * em:
                    continue
                cost = off + abs(gap)
                if cost < best_cost:
                    best, best_cost = run, cost
        if best is None:
            best = _Run([], cell.u0, cell.u1, cell.v0, cell.v1, cell.em)
            runs.append(best)
        else:
            open_runs[int(best.cells[-1].middle // step)].remove(best)
        best.cells.append(cell)
        open_runs[bucket].append(best)
    for run in runs:
        _measure(run)
    return runs


def _measure(run: _Run) -> None:
    run.u0 = min(cell.u0 for cell in run.cells)
    run.u1 = max(cell.u1 for cell in run.cells)
    run.em = _size(run.cells)
    body = [cell for cell in run.cells if cell.em > 0.8 * run.em] or run.cells
    run.v0 = min(cell.v0 for cell in body)
    run.v1 = max(cell.v1 for cell in body)


def _size(cells: Sequence[_Cell]) -> float:
    wide = [cell.em for cell in cells if is_wide(cell.text)]
    return median(wide or [cell.em for cell in cells])


def _with_ruby(runs: list[_Run], ratio: float = RUBY_RATIO) -> list[_Run]:
    """Hand kana runs that stand close before a run of larger characters to it as readings."""
    bases = sorted(runs, key=lambda run: run.v0)
    kept: list[_Run] = []
    for run in runs:
        base = None
        if all(is_kana(cell.text) or cell.text in "・ー" for cell in run.cells):
            base = _ruby_base(run, bases, ratio)
        if base is None:
            kept.append(run)
        else:
            base.readings.extend(run.cells)
    return kept


def _ruby_base(ruby: _Run, bases: list[_Run], ratio: float) -> _Run | None:
    best: _Run | None = None
    best_gap = float("inf")
    for base in bases:
        gap = base.v0 - ruby.v1
        if base is ruby or ruby.em >= ratio * base.em or abs(gap) > 0.6 * base.em:
            continue
        if ruby.u1 < base.u0 - base.em or ruby.u0 > base.u1 + base.em:
            continue
        if abs(gap) < best_gap:
            best, best_gap = base, abs(gap)
    return best


# --- order on the page ---------------------------------------------------------------------


def _order(runs: list[_Run], blocks: list[_Run], em: float) -> list[Row]:
    """Bands between lines that cross a gutter, columns within a band, rows within a column."""
    edges = _gutters(runs + [block for block in blocks if block.em], em)
    if not edges:
        return _column(runs + blocks, em)
    rows: list[Row] = []
    band: list[_Run] = []
    for run in sorted(runs + blocks, key=lambda run: run.middle):
        if any(run.u0 < low and run.u1 > high for low, high in edges) or (
            (
                run.u1 - run.u0 < 4 * em
                and any(low <= run.u0 and run.u1 <= high for low, high in edges)
            )
            or _parts_all(run, runs, edges, em)
        ):
            rows += _columns(band, edges, em)
            rows += _column([run], em)
            band = []
        else:
            band.append(run)
    return rows + _columns(band, edges, em)


def _parts_all(run: _Run, runs: list[_Run], edges: list[tuple[float, float]], em: float) -> bool:
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


def _column_of(run: _Run, edges: list[tuple[float, float]]) -> int:
    middle = (run.u0 + run.u1) / 2
    return sum(middle > (low + high) / 2 for low, high in edges)


def _columns(band: list[_Run], edges: list[tuple[float, float]], em: float) -> list[Row]:
    rows: list[Row] = []
    columns: dict[int, list[_Run]] = defaultdict(list)
    for run in band:
        columns[_column_of(run, edges)].append(run)
    for number in sorted(columns):
        rows += _column(columns[number], em)
    return rows


def _gutters(runs: list[_Run], em: float) -> list[tuple[float, float]]:
    """Free strips along u that part columns of running text."""
    long_runs = [run for run in runs if run.u1 - run.u0 > 2 * em]
    if len(long_runs) < 4:
        return []
    step = em / 4
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
            if high - low >= 1.1 * em and _parts_columns(long_runs, left, low, high, em):
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


def _parts_columns(runs: list[_Run], left: float, low: float, high: float, em: float) -> bool:
    """Whether running text stands on both sides of a free strip.

    Text set to a measure fills its lines up to the gutter. Ragged text does not, but
    then lines begin flush on both sides and are of a kind; cells of a table are shorter
    and stand level with one another.
    """
    before = [run for run in runs if run.u0 >= left - em and run.u1 <= low + em]
    after = [run for run in runs if run.u0 >= high - em]
    if len(before) < 3 or not after or low - left < _MIN_COLUMN * em:
        return False
    if max(run.u1 - run.u0 for run in after) < _MIN_COLUMN * em:
        return False
    full = [run for run in before if run.u1 > low - 2.5 * em and run.u0 < left + 3 * em]
    if len(full) >= 0.35 * len(before):
        return True
    level = sum(any(abs(run.middle - other.middle) < 0.2 * em for other in before) for run in after)
    flush = sum(run.u0 < high + 2.2 * em for run in after)
    long_enough = median(run.u1 - run.u0 for run in before + after) >= _MIN_COLUMN * em
    return (
        len(after) >= 3
        and flush >= 0.6 * len(after)
        and long_enough
        and (level < 0.5 * len(after) or high - low > 3 * em)
    )


def _column(runs: list[_Run], em: float) -> list[Row]:
    """Rows of one column, top to bottom."""
    extent = _extent([run for run in runs if run.cells], em)
    rows: list[Row] = []
    group: list[_Run] = []
    for run in sorted(runs, key=lambda run: run.middle):
        if run.block:
            rows += _row(group, extent)
            group = []
            rows += [replace(row, column=extent) if row.table else row for row in run.block]
            continue
        if group and not _same_row(group, run):
            rows += _row(group, extent)
            group = []
        group.append(run)
    return rows + _row(group, extent)


def _same_row(group: list[_Run], run: _Run) -> bool:
    reach = 0.5 * max(max(member.em for member in group), run.em)
    near = abs(group[0].middle - run.middle) < reach
    return near and all(run.u0 > member.u1 - 1 or run.u1 < member.u0 + 1 for member in group)


def _extent(runs: list[_Run], em: float) -> tuple[float, float]:
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


def _row(group: list[_Run], extent: tuple[float, float]) -> list[Row]:
    if not group:
        return []
    ordered = sorted(group, key=lambda run: run.u0)
    cells = [cell for run in ordered for cell in run.cells]
    readings = [cell for run in ordered for cell in run.readings]
    text, starts = _text(cells, readings)
    return [
        Row(
            text=text,
            parts=tuple(_part(run.cells) for run in ordered),
            em=_size(cells),
            start=min(run.u0 for run in ordered),
            end=max(run.u1 for run in ordered),
            top=min(run.v0 for run in ordered),
            bottom=max(run.v1 for run in ordered),
            column=extent,
            ruby=_ruby(cells, starts, readings),
        )
    ]


def _part(cells: list[_Cell]) -> Part:
    glyphs = [glyph for cell in cells for glyph in cell.glyphs]
    return Part(
        _text(cells, [])[0],
        min(glyph.x0 for glyph in glyphs),
        min(glyph.y0 for glyph in glyphs),
        max(glyph.x1 for glyph in glyphs),
        max(glyph.y1 for glyph in glyphs),
    )


# --- text of a line ------------------------------------------------------------------------


def _text(cells: list[_Cell], readings: list[_Cell]) -> tuple[str, list[int]]:
    """The line's text with the spaces its gaps stand for, and where each cell begins in it."""
    gaps = [after.u0 - before.u1 for before, after in pairwise(cells)]
    tight = [
        gap
        for gap, (before, after) in zip(gaps, pairwise(cells), strict=True)
        if is_wide(before.text) and is_wide(after.text)
    ]
    usual = max(0.0, median(tight)) if tight else 0.0
    text = ""
    starts = []
    for number, cell in enumerate(cells):
        if number:
            before = cells[number - 1]
            text += _space(before, cell, gaps[number - 1], usual, readings)
        starts.append(len(text))
        text += cell.text
    return text, starts


def _space(before: _Cell, after: _Cell, gap: float, usual: float, readings: list[_Cell]) -> str:
    em = max(before.em, after.em)
    if is_wide(before.text) or is_wide(after.text):
        extra = (gap - usual) / em
        if extra < 0.24 or _bridged(before, after, readings):
            return ""
        if before.text in _CLOSING or after.text in _OPENING:
            extra -= 0.5  # the free half of the punctuation's own em
        if extra >= 0.7:
            return "\u3000"
        both = is_wide(before.text) and is_wide(after.text)
        return " " if extra >= (0.24 if both else 0.42) and after.text not in _CLOSING else ""
    return " " if gap > 0.17 * em else ""


def _bridged(before: _Cell, after: _Cell, readings: list[_Cell]) -> bool:
    """Whether a reading wider than its kanji has pushed them apart."""
    return any(
        reading.u0 < after.u0 + 0.6 * after.em and reading.u1 > before.u1 - 0.6 * before.em
        for reading in readings
    )


def _ruby(cells: list[_Cell], starts: list[int], readings: list[_Cell]) -> tuple[Ruby, ...]:
    """Group readings by the kanji they stand beside."""
    groups: list[list[_Cell]] = []
    for reading in sorted(readings, key=lambda cell: cell.u0):
        if groups and (
            reading.u0 - groups[-1][-1].u1 < reading.em or _one_word(cells, groups[-1], reading)
        ):
            groups[-1].append(reading)
        else:
            groups.append([reading])
    found = []
    for group in groups:
        beside = _beside(cells, group[0].u0, group[-1].u1, 0.3 * group[0].em)
        while beside and not is_kanji(cells[beside[0]].text):
            beside.pop(0)
        while beside and not is_kanji(cells[beside[-1]].text):
            beside.pop()
        if beside:
            end = starts[beside[-1]] + len(cells[beside[-1]].text)
            reading_text = "".join(cell.text for cell in group)
            found.append(Ruby(starts[beside[0]], end, reading_text))
    return tuple(found)


def _beside(cells: list[_Cell], u0: float, u1: float, slack: float) -> list[int]:
    """Numbers of the cells whose middle lies between two places."""
    return [
        number
        for number, cell in enumerate(cells)
        if u0 - slack <= (cell.u0 + cell.u1) / 2 <= u1 + slack
    ]


def _one_word(cells: list[_Cell], group: list[_Cell], reading: _Cell) -> bool:
    """Whether a reading goes on over kana of the word it spells (ふりがな over 振り仮名)."""
    if reading.u0 - group[-1].u1 > 2.2 * reading.em:
        return False
    between = _beside(cells, group[-1].u0, reading.u1, 0.0)
    kana = [cells[number].text for number in between if is_kana(cells[number].text)]
    spelled = [cell.text for cell in [*group, reading]]
    return bool(kana) and all(char in spelled for char in kana)


# --- lines across the page's direction, tables ---------------------------------------------


def _margins(runs: list[_Run], em: float) -> tuple[list[_Run], list[_Run]]:
    """Part one or two numbers beyond all other text (a page number below vertical lines).

    More than two are a part of the text, such as the numbers of a table of contents.
    """
    blocks = []
    for outside, gap in (_outermost(runs, before=True), _outermost(runs, before=False)):
        texts = ("".join(cell.text for cell in run.cells) for run in outside)
        if len(outside) > 2 or gap < 0.8 * em or not all(map(_NUMBER.fullmatch, texts)):
            continue
        for run in outside:
            (row,) = _row([run], (run.u0, run.u1))
            row = replace(row, across=True)
            blocks.append(_Run([], run.u0, run.u1, run.v0, run.v1, 0.0, [row]))
        runs = [run for run in runs if run not in outside]
    return runs, blocks


def _outermost(runs: list[_Run], *, before: bool) -> tuple[list[_Run], float]:
    """The runs level with the outermost one along u, and the space to all others."""
    if before:
        edge = min((run.u1 for run in runs), default=0.0)
        level = [run for run in runs if run.u0 < edge]
    else:
        edge = max((run.u0 for run in runs), default=0.0)
        level = [run for run in runs if run.u1 > edge]
    others = [run for run in runs if run not in level]
    if not others:
        return [], 0.0
    if before:
        return level, min(run.u0 for run in others) - edge
    return level, edge - max(run.u1 for run in others)


def _across_blocks(groups: list[list[Glyph]], vertical: bool) -> list[_Run]:
    """Lines that run against the page, as blocks placed by where they stand."""
    blocks = []
    for glyphs in groups:
        for run in _with_ruby(_link(_cells(glyphs, not vertical))):
            own = _row([run], (run.u0, run.u1))[0]
            x0, y0, x1, y1 = own.box
            u0, u1, v0, v1 = (y0, y1, -x1, -x0) if vertical else (x0, x1, y0, y1)
            row = replace(own, start=u0, end=u1, top=v0, bottom=v1, column=(u0, u1), across=True)
            blocks.append(_Run([], u0, u1, v0, v1, 0.0, [row]))
    return blocks


@dataclass(slots=True)
class _Table:
    """A grid of rules: edges along v part its rows, edges along u the cells of a row."""

    across: list[float]
    along: list[float]
    cells: list[Glyph]


def _tables(glyphs: list[Glyph], rules: Sequence[Rule], vertical: bool, em: float) -> list[_Table]:
    """Grids of at least two rows and two columns with text in them."""
    tables = []
    for group in _crossing(rules, em):
        xs = _distinct([rule.x0 for rule in group if rule.x0 == rule.x1], em)
        ys = _distinct([rule.y0 for rule in group if rule.y0 == rule.y1], em)
        along, across = (ys, xs) if vertical else (xs, ys)
        # a single cell a row is a frame around running text
        if len(along) < 3 or len(across) < 2 or len(along) + len(across) < 6:
            continue
        inside = [
            glyph
            for glyph in glyphs
            if xs[0] < (glyph.x0 + glyph.x1) / 2 < xs[-1]
            and ys[0] < (glyph.y0 + glyph.y1) / 2 < ys[-1]
        ]
        if not inside:
            continue
        if vertical:
            tables.append(_Table([-x for x in reversed(xs)], ys, inside))
        else:
            tables.append(_Table(ys, xs, inside))
    return tables


def _crossing(rules: Sequence[Rule], em: float) -> list[list[Rule]]:
    """Groups of rules that touch one another."""
    groups: list[list[Rule]] = []
    slack = 0.25 * em
    for rule in rules:
        touching = [group for group in groups if any(_touch(rule, other, slack) for other in group)]
        merged = [rule]
        for group in touching:
            merged += group
            groups.remove(group)
        groups.append(merged)
    return groups


def _touch(a: Rule, b: Rule, slack: float) -> bool:
    return (
        a.x0 <= b.x1 + slack
        and b.x0 <= a.x1 + slack
        and a.y0 <= b.y1 + slack
        and b.y0 <= a.y1 + slack
    )


def _distinct(values: list[float], em: float) -> list[float]:
    edges: list[float] = []
    for value in sorted(values):
        if not edges or value - edges[-1] > 0.6 * em:
            edges.append(value)
    return edges


def _table_block(table: _Table, vertical: bool, em: float) -> _Run:
    """The table row by row, the cells of a row parted by a full-width space.

    A cell may run against the page (vertical heads in a horizontal form).
    """
    grid: dict[tuple[int, int], list[Glyph]] = defaultdict(list)
    for glyph in table.cells:
        cell = _cell(glyph, vertical)
        row = _slot(table.across, (cell.v0 + cell.v1) / 2)
        column = _slot(table.along, (cell.u0 + cell.u1) / 2)
        grid[row, column].append(glyph)
    u0, u1 = table.along[0], table.along[-1]
    block = []
    for number in sorted({row for row, _ in grid}):
        lines = []
        texts = []
        for column in sorted(column for row, column in grid if row == number):
            inside = _cell_lines(grid[number, column], vertical, em)
            texts.append("".join(line.text for line in inside))
            lines += inside
        block.append(
            Row(
                text="\u3000".join(texts),
                parts=tuple(part for line in lines for part in line.parts),
                em=median(line.em for line in lines),
                start=u0,
                end=u1,
                top=table.across[number],
                bottom=table.across[number + 1],
                column=(u0, u1),
                table=True,
            )
        )
    return _Run([], u0, u1, table.across[0], table.across[-1], em, block)


def _cell_lines(glyphs: list[Glyph], vertical: bool, em: float) -> list[Row]:
    if sum(is_wide(glyph.char) for glyph in glyphs) >= 3:
        vertical = is_vertical(glyphs)
    return _column(_with_ruby(_link(_cells(glyphs, vertical))), em)


def _slot(edges: list[float], value: float) -> int:
    for number, edge in enumerate(edges[1:-1]):
        if value < edge:
            return number
    return len(edges) - 2
