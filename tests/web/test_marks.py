from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.web.marks import Wanted, marked, snippet, spans

SOUGHT = Wanted(frozenset({"離婚", "届け出"}), frozenset({("氏",), ("婚姻", "前", "氏")}))


def test_words_are_marked_as_printed_and_neighbours_together() -> None:
    assert str(marked("離婚の届出", SOUGHT)) == (
        '<mark class="own">離婚</mark>の<mark class="own">届出</mark>'
    )
    assert str(marked("離婚届出", SOUGHT)) == '<mark class="own">離婚届出</mark>'


def test_a_term_of_several_words_is_marked_only_as_a_whole() -> None:
    text = "婚姻前の氏に復する。婚姻の届出。"
    kinds = [(text[start:end], kind) for start, end, kind in spans(text, SOUGHT)]
    assert ("婚姻前の氏", "glossary") in kinds
    assert all(part != "婚姻" for part, _ in kinds)


def test_what_is_no_word_is_escaped() -> None:
    assert "&lt;b&gt;" in marked("<b>離婚</b>", SOUGHT)


@given(st.text(alphabet="離婚氏届出の前&<、。\n婚姻abＡ①", max_size=60))
def test_marks_change_nothing_but_themselves(text: str) -> None:
    plain = marked(text, SOUGHT)
    for tag in ('<mark class="own">', '<mark class="glossary">', "</mark>"):
        plain = plain.__class__(str(plain).replace(tag, ""))
    assert plain.unescape() == text
    found = spans(text, SOUGHT)
    assert all(start < end for start, end, _ in found)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))


def test_a_snippet_holds_the_sentences_with_most_of_the_words() -> None:
    dull = "これは本文である。" * 40
    text = dull + "離婚の届出をする。" + dull
    start, end = snippet(text, SOUGHT)
    assert "離婚の届出をする。" in text[start:end]
    assert end - start <= 180
    assert snippet("短い文。", SOUGHT) == (0, 4)


def test_a_single_character_is_marked_only_beside_others() -> None:
    sought = Wanted(frozenset({"準拠", "法"}), frozenset())
    assert str(marked("準拠法は民法による。", sought)) == (
        '<mark class="own">準拠法</mark>は民法による。'
    )
    assert "<mark" in marked("氏の変更", Wanted(frozenset({"氏"}), frozenset()))
