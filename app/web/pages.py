"""Joins the pages to the service: routes, files, headers, and errors people can read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from app.core.errors import BadRequest, NotFound, ShioriError
from app.web import admin, apidocs, ask, books, desk, library, numbers, tables, upkeep
from app.web.admin import Managed
from app.web.books import Draw, Original
from app.web.view import STATIC, HeadAsGet, SafeHeaders, View, add_headers

_NOT_PAGES = ("/v1", "/openapi.json")

Handler = Callable[[Request, Exception], Any]


class _MethodNotAllowed(ShioriError):
    code = "method_not_allowed"
    status = 405


class _Unexpected(ShioriError):
    """Shown in place of an error nobody foresaw."""


def join(
    app: FastAPI,
    product: Managed,
    *,
    original: Original,
    draw: Draw,
) -> None:
    """Adds the pages to the service. Its own error handlers go on answering for the interface.

    `original` finds the kept file of a book, `draw` makes a picture of one of its pages.
    """
    view = View(product)
    app.include_router(ask.router(product, view))
    app.include_router(books.router(product, view, original, draw))
    app.include_router(desk.router(product, view))
    admission = admin.Admission(product.settings.admin_password, product.ledger)
    app.include_router(admin.router(admission, view))
    # Before the books, whose addresses are /library/ and anything.
    app.include_router(tables.router(product, view, admission))
    app.include_router(upkeep.router(product, view, admission))
    app.include_router(library.router(product, view, admission))
    app.include_router(numbers.router(product, view, admission))
    app.include_router(apidocs.router(view))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(HeadAsGet)
    app.add_middleware(SafeHeaders)
    for kind, as_shown in (
        (ShioriError, _as_it_is),
        (RequestValidationError, _validation),
        (HTTPException, _http),
        (Exception, _unexpected),
    ):
        handler: Handler | None = app.exception_handlers.get(kind)
        assert handler is not None  # the service handles each of them
        app.add_exception_handler(kind, _either(view, handler, as_shown))


def _either(
    view: View, handler: Handler, as_shown: Callable[[Request, Exception], ShioriError]
) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        # Called first in any case: it writes the log.
        answer = handler(request, error)
        response: Response = await answer if isinstance(answer, Awaitable) else answer
        if not request.url.path.startswith(_NOT_PAGES):
            response = view.error(request, as_shown(request, error))
        add_headers(response)
        return response

    return handle


def _as_it_is(request: Request, error: Exception) -> ShioriError:
    assert isinstance(error, ShioriError)
    return error


def _validation(request: Request, error: Exception) -> ShioriError:
    assert isinstance(error, RequestValidationError)
    field = str(error.errors()[0]["loc"][-1])
    value = request.query_params.get(field) or request.path_params.get(field)
    shown = f" の値「{value}」" if value else ""
    return BadRequest(
        f"アドレスまたは入力の {field}{shown} が使えません。",
        hint="検索画面に戻って、入力し直してください。",
        field=field,
    )


def _http(request: Request, error: Exception) -> ShioriError:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return _MethodNotAllowed(
            "この操作はここではできません。", hint="検索画面に戻って、操作し直してください。"
        )
    return NotFound(
        f"{request.url.path} というページはありません。", hint="アドレスを確かめてください。"
    )


def _unexpected(request: Request, error: Exception) -> ShioriError:
    return _Unexpected(
        "予期しない誤りが起きました。",
        hint="もう一度試し、続くときは下の受付番号を添えて管理者に知らせてください。",
    )
