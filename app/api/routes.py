"""The REST interface, /v1."""

from __future__ import annotations

import json
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.answer.compose import Answered, Answerer
from app.api import examples, openai
from app.api.schemas import (
    AskIn,
    AskOut,
    BookOut,
    ErrorOut,
    FiltersIn,
    HealthOut,
    PassageOut,
    QuestionIn,
    SearchOut,
    ask_out,
    book_out,
    passage_out,
    search_out,
)
from app.api.stream import event_stream
from app.core.book import Book
from app.core.errors import Forbidden, ShioriError
from app.core.ledger import Ledger
from app.live import MEDIA_TYPE
from app.search.pipeline import Searcher

log = logging.getLogger(__name__)


class Product(Protocol):
    """What the interface needs of the product; `app.main.Shiori` is one."""

    ledger: Ledger
    searcher: Searcher
    answerer: Answerer

    def health(self) -> dict[str, Any]:
        """The fields of HealthOut."""
        ...

    def remove(self, book_id: str) -> Book:
        """Takes a book off the shelf."""
        ...

    def add(self, paths: Sequence[Path], *, shelf: str, on_event: Callable[[Any], None]) -> Any:
        """Adds files; the result has `as_json()`, the events are dataclasses."""
        ...

    def supplement(
        self,
        book_id: str,
        files: Sequence[Path],
        *,
        remove: Sequence[str],
        as_of: str,
        on_event: Callable[[Any], None],
    ) -> Any:
        """Exchanges pages of a loose-leaf book; result and events as those of `add`."""
        ...


class PathsIn(BaseModel):
    """Files, folders or archives on the service's own machine."""

    model_config = ConfigDict(extra="forbid")

    paths: list[str] = Field(min_length=1)
    shelf: str = ""


class SupplementIn(BaseModel):
    """A supplement to a loose-leaf book, on the service's own machine."""

    model_config = ConfigDict(extra="forbid")

    book_id: str
    paths: list[str] = Field(min_length=1)
    remove: list[str] = []
    as_of: str = ""


_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "書籍やパッセージが無い"},
    422: {"model": ErrorOut, "description": "入力が使えない"},
    503: {"model": ErrorOut, "description": "準備中、または検索エンジンが使えない"},
}


