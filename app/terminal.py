"""What every command prints with: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from app.core.errors import demand

if TYPE_CHECKING:
    from app.core.settings import Settings

# Titles and file names may hold square brackets: nothing printed is markup.
out = Console(markup=False, highlight=False)
err = Console(stderr=True, markup=False, highlight=False)

DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="データを置くフォルダー (SHIORI_DATA_DIR)")
]
JsonOption = Annotated[bool, typer.Option("--json", help="結果をJSONで出力する")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="結果を書くJSONファイル")]


def print_json(value: Any) -> None:
    """Writes a value to stdout as JSON."""
    sys.stdout.write(_as_json(value))


def write_json(path: Path, value: Any) -> None:
    """Writes a value to a file as JSON, its folders made as needed, and says so on stderr."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_as_json(value), encoding="utf-8")
    err.print(f"{path} に書きました。")


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def usage_message(error: Any) -> str:
    """A wrong use of the command line, as typer raises it, in Japanese with the next step.

    A group without a command is no mistake: that shows its help.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message())
    name = getattr(error, "option_name", "")
    if not name and (param := getattr(error, "param", None)) is not None:
        name = "、".join(param.opts)
    messages = {
        "MissingParameter": f"{name} が指定されていません。",
        "NoSuchOption": f"{name} というオプションはありません。",
        "BadOptionUsage": f"{name} に値が付いていません。",
        "BadParameter": f"{name} の値は使えません: {_demanded(error)}。",
    }
    other = f"このコマンドまたは引数はありません ({error.message})。"
    command = error.ctx.command_path if error.ctx else "shiori"
    message = messages.get(type(error).__name__, other)
    return f"使い方の誤り: {message}\n`{command} --help` で使い方を確かめてください。"


def _demanded(error: Any) -> str:
    """What an option asks of its value."""
    cause = error.__cause__
    return demand(cause.errors()[0]) if isinstance(cause, ValidationError) else str(error.message)


def load_settings(data_dir: Path | None, **overrides: Any) -> Settings:
    """The settings of a command; its logs are quiet unless a level is asked for."""
    from app.core import settings, telemetry

    loaded = settings.load(data_dir=data_dir, **overrides)
    asked = "log_level" in loaded.model_fields_set
    telemetry.configure(loaded.log_level if asked else "warning")
    return loaded


def progress_bars() -> Progress:
    """Progress bars on stderr that leave nothing behind; none where nobody watches."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


class _Rate(ProgressColumn):
    """How many are done a second, lately."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/秒" if task.speed else "")


@contextmanager
def stages() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """A bar for each named stage of a long command: `stage(name)` gives its `(done, total)` callback."""
    with progress_bars() as bars:

        def stage(name: str) -> Callable[[int, int], None]:
            task = bars.add_task(name, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield stage
