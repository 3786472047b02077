from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.store import DENSE, Scored
from app.search.fusion import fused


def leg(**scores: float) -> list[Scored]:
    return [Scored(name, 1, score) for name, score in scores.items()]


def test_by_hand() -> None:
    legs = {"words": leg(a=10.0, b=5.0), DENSE: leg(b=0.8, c=0.6, d=0.4)}
    assert fused(legs, {"words": 1.0, DENSE: 0.5}) == pytest.approx(
        {(1, "a"): 1.0, (1, "b"): 0.5 + 0.5, (1, "c"): 0.25}
    )


def test_a_leg_of_weight_zero_adds_nothing() -> None:
    legs = {"words": leg(a=2.0), DENSE: leg(b=0.9, c=0.1)}
    assert fused(legs, {"words": 1.0, DENSE: 0.0}) == {(1, "a"): 1.0}


def test_legs_that_tell_nothing_apart_are_left_out() -> None:
    assert fused({"words": [], DENSE: leg(a=0.7)}, {"words": 1.0, DENSE: 1.0}) == {}


@given(st.lists(st.floats(-1, 1), min_size=61, max_size=120, unique=True))
def test_more_cosines_do_not_change_the_first_sixty(cosines: list[float]) -> None:
    ranked = [Scored(f"p{n}", 1, score) for n, score in enumerate(sorted(cosines, reverse=True))]
    assert fused({DENSE: ranked}, {DENSE: 0.3}) == fused({DENSE: ranked[:60]}, {DENSE: 0.3})
