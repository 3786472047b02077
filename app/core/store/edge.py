"""The embedded store: Qdrant's engine in this process, one directory, one opener.

    <path>/schema.json    which vectors the store holds
    <path>/shard/         the engine's own files

Dense vectors are scanned exactly (m=0): at the size of a shelf that is as fast as a graph
and stays exact under filters.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import qdrant_edge as engine

from app.core.errors import DataDirLocked, StoreUnavailable
from app.core.store import (
    DENSE,
    EVERYTHING,
    ID_FIELDS,
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    REBUILD_HINT,
    Leg,
    Point,
    Schema,
    Scored,
    Sparse,
    Store,
    Where,
    best,
    payload,
    point_id,
)

_BATCH = 256


class EdgeStore(Store):
    """A store in the directory `path`; created where there is none.

    `fresh` drops what the directory holds and starts empty. Raises `DataDirLocked` while
    another opener (this process included) holds it, `StoreUnavailable` where it is damaged
    or was written with another schema.
    """

    def __init__(self, path: Path, schema: Schema, *, fresh: bool = False) -> None:
        self.path = path
        self.schema = schema
        _prepare(path, schema, fresh)
        with _engine_errors(path):
            self._shard = engine.EdgeShard.load(str(_shard(path)), _config(schema))
            self._create_indexes()
        self._has_deleted = _deleted_mark(path).exists()

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points and flush them to disk; batches of 256 are each written whole or not."""
        for point in points:
            self.schema.check_point(point)
        with _engine_errors(self.path):
            for start in range(0, len(points), _BATCH):
                batch = [_engine_point(point) for point in points[start : start + _BATCH]]
                self._shard.update(engine.UpdateOperation.upsert_points(batch))
            self._shard.flush()

    def search(self, legs: Sequence[Leg], where: Where = EVERYTHING) -> list[list[Scored]]:
        """Run the legs as one planned batch; a leg without tokens finds nothing."""
        asked = [leg for leg in legs if not leg.is_empty]
        for leg in asked:
            self.schema.check_leg(leg)
        batch = engine.QueryBatchRequest([self._request(leg, where) for leg in asked])
        with _engine_errors(self.path):
            answers = iter(self._shard.query_batch(batch) if asked else [])
        found: list[list[Scored]] = []
        for leg in legs:
            points = [] if leg.is_empty else next(answers)
            found.append(best((_scored(point) for point in points), leg.limit))
        return found

    def select(self, where: Where, limit: int) -> list[tuple[str, int]]:
        """Up to `limit` (passage id, generation) that match, sorted."""
        if limit < 1:
            return []
        request = engine.ScrollRequest(
            limit=limit, filter=_filter(where), with_payload=list(ID_FIELDS), with_vector=False
        )
        with _engine_errors(self.path):
            records, _ = self._shard.scroll(request)
        fields = [record.payload or {} for record in records]
        return sorted((item["passage_id"], item["generation"]) for item in fields)

    def delete_generations(self, generations: Sequence[int]) -> None:
        """Remove every point of these generations; their space returns with `compact`."""
        if not generations:
            return
        _deleted_mark(self.path).touch()
        self._has_deleted = True
        gone = engine.Filter(must=[_any_of("generation", list(generations))])
        with _engine_errors(self.path):
            self._shard.update(engine.UpdateOperation.delete_points_by_filter(gone))
            self._shard.flush()

    def count(self, where: Where = EVERYTHING) -> int:
        """How many points match, counted exactly."""
        with _engine_errors(self.path):
            return self._shard.count(engine.CountRequest(exact=True, filter=_filter(where)))

    def close(self) -> None:
        """Release the directory. Closing twice is harmless."""
        with _engine_errors(self.path):
            self._shard.close()

    def _request(self, leg: Leg, where: Where) -> engine.QueryRequest:
        return engine.QueryRequest(
            limit=leg.fetch,
            query=engine.Query.Nearest(_engine_vector(leg.query), using=leg.using),
            filter=_filter(where),
            params=self._params(leg, where),
            with_payload=list(ID_FIELDS),
        )

    def _params(self, leg: Leg, where: Where) -> engine.SearchParams:
        if isinstance(leg.query, Sparse) and (where.hidden or self._has_deleted):
            # Counting the visible points anew costs several times the query, so it is done
            # only while the engine's own counts hold points that nobody may see.
            visible = engine.Filter(must_not=_hidden(where))
            return engine.SearchParams(idf=engine.IdfParams(corpus=visible))
        return engine.SearchParams(exact=leg.exact)

    def drop(self) -> None:
        """Close the store and remove its directory."""
        self.close()
        try:
            shutil.rmtree(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StoreUnavailable(
                f"検索索引のフォルダ {self.path} を削除できません({error.strerror})。",
                hint="フォルダの権限を確かめてください。",
            ) from error

    def _create_indexes(self) -> None:
        present = self._shard.info().payload_schema
        kinds = dict.fromkeys(KEYWORD_FIELDS, engine.PayloadSchemaType.Keyword)
        kinds |= dict.fromkeys(INTEGER_FIELDS, engine.PayloadSchemaType.Integer)
        for name, kind in kinds.items():
            if name not in present:
                self._shard.update(engine.UpdateOperation.create_field_index(name, kind))
        self._shard.flush()


def compact(path: Path, *, timeout: float | None = None) -> bool:
    """Merge segments and drop deleted points of a closed store; True if anything changed.

    The engine holds the interpreter lock for as long as this takes (minutes on a large
    shelf), so it runs in a child process, which is killed after `timeout` seconds. Raises
    `DataDirLocked` while the store is open, `StoreUnavailable` where the child fails or
    is killed; the store stays usable either way.
    """
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _COMPACT, str(path)]
    try:
        done = subprocess.run(command, env=here, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise StoreUnavailable(
            f"検索索引 {path} の整理が {timeout:g} 秒で終わりませんでした。",
            hint="索引はそのまま使えます。時間を延ばして、もう一度実行してください。",
        ) from error
    if done.stdout.strip() == DataDirLocked.code:
        raise _locked(path)
    if done.returncode:
        raise StoreUnavailable(
            f"検索索引 {path} の整理が途中で止まりました(終了コード {done.returncode})。",
            hint="空きメモリと空き容量を確かめてください。索引はそのまま使えます。",
        ) from RuntimeError(done.stderr)
    return done.stdout.strip() == "changed"


_COMPACT = """
import sys
from pathlib import Path
from app.core.errors import DataDirLocked
from app.core.store.edge import optimize_here
try:
    print("changed" if optimize_here(Path(sys.argv[1])) else "unchanged")
except DataDirLocked as error:
    print(error.code)
"""


def optimize_here(path: Path) -> bool:
    """What `compact` runs in its child; True if anything changed. Never call it while serving."""
    with _engine_errors(path):
        shard = engine.EdgeShard.load(str(_shard(path)))
        changed = shard.optimize()
        shard.flush()
        shard.close()
    _deleted_mark(path).unlink(missing_ok=True)
    return changed


def _deleted_mark(path: Path) -> Path:
    """Exists while the engine's counts may hold deleted points."""
    return path / "deleted"


def _shard(path: Path) -> Path:
    return path / "shard"


def _prepare(path: Path, schema: Schema, fresh: bool) -> None:
    """Make the directory, or check that it was made for this schema.

    The schema is written before the engine's first file, so a directory without it is
    not a store and is left alone.
    """
    schema_file = path / "schema.json"
    try:
        path.mkdir(parents=True, exist_ok=True)
        is_store = schema_file.exists()
        if not is_store and any(path.iterdir()):
            raise StoreUnavailable(
                f"{path} は検索索引のフォルダではありません。",
                hint="空のフォルダを指定してください。",
            )
        if is_store and fresh:
            _discard(path)
        if is_store and not fresh:
            _check_schema(schema_file, schema)
        else:
            schema_file.write_text(json.dumps(schema.as_dict()), encoding="utf-8")
        _shard(path).mkdir(exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"検索索引のフォルダ {path} を読み書きできません({error.strerror})。",
            hint="フォルダの権限と空き容量を確かめてください。",
        ) from error


def _check_schema(schema_file: Path, schema: Schema) -> None:
    try:
        written = json.loads(schema_file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreUnavailable(f"{schema_file} が壊れています。", hint=REBUILD_HINT) from error
    if written != schema.as_dict():
        raise StoreUnavailable(
            f"検索索引の構成が設定と違います(索引 {written}、設定 {schema.as_dict()})。",
            hint=REBUILD_HINT,
        )


def _discard(path: Path) -> None:
    """Remove the engine's files, unless someone has them open."""
    shard = _shard(path)
    if not shard.is_dir():
        return
    try:
        with _engine_errors(path):
            engine.EdgeShard.load(str(shard)).close()
    except StoreUnavailable:
        pass  # damaged or never filled: that is why it goes
    shutil.rmtree(shard)
    _deleted_mark(path).unlink(missing_ok=True)


def _config(schema: Schema) -> engine.EdgeConfig:
    exact_scan = engine.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000)
    dense = engine.EdgeVectorParams(
        size=schema.dense_size, distance=engine.Distance.Cosine, hnsw_config=exact_scan
    )
    words = engine.EdgeSparseVectorParams(modifier=engine.Modifier.Idf)
    return engine.EdgeConfig(
        vectors={DENSE: dense} if schema.dense_size else None,
        sparse_vectors=dict.fromkeys(schema.sparse, words),
    )


def _engine_vector(vector: Sparse | Sequence[float]) -> engine.SparseVector | list[float]:
    if isinstance(vector, Sparse):
        return engine.SparseVector(vector.indices, vector.values)
    return [float(value) for value in vector]


def _engine_point(point: Point) -> engine.Point:
    vectors: dict[str, engine.NamedVector] = {
        name: _engine_vector(vector) for name, vector in point.sparse.items()
    }
    if point.dense is not None:
        vectors[DENSE] = _engine_vector(point.dense)
    return engine.Point(point_id(point), vectors, payload(point))


def _filter(where: Where) -> engine.Filter:
    must: list[engine.ConditionType] = [_any_of(name, values) for name, values in where.keywords()]
    return engine.Filter(must=must, must_not=_hidden(where))


def _hidden(where: Where) -> list[engine.ConditionType]:
    return [_any_of("generation", list(where.hidden))] if where.hidden else []


def _any_of(name: str, values: list[str] | list[int]) -> engine.FieldCondition:
    return engine.FieldCondition(name, match=engine.MatchAny(values))


def _scored(point: engine.ScoredPoint) -> Scored:
    fields = point.payload or {}
    return Scored(fields["passage_id"], fields["generation"], point.score)


@contextmanager
def _engine_errors(path: Path) -> Iterator[None]:
    """Turn the engine's errors into ours: it raises plain `Exception`s told apart by their text."""
    try:
        yield
    except Exception as error:
        if type(error) is not Exception:
            raise
        if "WouldBlock" in str(error):
            raise _locked(path) from error
        raise StoreUnavailable(
            f"検索索引 {path} を使えません({error})。",
            hint="空き容量を確かめてください。直らなければ、" + REBUILD_HINT,
        ) from error


def _locked(path: Path) -> DataDirLocked:
    return DataDirLocked(
        f"検索索引 {path} は別のプロセスが使っています。",
        hint="動いている Shiori(サーバーや取り込み)を止めてから、もう一度実行してください。",
    )
