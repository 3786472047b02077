"""Small bar charts drawn by the service, so that a page needs no script for them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 720, 180
_LEFT, _RIGHT, _BOTTOM, _TOP = 36, 18, 24, 12
_NAMED = 10


def bars(values: Sequence[tuple[str, float]], unit: str) -> Markup:
    """A bar chart as SVG; each bar tells its label and value. The page names the chart itself."""
    most = _ceiling(max((value for _, value in values), default=0))
    room = HEIGHT - _BOTTOM - _TOP
    step = (WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    every = max(1, -(-len(values) // _NAMED))
    parts = [
        Markup(
            '<line class="axis" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text class="scale" x="{}" y="{}">{}</text>'
        ).format(
            _LEFT,
            WIDTH,
            _LEFT - 6,
            _y(share * most, most) + 4,
            f"{share * most:g}",
            y=_y(share * most, most),
        )
        for share in (0.0, 0.5, 1.0)
    ]
    for number, (label, value) in enumerate(values):
        x = _LEFT + number * step
        height = room * value / most
        parts.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {:g}{}</title></rect>'
            ).format(
                x + step * 0.15, HEIGHT - _BOTTOM - height, step * 0.7, height, label, value, unit
            )
        )
        if (len(values) - 1 - number) % every == 0:
            parts.append(
                Markup('<text class="day" x="{:.1f}" y="{}">{}</text>').format(
                    x + step / 2, HEIGHT - 6, label
                )
            )
    return Markup('<svg viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(
        WIDTH, HEIGHT, Markup("").join(parts)
    )


def _y(value: float, most: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / most


def _ceiling(value: float) -> float:
    """The next round number a scale can end on: 2, 4, 10, 20, 40, 100, …"""
    top = 2.0
    for factor in (2.0, 2.5, 2.0) * 12:
        if top >= value:
            break
        top *= factor
    return top
