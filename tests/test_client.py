"""What a command hears from the service that holds its data directory when things go wrong there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from app.client import Client
from app.core.datadir import Service
from app.core.errors import ShioriError
from app.core.settings import Settings
from app.main import Shiori
from tests.api.conftest import TOKEN, serving


def test_an_unexpected_error_of_the_service_is_named(tmp_path: Path) -> None:
    book = tmp_path / "本.md"
    book.write_text("# 手引\n\n届出の文である。\n", "utf-8")
    with Shiori(Settings(data_dir=tmp_path / "data")) as product, serving(product) as url:
        with sqlite3.connect(tmp_path / "data" / "ledger.sqlite") as db:
            db.execute("ALTER TABLE jobs RENAME TO lost")
        db.close()
        with (
            Client(Service(url, 0, TOKEN)) as client,
            pytest.raises(ShioriError, match="OperationalError: no such table: jobs") as heard,
        ):
            client.add([book], "", lambda event: None)
        assert "管理者" in heard.value.hint


def test_a_refused_supplement_comes_back_as_it_was_said(tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path / "data")) as product, serving(product) as url:
        with (
            Client(Service(url, 0, TOKEN)) as client,
            pytest.raises(ShioriError) as heard,
        ):
            client.supplement("無い本", [tmp_path / "追録.pdf"], [], "", lambda event: None)
        assert heard.value.code == "not_found"
