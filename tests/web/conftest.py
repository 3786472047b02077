from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.core.settings import Settings
from app.main import Shiori, application

HERE = "http://127.0.0.1:8000"
THIS_MACHINE = ("127.0.0.1", 50000)


@pytest.fixture(scope="session")
def product(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shiori]:
    """A product that these tests may write to."""
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("web") / "data")
    with Shiori(Settings(data_dir=folder)) as product:
        yield product


@pytest.fixture
def client(product: Shiori) -> Iterator[TestClient]:
    """A browser on the service's own machine."""
    with TestClient(
        application(product, "token"),
        base_url=HERE,
        client=THIS_MACHINE,
        raise_server_exceptions=False,
    ) as client:
        yield client


@pytest.fixture
def stranger(product: Shiori) -> Iterator[TestClient]:
    """A browser on another machine."""
    with TestClient(
        application(product, "token"), base_url="http://shiori.lan:8000", client=("10.1.2.3", 50000)
    ) as client:
        yield client
