"""The FastAPI application: routes, errors in one shape, request ids, no content from elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.api.routes import Product, router
from app.core import telemetry
from app.core.errors import ShioriError, demand

log = logging.getLogger(__name__)


def create(product: Product, token: str) -> FastAPI:
    """The application over one product; `token` admits local commands."""
    app = FastAPI(
        title="栞 (Shiori)",
        version=version("shiori"),
        description="専門書の検索と、根拠を引いた回答。",
        # The library's own pages load their scripts from elsewhere; ours come with the product.
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(router(product, token))
    app.middleware("http")(_with_request_id)
    app.add_exception_handler(ShioriError, _shiori_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)
    return app


def error_response(
    code: str, status: int, message: str, hint: str = "", field: str = ""
) -> JSONResponse:
    """An error in the one JSON shape."""
    content = {
        "code": code,
        "message": message,
        "hint": hint,
        "field": field,
        "request_id": telemetry.request_id.get(),
    }
    return JSONResponse({"error": content}, status)


async def _with_request_id(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    telemetry.request_id.set(telemetry.new_request_id())
    response = await call_next(request)
    response.headers["X-Request-ID"] = telemetry.request_id.get()
    return response


def _shiori_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ShioriError)
    if error.status >= 500:
        log.error("request failed", extra={"code": error.code, "error": error.message})
    return error_response(error.code, error.status, error.message, error.hint, error.field)


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The place begins with where the value came from; of broken JSON it only counts characters.
    place = () if first["type"] == "json_invalid" else first["loc"][1:]
    field = ".".join(str(part) for part in place)
    return error_response(
        "bad_request",
        422,
        f"{field or '入力'} の値が使えません: {demand(first)}。",
        "APIの説明 /docs で項目の形を確かめてください。",
        field,
    )


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return error_response(
            "not_found", 404, f"{request.url.path} はありません。", "URLを確かめてください。"
        )
    if error.status_code == 405:
        return error_response(
            "method_not_allowed",
            405,
            f"{request.url.path} に {request.method} は使えません。",
            "APIの説明 /docs で使える方法を確かめてください。",
        )
    return error_response("http_error", error.status_code, str(error.detail))


def _unexpected_error(request: Request, error: Exception) -> Response:
    log.exception("unexpected error", exc_info=error)
    return error_response(
        "internal",
        500,
        "予期しない誤りが起きました。",
        "もう一度試し、続くときは request_id を添えて管理者に知らせてください。",
    )
