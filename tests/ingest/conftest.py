from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def typeset() -> Path:
    folder = DATA / "typeset"
    if not folder.is_dir():
        pytest.skip("typeset pages with known truth are not here (../shared/data/typeset)")
    return folder


@pytest.fixture(scope="session")
def real_pdfs() -> Path:
    folder = DATA / "pdfs"
    if not folder.is_dir():
        pytest.skip("real PDFs are not here (../shared/data/pdfs)")
    return folder


@pytest.fixture(scope="session")
def law_texts() -> Path:
    folder = DATA / "laws" / "md"
    if not folder.is_dir():
        pytest.skip("statutes as Markdown are not here (../shared/data/laws/md)")
    return folder
