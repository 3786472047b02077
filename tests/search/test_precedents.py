"""Notices are found with their date and without."""

import pytest

from app.core.book import Book
from app.main import Shiori
from app.search.pipeline import Filters
from tests.search.conftest import Publish

DATED = "国籍法の改正に伴う取扱いは、昭和59年11月1日民二第5500号通達による。"
UNDATED = "届出の取扱いは、民一第850号通達による。"


@pytest.fixture(scope="module")
def manual(publish: Publish) -> Book:
    return publish("manual", "先例の手引", f"# 国籍\n{DATED}\n# 審査\n{UNDATED}")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("民二第5500号", DATED),
        ("民二5500号通達", DATED),
        ("昭59.11.1民二5500", DATED),
        ("平16.4.1民一850号", UNDATED),
        ("昭60.11.1民二5500号", ""),
    ],
)
def test_a_notice_is_found_with_its_date_and_without(
    shelf: Shiori, manual: Book, written: str, text: str
) -> None:
    result = shelf.searcher.search("取扱い", 5, Filters(citing=(written,)))
    assert [hit.passage.text.split("\n")[-1] for hit in result.hits] == [text] * bool(text)
    held = not shelf.searcher.search(written).notices
    assert held is bool(text)
