from __future__ import annotations

from app.core.book import Line, Passage, Ruby
from app.web.reading import LEAF, leaf, paragraphs, with_ruby


def test_ruby_stands_over_its_words() -> None:
    line = Line("権利を得る。", ruby=(Ruby(0, 2, "けんり"),))
    assert str(with_ruby(line)) == "<ruby>権利<rt>けんり</rt></ruby>を得る。"


def test_broken_lines_are_one_paragraph() -> None:
    lines = [Line("届出は"), Line("要らない。", starts_paragraph=False), Line("次の段落")]
    passage = Passage("b-1", "b", 0, "届出は要らない。")
    assert [(str(item.html), item.is_marked) for item in paragraphs(lines, passage)] == [
        ("届出は要らない。", True),
        ("次の段落", False),
    ]


def test_the_same_words_elsewhere_are_not_marked_and_the_quoted_ones_stand_out() -> None:
    lines = [
        Line(text) for text in ("第一条", "前項と同じ。", "第二条", "届け出る。", "前項と同じ。")
    ]
    passage = Passage("b-1", "b", 0, "第二条\n届け出る。\n前項と同じ。")
    found = paragraphs(lines, passage, "4-9")
    assert [item.is_marked for item in found] == [False, False, True, True, True]
    assert [item.is_quoted for item in found] == [False, False, False, True, False]


def test_a_passage_that_began_overleaf_is_marked_from_its_middle() -> None:
    passage = Passage("b-1", "b", 0, "前の頁の行である。\n続きの行である。")
    found = paragraphs([Line("続きの行である。"), Line("別の話である。")], passage)
    assert [item.is_marked for item in found] == [True, False]


def test_a_long_page_is_cut_before_its_articles_and_opens_at_the_passage() -> None:
    lines = [
        Line(f"第{n // 8}条", level=1) if n % 8 == 0 else Line(f"本文{n}である。")
        for n in range(3 * LEAF)
    ]
    wanted = lines[2 * LEAF]
    found = paragraphs(lines, Passage("b-1", "b", 0, wanted.text))
    opened = leaf(found, None)
    assert opened.is_marked
    assert opened.index == 2
    assert leaf(found, 9999).index == opened.count - 1
    shown = [
        item for n in range(opened.count) for _, items in leaf(found, n).sections for item in items
    ]
    assert shown == found
    for number in range(opened.count):
        heading, items = leaf(found, number).sections[0]
        assert items[0].text == heading
