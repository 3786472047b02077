"""Rules of the house that no single room can keep for itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def tracked() -> list[Path]:
    """The files of the repository; all in its folders where there is no git."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]
    folders = ("app", "ingest", "eval", "tests", "docker")
    return [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]


def test_imports_go_one_way() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists():
        pytest.skip("import-linter (開発用の依存) がありません")
    checked = subprocess.run([command], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


# Written apart, so that this file does not name them.
_REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "deb.debian" + ".org")
_MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/")


def test_no_file_names_a_registry_or_somebodys_machine() -> None:
    found = []
    for path in tracked():
        if path.name.endswith((".pdf", ".epub", ".png", ".woff2", ".ico")):
            continue
        text = path.read_text("utf-8", errors="ignore")
        named = [name for name in _REGISTRIES if name in text]
        found += [f"{path.relative_to(ROOT)}: {name}" for name in named]
        found += [f"{path.relative_to(ROOT)}: {part}" for part in _MACHINE.findall(text)]
    assert not found


def test_every_package_is_installed_with_its_data() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    for path in tracked():
        folder = path.parent.relative_to(ROOT)
        if folder.parts[:1] not in (("app",), ("ingest",), ("eval",)):
            continue
        if folder == Path("app/web/screenshots") or path.name == "README.md":
            continue
        package = ".".join(folder.parts)
        patterns = ["*.py", *stated["package-data"].get(package, [])]
        assert package in stated["packages"]
        assert any(path.match(pattern) for pattern in patterns), path
