from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.book import Box, Document, Line, OutlineItem, Page, Ruby
from ingest.sections import Paragraph, Section, paragraphs, sections


def book(
    *pages: list[Line | str], title: str = "", outline: tuple[OutlineItem, ...] = ()
) -> Document:
    made = tuple(
        Page(number, tuple(line if isinstance(line, Line) else Line(line) for line in lines))
        for number, lines in enumerate(pages)
    )
    return Document(title, made, outline)


def paths(document: Document) -> list[tuple[str, ...]]:
    return [section.path for section in sections(document)]


def texts(section: Section) -> list[str]:
    return [paragraph.text for paragraph in section.paragraphs]


def test_labels_of_the_field_are_headings_in_their_order() -> None:
    document = book(
        [
            "第1編　総則",
            "第二章　届出",
            "第三節 出生",
            "第四十九条　出生の届出は、十四日以内にこれをしなければならない。",
            "②　届書には、左の事項を記載しなければならない。",
            "第七十七条の二",
            "民法の規定によつて離婚の際に称していた氏を称しようとする者は…",
            "第四節　認知",
            "認知をしようとする者は…",
            "第三章　雑則",
            "本文",
        ]
    )
    assert paths(document) == [
        ("第1編　総則",),
        ("第1編　総則", "第二章　届出"),
        ("第1編　総則", "第二章　届出", "第三節　出生"),
        ("第1編　総則", "第二章　届出", "第三節　出生", "第四十九条"),
        ("第1編　総則", "第二章　届出", "第三節　出生", "第七十七条の二"),
        ("第1編　総則", "第二章　届出", "第四節　認知"),
        ("第1編　総則", "第三章　雑則"),
    ]
    article = sections(document)[3]
    assert article.headings[-1].label == "第四十九条"
    assert texts(article)[0].startswith("出生の届出は")
    assert len(texts(article)) == 2


def test_a_caption_above_or_beside_belongs_to_its_article() -> None:
    document = book(
        [
            "（婚氏続称）",
            "第767条　婚姻によって氏を改めた者は…",
            "第768条（財産分与）　協議上の離婚…",
        ]
    )
    assert paths(document) == [("第767条（婚氏続称）",), ("第768条（財産分与）",)]
    assert texts(sections(document)[1]) == ["協議上の離婚…"]


def test_a_caption_above_no_article_is_text() -> None:
    document = book(["第1章　総則", "（参考）", "本文", "（終わり）"])
    (section,) = sections(document)
    assert texts(section) == ["（参考）", "本文", "（終わり）"]


def test_references_and_sentences_are_no_headings() -> None:
    document = book(
        [
            "第1章　届出",
            "第七十七条の規定により届け出る。",
            "第四十九条第一項の届書",
            "第二章に定めるところによる。",
            "問題は次のとおりである。",
        ]
    )
    (section,) = sections(document)
    assert len(section.paragraphs) == 4


def test_questions_brackets_and_supplements() -> None:
    document = book(
        [
            "問12　離婚後の氏は？",
            "答　届け出る。",
            "【解説】",
            "民法七六七条2項。",
            "附　則",
            "この法律は…",
        ]
    )
    found = sections(document)
    assert [section.kind for section in found] == ["question", "bracket", "supplement"]
    assert found[0].headings[-1].label == "問12"
    assert found[1].path == ("問12　離婚後の氏は？", "【解説】")
    assert found[2].path == ("附　則",)


def test_levels_of_the_format_and_of_the_outline_count() -> None:
    marked = book([Line("はじめに", level=1), "本文", Line("目的", level=2), "本文"])
    assert paths(marked) == [("はじめに",), ("はじめに", "目的")]
    outline = (OutlineItem("はじめに", 1, 0), OutlineItem("目 的", 2, 0), OutlineItem("本文", 2, 1))
    named = book(["はじめに", "本文", "目的", "本文"], outline=outline)
    assert paths(named) == [("はじめに",), ("はじめに", "目的")]


def test_what_the_reader_calls_a_heading_is_one_whatever_its_words() -> None:
    document = book([Line("届書の書き方", kind="heading"), "本文", "大きな文。"])
    assert paths(document) == [("届書の書き方",)]
    assert texts(sections(document)[0]) == ["本文", "大きな文。"]


def test_tables_and_footnotes_hold_no_headings() -> None:
    document = book([Line("第1章　総則", kind="table"), Line("第1条　注", kind="footnote")])
    assert paths(document) == [()]


def test_the_books_own_title_is_no_section() -> None:
    document = book(
        [Line("戸籍の 手引", level=1), Line("第1章", level=2), "本文"], title="戸籍の手引"
    )
    assert paths(document) == [("第1章",)]


def test_a_table_of_contents_is_left_out_with_the_pages_it_runs_on() -> None:
    leaders = [f"第{number}章　届出……{number * 10}" for number in range(1, 6)]
    document = book(["目　次", *leaders], leaders, ["第1章　届出", "本文"])
    assert paths(document) == [("第1章　届出",)]


