from __future__ import annotations

import threading
from pathlib import Path

import pytest

from app.core.store import Schema
from app.core.store.edge import EdgeStore
from app.search.current import Current, Index


@pytest.fixture
def indexes(tmp_path: Path) -> tuple[Index, Index]:
    return Index(EdgeStore(tmp_path / "1", Schema())), Index(EdgeStore(tmp_path / "2", Schema()))


def test_the_new_index_is_lent_after_a_switch(indexes: tuple[Index, Index]) -> None:
    old, new = indexes
    current = Current(old)
    with current.use() as lent:
        assert lent is old
    assert current.switch(new) is old
    with current.use() as lent:
        assert lent is new


def test_a_switch_waits_for_those_who_still_use_the_old_one(indexes: tuple[Index, Index]) -> None:
    old, new = indexes
    current = Current(old)
    replaced: list[Index] = []
    switching = threading.Thread(target=lambda: replaced.append(current.switch(new)))
    with current.use() as lent:
        switching.start()
        while current._lent.index is old:
            switching.join(0.001)
        with current.use() as other:  # searches that begin now do not wait
            assert other is new
        assert lent.store.count() == 0
        assert replaced == []
    switching.join(10)
    assert replaced == [old]


def test_an_index_is_given_back_when_a_search_fails(indexes: tuple[Index, Index]) -> None:
    old, new = indexes
    current = Current(old)
    with pytest.raises(RuntimeError), current.use():
        raise RuntimeError
    assert current.switch(new) is old
