from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import SettingsError
from app.core.lawchanges import LawChanges, load

HEADER = "effective\tsubject\tarticles\tkeywords\tsummary\n"
WAITING = "2024-04-01\t再婚禁止期間の廃止\t民法733条\t再婚禁止期間\t廃止された。"
READINGS = "2025-05-26\t振り仮名\t戸籍法107条の3\t\t設けられた。"
SURNAME = "2019-11-05\t旧氏\t\t旧氏の併記\t記載できる。"


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "changes.tsv"
    path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def changes(tmp_path: Path) -> LawChanges:
    return load([table(tmp_path, READINGS, WAITING, SURNAME)])


def subjects(changes: LawChanges, as_of: str, references: list[str], text: str = "") -> list[str]:
    return [c.subject for c in changes.warnings_for(as_of, references, text)]


@pytest.mark.parametrize(
    ("as_of", "warned"),
    [
        ("2015", True),
        ("2024", True),
        ("2024-03", True),
        ("2024-03-31", True),
        ("2024-04", False),
        ("2024-04-01", False),
        ("2026-01-01", False),
        ("", False),
        ("平成27年", False),
    ],
)
def test_only_books_older_than_the_change_are_warned(
    changes: LawChanges, as_of: str, warned: bool
) -> None:
    assert bool(subjects(changes, as_of, ["民法:733"])) is warned


def test_rests_on_the_article_whatever_its_paragraph(changes: LawChanges) -> None:
    assert subjects(changes, "2015", ["民法:733:1"]) == ["再婚禁止期間の廃止"]
    assert subjects(changes, "2015", ["戸籍法:107_3"]) == ["振り仮名"]
    assert subjects(changes, "2015", ["戸籍法:107"]) == []


def test_keywords_count_whatever_else_is_cited(changes: LawChanges) -> None:
    text = "再婚禁止期間が経過した後の婚姻"
    assert subjects(changes, "2015", [], text) == ["再婚禁止期間の廃止"]
    assert subjects(changes, "2015", ["民法:739"], text) == ["再婚禁止期間の廃止"]
    assert subjects(changes, "2015", ["民法:739"], "婚姻の届出") == []


def test_newest_change_comes_first(changes: LawChanges) -> None:
    found = subjects(changes, "2015", ["民法:733", "戸籍法:107_3"])
    assert found == ["振り仮名", "再婚禁止期間の廃止"]


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        (["令和6年\t題\t民法733条\t\t文。"], "日付ではありません"),
        (["2024-04-01\t\t民法733条\t\t文。"], "空にできません"),
        (["2024-04-01\t題\t民法733条\t\t"], "空にできません"),
        (["2024-04-01\t題\t民法\t\t文。"], "条文の表記"),
        (["2024-04-01\t題\t\t\t文。"], "articles か keywords"),
        ([WAITING, WAITING], "二つあります"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, rows: list[str], cause: str) -> None:
    path = table(tmp_path, *rows)
    with pytest.raises(SettingsError) as error:
        load([path])
    assert cause in error.value.message
    assert f"{path} の {1 + len(rows)} 行目" in error.value.message


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=3), st.text(max_size=40))
def test_never_crashes(as_of: str, references: list[str], text: str) -> None:
    changes = LawChanges([])
    assert changes.warnings_for(as_of, references, text) == []


@pytest.mark.parametrize(
    ("reference", "effective"),
    [
        ("民法:772", "2024-04-01"),
        ("民法:733", "2024-04-01"),
        ("民法:819", "2026-04-01"),
        ("戸籍法:120_2", "2024-03-01"),
        ("戸籍法:107_3", "2025-05-26"),
        ("民法:731", "2022-04-01"),
        ("戸籍法:29", "2021-09-01"),
        ("民法:817_5", "2020-04-01"),
        ("戸籍法:87", "2020-05-01"),
        ("国籍法:3", "2009-01-01"),
        ("民法:900", "2013-12-11"),
    ],
)
def test_the_shipped_table_knows_the_breaks(reference: str, effective: str) -> None:
    found = load().warnings_for("2005", [reference], "")
    assert effective in {c.effective for c in found}


def test_shipped_summaries_are_one_sentence() -> None:
    for change in load().changes:
        assert change.summary.endswith("。"), change.subject
        assert "\n" not in change.summary
