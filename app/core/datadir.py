"""The data directory: what lies where, and who holds it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.core.errors import DataDirLocked, SettingsError, why


@dataclass(frozen=True, slots=True)
class Service:
    """A running service that holds a data directory; `token` admits local commands to it."""

    url: str
    pid: int
    token: str


class DataDir:
    """One data directory, held by one process at a time.

    Raises SettingsError where it cannot be made, DataDirLocked where another process
    holds it. The lock is the operating system's: it ends with the process, however it ends.
    `serving` tells other commands that a service is going to announce itself.
    """

    def __init__(self, path: Path, *, serving: bool = False) -> None:
        self.path = path
        self.ledger = path / "ledger.sqlite"
        self.index = path / "index"
        self.originals = path / "originals"
        self.rendered = path / "rendered"
        self.cache = path / "cache"
        self._service = path / "service.json"
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (path / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"データフォルダー {path} を使えません: {why(error)}。",
                hint="--data-dir または SHIORI_DATA_DIR に書き込めるフォルダーを指定してください。",
                field="data_dir",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            holder = "別のプロセス"
            if service := running_service(path):
                holder = f"{service.url} の栞 (プロセス {service.pid})"
            elif is_starting(path):
                holder = "起動している途中の栞"
            raise DataDirLocked(
                f"データフォルダー {path} は{holder}が使っています。",
                hint="動いている shiori を終えるか、--data-dir で別のフォルダーを指定してください。",
                field="data_dir",
            ) from None
        # Whoever left this behind no longer holds the lock.
        self._service.unlink(missing_ok=True)
        if serving:
            self._write({"starting": os.getpid()})

    def announce(self, service: Service) -> None:
        """Lets local commands find the service that holds the directory; only its owner can read it."""
        self._write({"url": service.url, "pid": service.pid, "token": service.token})

    def release(self) -> None:
        """Gives the directory free for another process."""
        self._service.unlink(missing_ok=True)
        self._lock.close()

    def _write(self, values: dict[str, str | int]) -> None:
        # In one step: whoever looks meanwhile reads the old or the new, never half of it.
        partial = self._service.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file)
        partial.replace(self._service)


def is_starting(path: Path) -> bool:
    """Whether a process that is still there said it was about to serve a data directory."""
    try:
        values = json.loads((path / "service.json").read_text(encoding="utf-8"))
        os.kill(int(values["starting"]), 0)
    except PermissionError:
        return True  # somebody else's process
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def running_service(path: Path) -> Service | None:
    """The service that announced itself in a data directory, if there is one."""
    try:
        values = json.loads((path / "service.json").read_text(encoding="utf-8"))
        return Service(str(values["url"]), int(values["pid"]), str(values["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
