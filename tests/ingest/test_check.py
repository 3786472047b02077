from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.check import as_table, character_error_rate, check, edit_distance


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
    (row,) = check(tmp_path)
    assert (row.name, row.pages, row.rate, row.plain_rate) == ("a.md", 1, 0.0, None)
    assert as_table([row]).splitlines()[-1].startswith("| a.md | 1 | 0.00 |")
