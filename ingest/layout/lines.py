"""Characters → lines: chained along u, ruby apart, text with the spaces that gaps stand for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median, median_low

from app.core.book import Ruby
from ingest.layout.shapes import Cell, Glyph, Part, Row, Run, is_kana, is_kanji, is_wide

RUBY_RATIO = 0.62
"""A kana line smaller than this share of the line beside it is its ruby."""

_LARGEST_RUBY = 0.8  # some programs set ruby in 6 points whatever the text's size
REACH_WITH_RUBY = 0.75  # em by which characters with ruby may stand off their line
_LINK_GAP = 1.3  # em between two characters of one run: a full-width space and some slack
_EMPHASIS = frozenset("・、﹅﹆•●○◦◉◎▲△▴▵")  # also what a reading of several words is parted by
OPENING = frozenset("（「『〔［｛〈《【([{“‘")
CLOSING = frozenset("）」』〕］｝〉》】)]}、。，．・：；！？,.:;!?”’")


def to_cell(glyph: Glyph, vertical: bool) -> Cell:
    """A glyph in reading coordinates."""
    if vertical:
        return Cell(glyph.char, glyph.y0, glyph.y1, -glyph.x1, -glyph.x0, glyph.em, (glyph,))
    return Cell(glyph.char, glyph.x0, glyph.x1, glyph.y0, glyph.y1, glyph.em, (glyph,))


def to_cells(glyphs: Sequence[Glyph], vertical: bool) -> list[Cell]:
    """Reading coordinates; in vertical text digits standing side by side become one cell (縦中横)."""
    if not vertical:
        return [to_cell(glyph, vertical=False) for glyph in glyphs]
    cells = []
    narrow: list[Glyph] = []
    for glyph in glyphs:
        if glyph.turned or glyph.x1 - glyph.x0 > 0.75 * glyph.em:
            cells.append(to_cell(glyph, vertical=True))
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
            Cell(
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


def link(cells: list[Cell]) -> list[Run]:
    """Chain cells along u into runs."""
    if not cells:
        return []
    step = max(median(cell.em for cell in cells) / 2, 0.1)
    open_runs: dict[int, list[Run]] = defaultdict(list)
    runs: list[Run] = []
    for cell in sorted(cells, key=lambda cell: cell.u0):
        middle = cell.middle
        bucket = int(middle // step)
        best: Run | None = None
        best_cost = float("inf")
        for near in range(bucket - 2, bucket + 3):
            for run in open_runs.get(near, ()):
                last = run.cells[-1]
                em = max(last.em, cell.em)
                off = abs(last.middle - middle)
                gap = cell.u0 - last.u1
                # a small mark may touch the text; ruby further off belongs to another line
                reach = _LINK_GAP if min(last.em, cell.em) > 0.69 * em else 0.3
                if off > 0.38 * em or not -0.7 * em < gap < reach * em:
                    continue
                cost = off + abs(gap)
                if cost < best_cost:
                    best, best_cost = run, cost
        if best is None:
            best = Run([], cell.u0, cell.u1, cell.v0, cell.v1, cell.em)
            runs.append(best)
        else:
            open_runs[int(best.cells[-1].middle // step)].remove(best)
        best.cells.append(cell)
        open_runs[bucket].append(best)
    for run in runs:
        measure(run)
    return runs


def measure(run: Run) -> None:
    """Set a run's extents and size by its cells."""
    run.u0 = min(cell.u0 for cell in run.cells)
    run.u1 = max(cell.u1 for cell in run.cells)
    run.em = _size(run.cells)
    body = [cell for cell in run.cells if cell.em > 0.8 * run.em] or run.cells
    run.v0 = min(cell.v0 for cell in body)
    run.v1 = max(cell.v1 for cell in body)


def _size(cells: Sequence[Cell]) -> float:
    wide = [cell.em for cell in cells if is_wide(cell.text)]
    return median(wide or [cell.em for cell in cells])


def with_ruby(runs: list[Run], ratio: float = RUBY_RATIO) -> list[Run]:
    """Hand kana runs that stand close beside a run of larger characters to it as readings.

    Emphasis marks (圏点) that stand there are dropped.
    """
    bases = sorted(runs, key=lambda run: run.v0)
    kept: list[Run] = []
    for run in runs:
        base = None
        if all(is_kana(cell.text) or cell.text in _EMPHASIS for cell in run.cells):
            base = _ruby_base(run, bases, ratio)
        if base is None:
            kept.append(run)
        else:
            only_marks = all(cell.text in _EMPHASIS for cell in run.cells)
            base.readings += [
                cell
                for cell in run.cells
                if not only_marks and (cell.text == "・" or cell.text not in _EMPHASIS)
            ]
    return _set_in(kept)


