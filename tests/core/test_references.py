from __future__ import annotations

import json
import string
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.japanese import parse_number
from app.core.references import (
    Reference,
    find,
    kept_ids,
    law_name,
    laws,
    remainder,
    resolve_relative,
    sought_ids,
)

DATA = Path(__file__).parents[3] / "shared" / "data"


def ids(text: str, law: str = "") -> list[str]:
    return [mention.reference.id for mention in find(text, law=law)]


def relative(text: str, **where: object) -> list[str]:
    place: dict[str, object] = {"law": "戸籍法", "article": "77_2", "paragraph": 2} | where
    return [m.reference.id for m in resolve_relative(text, **place)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("戸籍法第77条の2", "戸籍法:77_2"),
        ("戸籍法七十七条の二", "戸籍法:77_2"),
        ("戸籍法七七条の二", "戸籍法:77_2"),
        ("⼾籍法第７７条の２", "戸籍法:77_2"),
        ("戸籍法 第 77 条の2", "戸籍法:77_2"),
        ("戸77の2", "戸籍法:77_2"),
        ("法77の2", "戸籍法:77_2"),
        ("戸77-2", "戸籍法:77_2"),
        ("住基法30-44", "住民基本台帳法:30_44"),
        ("戸49Ⅱ③", "戸籍法:49:2:3"),
        ("民733Ⅰ②", "民法:733:1:2"),
        ("民法旧733条", "旧民法:733"),
        ("令和6年改正民法819条", "民法:819"),
        ("昭和22年改正前民法733条", "旧民法:733"),
        ("明治31年戸籍法100条", "旧戸籍法:100"),
        ("昭和22年法77条", "戸籍法:77"),
        ("昭22法224第77条の2", "戸籍法:77_2"),
        ("民法（明29法89）4条", "民法:4"),
        ("民二12", "民法:2:12"),
        ("戸12ノ2", "戸籍法:12_2"),
        ("戸77の2の届出人", "戸籍法:77_2"),
        ("戸籍法 98条1項", "戸籍法:98:1"),
        ("戸籍法第77条の2第1項第3号", "戸籍法:77_2:1:3"),
        ("戸籍法87条1号", "戸籍法:87:1:1"),
        ("戸49②一", "戸籍法:49:2:1"),
        ("民法767条2項", "民法:767:2"),
        ("民767②", "民法:767:2"),
        ("民七六七2", "民法:767:2"),
        ("民767Ⅱ", "民法:767:2"),
        ("民七六七条二項", "民法:767:2"),
        ("民770①5", "民法:770:1:5"),
        ("「民法」第767条", "民法:767"),
        ("民法（明治二十九年法律第八十九号）第四条", "民法:4"),
        ("明治二十九年法律第八十九号第四条", "民法:4"),
        ("改正後の民法第772条", "民法:772"),
        ("旧民法第733条", "旧民法:733"),
        ("戸規55", "戸籍法施行規則:55"),
        ("規55", "戸籍法施行規則:55"),
        ("住基法12条の3", "住民基本台帳法:12_3"),
        ("住基令第30条の2第1項第1号イ", "住民基本台帳法施行令:30_2:1:1イ"),
        ("通則法31条", "法の適用に関する通則法:31"),
        ("準則33条", "戸籍事務取扱準則:33"),
        (
            "戸籍法附則第三条第一項の戸籍の改製に関する省令第2条",
            "戸籍法附則第三条第一項の戸籍の改製に関する省令:2",
        ),
        ("墓埋法5", "墓地、埋葬等に関する法律:5"),
        ("ＤＶ防止法3条", "配偶者からの暴力の防止及び被害者の保護等に関する法律:3"),
        ("児童相談所法第3条", "児童相談所法:3"),
        ("韓国民法第807条", "韓国民法:807"),
        ("災害対策基本法第1条", "災害対策基本法:1"),
        ("戸籍法附則第3条第1項", "戸籍法:s_3:1"),
        ("令和5年法律第48号附則第12条", "令和5年法律第48号:s_12"),
        ("令和六年五月二四日法律第三三号附則第十六条", "令和6年法律第33号:s_16"),
    ],
)
def test_one_article_in_all_its_forms(text: str, expected: str) -> None:
    assert ids(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("昭和39年6月30日民事甲第2240号回答", "先例:1964-06-30:民事甲:2240"),
        ("昭39.6.30民事甲2240号回答", "先例:1964-06-30:民事甲:2240"),
        ("昭和39・6・30民甲2240", "先例:1964-06-30:民事甲:2240"),
        ("昭39・6・30民事甲2240", "先例:1964-06-30:民事甲:2240"),
        ("昭和三九年六月三〇日民事甲第二二四〇号", "先例:1964-06-30:民事甲:2240"),
        ("Ｓ39．6．30民甲2240", "先例:1964-06-30:民事甲:2240"),
        ("平成16年4月1日付け民一第850号民事局長通達", "先例:2004-04-01:民一:850"),
        ("平16.4.1民一850号", "先例:2004-04-01:民一:850"),
        ("2004年4月1日民一第850号通達", "先例:2004-04-01:民一:850"),
        ("昭59.11.1民二5500号通達", "先例:1984-11-01:民二:5500"),
        ("昭和59年11月1日法務省民2第5500号民事局長通達", "先例:1984-11-01:民二:5500"),
        ("法務省民一第1000号", "先例::民一:1000"),
        ("法務省民一第２９９９号\n令和５年１２月２７日", "先例:2023-12-27:民一:2999"),
        ("大正5年11月17日民1495号回答", "先例:1916-11-17:民:1495"),
        ("平元.10.2民二3900号通達", "先例:1989-10-02:民二:3900"),
        ("民二5500", "先例::民二:5500"),
        ("59.11.1民二5500", "先例:1984-11-01:民二:5500"),
        ("民二第3,233号", "先例::民二:3233"),
        ("民一1000通達", "先例::民一:1000"),
        ("大7・5・30民1159", "先例:1918-05-30:民:1159"),
        ("大4・2・24民241回答", "先例:1915-02-24:民:241"),
        ("民241回答", "先例::民:241"),
        ("昭和42年10月4日自治振第150号通知", "先例:1967-10-04:自治振:150"),
    ],
)
def test_one_precedent_in_all_its_forms(text: str, expected: str) -> None:
    assert ids(text) == [expected]