def router(product: Product, token: str) -> APIRouter:
    """The routes over one product; `token` admits commands from the service's own machine."""
    routes = APIRouter(prefix="/v1", responses=_ERRORS)

    def log_answer(answered: Answered) -> None:
        result = answered.result
        product.ledger.log_question(
            "ask",
            result.query,
            [hit.passage.id for hit in result.hits],
            answered.took_ms,
            answered.answer.answered,
        )

    @routes.get("/search", summary="質問に答えるパッセージを探す")
    def search(
        q: Annotated[
            str, Query(description="質問文、語句、または条文・先例番号", examples=[examples.QUERY])
        ],
        k: Annotated[int, Query(description="返すパッセージの数 (1〜200)")] = 10,
        books: Annotated[list[str] | None, Query(description="書籍ID")] = None,
        shelves: Annotated[list[str] | None, Query(description="書棚名")] = None,
        editions: Annotated[list[str] | None, Query(description="版")] = None,
        as_of: Annotated[
            str, Query(description="この日に有効な版だけ", examples=["2026-04-01"])
        ] = "",
        citing: Annotated[
            list[str] | None, Query(description="この条文・先例を引用", examples=[["民法772条"]])
        ] = None,
    ) -> SearchOut:
        filters = FiltersIn(
            books=books or [],
            shelves=shelves or [],
            editions=editions or [],
            as_of=as_of,
            citing=citing or [],
        )
        return search_post(QuestionIn(query=q, k=k, filters=filters))

    @routes.post("/search", summary="質問に答えるパッセージを探す")
    def search_post(question: QuestionIn) -> SearchOut:
        result = product.searcher.search(question.query, question.k, question.filters.to_filters())
        shown = [hit.passage.id for hit in result.hits]
        product.ledger.log_question("search", result.query, shown, result.took_ms)
        return search_out(result)

    @routes.get("/ask", summary="質問に、根拠を引いて答える")
    def ask(
        q: Annotated[str, Query(description="質問文", examples=[examples.QUERY])],
        k: Annotated[int, Query(description="返すパッセージの数 (1〜200)")] = 10,
    ) -> AskOut:
        answered = product.answerer.ask(q, k)
        log_answer(answered)
        return ask_out(answered)

    @routes.post("/ask", summary="質問に、根拠を引いて答える", response_model=AskOut)
    def ask_post(question: AskIn, accept: Annotated[str, Header()] = "") -> Any:
        cancelled = threading.Event()
        events = product.answerer.events(
            question.query,
            question.k,
            question.filters.to_filters(),
            cancelled,
            history=question.history,
        )
        if MEDIA_TYPE in accept:
            return event_stream(events, cancelled, log_answer)
        answered = [event for event in events if isinstance(event, Answered)][-1]
        log_answer(answered)
        return ask_out(answered)

    routes.include_router(openai.router(lambda: product.answerer, log_answer))

    @routes.get("/books", summary="書棚の本の一覧")
    def books() -> list[BookOut]:
        return [book_out(book) for book in product.ledger.books().values()]

    @routes.get("/books/{book_id}", summary="本の書誌")
    def book(book_id: str) -> BookOut:
        return book_out(product.ledger.book(book_id))

    @routes.get("/passages/{passage_id}", summary="パッセージとその場所")
    def passage(passage_id: str) -> PassageOut:
        found = product.ledger.passage(passage_id)
        return passage_out(found, product.ledger.book(found.book_id))

    @routes.get("/health", summary="サービスの状態")
    def health() -> HealthOut:
        return HealthOut(**product.health())

    # Reading any path of the machine is for its own administrators: the token lies in
    # the data directory, readable by the service's user alone.
    def admit(given: str) -> None:
        if not secrets.compare_digest(given.encode(), token.encode()):
            raise Forbidden(
                "この操作は、サービスを動かしている機械の shiori コマンドからだけ行えます。",
                hint="サーバー上で shiori ingest を使ってください。",
            )

    @routes.post("/local/ingest", include_in_schema=False)
    def add(wanted: PathsIn, x_shiori_token: Annotated[str, Header()] = "") -> StreamingResponse:
        admit(x_shiori_token)
        paths = [Path(path) for path in wanted.paths]
        lines = _following(lambda heard: product.add(paths, shelf=wanted.shelf, on_event=heard))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @routes.post("/local/supplement", include_in_schema=False)
    def supplement(
        wanted: SupplementIn, x_shiori_token: Annotated[str, Header()] = ""
    ) -> StreamingResponse:
        admit(x_shiori_token)
        paths = [Path(path) for path in wanted.paths]
        lines = _following(
            lambda heard: product.supplement(
                wanted.book_id, paths, remove=wanted.remove, as_of=wanted.as_of, on_event=heard
            )
        )
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @routes.delete("/local/books/{book_id}", include_in_schema=False)
    def remove(book_id: str, x_shiori_token: Annotated[str, Header()] = "") -> BookOut:
        admit(x_shiori_token)
        return book_out(product.remove(book_id))

    @routes.get("/local/jobs", include_in_schema=False)
    def jobs(x_shiori_token: Annotated[str, Header()] = "") -> list[dict[str, Any]]:
        admit(x_shiori_token)
        return [asdict(job) for job in product.ledger.jobs()]

    return routes


def _following(work: Callable[[Callable[[Any], None]], Any]) -> Iterator[str]:
    """One JSON line an event of the work, then one with its summary or the error that ended it."""
    events: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def run() -> None:
        try:
            summary = work(lambda event: events.put({"event": asdict(event)}))
            events.put({"summary": summary.as_json()})
        except ShioriError as error:
            events.put({"error": error.as_dict()})
        except Exception as error:  # job runner: the command that waits must hear what happened
            log.exception("adding through the service failed")
            unexpected = ShioriError(
                f"サービスで予期しない誤りが起きました ({type(error).__name__}: {error})。",
                hint="サービスのログを添えて管理者に知らせてください。",
            )
            events.put({"error": unexpected.as_dict()})
        finally:
            events.put(None)

    threading.Thread(target=run, daemon=True).start()
    while (event := events.get()) is not None:
        yield json.dumps(event, ensure_ascii=False) + "\n"
