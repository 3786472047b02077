"""The service that holds a data directory, as seen by a command on the same machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from app.core.datadir import Service
from app.core.errors import BadRequest, DataDirLocked, NotFound, ShioriError

_KINDS: dict[str, type[ShioriError]] = {kind.code: kind for kind in (BadRequest, NotFound)}


class Client:
    """Calls a running service. Errors it answers with are raised as they were there."""

    def __init__(self, service: Service) -> None:
        # Never through a proxy: the service is on this machine.
        self._http = httpx.Client(
            base_url=service.url,
            headers={"X-Shiori-Token": service.token},
            timeout=httpx.Timeout(60.0, read=None),
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def search(self, query: str, k: int, filters: dict[str, Any]) -> dict[str, Any]:
        """The answer of /v1/search."""
        found: dict[str, Any] = self._post("/v1/search", query, k, filters)
        return found

    def ask(self, query: str, k: int, filters: dict[str, Any]) -> dict[str, Any]:
        """The answer of /v1/ask."""
        found: dict[str, Any] = self._post("/v1/ask", query, k, filters)
        return found

    def passage(self, passage_id: str) -> dict[str, Any]:
        """The answer of /v1/passages/{id}."""
        found: dict[str, Any] = self._call("GET", f"/v1/passages/{quote(passage_id, safe='')}")
        return found

    def books(self) -> list[dict[str, Any]]:
        """The answer of /v1/books."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/books")
        return found

    def health(self) -> dict[str, Any]:
        """The answer of /v1/health."""
        found: dict[str, Any] = self._call("GET", "/v1/health")
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """The latest ingestion jobs, newest first."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/local/jobs")
        return found

    def remove(self, book_id: str) -> dict[str, Any]:
        """Takes a book off the shelf; returns it."""
        found: dict[str, Any] = self._call("DELETE", f"/v1/local/books/{book_id}")
        return found

    def add(
        self, paths: list[Path], shelf: str, on_event: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Adds files through the service; returns the summary."""
        body = {"paths": _absolute(paths), "shelf": shelf}
        return self._follow("/v1/local/ingest", body, on_event)

    def supplement(
        self,
        book_id: str,
        files: list[Path],
        remove: list[str],
        as_of: str,
        on_event: Callable[[dict[str, Any]], None],
    ) -> dict[str, Any]:
        """Exchanges pages of a loose-leaf book through the service; returns what changed."""
        body = {"book_id": book_id, "paths": _absolute(files), "remove": remove, "as_of": as_of}
        return self._follow("/v1/local/supplement", body, on_event)

    def _follow(
        self, path: str, body: Any, on_event: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Hears of the events of a long call until its summary, or its error, comes."""
        for line in self._lines(path, body):
            if "event" in line:
                on_event(line["event"])
            elif "error" in line:
                raise _error(line["error"])
            else:
                summary: dict[str, Any] = line["summary"]
                return summary
        raise _gone()

    def _post(self, path: str, query: str, k: int, filters: dict[str, Any]) -> Any:
        return self._call("POST", path, {"query": query, "k": k, "filters": filters})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            response = self._http.request(method, path, json=body)
            values = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise _gone() from error
        if response.is_error:
            raise _error(values["error"])
        return values

    def _lines(self, path: str, body: Any) -> Iterator[dict[str, Any]]:
        try:
            with self._http.stream("POST", path, json=body) as response:
                if response.is_error:
                    response.read()
                    raise _error(response.json()["error"])
                for line in response.iter_lines():
                    yield json.loads(line)
        except (httpx.HTTPError, ValueError) as error:
            raise _gone() from error


def _absolute(paths: list[Path]) -> list[str]:
    return [str(path.expanduser().absolute()) for path in paths]


def _error(values: dict[str, str]) -> ShioriError:
    kind = _KINDS.get(values["code"], ShioriError)
    return kind(values["message"], hint=values["hint"], field=values["field"])


def _gone() -> DataDirLocked:
    return DataDirLocked(
        "データフォルダーを使っているサービスが応答しません。",
        hint="shiori serve の状態を確かめ、必要なら起動し直してください。",
        field="data_dir",
    )