@pytest.mark.parametrize(
    ("sought", "kept", "found"),
    [
        ("民二第5500号通達", "昭59.11.1民二5500号", True),
        ("昭59.11.1民二5500号", "民二第5500号通達", True),
        ("民二第5500号通達", "法務省民二第5500号", True),
        ("昭59.11.1民二5500号", "昭和59年11月1日民二第5500号", True),
        ("昭59.11.1民二5500号", "昭60.11.1民二5500号", False),
        ("民一第5500号", "昭59.11.1民二5500号", False),
        ("民法767条2項", "民法767条2項", True),
    ],
)
def test_a_precedent_is_found_with_and_without_its_date(
    sought: str, kept: str, found: bool
) -> None:
    assert bool(set(sought_ids(ids(sought))) & set(kept_ids(ids(kept)))) is found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "昭和59年11月1日民二第5500号及び第5501号通達",
            ["1984-11-01:民二:5500", "1984-11-01:民二:5501"],
        ),
        ("昭59.11.1民二5500号・5501号通達", ["1984-11-01:民二:5500", "1984-11-01:民二:5501"]),
        (
            "平成16年4月1日付け民一第850号通達及び同日民二第851号依命通知",
            ["2004-04-01:民一:850", "2004-04-01:民二:851"],
        ),
        (
            "昭39.6.30民事甲2240号、昭40.1.7民事甲4016号通達",
            ["1964-06-30:民事甲:2240", "1965-01-07:民事甲:4016"],
        ),
        ("昭59.11.1民二5500号通達、民一第1000号", ["1984-11-01:民二:5500", ":民一:1000"]),
        ("民二第5500号、第3号様式", [":民二:5500"]),
        ("民二第5500号通達、第3号に当たる", [":民二:5500"]),
    ],
)
def test_precedents_in_a_list_share_what_the_first_says(text: str, expected: list[str]) -> None:
    assert ids(text) == [f"先例:{rest}" for rest in expected]


def test_the_kind_of_a_precedent() -> None:
    (mention,) = find("昭和39年6月30日民事甲第2240号民事局長回答参照")
    assert mention.reference.kind == "回答"
    assert mention.reference.display == "昭和39年6月30日民事甲第2240号回答"


