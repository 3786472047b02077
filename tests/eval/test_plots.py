from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from eval.plots import Whisker, curve_plot, interval_plot

share = st.floats(0, 1)


def numbers(svg: str, attribute: str) -> list[float]:
    return [float(value) for value in etree.fromstring(svg).xpath(f"//@{attribute}")]


@given(
    st.lists(st.builds(Whisker, st.just("nDCG"), share, share, share, st.booleans()), max_size=4)
)
def test_whiskers_stay_inside_the_figure(rows: list[Whisker]) -> None:
    svg = interval_plot("平均", rows)
    assert all(0 <= x <= 640 for x in numbers(svg, "cx") + numbers(svg, "x1"))
    assert len(numbers(svg, "cx")) == len(rows)


@given(st.lists(st.tuples(share, share), max_size=6))
def test_a_curve_stays_inside_the_figure(points: list[tuple[float, float]]) -> None:
    svg = curve_plot("曲線", points, "回答した割合", "誤りの割合")
    line = etree.fromstring(svg).find("polyline").get("points")
    places = [tuple(map(float, pair.split(","))) for pair in line.split()]
    assert len(places) == len(points)
    assert all(0 <= x <= 480 and 0 <= y <= 280 for x, y in places)


def test_labels_are_escaped() -> None:
    svg = interval_plot("a < b", [Whisker("<x> {y}", 0.5, 0.4, 0.6)])
    assert "<x>" not in svg
    root = etree.fromstring(svg)
    assert root.get("aria-label") == "a < b"
    assert "<x> {y}" in "".join(root.itertext())
