"""The store on a Qdrant server, and the same client's own local mode for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

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
_OLDEST = (1, 19)  # the first server that counts document frequencies over a filter


class ServerStore(Store):
    """A store in one collection of a Qdrant server; created where there is none.

    Open it with `connect` or `local`. `fresh` drops the collection and starts empty.
    Raises `StoreUnavailable` where the server does not answer, refuses the key, is too
    old, or holds a collection of another schema.
    """

    def __init__(
        self,
        client: QdrantClient,
        address: str,
        schema: Schema,
        *,
        collection: str,
        is_server: bool,
        fresh: bool = False,
    ) -> None:
        self.address = address
        self.schema = schema
        self.collection = collection
        self._client = client
        self._is_server = is_server
        try:
            with _server_errors(address):
                self._open(fresh)
        except StoreUnavailable:
            client.close()
            raise

    @classmethod
    def connect(
        cls,
        url: str,
        schema: Schema,
        *,
        api_key: str = "",
        collection: str = "shiori",
        timeout: int = 30,
        fresh: bool = False,
    ) -> ServerStore:
        """Open the collection on the server at `url`; `timeout` is in seconds a call."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreUnavailable(
                "Qdrant サーバーの URL を読めません。",
                hint="http://ホスト名:6333 の形で指定してください。",
            )
        port = f":{parts.port}" if parts.port else ""
        # As a header, because the client warns of a key on http, usual on a closed network.
        headers = {"api-key": api_key} if api_key else None
        client = QdrantClient(url=url, headers=headers, timeout=timeout, check_compatibility=False)
        return cls(
            client,
            f"{parts.scheme}://{parts.hostname}{port}",
            schema,
            collection=collection,
            is_server=True,
            fresh=fresh,
        )

    @classmethod
    def local(
        cls,
        path: Path | None,
        schema: Schema,
        *,
        collection: str = "shiori",
        fresh: bool = False,
    ) -> ServerStore:
        """Open the client's local mode in `path`, in memory without one.

        For tests and comparison: it scans everything and stays in the thread that opened it.
        """
        try:
            client = QdrantClient(path=str(path)) if path else QdrantClient(":memory:")
        except RuntimeError as error:
            raise DataDirLocked(
                f"検索索引 {path} は別のプロセスが使っています。",
                hint="動いている Shiori(サーバーや取り込み)を止めてから、もう一度実行してください。",
            ) from error
        return cls(
            client,
            str(path or ":memory:"),
            schema,
            collection=collection,
            is_server=False,
            fresh=fresh,
        )

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points in batches of 256 and wait until the server has applied them."""
        for point in points:
            self.schema.check_point(point)
        with _server_errors(self.address):
            for start in range(0, len(points), _BATCH):
                batch = [_engine_point(point) for point in points[start : start + _BATCH]]
                self._client.upsert(self.collection, batch, wait=True)

    def search(self, legs: Sequence[Leg], where: Where = EVERYTHING) -> list[list[Scored]]:
        """Run all legs in one round trip; a leg without tokens finds nothing."""
        asked = [leg for leg in legs if not leg.is_empty]
        for leg in asked:
            self.schema.check_leg(leg)
        batch = [self._request(leg, where) for leg in asked]
        with _server_errors(self.address):
            answers = iter(self._client.query_batch_points(self.collection, batch) if asked else [])
        found: list[list[Scored]] = []
        for leg in legs:
            points = [] if leg.is_empty else next(answers).points
            found.append(best((_scored(point) for point in points), leg.limit))
        return found

    def select(self, where: Where, limit: int) -> list[tuple[str, int]]:
        """Up to `limit` (passage id, generation) that match, sorted."""
        if limit < 1:
            return []
        with _server_errors(self.address):
            records, _ = self._client.scroll(
                self.collection, _filter(where), limit=limit, with_payload=list(ID_FIELDS)
            )
        fields = [record.payload or {} for record in records]
        return sorted((item["passage_id"], item["generation"]) for item in fields)

    def delete_generations(self, generations: Sequence[int]) -> None:
        """Remove every point of these generations and wait until the server has done so."""
        if not generations:
            return
        gone = models.Filter(must=[_any_of("generation", list(generations))])
        with _server_errors(self.address):
            self._client.delete(self.collection, models.FilterSelector(filter=gone), wait=True)

    def count(self, where: Where = EVERYTHING) -> int:
        """How many points match, counted exactly."""
        with _server_errors(self.address):
            return self._client.count(self.collection, _filter(where), exact=True).count

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        self._client.close()

    def drop(self) -> None:
        """Remove the collection and close the connection."""
        with _server_errors(self.address):
            self._client.delete_collection(self.collection)
        self.close()

    def _open(self, fresh: bool) -> None:
        if self._is_server:
            _check_version(self._client.info().version)
        if fresh:
            self._client.delete_collection(self.collection)
        if not self._client.collection_exists(self.collection):
            self._client.create_collection(
                self.collection,
                vectors_config=_dense_config(self.schema),
                sparse_vectors_config={
                    name: models.SparseVectorParams(modifier=models.Modifier.IDF)
                    for name in self.schema.sparse
                },
                metadata=self.schema.as_dict(),
            )
        info = self._client.get_collection(self.collection)
        if info.config.metadata != self.schema.as_dict():
            raise StoreUnavailable(
                f"{self.address} のコレクション「{self.collection}」の構成が設定と違います"
                f"(索引 {info.config.metadata}、設定 {self.schema.as_dict()})。",
                hint="別のコレクション名を指定するか、" + REBUILD_HINT,
            )
        if self._is_server:  # local mode has no payload indexes and warns when asked for one
            self._create_indexes(set(info.payload_schema))

    def _create_indexes(self, present: set[str]) -> None:
        kinds = dict.fromkeys(KEYWORD_FIELDS, models.PayloadSchemaType.KEYWORD)
        kinds |= dict.fromkeys(INTEGER_FIELDS, models.PayloadSchemaType.INTEGER)
        for name, kind in kinds.items():
            if name not in present:
                self._client.create_payload_index(self.collection, name, kind, wait=True)

    def _request(self, leg: Leg, where: Where) -> models.QueryRequest:
        params: models.SearchParams | None = None
        if isinstance(leg.query, Sparse) and where.hidden:
            # A server reclaims deleted points by itself; hidden ones must be left out of its counts.
            visible = models.Filter(must_not=_hidden(where))
            params = models.SearchParams(idf=models.IdfCorpusParams(corpus=visible))
        elif self._is_server:  # local mode is always exact and warns when told so
            params = models.SearchParams(exact=leg.exact)
        return models.QueryRequest(
            query=_engine_vector(leg.query),
            using=leg.using,
            filter=_filter(where),
            params=params,
            limit=leg.fetch,
            with_payload=list(ID_FIELDS),
        )


def _check_version(version: str) -> None:
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if numbers < _OLDEST:
        oldest = ".".join(str(number) for number in _OLDEST)
        raise StoreUnavailable(
            f"Qdrant サーバーが古すぎます(今 {version}、必要 {oldest} 以降)。",
            hint="Qdrant サーバーを更新するか、組み込みの索引を使ってください。",
        )


def _dense_config(schema: Schema) -> dict[str, models.VectorParams]:
    if not schema.dense_size:
        return {}
    return {DENSE: models.VectorParams(size=schema.dense_size, distance=models.Distance.COSINE)}


def _engine_vector(vector: Sparse | Sequence[float]) -> models.SparseVector | list[float]:
    if isinstance(vector, Sparse):
        return models.SparseVector(indices=vector.indices, values=vector.values)
    return [float(value) for value in vector]


def _engine_point(point: Point) -> models.PointStruct:
    vectors: dict[str, models.Vector] = {
        name: _engine_vector(vector) for name, vector in point.sparse.items()
    }
    if point.dense is not None:
        vectors[DENSE] = _engine_vector(point.dense)
    return models.PointStruct(id=point_id(point), vector=vectors, payload=payload(point))


def _filter(where: Where) -> models.Filter:
    must: list[models.Condition] = [_any_of(name, values) for name, values in where.keywords()]
    return models.Filter(must=must, must_not=_hidden(where))


def _hidden(where: Where) -> list[models.Condition]:
    return [_any_of("generation", list(where.hidden))] if where.hidden else []


def _any_of(name: str, values: list[str] | list[int]) -> models.FieldCondition:
    return models.FieldCondition(key=name, match=models.MatchAny(any=values))


def _scored(point: models.ScoredPoint) -> Scored:
    fields = point.payload or {}
    return Scored(fields["passage_id"], fields["generation"], float(point.score))


@contextmanager
def _server_errors(address: str) -> Iterator[None]:
    """Turn the client's errors into ours. The key never appears in them."""
    try:
        yield
    except UnexpectedResponse as error:
        if error.status_code in (401, 403):
            raise StoreUnavailable(
                f"Qdrant サーバー {address} が API キーを受け付けません({error.status_code})。",
                hint="設定の API キーと、サーバー側のキーの権限を確かめてください。",
            ) from error
        raise StoreUnavailable(
            f"Qdrant サーバー {address} がエラーを返しました({error.status_code})。",
            hint="Qdrant サーバーのログを確かめてください。",
        ) from error
    except (ApiException, QdrantException) as error:
        raise StoreUnavailable(
            f"Qdrant サーバー {address} につながりません。",
            hint="サーバーが動いているか、URL とポート、ファイアウォールを確かめてください。",
        ) from error
