from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer.facts import Amount, facts, level
from app.answer.verify import Verifier
from app.core import glossary
from app.core.book import Passage

PASSAGE = Passage(
    id="p1",
    book_id="b1",
    ordinal=0,
    text=(
        "第七十七条の二　離婚によって婚姻前の氏に復した者は、離婚の日から三箇月以内に届け出ることによって、"
        "離婚の際に称していた氏を称することができる。ただし、縁組を伴うときは、この限りでない。\n"
        "届書には、離婚の年月日を記載しなければならない。証人は要しない。手数料は四百五十円とする。\n"
        "この取扱いは、平成二十年四月七日民一第一〇〇〇号通達による。"
    ),
    section_path=("戸籍法", "第七十七条の二"),
    about=("戸籍法:77_2",),
    cites=("先例:2008-04-07:民一:1000",),
)


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier(glossary.load())


@pytest.mark.parametrize(
    "claim",
    [
        "離婚の日から3か月以内に届け出れば、離婚の際に称していた氏を称することができます。",
        "届書には離婚の年月日を記載しなければなりません。",
        "証人は要しません。",
        "手数料は450円です。",
        "戸籍法77条の2により、離婚の日から三か月以内に届け出ることができる。",
        "この取扱いは2008年4月7日民一1000号通達による。",
    ],
)
def test_what_the_evidence_says_stands(verifier: Verifier, claim: str) -> None:
    verdict = verifier.verify(claim, [PASSAGE])
    assert verdict.status == "kept", verdict.reasons


@pytest.mark.parametrize(
    ("claim", "cause"),
    [
        ("離婚の日から6か月以内に届け出ることによって、氏を称することができる。", "6か月"),
        ("離婚の日から三箇月以後に届け出ることによって、氏を称することができる。", "範囲"),
        ("手数料は400円とする。", "400円"),
        ("この取扱いは、平成二十年四月七日民一第七七号通達による。", "第77号"),
        ("離婚の際に称していた氏を称することができない。", "肯定と否定"),
        ("届書には、離婚の年月日を記載しなくてもよい。", "肯定と否定"),
        ("証人は必要である。", "肯定と否定"),
        ("戸籍法77条の3により、離婚の日から三箇月以内に届け出ることができる。", "77条の3"),
        ("この取扱いは、平成20年4月8日民一1000号通達による。", "民一第1000号"),
        ("死体を埋葬しようとする者は市町村長の許可を受ける。", "記述がありません"),
    ],
)
def test_what_contradicts_the_evidence_is_dropped(
    verifier: Verifier, claim: str, cause: str
) -> None:
    verdict = verifier.verify(claim, [PASSAGE])
    assert verdict.status == "dropped"
    assert any(cause in reason for reason in verdict.reasons), verdict.reasons


DUTY = Passage(
    id="p4",
    book_id="b1",
    ordinal=3,
    text=(
        "届出人は、届書に署名しなければならない。\n"
        "市町村長は、届出を受理したときは、遅滞なく、戸籍の記載をすることができる。\n"
        "証人の同意は、要しない。\n第八百三十四条の二第一項の審判については、前条の規定を準用する。"
    ),
    section_path=("手引", "届出"),
    about=("戸籍法:29",),
)


@pytest.mark.parametrize(
    "claim",
    [
        "市町村長は、届出を受理したときは、遅滞なく、戸籍の記載をしなければならない。",
        "証人の同意は、してはならない。",
        "市町村長は、届書に署名しなければならない。",
        "市町村長は、届出を受理したときは、遅滞なく、戸籍の消除をすることができる。",
        "第八百三十四条第一項の審判については、前条の規定を準用する。",
        "第八百三十四条の二第一項の審判については、次条の規定を準用する。",
    ],
)
def test_what_is_nearly_said_does_not_stand(verifier: Verifier, claim: str) -> None:
    assert verifier.verify(claim, [DUTY]).status != "kept"