@pytest.mark.parametrize(
    "text",
    [
        "3人",
        "17歳",
        "令和6年5月1日",
        "100条例",
        "1号室",
        "住民票3通",
        "国民2人",
        "市民1人",
        "江戸12",
        "戸籍2通",
        "国籍3か国",
        "重国籍2",
        "家事3時間",
        "民法2024",
        "民法2022年改正",
        "方法3",
        "民一般の",
        "法三章",
        "戸2階建て",
        "3世帯5人が12条例に",
        "昭和22年法律第224号",
        "昭22法224",
        "国民300通知",
        "令和6年5月1日市民課第3号窓口",
        "第3条",
        "前条第2項",
        "2番目の子の4親等内の親族",
    ],
)
def test_ordinary_numbers_are_no_references(text: str) -> None:
    assert ids(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("民法772条・773条", ["民法:772", "民法:773"]),
        ("民819①③④", ["民法:819:1", "民法:819:3", "民法:819:4"]),
        ("戸27の2Ⅰ・Ⅱ", ["戸籍法:27_2:1", "戸籍法:27_2:2"]),
        ("民772・773", ["民法:772", "民法:773"]),
        ("民法767条1項及び2項", ["民法:767:1", "民法:767:2"]),
        ("民法第三条から第五条まで", ["民法:3", "民法:4", "民法:5"]),
        ("戸10の2ⅠⅡ", ["戸籍法:10_2:1", "戸籍法:10_2:2"]),
        ("民770Ⅰ①③", ["民法:770:1:1", "民法:770:1:3"]),
        ("戸77-79", ["戸籍法:77", "戸籍法:78", "戸籍法:79"]),
        ("平16.4.1民767②・③", ["民法:767:2", "民法:767:3"]),
        ("民772乃至774", ["民法:772", "民法:773", "民法:774"]),
        ("民七七二乃至七七四", ["民法:772", "民法:773", "民法:774"]),
        ("民772ないし774", ["民法:772", "民法:773", "民法:774"]),
        ("民817の2から817の4", ["民法:817_2", "民法:817_3", "民法:817_4"]),
        ("民772及び774の違い", ["民法:772", "民法:774"]),
        ("民767から100万円、民772から10日", ["民法:767", "民法:772"]),
        ("民法第三条又は四国", ["民法:3"]),
        ("民725〜727", ["民法:725", "民法:726", "民法:727"]),
        ("戸籍法10条の2から10条の4まで", ["戸籍法:10_2", "戸籍法:10_3", "戸籍法:10_4"]),
        ("民法1条から1050条まで", ["民法:1", "民法:1050"]),
        (
            "戸籍法第六十七条（民法第三条を除く。）及び第七十条",
            ["戸籍法:67", "民法:3", "戸籍法:70"],
        ),
        ("民法767条と戸77の2", ["民法:767", "戸籍法:77_2"]),
    ],
)
def test_lists_and_ranges(text: str, expected: list[str]) -> None:
    assert sorted(ids(text)) == sorted(expected)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("第七十七条の二第一項ただし書", ["戸籍法:77_2:1"]),
        ("七十七条の二の届", ["戸籍法:77_2"]),
        ("77条から79条まで", ["戸籍法:77", "戸籍法:78", "戸籍法:79"]),
        ("附則3条", ["戸籍法:s_3"]),
        ("施行規則57条", ["戸籍法施行規則:57"]),
        ("戸籍法施行規則57条", ["戸籍法施行規則:57"]),
        ("施行令30条の14", ["住民基本台帳法施行令:30_14"]),
        ("住基法の施行規則3条", ["住民基本台帳法施行規則:3"]),
        ("旅券法施行規則3条", ["旅券法施行規則:3"]),
        ("戸籍77条の2", ["戸籍法:77_2"]),
        ("国籍の3条", ["国籍法:3"]),
        ("戸籍法の第77条の2", ["戸籍法:77_2"]),
        ("772条の推定", ["民法:772"]),
        ("改正前の733条", []),
        ("公共企業体等労働関係法（公労法）17条1項", []),
        ("法の適用に関する通則法（通則法）31条", ["法の適用に関する通則法:31"]),
        ("民法について。819条は?", ["民法:819"]),
        ("民767条の氏と第77条の2の届", ["民法:767", "戸籍法:77_2"]),
        ("戸籍法第77条2", ["戸籍法:77:2"]),
        ("戸籍法第77条2人", ["戸籍法:77"]),
        ("民法772条300日問題", ["民法:772"]),
        ("韓国民法では807条", []),
        ("この法律の3条", []),
        ("条例第3条", []),
        ("三条さん", []),
        ("九条の会", []),
    ],
)
def test_a_question_spells_out_less(question: str, expected: list[str]) -> None:
    found = find(question, asked=True)
    assert [mention.reference.id for mention in found] == expected


def test_inside_a_law_bare_articles_are_its_own() -> None:
    assert ids("第十条及び第十条の二", law="戸籍法") == ["戸籍法:10", "戸籍法:10_2"]
    assert ids("この法律第三条", law="戸籍法") == ["戸籍法:3"]


