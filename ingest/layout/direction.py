"""Which way text runs, by vote of neighbouring characters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from ingest.layout.lines import link, to_cell
from ingest.layout.shapes import Glyph, Run, body_size, is_wide


def leans(glyphs: Sequence[Glyph], vertical: bool) -> bool:
    """Whether far more characters of a table's cell speak for a direction than for the other."""
    below, beside = vote(glyphs, free_space(glyphs))
    return below > 3 * beside if vertical else beside > 3 * below


def vote(glyphs: Sequence[Glyph], gaps: list[tuple[float, float]]) -> tuple[int, int]:
    """How many wide characters have their nearest neighbour below them, and how many beside.

    `gaps` is their `free_space`.
    """
    below = beside = 0
    for glyph, (gap_x, gap_y) in zip(glyphs, gaps, strict=True):
        if glyph.turned or not is_wide(glyph.char):
            continue
        if gap_y < gap_x:
            below += 1
        elif gap_x < gap_y:
            beside += 1
    return below, beside


def free_space(glyphs: Sequence[Glyph]) -> list[tuple[float, float]]:
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


def by_direction(
    spaced: list[tuple[Glyph, tuple[float, float]]], vertical: bool
) -> tuple[list[Glyph], list[list[Glyph]]]:
    """Part the page's own direction from lines that run across it (glyphs with their `free_space`)."""
    glyphs = [glyph for glyph, _ in spaced]
    suspects = []
    clear = set()
    for glyph, (gap_x, gap_y) in spaced:
        own, other = (gap_y, gap_x) if vertical else (gap_x, gap_y)
        if other < 0.6 * glyph.em and own > max(0.5 * glyph.em, other + 0.3 * glyph.em):
            suspects.append(glyph)
            if own > 1.6 * glyph.em:
                clear.add(id(glyph))
    if not clear:
        return glyphs, []
    chains = link([to_cell(glyph, not vertical) for glyph in suspects])
    across = []
    for chain in chains:
        members = [glyph for cell in chain.cells for glyph in cell.glyphs]
        # a head may come near the text below some of its characters
        if sum(id(glyph) in clear for glyph in members) < 0.6 * len(members):
            continue
        if len(members) >= (2 if vertical else 4) and not _is_number_row(chain):
            across.append(members)
    taken = {id(glyph) for members in across for glyph in members}
    return [glyph for glyph in glyphs if id(glyph) not in taken], across


def _is_number_row(chain: Run) -> bool:
    """Numbers at the foot of neighbouring vertical lines, which stand in a row by chance."""
    gaps = [after.u0 - before.u1 > 0.3 * before.em for before, after in pairwise(chain.cells)]
    return any(gaps) and not any(is_wide(cell.text) for cell in chain.cells)
