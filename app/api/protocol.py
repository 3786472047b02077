"""HTTP itself: what is no request gets the JSON error shape too."""

from __future__ import annotations

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api.service import error_response
from app.core import telemetry


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1; most of what it cannot parse is a URL with Japanese written as it is."""

    def send_400_response(self, msg: str) -> None:
        telemetry.request_id.set(telemetry.new_request_id())
        response = error_response(
            "bad_request",
            400,
            "HTTPの要求として読めません。",
            "URLの中の日本語は符号化してください (例: curl -G URL --data-urlencode q=離婚)。",
        )
        headers = [*response.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