def test_inside_a_regulation_法_is_the_law_it_implements() -> None:
    found = ids("法第三条、令第五条及び第七条", law="住民基本台帳法施行規則")
    assert found == ["住民基本台帳法:3", "住民基本台帳法施行令:5", "住民基本台帳法施行令:7"]
    assert ids("第七条", law="住民基本台帳法施行規則") == ["住民基本台帳法施行規則:7"]


def test_another_laws_article_is_not_ours() -> None:
    assert ids("がん登録等の推進に関する法律第三条", law="戸籍法") == []
    assert ids("同法第八条", law="戸籍法") == []
    assert ids("第五条の次に一条を加える", law="戸籍法") == ["戸籍法:5"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("前条の規定", ["戸籍法:77"]),
        ("次条第一項", ["戸籍法:77_3:1"]),
        ("前項に規定する", ["戸籍法:77_2:1"]),
        ("前項第三号", ["戸籍法:77_2:1:3"]),
        ("次項", ["戸籍法:77_2:3"]),
        ("第一項の", ["戸籍法:77_2:1"]),
        ("民法第七百六十七条第二項（同法第七百七十一条）", ["民法:771"]),
        ("戸籍法第十条第一項の請求。同条第三項", ["戸籍法:10:3"]),
        ("戸籍法第十条第一項の請求。同項ただし書", ["戸籍法:10:1"]),
        ("前各号", ["戸籍法:77_2:2"]),
        ("この法律", ["戸籍法"]),
        ("第一号法定受託事務", []),
        ("日本法による", []),
    ],
)
def test_relative_references(text: str, expected: list[str]) -> None:
    assert relative(text) == expected


def test_neighbours_follow_the_laws_own_order() -> None:
    articles = ["76", "77", "77_2", "78"]
    assert relative("前条", article="78", articles=articles) == ["戸籍法:77_2"]
    assert relative("前二条", article="78", articles=articles) == ["戸籍法:77", "戸籍法:77_2"]
    assert relative("次条", article="77", articles=articles) == ["戸籍法:77_2"]
    assert relative("前二条", article="78") == ["戸籍法:76", "戸籍法:77"]


def test_what_cannot_be_told_is_left_out() -> None:
    assert relative("前項", paragraph=None) == []
    assert relative("前条", article="1") == []
    assert relative("…に関する法律による同法第三条") == []


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("戸77の2の届出人は誰か", "届出人は誰か"),
        ("民法767条2項とは", ""),
        ("離婚届と戸籍法76条について教えて", "離婚届と 教えて"),
        ("民法772条・773条の違い", "違い"),
        ("昭39.6.30民事甲2240号回答", ""),
        ("婚姻届の証人", "婚姻届の証人"),
    ],
)
def test_the_question_without_its_references(question: str, words: str) -> None:
    assert remainder(question, find(question)) == words


def test_ids_and_display() -> None:
    reference = Reference("戸籍法", "77_2", 1, "3_2イ")
    assert reference.id == "戸籍法:77_2:1:3_2イ"
    assert reference.article_id == "戸籍法:77_2"
    assert reference.display == "戸籍法第77条の2第1項第3号の2イ"
    assert Reference("民法", "s_3").display == "民法附則第3条"


def test_laws_are_named_once() -> None:
    names = [n for law in laws().values() for n in (law.name, *law.abbreviations)]
    assert len(names) == len(set(names))
    assert {law.parent for law in laws().values()} - {""} <= set(laws())
    assert law_name("住基") == "住民基本台帳法"
    assert law_name("昭和二十二年法律第二百二十四号") == "戸籍法"
    assert law_name("知らない法") == ""


def kanji(number: int) -> str:
    digits = "〇一二三四五六七八九"
    text = ""
    for unit, name in ((1000, "千"), (100, "百"), (10, "十")):
        count, number = divmod(number, unit)
        text += ("" if count == 1 else digits[count]) + name if count else ""
    return text + (digits[number] if number else "")


def wide(number: int) -> str:
    return str(number).translate(str.maketrans(string.digits, "０１２３４５６７８９"))


LAWS = st.sampled_from(
    [(law.name, name) for law in laws().values() for name in (law.name, *law.abbreviations)]
)
NUMERALS = st.sampled_from([str, kanji, wide])


@given(st.integers(1, 9999))
def test_numerals_read_back(number: int) -> None:
    assert {parse_number(write(number)) for write in (str, kanji, wide)} == {number}


