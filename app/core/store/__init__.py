"""The contract between the product and its vector engine.

The ledger holds passages and their texts; the engine holds vectors and the fields they
are filtered by, and can be rebuilt from the ledger at any time. Two backends keep one
contract: `app.core.store.edge.EdgeStore` (embedded, the default) and
`app.core.store.server.ServerStore` (a Qdrant server). Only this package speaks Qdrant.

Scores. A sparse leg scores a passage with the sum over shared tokens of
query value · passage value · ln(1 + (N - n + 0.5) / (n + 0.5)), where N counts the points
that have the vector and n those that have the token. They never depend on the filters,
and leave out hidden points, so scores stay comparable while a new generation is written.
A dense leg scores with the cosine.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from app.core.errors import StoreUnavailable
from app.core.references import kept_ids, sought_ids

DENSE = "dense"
KEYWORD_FIELDS = ("book_id", "shelf", "edition", "about", "cites")
INTEGER_FIELDS = ("generation",)
ID_FIELDS = ("passage_id", "generation")
LAYOUT = 2  # raise it when the fields of a point change: stores of another layout are rebuilt

REBUILD_HINT = "検索索引を作り直してください。本と台帳の内容は失われません。"

_POINT_IDS = uuid.UUID("6f0c3a52-5f0e-5d7c-9a55-0f4ed6b6f6a1")
_TIES = 16  # points fetched beyond the limit, so that equal scores at the cut are ordered by id


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: token ids (u32, strictly increasing) and their values."""

    indices: list[int]
    values: list[float]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.values):
            raise ValueError("a sparse vector needs one value for each index")
        if any(a >= b for a, b in pairwise(self.indices)):
            raise ValueError("the indices of a sparse vector must be sorted and unique")


@dataclass(frozen=True, slots=True)
class Point:
    """One passage of one generation as the engine holds it.

    `about` are the reference ids the passage is, `cites` those it mentions.
    `sparse` maps vector names to vectors; `dense` is the one dense vector, None where
    the passage has none.
    """

    passage_id: str
    generation: int
    book_id: str
    shelf: str
    edition: str
    about: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    sparse: Mapping[str, Sparse] = field(default_factory=dict)
    dense: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The vectors of a store: names of the sparse ones, size of the dense one (0: none)."""

    sparse: tuple[str, ...] = ("words",)
    dense_size: int = 0

    def as_dict(self) -> dict[str, object]:
        """What is written beside the vectors, to tell another schema when it is opened."""
        return {"layout": LAYOUT, "sparse": sorted(self.sparse), "dense_size": self.dense_size}

    def check_point(self, point: Point) -> None:
        """Raise `StoreUnavailable` where a point's vectors are not those of this schema."""
        for name in point.sparse:
            self._check_name(name, self.sparse)
        if point.dense is not None:
            self._check_size(point.dense)

    def check_leg(self, leg: Leg) -> None:
        """Raise `StoreUnavailable` where a leg asks for a vector this schema does not hold."""
        if isinstance(leg.query, Sparse):
            self._check_name(leg.using, self.sparse)
        else:
            self._check_name(leg.using, (DENSE,))
            self._check_size(leg.query)

    def _check_name(self, name: str, names: tuple[str, ...]) -> None:
        if name not in names:
            raise StoreUnavailable(
                f"検索索引にベクトル「{name}」がありません(あるもの: {'、'.join(names)})。",
                hint=REBUILD_HINT,
            )

    def _check_size(self, vector: Sequence[float]) -> None:
        if len(vector) != self.dense_size:
            raise StoreUnavailable(
                f"埋め込みの次元が検索索引と違います(索引 {self.dense_size}、今 {len(vector)})。",
                hint="埋め込みモデルを索引を作ったときのものに戻すか、" + REBUILD_HINT,
            )


