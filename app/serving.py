"""Serves a product over HTTP until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable

from app.core.datadir import Service
from app.core.errors import PortInUse, why
from app.main import Shiori, application

_SHUTDOWN_SECONDS = 3


def run(product: Shiori, on_ready: Callable[[str], None]) -> None:
    """Serves a product until it is told to stop; `on_ready` gets the address.

    Raises PortInUse where the address is taken.
    """
    import uvicorn

    from app.api.protocol import Protocol

    settings = product.settings
    listening = _listen(settings.host, settings.port)
    token = secrets.token_urlsafe(32)
    app = application(product, token)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    config = uvicorn.Config(
        app,
        http=Protocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    product.datadir.announce(Service(url, os.getpid(), token))
    on_ready(url)
    # The server raises the signal that ended it once more when it is done.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches off Nagle's delay (40 ms an answer) only where the protocol is named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise PortInUse(
            f"{host} のポート {port} で待ち受けられません: {why(error)}。",
            hint="そのポートを使っているものを止めるか、--port で別の番号を指定してください。",
            field="port",
        ) from error
    return listening
