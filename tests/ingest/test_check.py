from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.cli import cli
from app.core.errors import BadRequest
from ingest.check import ReadingRow, by_kind, character_error_rate, check, edit_distance
from tests.ingest.pdfs import across, write_pdf


def by_hand(found: str, truth: str) -> int:
    row = list(range(len(truth) + 1))
    for place, char in enumerate(found, 1):
        after = [place]
        for column, expected in enumerate(truth, 1):
            after.append(min(row[column] + 1, after[-1] + 1, row[column - 1] + (char != expected)))
        row = after
    return row[-1]


@given(st.text("戸籍法", max_size=12), st.text("戸籍法", max_size=12))
def test_edit_distance_agrees_with_the_table(found: str, truth: str):
    assert edit_distance(found, truth) == by_hand(found, truth)


def test_rate_ignores_space_width_and_radicals():
    assert character_error_rate("⼾籍法　第１条\n", "戸籍法第1条") == 0
    assert character_error_rate("戸籍", "戸籍法第1条") == pytest.approx(4 / 6)


def test_empty_truth_is_an_error():
    with pytest.raises(ValueError, match="no characters"):
        character_error_rate("戸籍", " \n")


def test_check_measures_every_file_with_a_truth(tmp_path: Path):
    (tmp_path / "a.md").write_text("# 戸籍法\n\n第一条", "utf-8")
    (tmp_path / "a.truth.txt").write_text("戸籍法第一条", "utf-8")
    (tmp_path / "a.truth.json").write_text('{"labels": ["1", "2"]}', "utf-8")
    (row,) = check(tmp_path)
    assert (row.name, row.pages, row.rate, row.plain_rate) == ("a.md", 1, 0.0, None)
    assert row.labels_right is None


def test_check_counts_the_pages_with_the_right_number(tmp_path: Path):
    pages = [
        across(text, 50, 500) + across(number, 200, 20)
        for text, number in (("出生の届出", "12"), ("婚姻の届出", "13"), ("離婚の届出", "14"))
    ]
    write_pdf(tmp_path / "a.pdf", pages)
    (tmp_path / "a.truth.txt").write_text("出生の届出婚姻の届出離婚の届出", "utf-8")
    (tmp_path / "a.truth.json").write_text('{"labels": ["12", "13", "ⅸ"]}', "utf-8")
    (row,) = check(tmp_path)
    assert (row.pages, row.labels_right) == (3, 2)
    assert row.rate == 0 < (row.plain_rate or 0)


def test_the_command_writes_the_measures(tmp_path: Path):
    (tmp_path / "a.md").write_text("# 戸籍法\n\n第一条", "utf-8")
    (tmp_path / "a.truth.txt").write_text("戸籍法第二条", "utf-8")
    shown = CliRunner().invoke(cli, ["eval", "reading", str(tmp_path)])
    assert "a.md" in shown.output
    assert "16.67" in shown.output
    json_file = tmp_path / "out" / "r.json"
    written = CliRunner().invoke(cli, ["eval", "reading", str(tmp_path), "--json", str(json_file)])
    assert written.exit_code == 0
    (row,) = json.loads(json_file.read_text("utf-8"))
    assert (row["name"], row["rate"]) == ("a.md", pytest.approx(1 / 6))


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path):
    inner = tmp_path / "中"
    inner.mkdir()
    (inner / "壊れた.pdf").write_bytes(b"%PDF-1.7\n")
    write_pdf(inner / "他.pdf", [across("出生の届出", 50, 500)])
    (tmp_path / "甲.md").write_text("第一条", "utf-8")
    (tmp_path / "甲.truth.txt").write_text("第一条", "utf-8")
    other, broken, first = sorted(check(tmp_path), key=lambda row: row.name)
    assert "壊れた.pdfはPDFとして開けません" in broken.error
    assert (other.known, other.characters, other.rate, other.kind) == ("", 5, None, "PDF 横組")
    assert first.rate == 0
    shown = CliRunner().invoke(cli, ["eval", "reading", str(tmp_path)])
    assert shown.exit_code == 0
    assert "壊れた.pdf" in shown.output
    (inner / "壊れた.truth.txt").write_text("第一条", "utf-8")
    assert CliRunner().invoke(cli, ["eval", "reading", str(tmp_path)]).exit_code == 1


def test_kinds_are_taken_together():
    rows = [
        ReadingRow("a", "PDF 横組", 1, 10, "truth", 10, 0.1, 0.005),
        ReadingRow("b", "PDF 横組", 2, 30, "truth", 30, 0.0, 0.005),
        ReadingRow("c", "PDF 縦組", 2, 30, "ndlocr", 30, 0.5, 0.04),
    ]
    (kind,) = by_kind(rows)
    assert (kind.documents, kind.pages, kind.characters) == (2, 3, 40)
    assert kind.rate == pytest.approx(0.025)


def test_a_folder_without_truths_is_named(tmp_path: Path):
    found = CliRunner().invoke(cli, ["eval", "reading", str(tmp_path)])
    assert isinstance(found.exception, BadRequest)
    assert str(tmp_path) in found.exception.message
