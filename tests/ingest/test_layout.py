from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.layout.page import arrange
from ingest.layout.shapes import Glyph, Rule


def glyph(char: str, x: float, y: float, em: float = 10.0) -> Glyph:
    width = em / 2 if char.isascii() else em
    return Glyph(char, x, y, x + width, y + em, em)


def across(text: str, x: float, y: float, em: float = 10.0) -> list[Glyph]:
    glyphs = []
    for char in text:
        glyphs.append(glyph(char, x, y, em))
        x = glyphs[-1].x1
    return glyphs


def down(text: str, x: float, y: float, em: float = 10.0) -> list[Glyph]:
    return [glyph(char, x, y + em * number, em) for number, char in enumerate(text)]


def texts(glyphs: list[Glyph], rules: list[Rule] | None = None) -> list[str]:
    return [row.text for row in arrange(glyphs, rules or []).rows]


LINES = [
    "戸籍に関する届出は本籍地で",
    "これをしなければならないと",
    "定められているが所在地でも",
    "差し支えないものとされてい",
]


def test_horizontal_lines_run_from_top_to_bottom():
    glyphs = [g for n, line in enumerate(LINES) for g in across(line, 50, 50 + 18 * n)]
    page = arrange(glyphs)
    assert [row.text for row in page.rows] == LINES
    assert not page.vertical


def test_vertical_lines_run_from_right_to_left():
    glyphs = [g for n, line in enumerate(LINES) for g in down(line, 300 - 18 * n, 50)]
    page = arrange(glyphs)
    assert [row.text for row in page.rows] == LINES
    assert page.vertical


def test_upper_tier_is_read_before_the_lower():
    upper = [g for n, line in enumerate(LINES) for g in down(line, 300 - 18 * n, 50)]
    lower = [g for n, line in enumerate(LINES) for g in down(line[::-1], 300 - 18 * n, 205)]
    assert texts(lower + upper) == LINES + [line[::-1] for line in LINES]


def test_left_column_is_read_before_the_right():
    left = [g for n, line in enumerate(LINES) for g in across(line, 50, 50 + 15 * n)]
    right = [g for n, line in enumerate(LINES) for g in across(line[::-1], 200, 57 + 15 * n)]
    assert texts(right + left) == LINES + [line[::-1] for line in LINES]


def test_heading_over_both_columns_comes_first():
    left = [g for n, line in enumerate(LINES) for g in across(line, 50, 80 + 15 * n)]
    right = [g for n, line in enumerate(LINES) for g in across(line[::-1], 200, 80 + 15 * n)]
    head = across("第一章　届出の通則と届出期間の計算".replace("　", ""), 60, 50, 14)
    assert texts(left + right + head)[0] == "第一章届出の通則と届出期間の計算"


def test_short_heading_over_both_columns_parts_them():
    def column(text: str, x: float, y: float, lines: int) -> list[Glyph]:
        return [g for n in range(lines) for g in across(text * 12, x, y + 16 * n)]

    def page(resumes: float) -> list[Glyph]:
        heading = across("第二節　届出", 50, 150, 14.0)
        return [
            *column("甲", 50, 90, 3),
            *column("乙", 190, 90, 3),
            *heading,
            *column("丙", 50, 180, 6),
            *column("丁", 190, resumes, 6),
        ]

    assert "".join(text[0] for text in texts(page(180))) == "甲甲甲乙乙乙第丙丙丙丙丙丙丁丁丁丁丁丁"
    # Text that goes on at another level is a column of its own that happens to pause there.
    assert "".join(text[0] for text in texts(page(240))) == "甲甲甲第丙丙丙丙丙丙乙乙乙丁丁丁丁丁丁"


