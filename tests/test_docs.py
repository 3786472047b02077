"""README says what there is, and names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import cli
from app.core.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def readme() -> str:
    if not README.is_file():
        pytest.skip("README.md がまだありません")
    return README.read_text("utf-8")


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(readme: str, field: str) -> None:
    setting = Settings.model_fields[field]
    default = "" if setting.default in ("", None, ()) else f"`{setting.default}`"
    assert f"| `{PREFIX}{field.upper()}` | {default} | {setting.description} |" in readme


def test_no_setting_is_documented_that_does_not_exist(readme: str) -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+[A-Z])", readme))
    known = {field.upper() for field in Settings.model_fields} | {"TEST_QDRANT_URL"}
    assert named <= known


def test_every_make_target_named_exists(readme: str) -> None:
    named = set(re.findall(r"(?:^|`|\$ )make ([a-z-]+)", readme, re.M))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert named
    assert named <= targets


def test_every_command_named_exists_with_its_options(readme: str) -> None:
    named = re.findall(r"(?:^|`|\$ |bin/)shiori ([a-z][^`#|…\n]*)", readme, re.M)
    assert named
    for line in named:
        command = find(line.split())
        assert command is not None, line
        known = {option for param in command.params for option in param.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= known | {"--help"}, line


def test_every_command_is_named(readme: str) -> None:
    # The evaluation's table leaves the group's name out.
    text = " ".join(readme.split())
    assert not [
        words
        for words in commands()
        if not re.search(rf"`(?:shiori )?(?:{words}|{words.removeprefix('eval ')})\b", text)
    ]


def test_every_command_the_makefile_runs_exists() -> None:
    recipes = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"\$\(BIN\)/shiori ([a-z]+)", recipes))
    assert not [name for name in sorted(named) if find([name]) is None]


def find(words: list[str]) -> Any:
    """The command that the first words name, or None; what follows it are its arguments."""
    place: Any = typer.main.get_command(cli)
    for word in words:
        if not hasattr(place, "commands"):
            break
        place = place.commands.get(word)
    return place


def commands() -> list[str]:
    """Every command, with its group's name before it."""
    found = []
    for name, command in typer.main.get_command(cli).commands.items():  # type: ignore[attr-defined]
        found += [f"{name} {inner}" for inner in getattr(command, "commands", {})] or [name]
    return found
