"""The small shelf of the answer tests, behind a real web server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import uvicorn

from app.api.protocol import Protocol
from app.api.service import create
from app.main import Shiori
from tests.answer.conftest import product, publish

__all__ = ["product", "publish"]

TOKEN = "token-of-the-tests"


@contextmanager
def serving(product: Shiori) -> Iterator[str]:
    """The address of a running service over a product."""
    config = uvicorn.Config(
        create(product, TOKEN), port=0, http=Protocol, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def service(product: Shiori) -> Iterator[str]:
    with serving(product) as url:
        yield url


@pytest.fixture
def serve() -> Callable[[Shiori], AbstractContextManager[str]]:
    return serving
