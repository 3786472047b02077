from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import glossary, lawchanges
from app.core.errors import BadRequest, Conflict
from app.core.glossary import Glossary
from app.core.lawchanges import LawChanges
from app.core.tables import SiteTable

ROW = ("氏", "みょうじ", "氏", "民法767条2項", "")


def words(folder: Path) -> SiteTable[Glossary]:
    return SiteTable(
        "glossary", folder / "glossary.tsv", glossary.LABELS, lambda path: glossary.load((path,))
    )


def changes(folder: Path) -> SiteTable[LawChanges]:
    path = folder / "law_changes.tsv"
    return SiteTable("law_changes", path, lawchanges.LABELS, lambda path: lawchanges.load((path,)))


def test_rows_are_saved_and_read_again(tmp_path: Path) -> None:
    table = words(tmp_path)
    assert table.rows() == []
    saved = table.save([ROW], table.mark())
    assert [entry.topic for entry in saved.entries] == ["氏"]
    assert table.rows() == [ROW]
    assert glossary.load((table.path,)).expand("みょうじを変える")
    assert [path.name for path in tmp_path.iterdir()] == ["glossary.tsv"]


def test_a_bad_row_is_named_and_nothing_changes(tmp_path: Path) -> None:
    table = words(tmp_path)
    table.save([ROW], table.mark())
    bad = ("婚姻", "籍を入れる", "", "", "")
    with pytest.raises(
        BadRequest, match="2行目（婚姻／籍を入れる）: 「専門の言葉」か「条文」"
    ) as caught:
        table.save([ROW, bad], table.mark())
    assert caught.value.field == "2"
    assert table.rows() == [ROW]
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(BadRequest, match="1行目"):
        changes(tmp_path).checked([("きのう", "改正", "民法772条", "", "変わった。")])
    with pytest.raises(BadRequest, match="# で始められません"):
        table.checked([("#氏", "みょうじ", "氏", "", "")])


def test_two_people_at_once_do_not_overwrite_each_other(tmp_path: Path) -> None:
    table = words(tmp_path)
    mark = table.mark()
    table.save([ROW], mark)
    with pytest.raises(Conflict, match="ほかの人"):
        table.save([], mark)
    assert table.rows() == [ROW]


def test_comments_written_by_hand_stay(tmp_path: Path) -> None:
    table = words(tmp_path)
    table.path.write_text("# 係の覚え\n\n" + "\t".join(glossary.COLUMNS) + "\n", "utf-8")
    table.save([ROW], table.mark())
    assert table.text().startswith("# 係の覚え\ntopic\t")


def test_cells_from_a_spreadsheet_are_pasted_as_they_are(tmp_path: Path) -> None:
    table = words(tmp_path)
    pasted = "topic\teveryday\tprofessional\tarticles\tnote\r\n氏\tみょうじ\t氏\r\n\r\n"
    assert table.parse(pasted) == [("氏", "みょうじ", "氏", "", "")]
    with pytest.raises(BadRequest, match="1行目（a／b）: 列が 6 あります"):
        table.parse("a\tb\tc\td\te\tf")


cells = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)


@given(rows=st.lists(st.tuples(cells, cells, cells, cells, cells), max_size=5))
def test_whatever_is_saved_is_what_is_read(rows: list[tuple[str, ...]]) -> None:
    table = words(Path("nowhere"))
    text = "\n".join("\t".join(row) for row in rows)
    parsed = table.parse(text)
    assert table.parse("\n".join("\t".join(row) for row in parsed)) == parsed