@given(
    LAWS,
    NUMERALS,
    st.sampled_from(["第", ""]),
    st.integers(1, 1199),
    st.none() | st.integers(2, 40),
    st.none() | st.integers(1, 20),
    st.none() | st.integers(1, 20),
)
def test_an_article_written_out_reads_back(
    names: tuple[str, str],
    write: type[str],
    mark: str,
    article: int,
    branch: int | None,
    paragraph: int | None,
    item: int | None,
) -> None:
    law, name = names
    text = f"{name}{mark}{write(article)}条"
    text += f"の{write(branch)}" if branch else ""
    text += f"第{write(paragraph)}項" if paragraph else ""
    text += f"第{write(item)}号" if item else ""
    reference = Reference(
        law,
        f"{article}_{branch}" if branch else f"{article}",
        paragraph,
        str(item) if item else None,
    )
    (mention,) = find(f"次は{text}の届出")
    assert mention.reference == reference
    assert f"次は{text}の届出"[mention.start : mention.end] == text
    assert ids(reference.display) == [reference.id]


@given(
    st.sampled_from([("戸籍法", "戸"), ("民法", "民"), ("戸籍法施行規則", "戸規")]),
    st.integers(1, 1199),
    st.none() | st.integers(2, 40),
    st.sampled_from(["の", "ノ", "-"]),
    st.none() | st.integers(1, 20),
)
def test_an_article_in_short_reads_back(
    names: tuple[str, str], article: int, branch: int | None, joint: str, paragraph: int | None
) -> None:
    law, name = names
    if branch and branch > article:
        joint = joint.replace("-", "の")  # 戸3-20 is a range
    text = f"{name}{article}" + (f"{joint}{branch}" if branch else "")
    text += chr(ord("①") + paragraph - 1) if paragraph else ""
    expected = Reference(law, f"{article}_{branch}" if branch else f"{article}", paragraph)
    assert ids(text) == [expected.id]


@given(
    st.dates(min_value=date(1873, 1, 1)).filter(lambda d: d.year < 2100),
    st.sampled_from(["民事甲", "民事乙", "民一", "民二", "民刑"]),
    st.integers(10, 9999),
    st.sampled_from(["回答", "通達", "通知", "依命通知"]),
)
def test_a_precedent_reads_back(day: date, office: str, number: int, kind: str) -> None:
    reference = Reference(date=str(day), office=office, number=str(number), kind=kind)
    assert [m.reference for m in find(reference.display)] == [reference]


WORDS = (
    "戸|民|民法|戸籍法|法|規|同法|前|次|同|条|項|号|第|の|ノ|-|〜|、|及び|から|まで|附則|(|)|「|」|（"
    "|昭和|年|月|日|民事甲|民二|一|二十|〇|1|77|２|①|Ⅱ|9999999999999999999|か|゛| |\n"
)
PIECES = st.lists(st.sampled_from(WORDS.split("|")), max_size=25).map("".join)


@given(st.one_of(PIECES, st.text()), st.sampled_from(["", "戸籍法", "どこかの法"]))
def test_any_text_is_read_without_harm(text: str, law: str) -> None:
    mentions = find(text, law=law) + find(text, law=law, asked=True)
    mentions += resolve_relative(text, law=law or "戸籍法", article="77_2", paragraph=2)
    for mention in mentions:
        assert 0 <= mention.start < mention.end <= len(text)
        assert mention.reference.id
        assert mention.reference.display
    remainder(text, mentions)


def test_long_text_without_references_is_read_in_linear_time() -> None:
    text = "(" * 20_000 + "一" * 20_000 + "第" * 20_000 + "旧" * 20_000 + "昭" * 20_000
    assert find(text) == []


def test_the_questions_of_a_counter() -> None:
    path = DATA / "eval" / "koseki-counter-dev" / "queries.jsonl"
    if not path.exists():
        pytest.skip("the question set koseki-counter-dev is not beside this checkout")
    for line in path.read_text(encoding="utf-8").splitlines():
        question = json.loads(line)
        is_reference = question["metadata"]["type"] == "reference"
        for asked in (False, True):
            assert bool(find(question["text"], asked=asked)) is is_reference, question["text"]


def test_the_family_register_act() -> None:
    folder = DATA / "laws" / "md"
    if not folder.exists():
        pytest.skip("the statutes are not beside this checkout")
    text = next(folder.glob("*_戸籍法.md")).read_text(encoding="utf-8")
    article = text[text.index("##### 第七十七条の二") :].split("\n\n")[1]
    assert ids(article, law="戸籍法") == ["民法:767:2"]
    assert relative(article, paragraph=None) == ["民法:771"]
