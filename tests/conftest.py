"""What every room's tests share: the sample shelf, ingested once a run, and fresh copies of it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from app.core.settings import PREFIX, Settings
from app.main import Shiori

_KEPT = {"SHIORI_TEST_QDRANT_URL"}

# How long an example takes says more of the machine than of the code.
settings.register_profile("shiori", deadline=None)
settings.load_profile("shiori")


def pytest_configure() -> None:
    """Whoever runs the tests may have settings of their own; no test may see them."""
    for name in [name for name in os.environ if name.startswith(PREFIX) and name not in _KEPT]:
        del os.environ[name]


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A data directory with the sample shelf, built once for all test processes.

    It is closed and stays so: open a copy (`data_dir`) instead.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    built = shared / "sample-data"
    with (shared / "sample-data.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            building = shared / "sample-data-building"
            with Shiori(Settings(data_dir=building)) as product:
                summary = product.add_samples()
                assert summary is not None
                assert not summary.failed
            building.rename(built)
    return built


@pytest.fixture
def data_dir(sample_data: Path, tmp_path: Path) -> Path:
    """A data directory of the test's own, with the sample shelf in it and nobody holding it."""
    return shutil.copytree(sample_data, tmp_path / "data")


@pytest.fixture(scope="session")
def sample_product(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shiori]:
    """The product on the sample shelf, shared by all tests of a process: ask it, never change it."""
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("sample") / "data")
    with Shiori(Settings(data_dir=folder)) as product:
        yield product