def test_right_page_of_a_spread_is_read_before_the_left():
    def sheet(x: float, turn: int) -> tuple[list[Glyph], list[str]]:
        lines = [line[turn:] + line[:turn] for line in LINES]
        tiers = lines + [line[::-1] for line in lines]
        glyphs = [
            g
            for n, line in enumerate(tiers)
            for g in down(line, x - 18 * (n % 4), 50 + 155 * (n // 4))
        ]
        wide = [glyph("戸", x - 250, 40)] if turn else [glyph("籍", x + 240, 40)]
        return glyphs + wide, tiers

    right, right_lines = sheet(600, 0)
    left, left_lines = sheet(350, 3)
    found = texts(left + right)
    assert [t for t in found if len(t) > 1] == right_lines + left_lines


def test_ruby_stands_apart_from_its_base():
    glyphs = across("嫡出子の出生の届出", 50, 50) + across("ちゃくしゅつし", 49, 44, 4.6)
    (row,) = arrange(glyphs).rows
    assert row.text == "嫡出子の出生の届出"
    assert [(row.text[r.start : r.end], r.text) for r in row.ruby] == [("嫡出子", "ちゃくしゅつし")]


def test_ruby_wider_than_its_kanji_leaves_no_space_in_the_word():
    glyphs = [glyph("宿", 54, 50), glyph("直", 72, 50), *across("の者が受領した", 86, 50)]
    glyphs += across("しゅくちょく", 52, 45, 5.5)
    assert texts(glyphs) == ["宿直の者が受領した"]


def test_digits_side_by_side_in_vertical_text_keep_their_order():
    glyphs = [*down("昭和", 100, 50), glyph("3", 100, 70), glyph("9", 105, 70)]
    glyphs += down("年六月三十日回答", 100, 80)
    assert texts(glyphs) == ["昭和39年六月三十日回答"]


def test_wide_gap_becomes_a_full_width_space():
    assert texts(across("第一条", 50, 50) + across("届書の記載は", 90, 50)) == [
        "第一条　届書の記載は"
    ]


def test_characters_printed_twice_are_read_once():
    bold = across("第二章出生届", 50, 50)
    twice = bold + [Glyph(g.char, g.x0 + 0.3, g.y0, g.x1 + 0.3, g.y1, g.em) for g in bold]
    assert texts(twice) == ["第二章出生届"]


def test_horizontal_head_over_vertical_text_is_its_own_line():
    glyphs = [g for n, line in enumerate(LINES) for g in down(line, 300 - 18 * n, 60)]
    glyphs += across("第一章総則", 60, 20, 7)
    rows = arrange(glyphs).rows
    assert [row.text for row in rows if row.across] == ["第一章総則"]
    assert [row.text for row in rows if not row.across] == LINES


def test_numbers_at_the_foot_of_a_vertical_table_of_contents_stay_with_their_lines():
    glyphs = [g for n, line in enumerate(LINES) for g in down(line[: 6 + n], 300 - 18 * n, 60)]
    for n in range(4):
        glyphs += across(f"{51 - n}", 300 - 18 * n, 300)
    glyphs += across("vi", 300, 330)
    rows = [row.text for row in arrange(glyphs).rows]
    assert [t for t in rows if t != "vi"] == [
        f"{line[: 6 + n]}　{51 - n}" for n, line in enumerate(LINES)
    ]
    assert "vi" in rows


def grid(xs: list[float], ys: list[float]) -> list[Rule]:
    rules = [Rule(xs[0], y, xs[-1], y) for y in ys]
    return rules + [Rule(x, ys[0], x, ys[-1]) for x in xs]


def test_table_is_read_row_by_row_with_whole_cells():
    glyphs = across("区分", 55, 55) + across("手数料", 155, 55)
    glyphs += (
        across("除籍謄本改製", 55, 75) + across("原戸籍謄本", 55, 87) + across("七百円", 155, 81)
    )
    rows = arrange(glyphs, grid([50, 150, 250], [50, 70, 102])).rows
    assert [row.text for row in rows] == ["区分　手数料", "除籍謄本改製原戸籍謄本　七百円"]
    assert all(row.table for row in rows)


def test_vertical_table_has_its_first_row_at_the_right():
    glyphs = down("区分", 135, 55) + down("手数料", 135, 125)
    glyphs += down("謄本", 105, 55) + down("七百円", 105, 125)
    glyphs += [g for n, line in enumerate(LINES) for g in down(line, 300 - 18 * n, 50)]
    rows = arrange(glyphs, grid([90, 120, 150], [50, 120, 180])).rows
    assert [row.text for row in rows if row.table] == ["区分　手数料", "謄本　七百円"]


def test_vertical_cell_of_a_horizontal_form():
    glyphs = down("届出人印", 55, 52) + across("氏名を自署すること", 85, 55)
    glyphs += across("住所を記載すること", 85, 75)
    glyphs += [g for n, line in enumerate(LINES) for g in across(line, 50, 120 + 18 * n)]
    rows = arrange(glyphs, grid([50, 75, 250], [50, 95, 110])).rows
    assert rows[0].text == "届出人印　氏名を自署すること住所を記載すること"


def test_frame_around_text_is_no_table():
    glyphs = [g for n, line in enumerate(LINES) for g in across(line, 60, 60 + 18 * n)]
    rows = arrange(glyphs, grid([50, 250], [50, 95, 140, 160])).rows
    assert [row.text for row in rows] == LINES
    assert not any(row.table for row in rows)


def test_empty_page():
    assert arrange([]).rows == ()


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_order_of_drawing_does_not_matter(shuffler: random.Random, vertical: bool):
    place = down if vertical else across
    glyphs = []
    for n, line in enumerate(LINES):
        x, y = (300 - 18 * n, 50) if vertical else (50, 50 + 18 * n)
        glyphs += place(line, x, y)
    expected = arrange(glyphs)
    shuffler.shuffle(glyphs)
    assert arrange(glyphs) == expected


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.builds(
            glyph,
            st.sampled_from("戸籍アあ(1。ー"),
            st.floats(0, 400),
            st.floats(0, 600),
            st.floats(2, 40),
        ),
        max_size=40,
    )
)
def test_scattered_characters_are_neither_lost_nor_invented(glyphs: list[Glyph]):
    rows = arrange(glyphs).rows
    read = sorted(char for row in rows for char in row.text if not char.isspace())
    readings = sorted(char for row in rows for ruby in row.ruby for char in ruby.text)
    assert len(read) + len(readings) <= len(glyphs)
    assert set(read) <= {g.char for g in glyphs}


