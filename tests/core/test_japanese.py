from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import japanese

# Random text rarely meets what this module is about: marks, variants, widths, numerals.
TRICKY = st.text(
    "かカｶﾞ゛゜\u3099\u309a①⑴⒈½²Ⅱ㈱㍿⼾戶澤邉﨑葛\U000e0100\ufe00\u200b\u202eＡａ１1〜～-ヶケか箇月年3ßİǰ각가"
)
TEXT = st.one_of(TRICKY, st.text())


def norms(text: str) -> list[str]:
    return [token.norm for token in japanese.tokens(text)]


@pytest.mark.parametrize(
    ("printed", "folded"),
    [
        ("⼾籍", "戸籍"),
        ("⻑男の⺠法", "長男の民法"),
        ("渡邉 渡邊", "渡辺 渡辺"),
        ("﨑嵜崎", "崎崎崎"),
        ("澤國濵髙", "沢国浜高"),
        ("葛\U000e0100飾区", "葛飾区"),
        ("塚神羽", "塚神羽"),
        ("ＤＶ防止法", "dv防止法"),
        ("ｺｾｷ ｶﾞ か゛", "コセキ ガ が"),
        ("㈱ ⑴", "(株) (1)"),
        ("10の2①", "10の2①"),
        ("❶", "①"),
        ("3〜5 3～5 3~5", "3〜5 3〜5 3〜5"),
        ("3ヶ月 三箇月 3か月 ３カ月 1個月", "3か月 三か月 3か月 3か月 1か月"),
        ("数ヵ所", "数か所"),
        ("一ヶ条 ケーキ3個", "一か条 ケーキ3個"),
        ("戸\u200b籍\u202e\ufeff", "戸籍"),
        ("戸　籍\r届", "戸 籍\n届"),
    ],
)
def test_fold_levels_what_is_written_differently(printed: str, folded: str) -> None:
    assert japanese.fold(printed) == folded


def test_circled_numbers_stay_apart_from_digits() -> None:
    assert japanese.fold("10の2①") != japanese.fold("10の21")


@given(TEXT)
def test_folding_twice_changes_nothing(text: str) -> None:
    folded = japanese.fold(text)
    assert japanese.fold(folded) == folded


@given(TEXT)
def test_offsets_belong_to_the_same_folding_and_lead_into_the_text(text: str) -> None:
    folded, offsets = japanese.fold_with_offsets(text)
    assert folded == japanese.fold(text)
    assert len(offsets) == len(folded)
    assert offsets == sorted(offsets)
    assert all(0 <= offset < len(text) for offset in offsets)


def test_a_match_is_found_again_in_the_original() -> None:
    text = "㈱の渡邉\U000e0100さん"
    folded, offsets = japanese.fold_with_offsets(text)
    start = folded.index("渡辺")
    begin, end = japanese.original_span(offsets, start, start + 2, len(text))
    assert text[begin:end] == "渡邉\U000e0100"


@pytest.mark.parametrize(
    ("numeral", "number"),
    [
        ("77", 77),
        ("７７", 77),
        ("七七", 77),
        ("七十七", 77),
        ("七百六十七", 767),
        ("七六七", 767),
        ("千四十七", 1047),
        ("二〇", 20),
        ("二○", 20),
        ("廿三", 23),
        ("壱弐参", 123),
        ("弐拾", 20),
        ("1万5千", 15000),
        ("1,000", 1000),
        ("〇", 0),
        ("", None),
        ("百百", None),
        ("第三", None),
        ("一" * 30, None),
    ],
)
def test_numerals(numeral: str, number: int | None) -> None:
    assert japanese.parse_number(numeral) == number


@given(st.integers(0, 9999))
def test_a_positional_numeral_reads_back(number: int) -> None:
    kanji = "".join("〇一二三四五六七八九"[int(d)] for d in str(number))
    assert japanese.parse_number(kanji) == number


