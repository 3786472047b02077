from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

from app.api.schemas import ErrorOut


def test_japanese_written_as_it_is_in_a_url_is_explained(service: str) -> None:
    place = urlsplit(service)
    with socket.create_connection((place.hostname, place.port or 0)) as connection:
        connection.sendall("GET /v1/search?q=離婚 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = connection.makefile("rb").read().decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 400")
    assert "application/json" in head
    error = ErrorOut(**json.loads(body)).error
    assert error.request_id
    assert "data-urlencode" in error.hint
