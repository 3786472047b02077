from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.book import Box, Line, Page
from app.core.errors import BadRequest
from ingest.loose import label_key, labelled, plan, removals


def pages(*labels: str) -> list[Page]:
    return [Page(index, (Line("文。"),), label=label) for index, label in enumerate(labels)]


def sheet(*lines: str) -> Page:
    return Page(0, tuple(Line(line) for line in lines))


def test_labels_stand_in_the_order_of_the_binder() -> None:
    labels = ["ⅱ", "ⅳ", "9", "124", "124の1", "124の2", "124の2の1", "124の10", "125"]
    keys = [label_key(label) for label in labels]
    assert None not in keys
    assert sorted(keys, key=lambda key: key or ()) == keys
    assert label_key("124‐2") == label_key("１２４の２") == (1, 124, 2)
    assert label_key("百二十四の二") == label_key("一二四の二") == (1, 124, 2)
    assert label_key("表紙") is None
    assert label_key("") is None


def test_new_pages_go_where_their_number_belongs() -> None:
    made = plan(pages("ⅰ", "1", "2", "4", ""), [("追録", pages("3", "2の1", "ⅱ", "9", "0"))])
    assert [leaf.label for leaf in made.leaves] == [
        *("ⅰ", "ⅱ", "0", "1", "2", "2の1", "3", "4", "9", "")
    ]
    assert made.added == ("ⅱ", "0", "2の1", "3", "9")
    assert not made.replaced


def test_later_supplements_replace_what_earlier_ones_brought() -> None:
    made = plan(pages("1", "2"), [("一", pages("2", "2の1")), ("二", pages("2の1", "2の2"))])
    assert [(leaf.source, leaf.label) for leaf in made.leaves] == [
        *((0, "1"), (1, "2"), (2, "2の1"), (2, "2の2"))
    ]
    assert (made.replaced, made.added) == (("2",), ("2の1", "2の2"))


def test_a_number_the_book_bears_twice_is_no_place() -> None:
    with pytest.raises(BadRequest, match="頁番号 1 が何ページもあり"):
        plan(pages("1", "2", "1"), [("追録", pages("1"))])
    made = plan(pages("1", "2", "1"), [("追録", pages("2"))])
    assert made.replaced == ("2",)


def test_what_the_table_takes_out_goes_unless_it_is_brought() -> None:
    table = sheet("追録第3号 差替表", "除去　124の1〜124の3、130")
    brought = [table, *pages("124の1", "124の2")]
    made = plan(pages("123", "124の1", "124の2", "124の3", "130"), [("追録", brought)])
    assert [leaf.label for leaf in made.leaves] == ["123", "124の1", "124の2"]
    assert made.removed == ("124の3", "130")
    assert made.replaced == ("124の1", "124の2")
    gone = plan(pages("123"), [("追録", [sheet("差替表", "除去 99"), *pages("123")])])
    assert "99 頁は、この本にありません" in gone.warnings[0]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["差替表", "除去 12"], [(12, 12)]),
        (["加除一覧", "１２頁〜１５頁を除去"], [(12, 15)]),
        (["差替表", "除去する頁　加入する頁　枚数", "12〜15　12〜18　3枚"], [(12, 15)]),
        (["差替表", "差し込む頁　抜き取る頁", "12〜18　12〜15"], [(12, 15)]),
        (["差替表", "除去　挿入", "20　なし", "なし　21"], [(20, 20)]),
        (["差替表", "除去　挿入", "20"], []),
        (["差替表", "12を除去し、12〜14を挿入"], [(12, 12)]),
        (["はしがき", "除去 12"], []),
        (["差替表", "令和8年4月1日"], []),
    ],
)
def test_tables_of_what_goes(lines: list[str], expected: list[tuple[int, int]]) -> None:
    assert removals([sheet(*lines)]) == [((1, low), (1, high)) for low, high in expected]


def test_a_number_alone_at_the_edge_is_the_page_s() -> None:
    def line(text: str, top: float) -> Line:
        return Line(text, Box(0.4, top, 0.6, top + 0.02))

    found = labelled(
        [
            Page(0, (line("本文。", 0.3), line("－ 200の1 －", 0.95))),
            Page(1, (line("本文。", 0.3),)),
            Page(2, (line("本文。", 0.3), line("200の3", 0.95))),
            Page(3, (line("3", 0.03), line("本文。", 0.3), line("12", 0.95))),
            Page(4, ()),
        ]
    )
    assert [page.label for page in found] == ["200の1", "200の2", "200の3", "", ""]


@given(
    st.lists(st.integers(1, 40), unique=True, min_size=1),
    st.lists(st.integers(1, 40), unique=True, min_size=1),
)
def test_a_book_in_order_stays_in_order(book: list[int], brought: list[int]) -> None:
    labels = [str(number) for number in sorted(book)]
    made = plan(pages(*labels), [("追録", pages(*map(str, brought)))])
    numbers = [int(leaf.label) for leaf in made.leaves]
    assert numbers == sorted({*book, *brought})
    assert set(made.replaced) == {str(number) for number in {*book} & {*brought}}
    assert set(made.added) == {str(number) for number in {*brought} - {*book}}
