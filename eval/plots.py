"""Small SVG plots for the report: no script, no font, readable in black and white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH = 640
_LABEL = 190
_ROW = 26
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Whisker:
    """One row of an interval plot: a mean between 0 and 1 with its interval; hollow when faint."""

    label: str
    value: float
    low: float
    high: float
    faint: bool = False


def interval_plot(title: str, rows: Sequence[Whisker]) -> Markup:
    """Means as dots and intervals as lines, one row each, on a scale from 0 to 1."""
    height = _ROW * len(rows) + 24
    parts = [
        _element(
            '<line class="grid" x1="{x}" x2="{x}" y1="0" y2="{y}"/>'
            '<text x="{x}" y="{below}" text-anchor="middle">{tick:.2f}</text>',
            x=_across(tick),
            y=height - 20,
            below=height - 6,
            tick=tick,
        )
        for tick in _TICKS
    ]
    for number, row in enumerate(rows):
        parts.append(
            _element(
                '<text x="{edge}" y="{base}" text-anchor="end">{label}</text>'
                '<line class="whisker" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>'
                '<circle class="{kind}" cx="{value}" cy="{y}" r="4.5"/>',
                edge=_LABEL - 12,
                base=_ROW * number + 18,
                y=_ROW * number + 13,
                label=row.label,
                low=_across(row.low),
                high=_across(row.high),
                value=_across(row.value),
                kind="faint" if row.faint else "dot",
            )
        )
    return _figure(title, _WIDTH, height, parts)


def curve_plot(
    title: str, points: Sequence[tuple[float, float]], across: str, upward: str
) -> Markup:
    """A line through points whose x and y are shares between 0 and 1; y is scaled to its maximum."""
    width, height, left, bottom, top = 480, 280, 56, 44, 14
    highest = max([y for _, y in points] + [0.05])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(left + x * (width - left - 16), 1),
            round(height - bottom - y / highest * (height - bottom - top), 1),
        )

    (x0, y0), (x1, y1) = place(0, 0), place(1, highest)
    parts = [
        _element(
            '<path class="axis" d="M{x0} {y1}V{y0}H{x1}"/>'
            '<text x="{edge}" y="{low}" text-anchor="end">0</text>'
            '<text x="{edge}" y="{high}" text-anchor="end">{highest:.2f}</text>'
            '<text x="{x0}" y="{below}" text-anchor="middle">0</text>'
            '<text x="{x1}" y="{below}" text-anchor="middle">1</text>'
            '<text x="{middle}" y="{last}" text-anchor="middle">{across}</text>'
            '<text x="{x0}" y="10" dx="6">{upward}</text>',
            x0=x0,
            x1=x1,
            y0=y0,
            y1=y1,
            edge=x0 - 6,
            low=y0 + 4,
            high=y1 + 8,
            highest=highest,
            below=y0 + 16,
            middle=(x0 + x1) / 2,
            last=height - 8,
            across=across,
            upward=upward,
        )
    ]
    line = " ".join(f"{x},{y}" for x, y in (place(x, y) for x, y in points))
    parts.append(_element('<polyline class="curve" points="{line}"/>', line=line))
    return _figure(title, width, height, parts)


def _across(value: float) -> float:
    """Horizontal place of a share between 0 and 1."""
    return round(_LABEL + value * (_WIDTH - _LABEL - 24), 1)


def _figure(title: str, width: int, height: int, parts: Sequence[Markup]) -> Markup:
    return _element(
        '<svg role="img" aria-label="{title}" viewBox="0 0 {width} {height}"'
        ' width="{width}" height="{height}"><title>{title}</title>{body}</svg>',
        title=title,
        width=width,
        height=height,
        body=Markup("").join(parts),
    )


def _element(template: str, **values: object) -> Markup:
    """Fill a literal template; every value is escaped."""
    return Markup(template).format(**values)