def _ruby_base(ruby: Run, bases: list[Run], ratio: float) -> Run | None:
    """The nearest line: as a rule the one after the ruby, else one it stands behind (両側ルビ)."""
    best: Run | None = None
    best_cost = float("inf")
    for base in bases:
        em = base.em
        if base is ruby or ruby.em >= _LARGEST_RUBY * em:
            continue
        if (
            ruby.u1 < base.u0 - em
            or ruby.u0 > base.u1 + em
            or abs(base.middle - ruby.middle) > 2 * em
        ):
            continue
        beside = [base.cells[n] for n in _beside(base.cells, ruby.u0, ruby.u1, 0.0)]
        # some programs push the characters with ruby out of their line
        gap = min((cell.v0 for cell in beside), default=base.v0) - ruby.v1
        if ruby.em >= ratio * em:
            # larger than ruby is: it must be short and touch the kanji it reads
            kanji = any(is_kanji(cell.text) for cell in beside)
            if not kanji or abs(gap) > 0.45 * em or len(ruby.cells) > 12:
                continue
        if abs(gap) > 0.6 * em:
            gap = ruby.v0 - max((cell.v1 for cell in beside), default=base.v1) + 0.3 * em
            if not -0.05 * em < gap < 0.6 * em:
                continue
        cost = abs(gap) + (0.0 if beside else em)
        if cost < best_cost:
            best, best_cost = base, cost
    return best


def _set_in(runs: list[Run]) -> list[Run]:
    """Put characters that their ruby pushed out of their line back into the gap they left."""
    kept = []
    for run in runs:
        host = None
        if run.readings and len(run.cells) <= 8:
            host = next((other for other in runs if _leaves_room(other, run)), None)
        if host is None:
            kept.append(run)
        else:
            host.cells = sorted([*host.cells, *run.cells], key=lambda cell: cell.u0)
            host.readings += run.readings
    return kept


def _leaves_room(host: Run, run: Run) -> bool:
    slack = 0.25 * run.em
    if host is run or abs(host.middle - run.middle) > REACH_WITH_RUBY * run.em:
        return False
    return any(
        before.u1 < run.u0 + slack and run.u1 - slack < after.u0
        for before, after in pairwise(host.cells)
    )


def to_rows(group: list[Run], extent: tuple[float, float]) -> list[Row]:
    """The row that runs on one level make in a column of that extent; none for no runs."""
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


def _part(cells: list[Cell]) -> Part:
    glyphs = [glyph for cell in cells for glyph in cell.glyphs]
    return Part(
        _text(cells, [])[0],
        min(glyph.x0 for glyph in glyphs),
        min(glyph.y0 for glyph in glyphs),
        max(glyph.x1 for glyph in glyphs),
        max(glyph.y1 for glyph in glyphs),
    )


# --- text of a line ------------------------------------------------------------------------


def _text(cells: list[Cell], readings: list[Cell]) -> tuple[str, list[int]]:
    """The line's text with the spaces its gaps stand for, and where each cell begins in it."""
    gaps = [after.u0 - before.u1 for before, after in pairwise(cells)]
    tight = [
        gap
        for gap, (before, after) in zip(gaps, pairwise(cells), strict=True)
        if is_wide(before.text) and is_wide(after.text)
    ]
    usual = max(0.0, median_low(tight)) if tight else 0.0
    text = ""
    starts = []
    for number, cell in enumerate(cells):
        if number:
            before = cells[number - 1]
            text += _space(before, cell, gaps[number - 1], usual, readings)
        starts.append(len(text))
        text += cell.text
    return text, starts


def _space(before: Cell, after: Cell, gap: float, usual: float, readings: list[Cell]) -> str:
    em = max(before.em, after.em)
    if before.text[-1].isdigit() and after.text[0].isdigit() and not _alike(before, after):
        return " "  # the mark of a note beside a number
    if is_wide(before.text) or is_wide(after.text):
        extra = (gap - usual - _pushed(before, after, readings)) / em
        if extra < 0.24:
            return ""
        if before.text in CLOSING or after.text in OPENING:
            extra -= 0.5  # the free half of the punctuation's own em
        if extra >= 0.7:
            return "\u3000"
        both = is_wide(before.text) and is_wide(after.text)
        return " " if extra >= (0.24 if both else 0.42) and after.text not in CLOSING else ""
    return " " if gap > 0.17 * em else ""


def _alike(a: Cell, b: Cell) -> bool:
    return min(a.em, b.em) > 0.8 * max(a.em, b.em)


def _pushed(before: Cell, after: Cell, readings: list[Cell]) -> float:
    """How far a reading wider than its kanji has pushed two characters apart, generously."""
    near = [r for r in readings if r.u0 < after.u0 + 0.6 * r.em and r.u1 > before.u1 - 0.6 * r.em]
    if not near:
        return 0.0
    inside = (min(r.u1, after.u0) - max(r.u0, before.u1) for r in near)
    return sum(max(0.0, covered) for covered in inside) + 0.3 * before.em


def _ruby(cells: list[Cell], starts: list[int], readings: list[Cell]) -> tuple[Ruby, ...]:
    """Group readings by the kanji they stand beside."""
    groups: list[list[Cell]] = []
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


def _beside(cells: list[Cell], u0: float, u1: float, slack: float) -> list[int]:
    """Numbers of the cells whose middle lies between two places."""
    return [
        number
        for number, cell in enumerate(cells)
        if u0 - slack <= (cell.u0 + cell.u1) / 2 <= u1 + slack
    ]


def _one_word(cells: list[Cell], group: list[Cell], reading: Cell) -> bool:
    """Whether a reading goes on over kana of the word it spells (ふりがな over 振り仮名)."""
    if reading.u0 - group[-1].u1 > 2.2 * reading.em:
        return False
    between = _beside(cells, group[-1].u0, reading.u1, 0.0)
    kana = [cells[number].text for number in between if is_kana(cells[number].text)]
    spelled = [cell.text for cell in [*group, reading]]
    return bool(kana) and all(char in spelled for char in kana)
