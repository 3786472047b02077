from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.book import Box, Document, Line, Page, Passage
from ingest.chunks import passages


def book(*lines: str | Line, title: str = "", label: str = "") -> Document:
    made = tuple(line if isinstance(line, Line) else Line(line) for line in lines)
    return Document(title, (Page(0, made, label),))


def test_an_article_is_one_passage_with_its_heading() -> None:
    document = book(
        "第六章　離婚",
        "（婚氏続称）",
        "第七十七条の二　離婚の際に称していた氏を称しようとする者は、届け出なければならない。",
        title="戸籍法",
        label="124の1",
    )
    (passage,) = passages(document, "b")
    assert passage.text.startswith("第七十七条の二（婚氏続称）\n離婚の際")
    assert passage.article == "第七十七条の二"
    assert passage.section_path == ("第六章　離婚", "第七十七条の二（婚氏続称）")
    assert passage.kind == "article"
    assert passage.page_label == "124の1"
    assert passage.about == ("戸籍法:77_2", "戸籍法:77_2:1")
    assert passage.id.startswith("b-")


def test_headings_with_nothing_below_them_are_not_lost() -> None:
    document = book(
        "第一章　総則", "第一節　通則", "届出は口頭でもできる。", "第二章　削除", "第三章　削除"
    )
    assert [(p.text, p.section_path) for p in passages(document, "b")] == [
        ("第一節　通則\n届出は口頭でもできる。", ("第一章　総則", "第一節　通則")),
        ("第二章　削除\n第三章　削除", ("第二章　削除",)),
    ]


def test_a_passage_bears_the_number_of_the_half_of_the_sheet_it_begins_on() -> None:
    lines = [
        Line("第一条　届出。", label="30"),
        Line("第二条　審査。", label="31"),
        Line("第三条　受理。"),
    ]
    found = passages(book(*lines, label="30・31"), "b")
    assert [passage.page_label for passage in found] == ["30", "31", "30・31"]


def test_paragraphs_of_an_article_know_their_numbers_and_what_they_refer_to() -> None:
    document = book(
        "第十条　届出は市役所でする。",
        "２　前項の届出は、代理人がすることができる。",
        "３　前二項の規定は、第八条の場合に準用する。",
        title="戸籍法",
    )
    (passage,) = passages(document, "b")
    assert passage.about == ("戸籍法:10", "戸籍法:10:1", "戸籍法:10:2", "戸籍法:10:3")
    assert "戸籍法:8" in passage.cites
    assert not set(passage.cites) & set(passage.about)


def test_a_long_article_is_cut_between_its_paragraphs() -> None:
    filler = "届出をしなければならない。" * 20
    document = book(
        f"第十条　{filler}", f"２　{filler}", f"３　{filler}", f"４　{filler}", title="戸籍法"
    )
    found = passages(document, "b", passage_chars=300)
    assert len(found) == 4
    assert {passage.article for passage in found} == {"第十条"}
    assert [passage.about[1:] for passage in found] == [
        (f"戸籍法:10:{number}",) for number in range(1, 5)
    ]
    assert [passage.ordinal for passage in found] == [0, 1, 2, 3]


def test_a_paragraph_cut_within_keeps_its_number() -> None:
    filler = "届出をしなければならない。"
    document = book("第十条　短い。", "２　" + filler * 60, title="戸籍法")
    found = passages(document, "b", passage_chars=200)
    assert len(found) > 2
    assert all("戸籍法:10:2" in passage.about for passage in found[1:])


def test_the_supplement_of_an_amending_act_is_that_acts_own() -> None:
    document = book(
        "附　則",
        "第三条　旧法の戸籍は、新法の戸籍とみなす。",
        "附　則　（令和五年六月九日法律第四八号）　抄",
        "第三条　この法律の施行前の届出は、前条の例による。",
        title="戸籍法",
    )
    original, amending = passages(document, "b")
    assert original.about[0] == "戸籍法:s_3"
    assert amending.about[0] == "令和5年法律第48号:s_3"
    assert "令和5年法律第48号:s_2" in amending.cites
    assert "戸籍法:s_3" in amending.cites


@pytest.mark.parametrize(
    ("heading", "about"),
    [
        ("戸籍法　第七十七条の二（婚氏続称）", "戸籍法:77_2"),
        ("民法767条", "民法:767"),
        ("戸籍法附則第三条第一項の戸籍の改製に関する省令　附則", ""),
        ("民法767条の届出", ""),
    ],
)
def test_a_heading_is_an_article_only_where_it_names_no_more(heading: str, about: str) -> None:
    page = Page(0, (Line(heading, level=1), Line("この省令は、公布の日から施行する。")))
    (passage,) = passages(Document("", (page,)), "b")
    assert passage.about[:1] == ((about,) if about else ())


