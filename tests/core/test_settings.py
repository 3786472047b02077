from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import settings
from app.core.errors import SettingsError
from app.core.settings import Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shiori.toml").write_text(
        'host = "a"\nport = 1\nworkers = 1\nglossary = ["x.tsv"]\n', "utf-8"
    )
    monkeypatch.setenv("SHIORI_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SHIORI_PORT", "2")
    monkeypatch.setenv("SHIORI_WORKERS", "2")
    loaded = settings.load(workers=3, log_level=None)
    assert (loaded.host, loaded.port, loaded.workers) == ("a", 2, 3)
    assert loaded.glossary == (Path("x.tsv"),)
    assert loaded.log_level == "info"
    assert loaded.data_dir == tmp_path


def test_paths_in_the_environment_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIORI_GLOSSARY", f"a.tsv{os.pathsep}b.tsv")
    assert settings.load().glossary == (Path("a.tsv"), Path("b.tsv"))


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIORI_PORT", "")
    assert settings.load().port == 8000


def test_an_unknown_variable_is_named_with_the_nearest_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHIORI_QDRANT_ULR", "http://localhost")
    with pytest.raises(SettingsError, match="SHIORI_QDRANT_ULR") as caught:
        settings.load()
    assert "qdrant_url" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 1", "prot"),
        ("port = ", "shiori.toml"),
        ('data_dir = "x"', "data_dir"),
        ("port = 70000", "65535以下"),
        ("port = 80.5", "整数"),
        ("host = 5", "文字列"),
        ('qdrant_collection = ""', "空にはできません"),
        ('log_level = "loud"', "'debug'"),
        ('glossary = "x.tsv"', "リスト"),
        ('dense_weight = "半分"', "数で"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "shiori.toml").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=named) as caught:
        settings.load(data_dir=tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize("field", [name for name in Settings.model_fields if name != "data_dir"])
def test_every_setting_can_come_from_the_environment(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SHIORI_{field.upper()}", "300" if field != "log_level" else "debug")
    caught = ""
    try:
        loaded = settings.load().model_fields_set
    except SettingsError as error:  # read, though 300 is none of its values
        loaded, caught = set(), error.field
    assert field in loaded or caught == field


def test_a_secret_is_not_shown() -> None:
    assert "geheim" not in repr(Settings(qdrant_api_key="geheim"))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


@given(st.text(max_size=12))
def test_any_port_is_a_number_or_an_error_that_names_it(value: str) -> None:
    message = ""
    try:
        port = settings.load(port=value).port
    except SettingsError as error:
        port, message = 1, error.message
    assert 1 <= port <= 65535
    assert not any(word in message for word in ("Input", "should", "valid"))