def test_lines_are_joined_over_a_page_break_and_keep_their_places() -> None:
    first, second = Box(0.1, 0.9, 0.9, 0.95), Box(0.1, 0.1, 0.5, 0.15)
    document = book(
        ["第1条　離婚", Line("届出は三", first)],
        [
            Line("箇月以内にABC", second, starts_paragraph=False),
            Line("DEF", starts_paragraph=False),
        ],
    )
    (section,) = sections(document)
    joined = section.paragraphs[-1]
    assert joined.text == "届出は三箇月以内にABC DEF"
    assert [(piece.start, piece.end, piece.page_index) for piece in joined.pieces] == [
        (0, 4, 0),
        (4, 12, 1),
        (13, 16, 1),
    ]
    assert [piece.box for piece in joined.pieces] == [first, second, None]


def test_readings_stay_with_their_paragraph() -> None:
    document = book([Line("認知の届出", ruby=(Ruby(0, 2, "にんち"),)), "第1条　本文"])
    first, *_ = list(paragraphs(document))
    assert first.readings == ("にんち",)


def test_blank_lines_are_nothing() -> None:
    assert sections(book(["", " 　 ", Line("", level=1)])) == []


LINES = st.builds(
    Line,
    st.one_of(
        st.text(alphabet="第一二1２条章節項の　 （）。、問答Q【】附則目次…離婚届A", max_size=25),
        st.sampled_from(
            ["第1章　総則", "（目的）", "第一条　この法律は", "問1 届出は？", "別表第一"]
        ),
    ),
    kind=st.sampled_from(["body", "heading", "table", "footnote"]),
    starts_paragraph=st.booleans(),
    level=st.integers(0, 3),
    size=st.sampled_from([0.8, 1.0, 1.6]),
)
DOCUMENTS = st.lists(st.lists(LINES, max_size=8), max_size=4).map(lambda pages: book(*pages))


def squeezed(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_no_character_is_lost_outside_tables_of_contents(document: Document) -> None:
    found = list(paragraphs(document))
    printed = "".join(line.text for page in document.pages for line in page.lines)
    if not any(word in squeezed(printed) for word in ("目次", "細目")):
        assert sorted(squeezed("".join(item.text for item in found))) == sorted(squeezed(printed))
    for item in found:
        check_pieces(item)


def check_pieces(paragraph: Paragraph) -> None:
    assert paragraph.text.strip()
    assert paragraph.pieces
    assert paragraph.pieces[0].start == 0
    assert paragraph.pieces[-1].end == len(paragraph.text)
    for piece in paragraph.pieces:
        assert 0 <= piece.start < piece.end <= len(paragraph.text)
    pages = [piece.page_index for piece in paragraph.pieces]
    assert pages == sorted(pages) or "（" in paragraph.text  # a caption stands before its article


def question(*lines: Line) -> tuple[str, list[str]]:
    (section,) = sections(book(list(lines)))
    return section.path[-1], texts(section)


def test_a_question_broken_over_lines_is_one_heading() -> None:
    answer = Line("答　取れない。")
    on = Line("か。", starts_paragraph=False)
    assert question(Line("問97　住民票を、大家が取れる"), on, answer) == (
        "問97　住民票を、大家が取れるか。",
        ["答　取れない。"],
    )
    assert question(Line("問1　誤りに気付いた。"), Line("どうするか。", starts_paragraph=False))[
        0
    ] == ("問1　誤りに気付いた。どうするか。")
    left, indented = Box(0.12, 0.5, 0.9, 0.52), Box(0.14, 0.5, 0.9, 0.52)
    below = Box(0.14, 0.53, 0.3, 0.55)
    asked = Line("問1　誤りに気付いた。", indented)
    assert question(asked, Line("どうするか。", below), answer)[0].endswith(
        "気付いた。どうするか。"
    )
    assert question(replace(asked, box=left), Line("どうするか。", below), answer)[1] == [
        "どうするか。",
        "答　取れない。",
    ]


def test_what_answers_a_question_is_no_part_of_it() -> None:
    for text in ("答　届け出る。", "届け出る。", "【解説】届け出る。"):
        line = Line(text, starts_paragraph=False)
        assert question(Line("問1　離婚後の氏は？"), line) == ("問1　離婚後の氏は？", [text])
    table = Line("届出か。", kind="table", starts_paragraph=False)
    assert question(Line("問1　離婚後の氏は"), table)[1] == ["届出か。"]


def test_a_footnote_belongs_to_the_section_that_refers_to_it() -> None:
    note = Line("注1　昭和24年9月24日回答。", kind="footnote")
    document = book(
        [
            "第一節　届出地",
            "届出は所在地でする（注1）。",
            "第二節　期間",
            "期間は十四日である。",
            note,
        ]
    )
    first, second = sections(document)
    assert texts(first) == ["届出は所在地でする（注1）。", "注1　昭和24年9月24日回答。"]
    assert texts(second) == ["期間は十四日である。"]


def test_a_colophon_stands_under_no_heading() -> None:
    document = book(
        ["第一章　総則", "本文"],
        ["手引", "令和6年5月20日　初版発行", "発行所　戸籍出版", "定価　3,000円"],
    )
    assert paths(document) == [("第一章　総則",), ()]
