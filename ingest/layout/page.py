"""A page's characters → its rows in reading order."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ingest.layout.columns import in_order
from ingest.layout.direction import by_direction, free_space, vote
from ingest.layout.lines import RUBY_RATIO, link, measure, to_cells, to_rows, with_ruby
from ingest.layout.shapes import Arrangement, Glyph, Row, Rule, Run, body_size
from ingest.layout.tables import find_tables, table_block

_NUMBER = re.compile(
    "[-‐–—−]?([0-9０-９]+(の[0-9０-９]+)*|[ivxlcⅰ-ⅿ]+|[〇一二三四五六七八九十百]+)[-‐–—−]?"
)


def arrange(
    glyphs: Sequence[Glyph],
    rules: Sequence[Rule] = (),
    *,
    ruby_ratio: float = RUBY_RATIO,
    vertical: bool | None = None,
    apart: Sequence[Sequence[Glyph]] = (),
) -> Arrangement:
    """Put a page's glyphs into lines and the lines into reading order.

    Spaces may be missing or present in `glyphs`; order in the sequence does not matter.
    `ruby_ratio` is the largest size of ruby as a share of the line it stands beside;
    `vertical` states the direction where it is known, and `apart` holds the glyphs of lines
    known to run against it.
    """
    inked = _without_doubles([glyph for glyph in glyphs if not glyph.char.isspace()])
    if not inked:
        return Arrangement((), vertical=False, em=0.0)
    em = body_size(inked)
    gaps = free_space(inked)
    if vertical is None:
        below, beside = vote(inked, gaps)
        vertical = below > beside
    fold = _fold(inked, em) if vertical else None
    if fold is not None:
        rows: list[Row] = []
        for right in (True, False):
            half = [glyph for glyph in inked if (glyph.x0 > fold) is right]
            lines = [line for line in apart if line and (line[0].x0 > fold) is right]
            rows += arrange(half, rules, ruby_ratio=ruby_ratio, vertical=True, apart=lines).rows
        return Arrangement(tuple(rows), vertical=True, em=em)
    tables = find_tables(inked, rules, vertical, em)
    in_table = {id(glyph) for table in tables for glyph in table.cells}
    outside = [
        (glyph, gap) for glyph, gap in zip(inked, gaps, strict=True) if id(glyph) not in in_table
    ]
    along, across = by_direction(outside, vertical)
    runs = with_ruby(link(to_cells(along, vertical)), ruby_ratio)
    blocks = [table_block(table, vertical, em) for table in tables]
    blocks += _across_blocks([*across, *map(list, apart)], vertical)
    if vertical:
        runs, margins = _margins(_freed(runs), em)
        blocks += margins
    rows = in_order(runs, blocks, em)
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


def _freed(runs: list[Run]) -> list[Run]:
    """A number below all other text that chance has put at the end of a line, taken off it."""
    edge = max(run.u1 for run in runs) if runs else 0.0
    freed = []
    for run in runs:
        last = run.cells[-1]
        rest = [cell for other in runs for cell in other.cells if cell is not last]
        if (
            run.u1 == edge
            and len(run.cells) > 1
            and _NUMBER.fullmatch(last.text)
            and last.text.isascii()
            and last.u0 - max(cell.u1 for cell in rest)
            > (0.3 if 0.95 < last.em / run.em < 1.05 else 0.1) * run.em
        ):
            for cells in (run.cells[:-1], [last]):
                piece = replace(
                    run, cells=cells, readings=run.readings if cells[0] is not last else []
                )
                measure(piece)
                freed.append(piece)
        else:
            freed.append(run)
    return freed


def _margins(runs: list[Run], em: float) -> tuple[list[Run], list[Run]]:
    """Part one or two numbers beyond all other text (a page number below vertical lines).

    More than two are a part of the text, such as the numbers of a table of contents.
    """
    blocks = []
    for outside, gap in (_outermost(runs, before=True), _outermost(runs, before=False)):
        texts = ("".join(cell.text for cell in run.cells) for run in outside)
        if len(outside) > 2 or gap < 0.1 * em or not all(map(_NUMBER.fullmatch, texts)):
            continue
        for run in outside:
            (row,) = to_rows([run], (run.u0, run.u1))
            row = replace(row, across=True)
            blocks.append(Run([], run.u0, run.u1, run.v0, run.v1, 0.0, [row]))
        runs = [run for run in runs if run not in outside]
    return runs, blocks


def _outermost(runs: list[Run], *, before: bool) -> tuple[list[Run], float]:
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


def _across_blocks(groups: list[list[Glyph]], vertical: bool) -> list[Run]:
    """Lines that run against the page, as blocks placed by where they stand."""
    blocks = []
    for glyphs in groups:
        for run in with_ruby(link(to_cells(glyphs, not vertical))):
            own = to_rows([run], (run.u0, run.u1))[0]
            x0, y0, x1, y1 = own.box
            u0, u1, v0, v1 = (y0, y1, -x1, -x0) if vertical else (x0, x1, y0, y1)
            row = replace(own, start=u0, end=u1, top=v0, bottom=v1, column=(u0, u1), across=True)
            blocks.append(Run([], u0, u1, v0, v1, 0.0, [row]))
    return blocks
