import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import SettingsError
from app.core.glossary import ASKED, REVERSE, SHIPPED, Entry, Glossary, load, load_cached
from app.core.japanese import parse_number
from app.core.references import Reference, find, law_name

LAWS = Path(__file__).parents[3] / "shared" / "data" / "laws" / "md"
HEADER = "topic\teveryday\tprofessional\tarticles\tnote\n"


@pytest.fixture(scope="module")
def shipped() -> Glossary:
    return load_once()


def table(tmp_path: Path, *rows: str, name: str = "site.tsv") -> Path:
    path = tmp_path / name
    path.write_text("# 説明\n" + HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def glossary(tmp_path: Path, *rows: str) -> Glossary:
    return load([table(tmp_path, *rows)])


@cache
def load_once() -> Glossary:
    return load()


def statute(path: Path) -> tuple[str, dict[str, str]]:
    """A statute's canonical name and the text of each article of its main part."""
    text = path.read_text(encoding="utf-8")
    title = text.partition("\n")[0].removeprefix("# ").strip()
    main = re.split(r"^#+\s*附\s*則", text, maxsplit=1, flags=re.M)[0]
    articles = {}
    for part in re.split(r"^##### 第", main, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        number = re.match(r"([^条]+)条((?:の[一二三四五六七八九十]+)*)", heading)
        if number:
            branches = [n for n in number[2].split("の") if n]
            name = "_".join(str(parse_number(n)) for n in (number[1], *branches))
            articles.setdefault(name, body.strip())
    return law_name(title), articles


def exists(articles: dict[str, str], reference: Reference) -> bool:
    body = articles.get(reference.article, "")
    if not body or body.startswith("削除"):
        return False
    numbered = re.findall(r"^(?:[②-⑳]|[２-９]|１[０-９])[　 ]", body, re.M)
    return (reference.paragraph or 1) <= 1 + len(numbered)


def terms(found: Glossary, question: str) -> list[str]:
    return [e.term for e in found.expand(question)]


def test_names_the_professional_term_and_the_articles(tmp_path: Path) -> None:
    row = "離婚\t名字をそのまま｜婚氏続称\t離婚の際に称していた氏を称する\t民法767条2項｜戸籍法77条の2"
    [found] = glossary(tmp_path, row).expand("別れても名字をそのままにしたい")
    assert found.term == "名字をそのまま"
    assert (found.start, found.end) == (4, 11)
    assert found.adds == ("離婚の際に称していた氏を称する",)
    assert found.articles == ("民法767条2項", "戸籍法77条の2")
    assert (found.topic, found.weight) == ("離婚", 1.0)


@pytest.mark.parametrize(
    ("everyday", "question"),
    [
        ("読み仮名を変える", "読みがなを変えたいのですが"),
        ("引っ越し", "引越しの手続"),
        ("ハンコ", "はんこは要りますか"),
        ("届け出", "婚姻の届出"),
        ("名字を変える", "名字は変えられますか"),
        ("国籍がない", "国籍のない子"),
        ("直す", "誤記を直したい"),
        ("ﾏｲﾅﾝﾊﾞｰ", "マイナンバーとは"),
    ],
)
def test_small_variation_does_not_matter(tmp_path: Path, everyday: str, question: str) -> None:
    assert terms(glossary(tmp_path, f"題\t{everyday}\t専門語"), question)


@pytest.mark.parametrize(
    ("everyday", "question"),
    [
        ("姓", "女性の性別"),
        ("氏", "氏名を記載する"),
        ("氏", "婚氏続称の期間"),
        ("籍", "国籍と戸籍"),
        ("父", "祖父の戸籍"),
        ("成年", "未成年者の後見"),
        ("認知", "認知症の父"),
        ("認知してくれない", "認知の届出"),
        ("名字を変えない", "名字を変える"),
        ("代わりに出す", "代わりの用紙"),
        ("外国人になる", "外国人の婚姻"),
        ("嫡出の子", "嫡出でない子"),
        ("戸籍がない", "戸籍を見せたくない"),
        ("戸籍＋戸籍謄本", "戸籍謄本がほしい"),
    ],
)
def test_does_not_fire_inside_other_words(tmp_path: Path, everyday: str, question: str) -> None:
    assert terms(glossary(tmp_path, f"題\t{everyday}\t専門語"), question) == []


def test_words_joined_by_plus_must_all_occur_in_any_order(tmp_path: Path) -> None:
    found = glossary(tmp_path, "離婚\t離婚＋名字＋そのまま\t氏を称する")
    [expansion] = found.expand("名字は離婚のあともそのままでよいか")
    assert expansion.term == "名字は離婚のあともそのまま"
    assert found.expand("離婚したら名字はどうなる") == []


def test_a_few_other_words_may_stand_between_with_less_weight(tmp_path: Path) -> None:
    found = glossary(tmp_path, "証明\t本籍地以外で戸籍\t指定市町村長")
    [exact] = found.expand("本籍地以外で戸籍を取る")
    [loose] = found.expand("本籍地以外の役所で戸籍を取る")
    assert exact.weight == 1 > loose.weight
    assert found.expand("戸籍は本籍地以外で取れるか") == []


def test_equal_words_stand_for_one_another(tmp_path: Path) -> None:
    found = glossary(
        tmp_path,
        "言い換え\t旦那｜主人\t夫｜配偶者",
        "言い換え\tフィリピン人\t外国人",
        "養子\t夫の連れ子\t配偶者の直系卑属",
        "渉外\t外国人＋離婚\t本国法",
    )
    topics = [e.topic for e in found.expand("主人の連れ子と、フィリピン人との離婚")]
    assert {"養子", "渉外"} <= set(topics)
    assert [e.adds for e in found.expand("旦那の氏名")] == [("夫", "配偶者")]
    assert found.expand("夫の氏名") == []


def test_the_longest_match_wins(tmp_path: Path) -> None:
    found = glossary(tmp_path, "証明\t戸籍\t戸籍簿", "附票\t戸籍の附票\t住所を定めた年月日")
    assert terms(found, "戸籍の附票がほしい") == ["戸籍の附票"]
    assert terms(found, "戸籍がほしい") == ["戸籍"]


def test_professional_words_lead_back_with_less_weight(tmp_path: Path) -> None:
    found = glossary(tmp_path, "氏\t名字｜苗字\t氏の変更\t戸籍法107条")
    [expansion] = found.expand("氏の変更の要件")
    assert expansion.adds == ("名字", "苗字")
    assert expansion.articles == ("戸籍法107条",)
    assert expansion.weight < 1


def test_a_professional_word_of_several_rows_leads_nowhere(tmp_path: Path) -> None:
    found = glossary(tmp_path, "甲\t名字\t許可", "乙\t下の名前\t許可")
    assert found.expand("許可の要件") == []


def test_words_the_question_has_are_not_added(tmp_path: Path) -> None:
    found = glossary(tmp_path, "氏\t名字\t氏｜氏の変更")
    assert [e.adds for e in found.expand("名字つまり氏を変える") if e.weight == 1] == [
        ("氏の変更",)
    ]
    assert glossary(tmp_path, "氏\t名字\t氏").expand("名字つまり氏とは") == []


def test_offsets_are_those_of_the_question_as_typed(tmp_path: Path) -> None:
    question = "㍿の⼾籍の附票がほしい"
    [expansion] = glossary(tmp_path, "附票\t戸籍の附票\t住所").expand(question)
    assert question[expansion.start : expansion.end] == expansion.term == "⼾籍の附票"


def test_a_site_row_extends_the_shipped_one(tmp_path: Path) -> None:
    first = table(tmp_path, "氏\t名字｜苗字\t氏\t戸籍法107条", name="a.tsv")
    second = table(tmp_path, "氏\t名字｜うじ\t家名\t民法750条", name="b.tsv")
    [entry] = load([first, second]).entries
    assert entry.everyday == (("名字",), ("苗字",), ("うじ",))
    assert entry.professional == ("氏", "家名")
    assert entry.articles == ("戸籍法107条", "民法750条")


def test_a_site_row_switches_off_or_replaces_the_shipped_one(tmp_path: Path) -> None:
    first = table(tmp_path, "氏\t名字\t氏", name="a.tsv")
    off = table(tmp_path, "氏\t!名字", name="b.tsv")
    replaced = table(tmp_path, "氏\t!名字", "氏\t名字\t家名", name="c.tsv")
    assert load([first, off]).entries == ()
    assert [e.professional for e in load([first, replaced]).entries] == [("家名",)]


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        (["氏\t名字"], "professional か articles"),
        (["氏\t\t氏"], "空にできません"),
        (["\t名字\t氏"], "空にできません"),
        (["氏\t離婚＋\t氏"], "＋の前後"),
        (["氏\t名字\t氏\t民法のどこか"], "条文の表記"),
        (["氏\t名字\t氏\t\t\t余り"], "列が 6"),
        (["氏\t名字\t氏", "氏\t名字｜苗字\t家名"], "二つあります"),
        (["氏\t!名字"], "見つかりません"),
        (["言い換え\t旦那＋主人\t夫"], "言い換えの行"),
        ([f"{ASKED}\t名字を戻したい\t復氏"], "articles が要ります"),
        (["氏\t名字\t\t77条"], "法令名のある条文"),
        (["氏\t名字\t\t昭39.6.30民事甲2240号通達"], "法令名のある条文"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, rows: list[str], cause: str) -> None:
    path = table(tmp_path, *rows)
    with pytest.raises(SettingsError) as error:
        load([path])
    assert cause in error.value.message
    assert f"{path} の {2 + len(rows)} 行目" in error.value.message


def test_a_file_without_header_encoding_or_existence_is_named(tmp_path: Path) -> None:
    headless = tmp_path / "headless.tsv"
    headless.write_text("氏\t名字\t氏\n", encoding="utf-8")
    legacy = tmp_path / "legacy.tsv"
    legacy.write_bytes((HEADER + "氏\t名字\t氏\n").encode("cp932"))
    for path in (headless, legacy, tmp_path / "absent.tsv"):
        with pytest.raises(SettingsError) as error:
            load([path])
        assert str(path) in error.value.message


@settings(deadline=None)  # the first example loads the table
@given(st.text(max_size=60))
def test_never_crashes_and_points_into_the_question(question: str) -> None:
    for expansion in load_once().expand(question):
        assert question[expansion.start : expansion.end] == expansion.term
        assert expansion.adds or expansion.articles


@given(st.text(max_size=12), st.text(max_size=40))
def test_any_word_can_be_everyday(word: str, question: str) -> None:
    entry = Entry("題", ((word,),), ("専門語",), ())
    for expansion in Glossary([entry]).expand(question + word):
        assert expansion.adds == ("専門語",)


def test_shipped_rows_are_unique_and_say_something(shipped: Glossary) -> None:
    assert len(shipped.entries) > 600
    assert max(Counter(e.key for e in shipped.entries).values()) == 1
    for entry in shipped.entries:
        assert len(set(entry.everyday)) == len(entry.everyday), entry.key
        assert len(set(entry.professional)) == len(entry.professional), entry.key


def shipped_articles() -> set[str]:
    """All articles of the shipped tables, typical questions included."""
    lines = (line for path in SHIPPED for line in path.read_text("utf-8").splitlines())
    rows = (line.split("\t") for line in lines if line and not line.startswith(("#", "topic\t")))
    return {article for row in rows for article in "".join(row[3:4]).split("｜") if article}


def test_shipped_articles_are_references() -> None:
    articles = shipped_articles()
    assert len(articles) > 1000
    for article in articles:
        [mention] = find(article)
        assert (mention.start, mention.end) == (0, len(article)), article
        assert mention.reference.article, article


def test_shipped_articles_exist() -> None:
    if not LAWS.is_dir():
        pytest.skip("statutes for testing are absent (../shared/data/laws)")
    laws = dict(statute(path) for path in LAWS.glob("*.md"))
    wanted = {find(article)[0].reference for article in shipped_articles()}
    missing = [r.id for r in wanted if r.law in laws and not exists(laws[r.law], r)]
    assert missing == []
    assert len({r.law for r in wanted} & set(laws)) > 20


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("離婚後も名字をそのままにしたい", "民法767条2項"),
        ("お腹の子を認知したい", "戸籍法61条"),
        ("妻の連れ子を養子にしたい", "民法798条"),
        ("養子をやめたい", "民法811条"),
        ("亡くなった夫の親と縁を切りたい", "戸籍法96条"),
        ("離婚届を勝手に出されそう", "戸籍法27条の2"),
        ("大家でも死亡届を出せるか", "戸籍法87条1項"),
        ("本籍地以外の役所で戸籍を取りたい", "戸籍法120条の2"),
        ("海外で生まれた子の日本国籍", "国籍法12条"),
        ("墓じまいをしたい", "墓地、埋葬等に関する法律5条"),
        ("失期通知の宛先", "戸籍法施行規則65条"),
    ],
)
def test_shipped_words_lead_to_their_article(
    shipped: Glossary, question: str, article: str
) -> None:
    assert article in {a for e in shipped.expand(question) for a in e.articles}


