from __future__ import annotations

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.core.datadir import DataDir, Service, is_starting, running_service
from app.core.errors import DataDirLocked, SettingsError

HOLDER = """
import sys, time
from pathlib import Path
from app.core.datadir import DataDir, Service
held = DataDir(Path(sys.argv[1]))
held.announce(Service("http://x", 1, "t"))
print("held", flush=True)
time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first = DataDir(tmp_path / "新しい" / "data")
    with pytest.raises(DataDirLocked, match=str(tmp_path)) as caught:
        DataDir(tmp_path / "新しい" / "data")
    assert "--data-dir" in caught.value.hint
    first.release()
    DataDir(tmp_path / "新しい" / "data").release()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataDirLocked, match="http://x の栞"):
            DataDir(tmp_path)
        assert running_service(tmp_path) == Service("http://x", 1, "t")
        holder.kill()
    for _ in range(50):
        try:
            again = DataDir(tmp_path)
            break
        except DataDirLocked:
            time.sleep(0.1)
    assert running_service(tmp_path) is None
    again.release()


def test_a_service_that_is_to_come_is_told_until_it_is_there(tmp_path: Path) -> None:
    held = DataDir(tmp_path, serving=True)
    assert is_starting(tmp_path)
    assert running_service(tmp_path) is None
    with pytest.raises(DataDirLocked, match="起動している途中の栞"):
        DataDir(tmp_path)
    held.announce(Service("http://x", 1, "t"))
    assert not is_starting(tmp_path)
    held.release()
    assert not is_starting(tmp_path)


def test_a_service_that_died_while_starting_is_not_waited_for(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from app.core.datadir import DataDir\n"
    code += "DataDir(Path(sys.argv[1]), serving=True)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / "service.json").exists()
    assert not is_starting(tmp_path)


def test_only_the_owner_reads_the_token(tmp_path: Path) -> None:
    held = DataDir(tmp_path)
    service = Service("http://127.0.0.1:8000", 42, "secret")
    held.announce(service)
    assert running_service(tmp_path) == service
    assert stat.S_IMODE((tmp_path / "service.json").stat().st_mode) == 0o600
    held.release()
    assert running_service(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": "x", "pid": "y", "token": "z"}'])
def test_a_broken_announcement_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "service.json").write_text(text, "utf-8")
    assert running_service(tmp_path) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(SettingsError, match=r"file/data を使えません: 途中に") as caught:
        DataDir(tmp_path / "file" / "data")
    assert "SHIORI_DATA_DIR" in caught.value.hint
