"""Characters between ruled lines → the rows of a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.layout.columns import in_column
from ingest.layout.direction import leans
from ingest.layout.lines import link, to_cell, to_cells, with_ruby
from ingest.layout.shapes import Cell, Glyph, Row, Rule, Run, is_wide

_MIN_GAP = 1.1  # em between the columns of a table that no rule parts
_MOST_LEVELS = 8  # lines; what lies between two rules and is longer is running text


@dataclass(frozen=True, slots=True)
class _Wall:
    """A rule in reading coordinates; it runs along u when `v0 == v1`."""

    u0: float
    v0: float
    u1: float
    v1: float


@dataclass(slots=True)
class Table:
    """A grid: edges along v part its rows, edges along u the cells of a row.

    `joined` maps the slot (row, column) of a merged cell to the first slot of that cell.
    """

    across: list[float]
    along: list[float]
    cells: list[Glyph]
    joined: dict[tuple[int, int], tuple[int, int]]


def find_tables(
    glyphs: list[Glyph], rules: Sequence[Rule], vertical: bool, em: float
) -> list[Table]:
    """Tables of at least two rows and two columns with text in them.

    They are ruled both ways, or by rules between their rows alone.
    """
    walls = [_wall(rule, vertical) for rule in rules]
    cells = [to_cell(glyph, vertical) for glyph in glyphs]
    tables: list[Table] = []
    lone = []
    for group in _touching(walls, em):
        if all(wall.v0 == wall.v1 for wall in group):
            lone += group
        elif (found := _grid(group, cells, em)) is not None:
            tables.append(found)
    taken = {id(glyph) for table in tables for glyph in table.cells}
    free = [cell for cell in cells if id(cell.glyphs[0]) not in taken]
    tables += _striped(lone, free, em)
    return tables


def _wall(rule: Rule, vertical: bool) -> _Wall:
    if vertical:
        return _Wall(rule.y0, -rule.x1, rule.y1, -rule.x0)
    return _Wall(rule.x0, rule.y0, rule.x1, rule.y1)


def _touching(walls: Sequence[_Wall], em: float) -> list[list[_Wall]]:
    """Groups of rules that touch one another."""
    groups: list[list[_Wall]] = []
    slack = 0.25 * em
    for wall in walls:
        near = [group for group in groups if any(_touch(wall, other, slack) for other in group)]
        merged = [wall]
        for group in near:
            merged += group
            groups.remove(group)
        groups.append(merged)
    return groups


def _touch(a: _Wall, b: _Wall, slack: float) -> bool:
    return (
        a.u0 <= b.u1 + slack
        and b.u0 <= a.u1 + slack
        and a.v0 <= b.v1 + slack
        and b.v0 <= a.v1 + slack
    )


def _distinct(values: list[float], em: float) -> list[float]:
    edges: list[float] = []
    for value in sorted(values):
        if not edges or value - edges[-1] > 0.6 * em:
            edges.append(value)
    return edges


def _grid(group: list[_Wall], cells: list[Cell], em: float) -> Table | None:
    """The table whose cells these rules part; its outer edges need not be ruled."""
    rows = [wall for wall in group if wall.v0 == wall.v1]
    columns = [wall for wall in group if wall.v0 != wall.v1]
    if not rows:
        return None
    along = [wall.u0 for wall in columns]
    along += [min(wall.u0 for wall in rows), max(wall.u1 for wall in rows)]
    along = _distinct(along, em)
    across = [wall.v0 for wall in rows]
    across += [min(wall.v0 for wall in columns), max(wall.v1 for wall in columns)]
    across = _distinct(across, em)
    # a single cell a row is a frame around running text
    if len(along) < 3 or len(across) < 2 or len(along) + len(across) < 6:
        return None
    inside = _inside(cells, (along[0], along[-1]), (across[0], across[-1]))
    if not inside:
        return None
    glyphs = [cell.glyphs[0] for cell in inside]
    return Table(across, along, glyphs, _joined(along, across, rows, columns, em))


def _inside(
    cells: Sequence[Cell], along: tuple[float, float], across: tuple[float, float]
) -> list[Cell]:
    return [
        cell
        for cell in cells
        if along[0] < (cell.u0 + cell.u1) / 2 < along[1] and across[0] < cell.middle < across[1]
    ]


def _joined(
    along: list[float], across: list[float], rows: list[_Wall], columns: list[_Wall], em: float
) -> dict[tuple[int, int], tuple[int, int]]:
    """Slots that no rule parts from the one before or above them, by the first of each cell."""
    first: dict[tuple[int, int], tuple[int, int]] = {}
    slack = 0.6 * em
    for row in range(len(across) - 1):
        level = (across[row] + across[row + 1]) / 2
        for column in range(len(along) - 1):
            place = (along[column] + along[column + 1]) / 2
            parted_before = column == 0 or any(
                abs(wall.u0 - along[column]) <= slack and wall.v0 < level < wall.v1
                for wall in columns
            )
            parted_above = row == 0 or any(
                abs(wall.v0 - across[row]) <= slack and wall.u0 < place < wall.u1 for wall in rows
            )
            if not parted_above:
                first[row, column] = first.get((row - 1, column), (row - 1, column))
            elif not parted_before:
                first[row, column] = first.get((row, column - 1), (row, column - 1))
    return first


# --- tables ruled between their rows alone -------------------------------------------------


def _striped(walls: list[_Wall], cells: list[Cell], em: float) -> Iterator[Table]:
    """Tables of three rules or more of one extent, whose columns free strips part."""
    extents: dict[tuple[int, int], list[_Wall]] = defaultdict(list)
    for extent, level in _stripes(walls, em):
        near = next(
            (
                known
                for known in extents
                if abs(known[0] - extent[0]) < em and abs(known[1] - extent[1]) < em
            ),
            (round(extent[0]), round(extent[1])),
        )
        extents[near].append(_Wall(extent[0], level, extent[1], level))
    for stripes in extents.values():
        levels = sorted(wall.v0 for wall in stripes)
        reach = (min(wall.u0 for wall in stripes), max(wall.u1 for wall in stripes))
        table: list[float] = []
        for above, below in pairwise(levels):
            if _is_short(_inside(cells, reach, (above, below)), em):
                table = table or [above]
                table.append(below)
            else:
                yield from _columned(table, reach, cells, em)
                table = []
        yield from _columned(table, reach, cells, em)


def _stripes(walls: list[_Wall], em: float) -> Iterator[tuple[tuple[float, float], float]]:
    """Rules along u, pieces in one line joined: extent and level."""
    for group in _touching(walls, em):
        levels = _distinct([wall.v0 for wall in group], em)
        for level in levels:
            here = [wall for wall in group if abs(wall.v0 - level) <= 0.6 * em]
            yield (min(wall.u0 for wall in here), max(wall.u1 for wall in here)), level


def _is_short(cells: list[Cell], em: float) -> bool:
    return bool(cells) and len(_levels(cells, em)) <= _MOST_LEVELS


def _levels(cells: list[Cell], em: float) -> list[list[Cell]]:
    """Cells by the line they stand on; ruby and notes count to the line beside them."""
    levels: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda cell: cell.middle):
        if levels and cell.middle - levels[-1][0].middle < 0.8 * em:
            levels[-1].append(cell)
        else:
            levels.append([cell])
    return levels


def _columned(
    levels: list[float], reach: tuple[float, float], cells: list[Cell], em: float
) -> Iterator[Table]:
    if len(levels) < 3:
        return
    inside = _inside(cells, reach, (levels[0], levels[-1]))
    strips = list(_free_strips(inside, em))
    if not strips:
        return
    along = [reach[0], *strips, reach[1]]
    across = [levels[0]]
    for above, below in pairwise(levels):
        across += _row_edges(_inside(inside, reach, (above, below)), along, em)
        across.append(below)
    yield Table(across, along, [cell.glyphs[0] for cell in inside], {})


def _free_strips(cells: list[Cell], em: float) -> Iterator[float]:
    """The middles of strips along u that no text enters."""
    edge: float | None = None
    for cell in sorted(cells, key=lambda cell: cell.u0):
        if edge is not None and cell.u0 - edge > _MIN_GAP * em:
            yield (edge + cell.u0) / 2
        edge = cell.u1 if edge is None else max(edge, cell.u1)


def _row_edges(cells: list[Cell], along: list[float], em: float) -> Iterator[float]:
    """Where rows end between two rules: after each line, if every line fills every column."""
    lines = _levels(cells, em)
    columns = range(len(along) - 1)
    for line in lines:
        filled = {_slot(along, (cell.u0 + cell.u1) / 2) for cell in line}
        if len(filled) < len(columns):
            return
    for before, after in pairwise(lines):
        yield (max(cell.v1 for cell in before) + min(cell.v0 for cell in after)) / 2


# --- rows ----------------------------------------------------------------------------------


def table_block(table: Table, vertical: bool, em: float) -> Run:
    """The table row by row, the cells of a row parted by a full-width space.

    A cell that spans rows stands in the first of them. A cell may run against the page
    (vertical heads in a horizontal form).
    """
    grid: dict[tuple[int, int], list[Glyph]] = defaultdict(list)
    for glyph in table.cells:
        cell = to_cell(glyph, vertical)
        row = _slot(table.across, (cell.v0 + cell.v1) / 2)
        column = _slot(table.along, (cell.u0 + cell.u1) / 2)
        grid[table.joined.get((row, column), (row, column))].append(glyph)
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
    return Run([], u0, u1, table.across[0], table.across[-1], em, block)


def _cell_lines(glyphs: list[Glyph], vertical: bool, em: float) -> list[Row]:
    if sum(is_wide(glyph.char) for glyph in glyphs) >= 3 and leans(glyphs, not vertical):
        vertical = not vertical
    return in_column(with_ruby(link(to_cells(glyphs, vertical))), em)


def _slot(edges: list[float], value: float) -> int:
    for number, edge in enumerate(edges[1:-1]):
        if value < edge:
            return number
    return len(edges) - 2