def test_the_shipped_files_explain_themselves() -> None:
    words, questions = (
        path.read_text(encoding="utf-8").split("topic\teveryday")[0] for path in SHIPPED
    )
    for word in ("｜", "＋", "everyday", "professional", "articles", "!", ASKED):
        assert word in words
    for word in ("｜", "everyday", "articles", ASKED):
        assert word in questions


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("別れた後も結婚していたときの苗字で暮らしたい", "戸籍法:77_2"),
        ("ご遺体を焼くのに役所でもらう紙", "墓地、埋葬等に関する法律:5"),
        ("生まれた子の名前に好きな漢字を使えるか", "戸籍法:50"),
    ],
)
def test_a_question_is_likened_to_those_about_its_article(
    shipped: Glossary, question: str, article: str
) -> None:
    assert shipped.liken(question).votes[article] > 0.5


def test_typical_questions_are_no_phrases_to_be_found_in_others(tmp_path: Path) -> None:
    found = glossary(
        tmp_path,
        "氏\t名字\t氏\t民法767条",
        f"{ASKED}\t離婚しても名字はそのまま\t\t戸籍法77条の2",
    )
    question = "別れても名字はそのまま"
    assert [e.topic for e in found.entries] == ["氏"]
    assert [e.topic for e in found.expand(question)] == ["氏"]
    assert found.liken(question).votes["戸籍法:77_2"] == 1.0


