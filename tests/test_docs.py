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
def test_every_setting_is_documented(readme: str, field: str) -> None:
    assert f"{PREFIX}{field.upper()}" in readme


def test_no_setting_is_documented_that_does_not_exist(readme: str) -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+[A-Z])", readme))
    known = {field.upper() for field in Settings.model_fields} | {"TEST_QDRANT_URL"}
    assert named <= known


def test_every_make_target_named_exists(readme: str) -> None:
    named = set(re.findall(r"(?:^|`|\$ )make ([a-z-]+)", readme, re.M))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert named
    assert named <= targets


def test_every_command_named_exists(readme: str) -> None:
    named = set(re.findall(r"(?:^|`|\$ )shiori ([a-z]+(?: [a-z]+)?)", readme, re.M))
    assert named
    assert not [words for words in sorted(named) if not exists(words.split())]


def test_every_command_the_makefile_runs_exists() -> None:
    recipes = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"\$\(BIN\)/shiori ([a-z]+)", recipes))
    assert not [name for name in sorted(named) if not exists([name])]


def exists(words: list[str]) -> bool:
    """Whether a command, or the group and command, is there; a word after a command is its argument."""
    place: Any = typer.main.get_command(cli)
    for word in words:
        if not hasattr(place, "commands"):
            return True
        if word not in place.commands:
            return False
        place = place.commands[word]
    return True