@dataclass(frozen=True, slots=True)
class Where:
    """Which points count. Fields are joined by AND, the values inside a field by OR.

    A notice in `about` or `cites` is found with its date and without (`sought_ids`).

    An empty field restricts nothing: a caller that may see no shelf at all must not
    ask. `hidden` are generations that stay invisible.
    """

    books: tuple[str, ...] = ()
    shelves: tuple[str, ...] = ()
    editions: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()

    def keywords(self) -> list[tuple[str, list[str]]]:
        """The keyword fields that are restricted, each with the values it may have."""
        named = (sought_ids(self.about), sought_ids(self.cites))
        values = (self.books, self.shelves, self.editions, *named)
        pairs = zip(KEYWORD_FIELDS, values, strict=True)
        return [(name, list(allowed)) for name, allowed in pairs if allowed]


EVERYTHING = Where()


@dataclass(frozen=True, slots=True)
class Leg:
    """One query of a search: a sparse vector against the vector named `using`, or a dense one.

    `exact` asks for a full scan where a backend would otherwise approximate.
    """

    using: str
    query: Sparse | Sequence[float]
    limit: int
    exact: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the leg cannot match anything: no tokens, or nothing asked for."""
        return self.limit < 1 or (isinstance(self.query, Sparse) and not self.query.indices)

    @property
    def fetch(self) -> int:
        """How many points to ask the engine for, so that `best` can order ties at the cut."""
        return self.limit + _TIES


@dataclass(frozen=True, slots=True)
class Scored:
    """A point that was found. `score` is comparable within one leg only."""

    passage_id: str
    generation: int
    score: float


class Store(Protocol):
    """What every backend does. All calls may come from any thread.

    Every method raises `StoreUnavailable` where the engine cannot do its work.
    """

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, replacing those of the same passage and generation; durable on return."""
        ...

    def search(self, legs: Sequence[Leg], where: Where = EVERYTHING) -> list[list[Scored]]:
        """Run several legs over the same points in one call; one list a leg, best first."""
        ...

    def search_sparse(
        self, name: str, query: Sparse, limit: int, where: Where = EVERYTHING
    ) -> list[Scored]:
        """The `limit` best points by the sparse vector `name`, equal scores by passage id."""
        return self.search([Leg(name, query, limit)], where)[0]

    def search_dense(
        self, query: Sequence[float], limit: int, where: Where = EVERYTHING, *, exact: bool = False
    ) -> list[Scored]:
        """The `limit` best points by cosine with `query`, equal scores by passage id."""
        return self.search([Leg(DENSE, query, limit, exact)], where)[0]

    def select(self, where: Where, limit: int) -> list[tuple[str, int]]:
        """Up to `limit` (passage id, generation) that match, sorted; which ones is arbitrary."""
        ...

    def delete_generations(self, generations: Sequence[int]) -> None:
        """Remove every point of these generations; durable on return."""
        ...

    def count(self, where: Where = EVERYTHING) -> int:
        """How many points match, counted exactly."""
        ...

    def close(self) -> None:
        """Release the engine. Closing twice is harmless."""
        ...

    def drop(self) -> None:
        """Close the store and remove all that it holds; another one may then take its place."""
        ...


def point_id(point: Point) -> str:
    """The engine's id of a point, derived from passage and generation: a retry overwrites."""
    return str(uuid.uuid5(_POINT_IDS, f"{point.generation}/{point.passage_id}"))


def payload(point: Point) -> dict[str, object]:
    """The fields a point is filtered by and recognised with."""
    return {
        "passage_id": point.passage_id,
        "generation": point.generation,
        "book_id": point.book_id,
        "shelf": point.shelf,
        "edition": point.edition,
        "about": list(kept_ids(point.about)),
        "cites": list(kept_ids(point.cites)),
    }


def best(found: Iterable[Scored], limit: int) -> list[Scored]:
    """The `limit` best, equal scores in the order of their ids."""
    ranked = sorted(found, key=lambda hit: (-hit.score, hit.passage_id, hit.generation))
    return ranked[:limit]
