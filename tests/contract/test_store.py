"""One suite for every store: what the product relies on, whichever engine answers."""

import http.server
import math
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from app.core.errors import DataDirLocked, StoreUnavailable
from app.core.store import Leg, Point, Schema, Scored, Sparse, Store, Where
from app.core.store.edge import EdgeStore, compact
from app.core.store.server import ServerStore

SERVER_URL = os.environ.get("SHIORI_TEST_QDRANT_URL", "")
SCHEMA = Schema(sparse=("words", "readings"), dense_size=4)
TOLERANCE = 1e-4  # engines sum 32-bit floats in different orders


class Backend(NamedTuple):
    name: str
    open: Callable[..., Store]  # keywords: schema, fresh


@pytest.fixture(params=["edge", "local", "server"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return make_backend(request.param, tmp_path)


def make_backend(name: str, path: Path, collection: str = "shiori_contract") -> Backend:
    if name == "server" and not SERVER_URL:
        pytest.skip("no Qdrant server: SHIORI_TEST_QDRANT_URL is not set")

    def open_store(schema: Schema = SCHEMA, *, fresh: bool = False) -> Store:
        if name == "edge":
            return EdgeStore(path / "edge", schema, fresh=fresh)
        if name == "local":
            return ServerStore.local(path / "local", schema, fresh=fresh)
        key = os.environ.get("SHIORI_TEST_QDRANT_KEY", "")
        return ServerStore.connect(
            SERVER_URL, schema, api_key=key, collection=collection, fresh=fresh
        )

    return Backend(name, open_store)


@pytest.fixture(scope="module", params=["edge", "local", "server"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    backend = make_backend(request.param, tmp_path_factory.mktemp("shared"), "shiori_shared")
    with closing(backend.open(fresh=True)) as opened:
        yield opened


@pytest.fixture
def store(shared: Store) -> Iterator[Store]:
    """An empty store; every test here writes generations 1 to 3 only."""
    yield shared
    shared.delete_generations([1, 2, 3])
    assert shared.count() == 0


def point(passage_id: str, words: dict[int, float] | None = None, **changes: object) -> Point:
    base = Point(
        passage_id, 1, "本一", "戸籍", "第3版", sparse={"words": sparse(words or {1: 1.0})}
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def sparse(weights: dict[int, float]) -> Sparse:
    indices = sorted(weights)
    return Sparse(indices, [weights[index] for index in indices])


def ids(found: list[Scored]) -> list[str]:
    return [hit.passage_id for hit in found]


def idf(points: int, having: int) -> float:
    return math.log(1 + (points - having + 0.5) / (having + 0.5))


# writing


def test_a_retried_upsert_changes_nothing(store: Store) -> None:
    points = [point("a"), point("b")]
    store.upsert(points)
    store.upsert(points)
    assert store.count() == 2


def test_an_upsert_replaces_vectors_and_fields(store: Store) -> None:
    store.upsert([point("a", {1: 1.0}, shelf="旧")])
    store.upsert([point("a", {2: 1.0}, shelf="新")])
    assert store.search_sparse("words", sparse({1: 1.0}), 10) == []
    assert ids(store.search_sparse("words", sparse({2: 1.0}), 10)) == ["a"]
    assert (store.count(Where(shelves=("旧",))), store.count(Where(shelves=("新",)))) == (0, 1)


def test_the_same_passage_lives_in_two_generations(store: Store) -> None:
    store.upsert([point("a", generation=1), point("a", generation=2)])
    assert store.select(Where(), 10) == [("a", 1), ("a", 2)]


def test_upserts_larger_than_a_batch_arrive_whole(store: Store) -> None:
    store.upsert([point(f"p{number:04}") for number in range(300)])
    assert store.count() == 300
    assert len(store.select(Where(), 1000)) == 300


def test_nothing_is_done_with_nothing(store: Store) -> None:
    store.upsert([])
    store.delete_generations([])
    assert store.count() == 0
    assert store.search([]) == []


def test_a_point_without_vectors_is_still_selected(store: Store) -> None:
    store.upsert([point("空", sparse={}, cites=("民法:767",))])
    assert store.select(Where(cites=("民法:767",)), 10) == [("空", 1)]
    assert store.search_sparse("words", sparse({1: 1.0}), 10) == []


def test_deleting_a_generation_leaves_the_others(store: Store) -> None:
    store.upsert([point("a", generation=number) for number in (1, 2, 3)])
    store.delete_generations([1, 3])
    assert store.select(Where(), 10) == [("a", 2)]


def test_vectors_of_another_schema_are_refused(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="chars"):
        store.upsert([point("a", sparse={"chars": sparse({1: 1.0})})])
    with pytest.raises(StoreUnavailable, match="次元"):
        store.upsert([point("a", dense=[1.0, 0.0])])
    with pytest.raises(StoreUnavailable, match="次元"):
        store.search_dense([1.0], 10)
    with pytest.raises(StoreUnavailable, match="chars"):
        store.search_sparse("chars", sparse({1: 1.0}), 10)


@pytest.mark.parametrize(
    ("indices", "values"), [([2, 1], [1.0, 1.0]), ([1, 1], [1.0, 1.0]), ([1], [])]
)
def test_a_malformed_sparse_vector_cannot_be_made(indices: list[int], values: list[float]) -> None:
    with pytest.raises(ValueError, match="sparse vector"):
        Sparse(indices, values)


# filters


@pytest.fixture(scope="module", params=["edge", "local", "server"])
def three_books(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    backend = make_backend(request.param, tmp_path_factory.mktemp("three_books"), "shiori_filters")
    with closing(backend.open(fresh=True)) as opened:
        opened.upsert(
            [
                point(
                    "a", book_id="戸籍の実務", about=("戸籍法:77_2",), cites=("民法:767", "国籍法:2"),
                    dense=[1, 0, 0, 0],
                ),
                point(
                    "b", book_id="渉外事件", shelf="渉外", edition="改訂版", cites=("民法:767",),
                    dense=[0, 1, 0, 0],
                ),
                point("c", book_id="無題", edition="", generation=2, dense=[0, 0, 1, 0]),
            ]
        )  # fmt: skip
        yield opened


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where(), ["a", "b", "c"]),
        (Where(books=("戸籍の実務",)), ["a"]),
        (Where(books=("戸籍の実務", "渉外事件")), ["a", "b"]),
        (Where(books=("ない本",)), []),
        (Where(shelves=("戸籍",)), ["a", "c"]),
        (Where(editions=("改訂版",)), ["b"]),
        (Where(editions=("",)), ["c"]),
        (Where(about=("戸籍法:77_2",)), ["a"]),
        (Where(cites=("民法:767",)), ["a", "b"]),
        (Where(cites=("民法:767",), shelves=("戸籍",)), ["a"]),
        (Where(hidden=(1,)), ["c"]),
        (Where(hidden=(1, 2)), []),
        (Where(hidden=(2,), books=("渉外事件",)), ["b"]),
    ],
)  # fmt: skip
def test_filters_agree_in_select_count_and_search(
    three_books: Store, where: Where, expected: list[str]
) -> None:
    assert [passage for passage, _ in three_books.select(where, 10)] == expected
    assert three_books.count(where) == len(expected)
    assert ids(three_books.search_sparse("words", sparse({1: 1.0}), 10, where)) == expected
    assert sorted(ids(three_books.search_dense([1, 1, 1, 0], 10, where))) == expected


def test_unusual_ids_come_back_as_they_were(store: Store) -> None:
    names = ["戸籍法/第七十七条の二", "﨑濵-⼾籍-2", "𠮷野家 '\"\\", "e\u0301", "é"]
    store.upsert([point(name) for name in names])
    assert {passage for passage, _ in store.select(Where(), 10)} == set(names)
    assert set(ids(store.search_sparse("words", sparse({1: 1.0}), 10))) == set(names)


def test_select_stops_at_its_limit(store: Store) -> None:
    store.upsert([point(f"p{number}") for number in range(5)])
    assert len(store.select(Where(), 3)) == 3
    assert store.select(Where(), 0) == []


# sparse ranking


def test_sparse_scores_follow_the_stated_formula(store: Store) -> None:
    store.upsert([point("a", {1: 2.0, 2: 1.0}), point("b", {1: 1.0}), point("c", {3: 1.0})])
    found = store.search_sparse("words", sparse({1: 1.0, 2: 0.5, 99: 1.0}), 10)
    assert ids(found) == ["a", "b"]
    assert found[0].score == pytest.approx(2 * idf(3, 2) + 0.5 * idf(3, 1), abs=TOLERANCE)
    assert found[1].score == pytest.approx(idf(3, 2), abs=TOLERANCE)


def test_filters_do_not_change_scores(store: Store) -> None:
    store.upsert([point("a", {1: 1.0}), point("b", {1: 1.0}, book_id="本二"), point("c", {2: 1.0})])
    query = sparse({1: 1.0})
    everywhere = {hit.passage_id: hit.score for hit in store.search_sparse("words", query, 10)}
    [hit] = store.search_sparse("words", query, 10, Where(books=("本二",)))
    assert hit.score == pytest.approx(everywhere["b"], abs=TOLERANCE)


def test_hidden_and_deleted_points_do_not_count_for_idf(store: Store) -> None:
    store.upsert([point("a", {1: 1.0}), point("b", {2: 1.0})])
    query = sparse({1: 1.0})
    alone = store.search_sparse("words", query, 10)
    store.upsert([point(f"n{number}", {1: 1.0}, generation=2) for number in range(20)])
    hidden = store.search_sparse("words", query, 10, Where(hidden=(2,)))
    store.delete_generations([2])
    deleted = store.search_sparse("words", query, 10)
    assert ids(alone) == ids(hidden) == ids(deleted) == ["a"]
    for [hit] in (alone, hidden, deleted):
        assert hit.score == pytest.approx(idf(2, 1), abs=TOLERANCE)


def test_idf_counts_only_points_that_have_the_vector(store: Store) -> None:
    readings = {"readings": sparse({1: 1.0})}
    store.upsert([point("a"), point("b"), point("c", sparse=readings)])
    [hit] = store.search_sparse("readings", sparse({1: 1.0}), 10)
    assert hit.score == pytest.approx(idf(1, 1), abs=TOLERANCE)


def test_equal_scores_come_in_the_order_of_ids(store: Store) -> None:
    names = [f"p{number}" for number in range(9)]
    store.upsert([point(name) for name in reversed(names)])
    assert ids(store.search_sparse("words", sparse({1: 1.0}), 4)) == names[:4]


def test_a_query_without_tokens_finds_nothing(store: Store) -> None:
    store.upsert([point("a")])
    assert store.search_sparse("words", sparse({}), 10) == []
    assert store.search_sparse("words", sparse({1: 1.0}), 0) == []


# dense ranking and several legs


def test_dense_scores_are_cosines(store: Store) -> None:
    store.upsert(
        [
            point("同", dense=[2, 0, 0, 0]),
            point("斜", dense=[3, 3, 0, 0]),
            point("反", dense=[-1, 0, 0, 0]),
            point("無"),
        ]
    )
    found = store.search_dense([1, 0, 0, 0], 10, exact=True)
    assert ids(found) == ["同", "斜", "反"]
    assert [hit.score for hit in found] == pytest.approx([1, math.sqrt(0.5), -1], abs=TOLERANCE)


def test_legs_answer_in_their_order(store: Store) -> None:
    store.upsert(
        [point("a", {1: 1.0}, dense=[1, 0, 0, 0]), point("b", {2: 1.0}, dense=[0, 1, 0, 0])]
    )
    legs = [
        Leg("words", sparse({2: 1.0}), 5),
        Leg("words", sparse({}), 5),
        Leg("dense", [1.0, 0.1, 0, 0], 1),
    ]
    assert [ids(found) for found in store.search(legs)] == [["b"], [], ["a"]]


def test_backends_agree_on_random_data(backend: Backend, tmp_path: Path) -> None:
    if backend.name == "edge":
        pytest.skip("edge is what the others are compared with")
    dice = random.Random(20260401)
    points = [random_point(dice, number) for number in range(200)]
    queries = [random_words(dice, 6) for _ in range(8)]
    wheres = [Where(), Where(books=("本0", "本3")), Where(hidden=(2,))]
    with (
        closing(backend.open(fresh=True)) as other,
        closing(make_backend("edge", tmp_path).open()) as edge,
    ):
        for opened in (edge, other):
            opened.upsert(points)
        for query in queries:
            dense = [dice.gauss(0, 1) for _ in range(4)]
            for where in wheres:
                legs = [Leg("words", query, 20), Leg("dense", dense, 20, exact=True)]
                for ours, theirs in zip(
                    edge.search(legs, where), other.search(legs, where), strict=True
                ):
                    assert_same_ranking(ours, theirs)
        for opened in (edge, other):
            opened.upsert(points[:100])
            opened.delete_generations([3])
        for where in wheres:
            assert edge.select(where, 1000) == other.select(where, 1000)
            assert edge.count(where) == other.count(where)


def random_words(dice: random.Random, size: int) -> Sparse:
    return sparse(
        {min(int(dice.paretovariate(0.6)), 400): dice.uniform(0.2, 3) for _ in range(size)}
    )


def random_point(dice: random.Random, number: int) -> Point:
    return point(
        f"p{number}",
        generation=dice.choice((1, 2, 3)),
        book_id=f"本{dice.randrange(6)}",
        sparse={"words": random_words(dice, 25)},
        dense=[dice.gauss(0, 1) for _ in range(4)],
    )


def assert_same_ranking(ours: list[Scored], theirs: list[Scored]) -> None:
    assert [hit.score for hit in ours] == pytest.approx(
        [hit.score for hit in theirs], abs=TOLERANCE
    )
    theirs_by_id = {(hit.passage_id, hit.generation): hit.score for hit in theirs}
    lowest = ours[-1].score if ours else 0.0
    for hit in ours:
        other = theirs_by_id.get((hit.passage_id, hit.generation), lowest)
        assert hit.score == pytest.approx(other, abs=TOLERANCE)


# opening, closing, dying


def test_a_closed_store_reopens_with_everything(backend: Backend) -> None:
    with closing(backend.open(fresh=True)) as first:
        first.upsert([point("a", dense=[1, 0, 0, 0]), point("b", {2: 1.0})])
        before = first.search_sparse("words", sparse({2: 1.0}), 10)
    with closing(backend.open()) as second:
        assert second.select(Where(), 10) == [("a", 1), ("b", 1)]
        assert second.search_sparse("words", sparse({2: 1.0}), 10) == before
        assert ids(second.search_dense([1, 0, 0, 0], 10)) == ["a"]


def test_a_dropped_store_leaves_nothing(backend: Backend) -> None:
    opened = backend.open(fresh=True)
    opened.upsert([point("a")])
    opened.drop()
    other = replace(SCHEMA, dense_size=8)
    with closing(backend.open(other)) as again:  # another schema may take its place
        assert again.count() == 0


def test_closing_twice_is_harmless(backend: Backend) -> None:
    opened = backend.open(fresh=True)
    opened.close()
    opened.close()


@pytest.mark.parametrize("other", [Schema(("words",), 4), Schema(("words", "readings"), 8)])
def test_another_schema_is_refused_until_the_store_is_made_afresh(
    backend: Backend, other: Schema
) -> None:
    with closing(backend.open(fresh=True)) as first:
        first.upsert([point("a")])
    with pytest.raises(StoreUnavailable, match="構成") as refused:
        backend.open(other)
    assert "作り直し" in refused.value.hint
    with closing(backend.open()) as again:
        assert again.count() == 1
    with closing(backend.open(other, fresh=True)) as rebuilt:
        assert rebuilt.count() == 0


# local mode leaves its lock file to the garbage collector when it is refused
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_second_opener_is_refused(backend: Backend) -> None:
    if backend.name == "server":
        pytest.skip("a server has many clients")
    with closing(backend.open()) as first:
        first.upsert([point("a")])
        for fresh in (False, True):
            with pytest.raises(DataDirLocked, match="別のプロセス"):
                backend.open(fresh=fresh)
        assert first.count() == 1


WRITER = f"""
import sys
from pathlib import Path
from {__name__} import make_backend, point
store = make_backend(sys.argv[1], Path(sys.argv[2])).open()
for batch in range(10_000):
    store.upsert([point(f"{{batch}}-{{number}}") for number in range(20)])
    print(batch, flush=True)
"""


def test_acknowledged_points_survive_a_killed_writer(backend: Backend, tmp_path: Path) -> None:
    backend.open(fresh=True).close()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, backend.name, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(8)][-1]
        writer.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
    with closing(backend.open()) as survivor:
        kept = {passage for passage, _ in survivor.select(Where(), 1_000_000)}
        assert kept >= {
            f"{batch}-{number}" for batch in range(acknowledged + 1) for number in range(20)
        }
        survivor.upsert([point("次")])
        assert survivor.count() == len(kept) + 1


def test_searches_go_on_while_another_thread_writes(store: Store) -> None:
    if isinstance(store, ServerStore) and not SERVER_URL:
        pytest.skip("local mode stays in the thread that opened it")
    store.upsert([point("a", {1: 1.0, 7: 5.0})])
    with ThreadPoolExecutor(2) as pool:
        searches = [pool.submit(search_often, store) for _ in range(2)]
        for batch in range(5):
            store.upsert([point(f"{batch}-{number}", generation=2) for number in range(50)])
        store.delete_generations([2])
        assert all(found == {("a", 1)} for search in searches for found in search.result())


def search_often(store: Store) -> list[set[tuple[str, int]]]:
    hidden = Where(hidden=(2,))
    rounds = [store.search_sparse("words", sparse({1: 1.0}), 10, hidden) for _ in range(50)]
    return [{(hit.passage_id, hit.generation) for hit in found} for found in rounds]


# the embedded engine alone


def test_compacting_keeps_points_and_scores(tmp_path: Path) -> None:
    path = tmp_path / "store"
    query = sparse({1: 1.0, 2: 1.0})
    with closing(EdgeStore(path, SCHEMA)) as opened:
        opened.upsert([point(f"a{number}", {1: 1.0, number: 1.0}) for number in range(2, 40)])
        opened.upsert([point(f"b{number}", generation=2) for number in range(40)])
        opened.delete_generations([2])
        before = opened.search_sparse("words", query, 10)
        with pytest.raises(DataDirLocked):
            compact(path, timeout=60)
    compact(path, timeout=60)
    with closing(EdgeStore(path, SCHEMA)) as opened:
        assert opened.count() == 38
        assert_same_ranking(opened.search_sparse("words", query, 10), before)


def test_a_damaged_store_names_its_path_and_can_be_made_afresh(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with closing(EdgeStore(path, SCHEMA)) as opened:
        opened.upsert([point("a")])
    for state in path.glob("shard/segments/*/segment.json"):
        state.write_text("{", encoding="utf-8")
    with pytest.raises(StoreUnavailable, match=str(path)) as refused:
        EdgeStore(path, SCHEMA)
    assert "作り直し" in refused.value.hint
    with closing(EdgeStore(path, SCHEMA, fresh=True)) as opened:
        assert opened.count() == 0


def test_a_folder_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shard").mkdir()
    (tmp_path / "shard" / "大事.txt").write_text("x", encoding="utf-8")
    for fresh in (False, True):
        with pytest.raises(StoreUnavailable, match="フォルダ"):
            EdgeStore(tmp_path, SCHEMA, fresh=fresh)
    assert [file.name for file in tmp_path.rglob("*.*")] == ["大事.txt"]


# the server alone


def test_an_absent_server_is_named(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(StoreUnavailable, match=url) as refused:
            ServerStore.connect(url, SCHEMA, timeout=2)
    assert refused.value.hint


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(StoreUnavailable, match="URL"):
        ServerStore.connect("localhost:6333", SCHEMA)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b"Invalid API key", "API キー"),
        (500, b"{}", "エラー"),
        (200, b'{"title":"qdrant","version":"1.17.1"}', "古すぎます"),
    ],
)
def test_a_server_that_refuses_is_named_and_the_key_is_not(
    status: int, body: bytes, message: str
) -> None:
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://user:p4ss@127.0.0.1:{server.server_port}"
            with pytest.raises(StoreUnavailable, match=message) as refused:
                ServerStore.connect(url, SCHEMA, api_key="s3cret", timeout=5)
        finally:
            server.shutdown()
            thread.join()
    shown = repr(refused.value.as_dict()) + repr(refused.value.__cause__)
    assert str(server.server_port) in refused.value.message or status == 200
    assert "s3cret" not in shown
    assert "p4ss" not in shown