@pytest.mark.parametrize(
    "claim",
    [
        "資料によると、届出人には、届書に署名する義務があります。",
        "戸籍法29条により、届出人は、届書に署名することが必要です。",
        "届出人は、届書に署名しなければなりません（戸籍法29条）。",
        "市区町村長は、届出を受理した場合は、遅滞なく、戸籍の記載ができます。",
        "証人の同意は、なくてもかまいません。",
    ],
)
def test_freely_said_it_stands(verifier: Verifier, claim: str) -> None:
    verdict = verifier.verify(claim, [DUTY])
    assert verdict.status == "kept", verdict.reasons


def test_a_foreign_term_is_replaced_by_the_source_sentence(verifier: Verifier) -> None:
    verdict = verifier.verify("届書には、離縁の年月日を記載しなければならない。", [PASSAGE])
    assert verdict.status == "replaced"
    assert verdict.source is not None
    assert verdict.source.text == "届書には、離婚の年月日を記載しなければならない。"


def test_the_question_may_lend_a_word(verifier: Verifier) -> None:
    claim = "パスポートの場合も、届書には離婚の年月日を記載しなければならない。"
    assert verifier.verify(claim, [PASSAGE]).status == "replaced"
    assert verifier.verify(claim, [PASSAGE], "パスポートの場合は").status == "kept"


def test_a_lost_proviso_is_handed_back(verifier: Verifier) -> None:
    claim = "離婚の日から3か月以内に届け出れば、離婚の際に称していた氏を称することができる。"
    [limit] = verifier.verify(claim, [PASSAGE]).limits
    assert limit.text == "ただし、縁組を伴うときは、この限りでない。"
    assert PASSAGE.text[limit.citation.start : limit.citation.end] == limit.text


ARTICLE = Passage(
    id="p2",
    book_id="b1",
    ordinal=1,
    text=(
        "２　共有物の分割は、十年を経過したときは、請求することができる。\n"
        "３　遺産の分割は、請求することができない。\n"
        "４　前項の規定は、相続人の全員の同意があるときは、適用しない。\n"
        "５　附則第六条から第八条までの規定は、附則第九条第一項の届出に準用する。"
    ),
    section_path=("民法",),
)


@pytest.mark.parametrize(
    "claim",
    [
        "共有物の分割は、十年を経過したときは、請求することができない。",
        "附則第六条から第九条までの規定は、附則第九条第一項の届出に準用する。",
    ],
)
def test_what_stands_elsewhere_in_the_passage_does_not_help(verifier: Verifier, claim: str) -> None:
    assert verifier.verify(claim, [ARTICLE]).status == "dropped"


def test_an_exception_below_is_handed_back(verifier: Verifier) -> None:
    [limit] = verifier.verify("遺産の分割は、請求することができない。", [ARTICLE]).limits
    assert limit.text.endswith("適用しない。")


def test_the_source_is_an_exact_span(verifier: Verifier) -> None:
    source = verifier.verify("手数料は450円です。", [PASSAGE]).source
    assert source is not None
    assert PASSAGE.text[source.citation.start : source.citation.end] == source.text


def test_nothing_stands_without_evidence(verifier: Verifier) -> None:
    assert verifier.verify("証人は要しない。", []).status == "dropped"
    assert verifier.verify("", [PASSAGE]).status == "dropped"


def test_a_question_is_no_answer(verifier: Verifier) -> None:
    assert verifier.verify("証人は要するか。", [PASSAGE]).status == "dropped"


def test_level_writes_every_number_one_way() -> None:
    assert level("令和六年四月一日から三箇月以内（民七六七②）") == (
        "2024年4月1日から3か月以内(民法第767条第2項)"
    )
    assert level("第三者は一般に") == "第三者は一般に"


def test_facts_of_a_sentence() -> None:
    found = facts("令和6年4月1日以後、十五歳未満の者は四百五十円を納める。")
    assert found.dates == ((2024, 4, 1),)
    assert set(found.amounts) == {Amount("15", "歳", "under"), Amount("450", "円")}


@given(st.text(max_size=60))
def test_any_text_has_facts(text: str) -> None:
    facts(text)
    level(text)


@given(st.integers(1, 9999))
def test_a_changed_number_is_never_kept(number: int) -> None:
    if number == 450:
        return
    verdict = Verifier(glossary.Glossary(())).verify(f"手数料は{number}円とする。", [PASSAGE])
    assert verdict.status == "dropped"
