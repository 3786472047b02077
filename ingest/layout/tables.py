"""Characters between ruled lines → the rows of a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ingest.layout.columns import in_column
from ingest.layout.direction import is_vertical
from ingest.layout.lines import link, to_cell, to_cells, with_ruby
from ingest.layout.shapes import Glyph, Row, Rule, Run, is_wide


@dataclass(slots=True)
class Table:
    """A grid of rules: edges along v part its rows, edges along u the cells of a row."""

    across: list[float]
    along: list[float]
    cells: list[Glyph]


def find_tables(
    glyphs: list[Glyph], rules: Sequence[Rule], vertical: bool, em: float
) -> list[Table]:
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
            tables.append(Table([-x for x in reversed(xs)], ys, inside))
        else:
            tables.append(Table(ys, xs, inside))
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


def table_block(table: Table, vertical: bool, em: float) -> Run:
    """The table row by row, the cells of a row parted by a full-width space.

    A cell may run against the page (vertical heads in a horizontal form).
    """
    grid: dict[tuple[int, int], list[Glyph]] = defaultdict(list)
    for glyph in table.cells:
        cell = to_cell(glyph, vertical)
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
    return Run([], u0, u1, table.across[0], table.across[-1], em, block)


def _cell_lines(glyphs: list[Glyph], vertical: bool, em: float) -> list[Row]:
    if sum(is_wide(glyph.char) for glyph in glyphs) >= 3:
        vertical = is_vertical(glyphs)
    return in_column(with_ruby(link(to_cells(glyphs, vertical))), em)


def _slot(edges: list[float], value: float) -> int:
    for number, edge in enumerate(edges[1:-1]):
        if value < edge:
            return number
    return len(edges) - 2