def test_content_words_only() -> None:
    assert norms("届出をしなければならない。") == ["届け出"]


def test_spellings_of_a_word_share_a_token() -> None:
    assert norms("届出") == norms("届け出")
    assert norms("手続") == norms("手続き")
    assert norms("渡邉") == norms("渡辺")
    assert norms("3ヶ月") == norms("三箇月") == norms("３か月")


@pytest.mark.parametrize("article", ["第七十七条の二", "第77条の2", "77条の2", "第７７条ノ２"])
def test_an_article_is_one_token(article: str) -> None:
    assert norms(article) == ["77条の2"]


def test_a_circled_paragraph_is_no_digit() -> None:
    assert "21" not in norms("戸10の2①")


def test_an_era_year_also_stands_as_its_western_year() -> None:
    assert norms("令和六年")[:2] == ["令和6年", "2024年"]
    assert norms("2024年") == ["2024年"]
    assert norms("明治6年")[:2] == ["明治6年", "1873年"]


def test_a_lunisolar_year_is_not_converted() -> None:
    assert norms("明治5年") == ["明治5年"]


def test_tokens_point_into_the_original() -> None:
    text = "⼾籍法第七十七条の二により渡邉さんが届け出る"
    surfaces = [text[t.start : t.end] for t in japanese.tokens(text)]
    assert surfaces == [t.surface for t in japanese.tokens(text)]
    assert {"⼾籍", "第七十七条の二", "渡邉"} <= set(surfaces)


@given(TEXT)
def test_tokens_lie_inside_the_text(text: str) -> None:
    for token in japanese.tokens(text):
        assert 0 <= token.start < token.end <= len(text)
        assert token.surface == text[token.start : token.end]
        assert token.norm


@pytest.mark.parametrize("text", ["戸籍の届出。" * 20_000, "戸" * 60_000, "\n" * 60_000])
def test_text_beyond_the_analysers_limit(text: str) -> None:
    found = japanese.tokens(text)
    assert bool(found) == bool(text.strip())
    assert all(t.surface == text[t.start : t.end] for t in found[-3:])


def test_every_thread_gets_the_same_tokens() -> None:
    text = "認知届を出した子の父の氏" * 50
    expected = norms(text)
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(norms(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_bigrams_do_not_cross_punctuation() -> None:
    assert japanese.bigrams("出生届、⼾籍 3通") == ["出生", "生届", "戸籍"]


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in japanese.sentences(text)]


def test_sentences() -> None:
    text = "届出をする。ただし、急ぐときはこの限りでない。本当か？！\n　第一　次の行"
    assert cut(text) == [
        "届出をする。",
        "ただし、急ぐときはこの限りでない。",
        "本当か？！",
        "第一　次の行",
    ]


def test_a_full_stop_in_brackets_ends_nothing() -> None:
    assert cut("届書（添付書類を含む。）を出す。「はい。」と言う。") == [
        "届書（添付書類を含む。）を出す。",
        "「はい。」と言う。",
    ]


def test_an_open_bracket_does_not_swallow_the_line() -> None:
    assert cut("（一の文。二の文。") == ["（一の文。", "二の文。"]


@given(TEXT)
def test_sentences_are_in_order_and_cover_all_but_space(text: str) -> None:
    at = 0
    for start, end in japanese.sentences(text):
        assert text[at:start].strip() == ""
        assert text[start:end].strip() == text[start:end] != ""
        at = end
    assert text[at:].strip() == ""


@given(st.text(alphabet="離婚り㋿ｶﾞが①のＡa ー。", max_size=30))
def test_words_are_read_in_order(text: str) -> None:
    end = 0
    for start, stop, reading in japanese.readings(text):
        assert end <= start < stop <= len(text)
        assert reading
        end = start


def test_how_words_sound() -> None:
    assert [sound for _, _, sound in japanese.readings("離婚の届")] == ["リコン", "ノ", "トドケ"]
    assert japanese.readings("") == []
