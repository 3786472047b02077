"""The service in a process of its own, as a user meets it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.bench.questions import QUESTIONS
from app.core.errors import NotReady
from app.core.settings import PREFIX, Settings

_PATIENCE = 300.0

_SERVE = "from app.cli import main; main()"


@contextmanager
def service(settings: Settings) -> Iterator[tuple[httpx.Client, Callable[[], float]]]:
    """`shiori serve` in a process of its own, ready for searches; its resident set in MiB on call."""
    port = _free_port()
    command = [sys.executable, "-c", _SERVE, "serve", "--data-dir", str(settings.data_dir)]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment(settings),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            _wait_for(client, process, hybrid=bool(settings.embed_model))
            yield client, lambda: _resident(process.pid)
        except NotReady as error:
            log.seek(0)
            raise NotReady(error.message, hint=tail(log.read())) from error
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(client: httpx.Client, process: subprocess.Popen[bytes], *, hybrid: bool) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answered = client.get("/v1/search", params={"q": QUESTIONS[0]}).is_success
            if answered and (not hybrid or client.get("/v1/health").json()["search"] == "hybrid"):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.01)
    raise NotReady("計測用のサービスが起動しません。")


def environment(settings: Settings | None = None) -> dict[str, str]:
    """The environment without the site's settings; with those that were chosen here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    if settings is not None and settings.embed_model:
        for name in ("embed_model", "embed_device", "dense_weight"):
            kept[f"{PREFIX}{name.upper()}"] = str(getattr(settings, name))
    return kept


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _resident(pid: int) -> float:
    """The resident set of a process in MiB, as Linux counts it."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def tail(text: str) -> str:
    """The last lines of what a process wrote, where its error stands."""
    return "\n".join(text.strip().splitlines()[-5:])