@pytest.mark.parametrize("count", [1, 2])
def test_few_characters(count: int):
    assert texts(across("戸籍"[:count], 50, 50)) == ["戸籍"[:count]]


@pytest.mark.parametrize("gap", [9.0, 11.0, 14.0])
def test_narrow_gutter_parts_two_columns(gap: float):
    left = [g for n, line in enumerate(LINES) for g in across(line, 50, 50 + 18 * n)]
    right = [g for n, line in enumerate(LINES) for g in across(line[::-1], 180 + gap, 50 + 18 * n)]
    assert texts(left + right) == LINES + [line[::-1] for line in LINES]


def test_punctuation_that_hangs_in_the_gutter_does_not_close_it():
    lines = [line + "、" for line in LINES]  # its free half reaches 5 points into the gutter
    left = [g for n, line in enumerate(lines) for g in across(line, 50, 50 + 18 * n)]
    right = [g for n, line in enumerate(LINES) for g in across(line[::-1], 196, 50 + 18 * n)]
    assert texts(left + right) == lines + [line[::-1] for line in LINES]


def test_label_that_hangs_out_into_the_gutter_begins_its_line():
    left = [g for n, line in enumerate(LINES) for g in across(line, 50, 50 + 18 * n)]
    right = [g for n, line in enumerate(LINES) for g in across(line[::-1], 220, 50 + 18 * n)]
    label = across("注", 195, 50 + 18, 8)
    read = texts(left + right + label)
    assert read[:5] == [*LINES, LINES[0][::-1]]
    assert read[5].split() == ["注", LINES[1][::-1]]


