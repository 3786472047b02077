"""A language model server that writes sentences of the passages it was given, when it is told to.

It is real HTTP on a real port; only what it writes is scripted, and when.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PASSAGE = re.compile(r"<<(\w+) (\d+)>> .*\n((?:.*\n)*?)<<\1 終>>")
_ENOUGH = 24


class Scribe:
    """The server. It waits before every sentence until `go` is set, and can be made to fail.

    `left` is set when a reader has gone away while it waited; `sentences` limits how many
    it writes, `broken` makes it end without a last word.
    """

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.first = threading.Event()
        self.left = threading.Event()
        self.sentences = 3
        self.broken = False
        self.refuses = False
        self.url = ""

    def hold(self, *, after: int = 0) -> None:
        """Waits, once `after` sentences are written, until `go` is set."""
        self.go.clear()
        self.first.clear()
        self.left.clear()
        self._free = after

    _free = 0

    def write(self, prompt: str) -> Iterator[str]:
        """Pieces of the answer: the first long sentence of each passage, word for word."""
        found = _sentences(prompt, self.sentences)
        if not found:  # asked what it can do, not asked a question
            yield "{}"
            return
        yield '{"sentences": ['
        for number, (id_, text) in enumerate(found):
            if number >= self._free:
                while not self.go.wait(0.05):
                    yield " "
            comma = ", " if number else ""
            yield comma + json.dumps({"evidence": [id_], "text": text}, ensure_ascii=False)
            self.first.set()
        while not self.go.wait(0.05):
            yield " "
        if not self.broken:
            yield "]}"


def _sentences(prompt: str, most: int) -> Sequence[tuple[str, str]]:
    found = []
    for _, id_, text in _PASSAGE.findall(prompt):
        for sentence in re.findall(r"[^。\n]+。", text):
            if len(sentence) >= _ENOUGH and "「" not in sentence:
                found.append((id_, sentence))
                break
    return found[:most]


@contextmanager
def scribe() -> Iterator[Scribe]:
    """A running server."""
    writer = Scribe()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                return self._send(200, {"data": [{"id": "scribe", "max_model_len": 32768}]})
            return self._send(404, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                return self._send(404, {})
            if writer.refuses:
                return self._send(500, {"error": {"message": "out of memory"}})
            if not body.get("stream"):
                message = {"message": {"content": '{"ok": "yes"}'}, "finish_reason": "stop"}
                return self._send(200, {"choices": [message]})
            return self._stream(body["messages"][-1]["content"])

        def _stream(self, prompt: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for piece in writer.write(prompt):
                    self._event({"delta": {"content": piece}, "finish_reason": None})
                if not writer.broken:
                    self._event({"delta": {}, "finish_reason": "stop"})
            except OSError:
                writer.left.set()
            self.close_connection = True

        def _event(self, choice: dict[str, Any]) -> None:
            data = json.dumps({"choices": [choice]}, ensure_ascii=False)
            self.wfile.write(f"data: {data}\n\n".encode())
            self.wfile.flush()

        def _send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    writer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield writer
    finally:
        writer.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
