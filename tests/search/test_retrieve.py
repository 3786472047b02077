from __future__ import annotations

import pytest

from app.core.store import Where
from app.search.fusion import Key
from app.search.retrieve import Retriever, Weights


class Editions:
    """A shelf that holds every article in ten editions, and answers with whichever come first."""

    def __init__(self, articles: list[str]) -> None:
        self.held = [(f"{id_} {n}", id_) for id_ in sorted(articles) for n in range(10)]

    def select(self, where: Where, limit: int) -> list[tuple[str, int]]:
        return [(name, 1) for name, id_ in self.held if id_ in where.about][:limit]


@pytest.mark.parametrize("best", ["戸籍法:1", "民法:999"])
def test_many_editions_of_lesser_articles_do_not_crowd_out_the_best(best: str) -> None:
    articles = {f"戸籍法:{n}": 0.1 for n in range(1, 100)} | {best: 3.0}
    retriever = Retriever(ledger=None, weights=Weights())  # type: ignore[arg-type]
    found: list[Key] = retriever._governed(Editions(list(articles)), Where(), articles)  # type: ignore[arg-type]
    assert {(1, f"{best} {n}") for n in range(10)} <= set(found)
    assert len(found) == len(set(found)) == 400
