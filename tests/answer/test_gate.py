from __future__ import annotations

import threading
import time

import pytest

from app.answer.gate import Gate
from app.answer.llm import Cancelled, ModelBusy

NEVER = threading.Event()


def soon() -> float:
    return time.monotonic() + 5


def test_only_so_many_may_wait() -> None:
    gate = Gate(1, 0)
    with gate.place() as place:
        assert list(place.wait(soon(), NEVER)) == []
        with pytest.raises(ModelBusy), gate.place():
            pass
    with gate.place() as place:
        assert list(place.wait(soon(), NEVER)) == []


def test_a_place_in_the_queue_moves_up_in_the_order_of_asking() -> None:
    gate = Gate(1, 2)
    with gate.place() as first:
        with gate.place() as second:
            with gate.place() as third:
                # Of three, the one that came last has two before it.
                waiting = third.wait(soon(), NEVER)
                assert next(waiting) == 2
            assert next(second.wait(soon(), NEVER)) == 1
        assert list(first.wait(soon(), NEVER)) == []


def test_a_turn_comes_when_the_one_before_ends() -> None:
    gate = Gate(1, 1)
    heard: list[int] = []
    entered = threading.Event()

    def ask() -> None:
        with gate.place() as place:
            heard.extend(place.wait(soon(), NEVER))
            entered.set()

    with gate.place():
        waiting = threading.Thread(target=ask)
        waiting.start()
        assert not entered.wait(0.3)
    assert entered.wait(5)
    waiting.join(5)
    assert heard == [1]


def test_waiting_ends_at_the_deadline() -> None:
    gate = Gate(1, 1)
    with gate.place(), gate.place() as place, pytest.raises(ModelBusy):
        list(place.wait(time.monotonic() - 1, NEVER))


def test_waiting_ends_when_the_user_leaves() -> None:
    gate = Gate(1, 1)
    left = threading.Event()
    left.set()
    with gate.place(), gate.place() as place, pytest.raises(Cancelled):
        list(place.wait(soon(), left))