def test_what_is_said_about_an_article_is_told_in_the_users_words(shipped: Glossary) -> None:
    assert {"名字", "離婚"} <= shipped.liken("離婚しても苗字はそのまま").said["戸籍法:77_2"]


def test_a_site_extends_the_typical_questions(shipped: Glossary, tmp_path: Path) -> None:
    site = table(tmp_path, f"{ASKED}\t当町のゆりかご窓口の予約\t\t戸籍法49条")
    question = "ゆりかご窓口の予約"
    before = shipped.liken(question).votes.get("戸籍法:49", 0.0)
    assert load([*SHIPPED, site]).liken(question).votes["戸籍法:49"] > before


@pytest.mark.parametrize(
    ("question", "negated"),
    [
        ("届を出したい", False),
        ("届を出す", False),
        ("届を出さない", True),
        ("届を出しません", True),
        ("まだ届を出していなかった", True),
    ],
)
def test_a_negated_verb_is_another_one(shipped: Glossary, question: str, negated: bool) -> None:
    adds = {term for expansion in shipped.expand(question) for term in expansion.adds}
    assert ("届出を怠つた者" in adds) == negated


@pytest.mark.parametrize(
    ("question", "found"), [("写しを出す", False), ("写しを出してもらう", True)]
)
def test_a_phrase_without_words_keeps_its_ending(
    shipped: Glossary, question: str, found: bool
) -> None:
    adds = {term for expansion in shipped.expand(question) for term in expansion.adds}
    assert ("交付の請求" in adds) == found


def test_amounts_and_terms_of_several_rows_lead_to_no_row(shipped: Glossary) -> None:
    found = shipped.expand("七年前の届け出と届出")
    assert [e for e in found if e.weight == REVERSE] == []


def test_an_analysed_glossary_is_kept_until_a_table_changes(tmp_path: Path) -> None:
    site = table(tmp_path, "氏\t名字\t氏\t民法767条")
    cache = tmp_path / "cache"
    first = load_cached((site,), cache)
    (kept,) = cache.iterdir()
    assert load_cached((site,), cache) is first
    table(tmp_path, "氏\t名字｜苗字\t氏\t民法767条")
    assert load_cached((site,), cache).entries[0].everyday == (("名字",), ("苗字",))
    assert [path != kept for path in cache.iterdir()] == [True]


def test_a_kept_glossary_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    site = table(tmp_path, "氏\t名字\t氏\t民法751条")
    cache = tmp_path / "cache"
    load_cached((site,), cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    load_cached((table(tmp_path, "氏\t苗字\t氏", name="other.tsv"),), tmp_path / "elsewhere")
    assert load_cached((site,), cache).entries[0].articles == ("民法751条",)