def test_a_supplement_is_not_the_article_of_the_same_number() -> None:
    document = book("第一条　本則。", "附　則", "第一条　この法律は…", title="戸籍法")
    first, second = passages(document, "b")
    assert first.about[0] == "戸籍法:1"
    assert second.about[0] != "戸籍法:1"


def test_a_question_stays_with_its_answer() -> None:
    document = book("問12　離婚後の氏は？", "答　婚氏を称する届出（戸77の2）ができる。")
    (passage,) = passages(document, "b")
    assert passage.text == "問12　離婚後の氏は？\n答　婚氏を称する届出（戸77の2）ができる。"
    assert passage.article == "問12"
    assert "戸籍法:77_2" in passage.cites
    assert passage.about == ()


def test_headings_alone_are_no_passages_but_lead_to_theirs() -> None:
    document = book("第1章　届出", "第1節　出生", "十四日以内に届け出る。")
    (passage,) = passages(document, "b")
    assert passage.section_path == ("第1章　届出", "第1節　出生")
    assert "第1節　出生" in passage.text


def test_boxes_are_those_of_the_passage_alone() -> None:
    boxes = [Box(0.1, number / 10, 0.9, number / 10 + 0.05) for number in range(4)]
    pages = (
        Page(0, (Line("第1条　甲", boxes[0]), Line("届出は", boxes[1])), "ⅰ"),
        Page(
            1, (Line("三箇月", boxes[2], starts_paragraph=False), Line("第2条　乙", boxes[3])), "1"
        ),
    )
    first, second = passages(Document("", pages), "b")
    assert (first.page_index, first.page_index_end, first.page_label) == (0, 1, "ⅰ")
    assert [(page.page_index, page.boxes) for page in first.boxes] == [
        (0, (boxes[0], boxes[1])),
        (1, (boxes[2],)),
    ]
    assert (second.page_index, second.page_label) == (1, "1")
    assert [page.boxes for page in second.boxes] == [(boxes[3],)]


def test_ids_follow_the_content() -> None:
    before = book("第1条　甲。", "第2条　乙。", "第3条　丙。")
    after = book("第1条　甲。", "第2条　丁。", "第3条　丙。")
    old = [passage.id for passage in passages(before, "b")]
    new = [passage.id for passage in passages(after, "b")]
    assert (old[0], old[2]) == (new[0], new[2])
    assert old[1] != new[1]


def test_repeated_contents_have_ids_of_their_own() -> None:
    document = book("第1条", "削除", "第1条", "削除", "第1条", "削除")
    ids = [passage.id for passage in passages(document, "b")]
    assert len(set(ids)) == 3


def test_a_statute_is_cut_whole(law_texts: Path) -> None:
    from ingest.readers import read

    path = next(path for path in sorted(law_texts.iterdir()) if "国籍法" in path.name)
    document = read(path)
    found = passages(document, "b")
    assert any(passage.about[:1] == ("国籍法:2",) for passage in found)
    assert max(len(passage.text) for passage in found) < 2000


WORDS = st.text(alphabet="届出をする。、①２ 　離婚ABC", min_size=1, max_size=120)
LINES = st.one_of(
    WORDS.map(Line),
    WORDS.map(lambda text: Line(text, starts_paragraph=False)),
    st.integers(1, 30).map(lambda number: Line(f"第{number}条")),
    st.integers(1, 9).map(lambda number: Line(f"第{number}章　総則")),
)


def squeezed(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=15), st.integers(100, 300))
def test_every_paragraph_is_in_a_passage_and_none_is_far_too_long(
    lines: list[Line], passage_chars: int
) -> None:
    found = passages(book(*lines, title="戸籍法"), "b", passage_chars)
    check_passages(found)
    text = squeezed("".join(passage.text for passage in found))
    printed = [squeezed(line.text) for line in lines if not line.text.startswith("第")]
    assert len(text) >= sum(map(len, printed))
    assert max((len(passage.text) for passage in found), default=0) <= 1.5 * passage_chars + 200


def check_passages(found: list[Passage]) -> None:
    assert len({passage.id for passage in found}) == len(found)
    assert [passage.ordinal for passage in found] == list(range(len(found)))
    for passage in found:
        assert passage.text.strip()
        assert passage.page_index <= passage.page_index_end
