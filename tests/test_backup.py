"""docker/backup and docker/restore, as the administrator runs them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app.core.ledger import Ledger

DOCKER = Path(__file__).parents[1] / "docker"


def call(script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [str(DOCKER / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "originals").mkdir(parents=True)
    (folder / "originals" / "a.md").write_text("# 手引")
    (folder / "glossary.tsv").write_text("topic\n")
    (folder / "index").mkdir()
    Ledger(folder / "ledger.sqlite").close()
    return folder


def test_what_cannot_be_made_again_comes_back(data: Path, tmp_path: Path) -> None:
    ledger = Ledger(data / "ledger.sqlite")
    try:
        ledger.set_fact("samples", "added")
        # The service may be running: what it wrote last is in the backup as well.
        assert call("backup", data, tmp_path / "kept.tar.gz").returncode == 0
    finally:
        ledger.close()
    assert call("restore", tmp_path / "kept.tar.gz", tmp_path / "back").returncode == 0
    names = {path.name for path in (tmp_path / "back").iterdir()}
    assert names == {"ledger.sqlite", "originals", "glossary.tsv"}
    assert (tmp_path / "back" / "originals" / "a.md").read_text() == "# 手引"
    back = Ledger(tmp_path / "back" / "ledger.sqlite")
    try:
        assert back.fact("samples") == "added"
    finally:
        back.close()


@pytest.mark.parametrize("kept", [300, 0])
def test_a_backup_that_was_cut_short_is_refused(data: Path, tmp_path: Path, kept: int) -> None:
    whole = tmp_path / "kept.tar.gz"
    call("backup", data, whole)
    whole.write_bytes(whole.read_bytes()[:kept])
    refused = call("restore", whole, tmp_path / "back")
    assert refused.returncode == 1
    assert "壊れています" in refused.stderr
    assert not (tmp_path / "back").exists()


def test_a_folder_in_use_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    call("backup", data, tmp_path / "kept.tar.gz")
    refused = call("restore", tmp_path / "kept.tar.gz", data)
    assert refused.returncode == 1
    assert "空ではありません" in refused.stderr