@pytest.mark.parametrize("mark", ["﹅", "•", "・"])
def test_emphasis_marks_leave_the_text(mark: str):
    marks = [glyph(mark, 52.5 + 10 * n, 44, 5) for n in range(6)]
    assert texts(across(LINES[0], 50, 50) + marks + across(LINES[1], 50, 68)) == LINES[:2]


def test_ruby_below_its_base():
    base = across("戸籍の届出を本籍地でする", 50, 50)
    (row,) = arrange(base + across("こせき", 51, 61, 5)).rows
    assert row.text == "戸籍の届出を本籍地でする"
    assert [(row.text[r.start : r.end], r.text) for r in row.ruby] == [("戸籍", "こせき")]


def test_ruby_of_an_upper_tier_does_not_begin_a_line_of_the_lower():
    upper = [g for n, line in enumerate(LINES) for g in down(line, 300 - 18 * n, 50)]
    lower = [g for n, line in enumerate(LINES) for g in down(line, 296 - 18 * n, 195)]
    ruby = down("ところ", 292, 163, 5)
    assert texts(upper + lower + ruby) == LINES + LINES


def test_characters_that_their_ruby_pushed_out_of_line_stay_in_their_place():
    line = [g for g in down("これは常用平易な文字の例", 300, 50) if g.char not in "平易"]
    pushed = down("平易", 295.7, 100)
    (row,) = arrange(line + pushed + down("へいい", 307, 102, 6)).rows
    assert row.text == "これは常用平易な文字の例"
    assert [r.text for r in row.ruby] == ["へいい"]


def test_table_ruled_between_its_rows_keeps_cells_whole():
    rows = [
        ("区分", "届出人", "備考"),
        ("出生", "父又は母", "子の名に用"),
        ("死亡", "親族", "なし"),
    ]
    glyphs = [
        g
        for n, row in enumerate(rows)
        for x, cell in zip((50, 110, 190), row, strict=True)
        for g in across(cell, x, 52 + 30 * n)
    ]
    glyphs += across("いる文字", 190, 94)
    rules = [Rule(50, y, 250, y) for y in (48, 78, 108, 138)]
    assert texts(glyphs, rules) == [
        "区分　届出人　備考",
        "出生　父又は母　子の名に用いる文字",
        "死亡　親族　なし",
    ]


def test_merged_cell_stands_in_its_first_row():
    rules = [Rule(x, 50, x, 110) for x in (50, 100, 200)]
    rules += [Rule(50, y, 200, y) for y in (50, 110)] + [Rule(100, 80, 200, 80)]
    glyphs = across("出生", 60, 75) + across("父又は母", 110, 60) + across("十四日以内", 110, 90)
    assert texts(glyphs, rules) == ["出生　父又は母", "十四日以内"]


def test_table_open_at_its_sides():
    rules = [Rule(50, y, 250, y) for y in (50, 80, 110)] + [Rule(150, 50, 150, 110)]
    glyphs = across("届出人", 60, 60) + across("父又は母が届け", 160, 55)
    glyphs += across("出る", 160, 67) + across("期間", 60, 90) + across("十四日", 160, 90)
    assert texts(glyphs, rules) == ["届出人　父又は母が届け出る", "期間　十四日"]


def test_number_below_the_text_does_not_end_a_line_above_it():
    lines = [g for n, line in enumerate(LINES) for g in down(line, 300 - 18 * n, 50)]
    rows = arrange(lines + across("7", 285, 184)).rows
    assert [row.text for row in rows if not row.across] == LINES
    assert [row.text for row in rows if row.across] == ["7"]


def test_mark_of_a_note_beside_a_number_stays_apart_from_it():
    glyphs = across("1", 50, 50, 6) + across("1927年の選挙では党員が立候補", 53.5, 50)
    assert texts(glyphs) == ["1 1927年の選挙では党員が立候補"]
