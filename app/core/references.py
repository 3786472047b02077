"""Every surface form of an article or a precedent ↔ one canonical id.

戸籍法第七十七条の二, 戸77の2, 法77-2 are all `戸籍法:77_2`; 昭39.6.30民事甲2240号 is
`先例:1964-06-30:民事甲:2240`. `find` reads what stands by itself, `resolve_relative`
what depends on its place in a statute (前条, 同項), `remainder` leaves the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from importlib import resources

from app.core.japanese import (
    ERA_OFFSETS,
    FIRST_GREGORIAN_YEAR,
    KANJI_NUMERALS,
    NUMBER,
    fold,
    fold_with_offsets,
    original_span,
)
from app.core.japanese import parse_number as parse_number

PRECEDENT = "先例"

# The register's own law: what 法 and 規 mean where nothing else is said.
HOME_LAW = "戸籍法"
# A bare 772条 is beyond the end of that law; the counter means the next one on its desk.
LAST_HOME_ARTICLE = 140
_NEXT_LAW = "民法"
# The order a counter means by 施行令: the register's own law has none.
_HOME_ORDER = "住民基本台帳法施行令"

# A longer range (民法第一条から第千条まで) is cited by its ends only.
LONGEST_RANGE = 10

# The articles of which more branches are in force than their own number: 30の51.
_LONG_BRANCHES = {
    ("住民基本台帳法", "30"),
    ("住民基本台帳法施行令", "30"),
}

# No law of the field has more articles; 民法2024 is a year or a page.
LAST_ARTICLE = 1399


@dataclass(frozen=True, slots=True)
class Law:
    """A law of the field. `parent` is the law it implements, which it calls 法."""

    name: str
    number: str = ""
    parent: str = ""
    abbreviations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """An article (`law`, `article`, `paragraph`, `item`) or a precedent (`office`, `number`, `date`).

    `article` joins branch numbers with an underscore: 77_2 for 第77条の2; an article of
    the supplementary provisions begins with `s_`. `item` does the same, with イロハ
    appended. `date` is ISO, empty when unknown or before 明治6年. A law cited as a whole
    has no article.
    """

    law: str = ""
    article: str = ""
    paragraph: int | None = None
    item: str | None = None
    date: str = ""
    office: str = ""
    number: str = ""
    kind: str = ""

    @property
    def id(self) -> str:
        """戸籍法:77_2, 戸籍法:77_2:1, 戸籍法:77_2:1:3 or 先例:1964-06-30:民事甲:2240.

        An item cited without its paragraph is of the first (and only) one.
        """
        if self.office:
            return f"{PRECEDENT}:{self.date}:{self.office}:{self.number}"
        if self.item:
            return f"{self.article_id}:{self.paragraph or 1}:{self.item}"
        return f"{self.article_id}:{self.paragraph}" if self.paragraph else self.article_id

    @property
    def article_id(self) -> str:
        """The id without paragraph and item."""
        if self.office:
            return self.id
        return f"{self.law}:{self.article}" if self.article else self.law

    @property
    def display(self) -> str:
        """As a book would print it: 戸籍法第77条の2第1項, 昭和39年6月30日民事甲第2240号回答."""
        if self.office:
            return f"{_era_date(self.date)}{self.office}第{self.number}号{self.kind}"
        text = self.law
        if self.article:
            first, *branches = self.article.removeprefix("s_").split("_")
            text += "附則" if self.article.startswith("s_") else ""
            text += f"第{first}条" + "".join(f"の{b}" for b in branches)
        if self.paragraph:
            text += f"第{self.paragraph}項"
        if self.item:
            number, *branches = re.sub(r"[ァ-ヺ]", "", self.item).split("_")
            text += f"第{number}号" + "".join(f"の{b}" for b in branches)
            text += re.sub(r"[^ァ-ヺ]", "", self.item)
        return text


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters `start:end` of a text that stand for a reference."""

    reference: Reference
    start: int
    end: int


@cache
def laws() -> dict[str, Law]:
    """The laws of the field by canonical name."""
    table = resources.files("app.core").joinpath("data", "laws.tsv").read_text(encoding="utf-8")
    found: dict[str, Law] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            name, number, parent, abbreviations = line.split("\t")
            found[name] = Law(name, number, parent, tuple(abbreviations.split()))
    return found


@cache
def _names() -> dict[str, str]:
    """Folded name or abbreviation → canonical name."""
    names: dict[str, str] = {}
    for law in laws().values():
        for name in (law.name, *law.abbreviations):
            names[fold(name)] = law.name
    return names


@cache
def _name_lengths() -> tuple[int, ...]:
    return tuple(sorted({len(name) for name in _names()}, reverse=True))


@cache
def _numbers() -> dict[str, str]:
    return {law.number: law.name for law in laws().values() if law.number}


@lru_cache(maxsize=4096)
def law_name(text: str) -> str:
    """Canonical name for a law's name, abbreviation or number; empty when it is none we know."""
    folded = fold(text).strip()
    by_number = _LAW_NUMBER.search(folded)
    return _names().get(folded) or (_law_of_number(by_number) if by_number else "")


# Stands for the date of a notice in the id that is kept for those who cite it without one.
_ANY_DATE = "*"


def kept_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """`ids` as an index keeps them: a dated notice also under an id that any date has."""
    kept = ((id_, _redated(id_, _ANY_DATE) if _date_of(id_) else id_) for id_ in ids)
    return tuple(dict.fromkeys(id_ for both in kept for id_ in both))


def sought_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """What finds `ids` among those kept.

    A notice named without its date is that of any date, one named with it is also cited
    without; with another date it is another notice.
    """
    sought = ((id_, _redated(id_, "" if _date_of(id_) else _ANY_DATE)) for id_ in ids)
    return tuple(dict.fromkeys(id_ for both in sought for id_ in both))


def _date_of(id_: str) -> str:
    return id_.split(":")[1] if id_.startswith(f"{PRECEDENT}:") else ""


def _redated(id_: str, date: str) -> str:
    """The id of a notice with another date; any other id as it is."""
    if not id_.startswith(f"{PRECEDENT}:"):
        return id_
    return ":".join((PRECEDENT, date, *id_.split(":")[2:]))


def find(text: str, *, law: str = "", asked: bool = False) -> list[Mention]:
    """References that stand by themselves, in order of appearance.

    `law` is the law whose text or commentary this is: a bare 第三条 and この法律 are its
    own, 法 the law it implements. Without it bare articles are nobody's, and 法 and 規
    are those of the family register. A short range also yields the articles in between,
    each with the span of the range.

    `asked` says that this is a question, where less is spelt out than in a book: a bare
    77条の2, 附則3条 or 施行規則57条 is of the law the question named last, else of the
    family register's (of 民法 beyond its end), and 戸籍77条, 戸籍法の第77条 and 第77条2 are read too.
    """
    return [m for m, relative in _Scan(text, law, asked=asked).run() if not relative]


def resolve_relative(
    text: str,
    *,
    law: str,
    article: str,
    paragraph: int | None = None,
    articles: Sequence[str] = (),
) -> list[Mention]:
    """References that mean something only in their place: 前条, 次条, 同条, 前項, 同法, この法律.

    `law`, `article` and `paragraph` say where the text stands. `articles` are the law's
    articles in order (77, 77_2, 78), to know the neighbours exactly; without it they are
    counted. What cannot be told (前項 without `paragraph`) is left out.
    """
    scan = _Scan(text, law, article, paragraph, tuple(articles))
    return [m for m, relative in scan.run() if relative]


_LEADING = re.compile(
    r"^[ 　、,，]*(?:における|について|に関する|に関して|に基づく|による|によれば|によると|とは"
    r"|の(?!み)|は|を|が|と(?![きこも])|に|で(?![きす]))?[ 　、,，]*"
)


def remainder(text: str, mentions: Sequence[Mention]) -> str:
    """The question without its references: 戸77の2の届出人は誰か → 届出人は誰か."""
    parts: list[str] = []
    at = 0
    for start, end in sorted({(m.start, m.end) for m in mentions}):
        if start >= at:
            parts.append(text[at:start])
        at = max(at, end)
    parts.append(text[at:])
    first, *others = (part for i, part in enumerate(parts) if not i or not _only_joins(part))
    kept = [first, *(_LEADING.sub("", part, count=1) for part in others)]
    return " ".join(part.strip() for part in kept if part.strip())


def _only_joins(part: str) -> bool:
    return bool(_SEPARATOR.fullmatch(fold(part)))


# --- the grammar, over folded text ---------------------------------------------------------

_N = NUMBER
_KANJI = "一-鿿㐀-䶿々〆"
_KATAKANA = "ァ-ヺー"

_COUNTER = (
    r"(?:[人名歳才年月日時分秒円件通枚回号個番丁世級度倍割点台組棟階室都区市町村週版訂編巻章節等親代頁重つ%者軒冊]"
    r"|か[月年国所]|ページ)"
)
# Ⅰ to Ⅹ are read as one character each: folded, ⅠⅡ would be iii, which is Ⅲ.
_ROMANS = "".join(chr(0x10FF01 + n) for n in range(10))
_AS_ROMANS = {first + n: _ROMANS[n] for first in (ord("Ⅰ"), ord("ⅰ")) for n in range(10)}
_CIRCLED = "①-⑳"
_ROMAN_PARAGRAPH = (
    rf"(?P<roman>[{_ROMANS}]|(?:i{{1,3}}|iv|vi{{0,3}}|ix|x)(?![a-z]))"
    rf"(?: ?(?P<circled_item>[{_CIRCLED}]))?"
)
_PARAGRAPH = rf"(?: ?第? ?(?P<paragraph>{_N}) ?項| ?(?P<circled>[{_CIRCLED}])| ?{_ROMAN_PARAGRAPH})"
_ITEM = (
    rf"(?: ?第? ?(?P<item>{_N}) ?号(?P<item_branch>(?:の{_N}(?!{_COUNTER}))*)"
    r"(?P<sub>[イロハニホヘトチリヌルヲ](?![ァ-ヺー]))?)"
)
_ERA_NAMES = "明治|大正|昭和|平成|令和"
_ERAS = {"明": "明治", "大": "大正", "昭": "昭和", "平": "平成", "令": "令和"}
_ERAS |= {"m": "明治", "t": "大正", "s": "昭和", "h": "平成", "r": "令和"}
_LONG = re.compile(
    rf"第? ?(?P<article>{_N}) ?条(?P<branch>(?: ?[のノ之] ?{_N}(?! ?項|{_COUNTER}))*)(?![例件約文理])"
    rf"{_PARAGRAPH}?{_ITEM}?"
)
_SHORT = re.compile(
    rf"(?P<article>{_N})(?P<branch>(?:[のノ之] ?{_N}(?!{_COUNTER})|-(?>[0-9]{{1,2}})(?![0-9条]))*)"
    rf"{_PARAGRAPH}?(?:{_ITEM}|(?<=[①-⑳ivx{_ROMANS}]) ?(?P<short_item>{_N})(?!{_COUNTER}|条)"
    rf"|(?<=[{KANJI_NUMERALS}])(?P<short_paragraph>[0-9]{{1,2}}))?(?! ?{_COUNTER}|[0-9a-z]|[.,][0-9])"
)
_PART = re.compile(rf"{_PARAGRAPH}?{_ITEM}?")
_MORE_PARAGRAPHS = re.compile(
    rf"(?=[{_CIRCLED}{_ROMANS}・、,])[・、,]?((?P<circled>[{_CIRCLED}])|{_ROMAN_PARAGRAPH})"
)
_CANDIDATE = re.compile(
    rf"(?P<whole>この(?:法律|政令|省令|規則)|(?<![{_KANJI}])[本同]法)(?!律?第|律?[0-9])"
    rf"|(?P<step>[前次])(?P<steps>{_N})?(?P<unit>[条項])(?![例件約目])"
    r"|(?P<same>同[条項]|本条)(?![例件約目])"
    r"|(?P<items>前各号)"
    rf"|(?P<title>(?:(?<=[{_KANJI}])法|法律)(?=[^{_KANJI}{_KATAKANA}0-9]))"
    rf"|(?:第 ?|(?<![0-9{KANJI_NUMERALS}.]))(?={_N})"
)

_SEPARATOR = re.compile(
    r"(?:前段|後段|本文|但書|ただし書|柱書)?[ 、,・/]*"
    r"(?:及び|並びに|又は|若しくは|または|および|もしくは|ならびに|から|より|ないし|乃至|と|や|〜|-)?[ ]*"
)
_RANGE = re.compile(r"から|より|ないし|乃至|〜|-")
_WORD_LIST = re.compile(
    r" ?(?:及び|並びに|又は|若しくは|または|および|もしくは|ならびに|から|より|ないし|乃至|と|や) ?"
)
# 旧733条, 改正前の733条: of a law that is no longer in force, and which is not said.
_FORMER = re.compile(r"(?:旧|改正前の?|従前の)$")
# 法の適用に関する通則法(通則法)31条: the law's other name between it and the article.
_LAW_IN_BRACKET = re.compile(r"\(([^()]*[法令則])\)$")
_LOOSE_PARAGRAPH = re.compile(
    rf" ?([1-9][0-9]?)(?! ?{_COUNTER}|[0-9a-z条項号万億千百の〜-]|[.,][0-9])"
)
_SHORT_LIST = re.compile(r" ?[・、,〜-] ?")

_LAW_NUMBER = re.compile(
    rf"(?P<era>{_ERA_NAMES}|(?<![{_KANJI}{_KATAKANA}])[明大昭平令]) ?(?P<year>元|{_N}) ?[年.・]? ?"
    rf"(?:{_N} ?[月.・] ?{_N} ?日? ?)?"
    # 昭22法224 needs no 号, but 昭和22年法77条 is an article.
    rf"(?:(?P<rank>法律?|政令?|勅令?|太政官布告) ?第? ?(?P<number>{_N})(?: ?号|(?! ?[条項の号0-9{_CIRCLED}]))"
    rf"|(?P<order>[{_KANJI}・]{{1,12}}?(?:[省庁]令|規則|府令)) ?第? ?(?P<order_number>{_N}) ?号)"
)
_RANKS = {"法": "法律", "政": "政令", "勅": "勅令"}
# 令和6年改正民法, 平成30年改正前民法, 明治31年戸籍法.
_YEAR_OF_LAW = re.compile(
    rf"(?:(?P<era>{_ERA_NAMES}|(?<![{_KANJI}{_KATAKANA}])[明大昭平令]) ?(?P<year>元|{_N})"
    r"|(?<![0-9])(?P<western>(?:18|19|20)[0-9]{2})) ?年"
    rf"(?: ?{_N} ?月(?: ?{_N} ?日)?)?(?P<change>(?:一部)?改正前?|改正後)?$"
)
_LAW_ENDING = re.compile(
    rf"[{_KANJI}{_KATAKANA}a-z・]*(?:法律?|令|規則|細則|規程|条例|条約|協定|憲法|準則|要綱|要領|約款|規約)$"
)
_NOT_A_LAW = re.compile(r"(?:[方手文用寸作技療話立司合違適不無商]法|[命指号辞]令|原則)$")
_RUN = re.compile(rf"[{_KANJI}{_KATAKANA}a-z]+$")
_NAMED_IN_FULL = re.compile(r"(?:法|法律|令|規則|細則|省令|規程|準則|典範|法例|憲法)$")
# 第三条中民法, 施行前ヨリ民法: a citation or a particle of the old orthography, no part of a name.
_CITED_BEFORE = re.compile(
    rf".*[0-9{KANJI_NUMERALS}](?:[条項号]中?|中)|.*[{_KANJI}](?:[ノハヲニ]|ヨリ)(?=[{_KANJI}]|$)"
)
# The end of a name with kana in it, whose beginning cannot be told: …に関する法律.
_LAST_WORDS = re.compile(
    r"法律(?:施行令|施行規則)?|政令|省令|規則|条例|条約|規程|協定|準則|要綱|特例法|施行令|施行規則"
)
_THIS_LAW = re.compile(rf"(?:この(?:法律|政令|省令|規則)|(?<![{_KANJI}])本法)$")
_SAME_LAW = re.compile(rf"(?<![{_KANJI}])同(?:法(?:施行令|施行規則)?|令|規則|省令|政令|条例)$")
_NEW_LAW = {
    "新",
    "現行",
    "改正",
    "改正後",
    "日本",
    "日本国",
    "我国",
    "本邦",
    "右",
    "前記",
    "上記",
    "各",
    "現",
}
_OLD_LAW = {"旧", "改正前"}
_ROMAN = {
    "i": 1,
    "ii": 2,
    "iii": 3,
    "iv": 4,
    "v": 5,
    "vi": 6,
    "vii": 7,
    "viii": 8,
    "ix": 9,
    "x": 10,
}
_ROMAN |= {mark: number for number, mark in enumerate(_ROMANS, start=1)}

# Of the letters that may stand before 民767, those that end a word: 又は民767, 及び戸77.
_BEFORE_ABBREVIATION = set("はびにらとやでもくのるが")
_AFTER_KANJI_NUMBER = re.compile(rf"[但本前後柱各及又並乃若準参類違所第条等・、]|[^{_KANJI}]|$")


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose article a number is: the law named before it. `law` is empty where it cannot be told."""

    law: str
    start: int
    supplementary: bool = False
    relative: bool = False
    abbreviated: bool = False
    listed: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A reference on folded characters `start:end`; None for an article of a law unknown."""

    reference: Reference | None
    start: int
    end: int
    relative: bool = False


class _Scan:
    """One pass over a text, left to right, remembering what was mentioned last."""

    def __init__(
        self,
        text: str,
        law: str,
        article: str = "",
        paragraph: int | None = None,
        articles: tuple[str, ...] = (),
        asked: bool = False,
    ) -> None:
        self.length = len(text)
        self.folded, self.offsets = fold_with_offsets(text.translate(_AS_ROMANS))
        self.law = law
        self.article = article
        self.paragraph = paragraph
        self.articles = articles
        self.asked = asked
        self.family = _family(law)
        self.named = ""
        self.found: list[_Found] = []

    def run(self) -> list[tuple[Mention, bool]]:
        """All mentions in order, each with whether it depends on its place."""
        notices = list(_precedents(self.folded))
        numbers = [match.span() for match in _LAW_NUMBER.finditer(self.folded)]
        at = 0
        for candidate in _CANDIDATE.finditer(self.folded):
            while numbers and numbers[0][1] <= candidate.start():
                numbers.pop(0)
            if numbers and numbers[0][0] < candidate.start():
                continue
            while notices and notices[0].start <= candidate.start():
                self.found.append(notices.pop(0))
                at = max(at, self.found[-1].end)
            if candidate.start() >= at:
                self._read(candidate)
                at = max(at, self.found[-1].end if self.found else 0)
        self.found += notices
        mentions = [(self._mention(f, f.reference), f.relative) for f in self.found if f.reference]
        return sorted(mentions, key=lambda pair: (pair[0].start, pair[0].end))

    def _mention(self, found: _Found, reference: Reference) -> Mention:
        start, end = original_span(self.offsets, found.start, found.end, self.length)
        return Mention(reference, start, end)

    def _read(self, candidate: re.Match[str]) -> None:
        if candidate["whole"]:
            self._whole(candidate)
        elif candidate["step"]:
            self._step(candidate)
        elif candidate["same"]:
            self._same(candidate)
        elif candidate["title"]:
            self._title(candidate.end())
        elif candidate["items"]:
            if self.article:
                self._add_relative(candidate, Reference(self.law, self.article, self.paragraph))
        else:
            self._number(candidate.start())

    # --- references that name their article

    def _number(self, at: int) -> None:
        long = _LONG.match(self.folded, at)
        if long:
            self._long(long)
            return
        part = _part_at(self.folded, at)
        if part and self._part(part):
            return
        short = _SHORT.match(self.folded, at)
        if short and _is_range(short, self._named_owner(at)):
            short = _SHORT.match(self.folded, at, short.start("branch"))
        if short:
            self._short(short)

    def _long(self, match: re.Match[str]) -> None:
        owner = self._owner(match.start()) or self._linked_owner(match.start())
        # 一条を加える counts articles; 第一条 and 77条 name one.
        names_one = match[0].startswith("第") or match["article"].isascii()
        if owner is None and self.law and names_one:
            owner = _Owner(self.law, match.start())
        if owner is None and self.asked:
            owner = self._loose_owner(match)
        reference = _as_article(match, owner) if owner else None
        if owner is None or reference is None:
            self.found.append(_Found(None, match.start(), match.end()))
            return
        paragraph = _LOOSE_PARAGRAPH.match(self.folded, match.end()) if self.asked else None
        if paragraph and not reference.paragraph and not reference.item:
            reference = replace(reference, paragraph=int(paragraph[1]))
            self._add(reference, owner, match, paragraph.end())
        else:
            self._add(reference, owner, match)

    def _short(self, match: re.Match[str]) -> None:
        owner = self._owner(match.start())
        if owner is None:
            owner = self._linked_owner(match.start())
            if owner is None or not (owner.listed or self._lists_on(match)):
                return
        elif not owner.law or owner.relative or not _may_be_short(self.folded, match, owner):
            return
        reference = _as_article(match, owner)
        if (
            reference
            and int(re.split(r"_", reference.article.removeprefix("s_"))[0]) <= LAST_ARTICLE
        ):
            self._add(reference, owner, match)

    def _part(self, match: re.Match[str]) -> bool:
        """第2項 or 第3号 alone: of the article just listed, or of the one we stand in."""
        before = self._linked(match.start())
        if before is not None:
            if before.reference is None or not before.reference.article:
                return before.reference is None
            base = replace(before.reference, item=None)
            relative = before.relative
            if not match["item"] or match["paragraph"]:
                base = replace(base, paragraph=None)
        elif self._stands_alone(match):
            base = Reference(self.law, self.article, None if match["paragraph"] else self.paragraph)
            relative = True
        else:
            return False
        reference = _with_part(base, match)
        if reference is None:
            return False
        self._add(reference, _Owner(reference.law, match.start(), relative=relative), match)
        return True

    def _stands_alone(self, match: re.Match[str]) -> bool:
        """Whether 第二項 is one of the article we stand in (第一号法定受託事務 is a term)."""
        return (
            bool(self.article)
            and match[0].startswith("第")
            and not _RUN.search(self._left(match.start()))
            and not self.folded.startswith("法定受託", match.end())
        )

    def _lists_on(self, match: re.Match[str]) -> bool:
        """Whether 774 in 民772乃至774 is an article: a higher one, after a word that joins."""
        before = self._linked(match.start())
        if before is None or before.reference is None or not before.reference.article:
            return False
        if not _WORD_LIST.fullmatch(self.folded, before.end, match.start()):
            return False
        if not self.asked and "条" in self.folded[before.start : before.end]:
            return False
        after = self.folded[match.end() : match.end() + 1]
        if after and after in "万億千百":
            return False
        if not match["article"].isascii() and (
            len(match["article"]) < 2 or not _AFTER_KANJI_NUMBER.match(self.folded, match.end())
        ):
            return False
        article = _joined(match["article"], match["branch"])
        return _order(before.reference.article) < _order(article)

    def _add(self, reference: Reference, owner: _Owner, match: re.Match[str], end: int = 0) -> None:
        # Some laws carry an article in their very name: 戸籍法附則第三条第一項の戸籍の改製に関する省令.
        while owner.start < match.start() and self.found and self.found[-1].start >= owner.start:
            self.found.pop()
        before = self._linked(match.start())
        end = end or match.end()
        if before and before.reference and _RANGE.search(self.folded[before.end : match.start()]):
            if self.folded.startswith("まで", end):
                end += len("まで")
            for between in _between(before.reference, reference):
                self.found.append(_Found(between, before.start, end, owner.relative))
        self.found.append(_Found(reference, owner.start, end, owner.relative))
        if match["circled"] or match["roman"]:
            self._more_paragraphs(reference, owner.relative)
        # 同法 is the law named last, never the one a bare article belongs to.
        if owner.start < match.start() and not owner.relative:
            self.named = reference.law

    def _more_paragraphs(self, reference: Reference, relative: bool) -> None:
        """The other paragraphs of 民819①③ or 戸27の2Ⅰ・Ⅱ, the other items of 民770Ⅰ①③."""
        roman = bool(reference.item) or not _is_circled(self.folded[self.found[-1].end - 1])
        for match in iter(lambda: _MORE_PARAGRAPHS.match(self.folded, self.found[-1].end), None):
            if match["circled"] and roman:
                more: Reference | None = replace(reference, item=str(_circled(match["circled"])))
            else:
                more = _with_part(replace(reference, item=None), match)
            if more is None:
                return
            reference = more
            self.found.append(_Found(more, match.end() - len(match[1]), match.end(), relative))

    # --- references that depend on their place

    def _title(self, at: int) -> None:
        """A law named without an article: the one that 同法 means from here on."""
        if _NOT_A_LAW.search(self.folded, max(0, at - 2), at):
            return
        number = _LAW_NUMBER.match(self.folded, at + 1) if self.folded[at : at + 1] == "(" else None
        owner = self._named_owner(at)
        self.named = owner.law if owner else ""
        if not self.named and number:
            self.named = _law_of_number(number)

    def _add_relative(self, match: re.Match[str], reference: Reference, end: int = 0) -> None:
        self.found.append(_Found(reference, match.start(), end or match.end(), relative=True))

    def _whole(self, match: re.Match[str]) -> None:
        law = self.named if match["whole"] == "同法" else self.law
        if law and self.article:
            self._add_relative(match, Reference(law))

    def _step(self, match: re.Match[str]) -> None:
        if not self.article:
            return
        count = (parse_number(match["steps"]) or 0) if match["steps"] else 1
        if not 0 < count <= LONGEST_RANGE or (count > 1 and match["step"] == "次"):
            return
        steps = range(-count, 0) if match["step"] == "前" else range(1, 2)
        if match["unit"] == "項":
            here = self.paragraph or 0
            bases = [
                Reference(self.law, self.article, here + n) for n in steps if here and here + n > 0
            ]
        else:
            names = _neighbours(self.article, steps, self.articles)
            bases = [Reference(self.law, name) for name in names]
        part = _part_at(self.folded, match.end())
        if part and len(bases) == 1:
            reference = _with_part(bases[0], part)
            if reference:
                self._add_relative(match, reference, part.end())
                return
        for base in bases:
            self._add_relative(match, base)

    def _same(self, match: re.Match[str]) -> None:
        if not self.article:
            return
        base: Reference | None
        if match["same"] == "本条":
            base = Reference(self.law, self.article)
        else:
            paragraph = match["same"] == "同項"
            base = self._last(paragraph=paragraph)
            if base:
                base = replace(base, item=None, paragraph=base.paragraph if paragraph else None)
        if base is None:
            return
        part = _part_at(self.folded, match.end())
        reference = _with_part(base, part) if part else None
        if part and reference:
            self._add_relative(match, reference, part.end())
        else:
            self._add_relative(match, base)

    def _last(self, *, paragraph: bool) -> Reference | None:
        """The article, or the paragraph, mentioned last."""
        for found in reversed(self.found):
            if found.reference is None:
                return None
            if found.reference.paragraph if paragraph else found.reference.article:
                return found.reference
        return None

    # --- what stands before a number

    def _left(self, at: int) -> str:
        return self.folded[max(0, at - 20) : at].rstrip(" ")

    def _linked(self, at: int) -> _Found | None:
        """The mention this one is listed with: only 、 or 及び and remarks in brackets between."""
        for found in reversed(self.found[-8:]):
            if found.end > at or at - found.end > 300:
                continue
            gap = self.folded[found.end : at]
            while "(" in gap:
                shorter = re.sub(r"\([^()]*\)", "", gap)
                if shorter == gap:
                    break
                gap = shorter
            if _SEPARATOR.fullmatch(gap):
                return found
        return None

    def _linked_owner(self, at: int) -> _Owner | None:
        before = self._linked(at)
        if before is None:
            return None
        if before.reference is None or not before.reference.article:
            return _Owner("", at)
        return _Owner(
            before.reference.law,
            at,
            supplementary=before.reference.article.startswith("s_"),
            relative=before.relative,
            listed=bool(_SHORT_LIST.fullmatch(self.folded, before.end, at)),
        )

    def _loose_owner(self, match: re.Match[str]) -> _Owner | None:
        """Whose article a bare one in a question is: 戸籍法の第77条, 戸籍77条, 第77条."""
        text, at = self.folded, match.start()
        if _FORMER.search(text, max(0, at - 6), at):
            return None
        bracket = _LAW_IN_BRACKET.search(text, max(0, at - 40), at)
        if bracket:
            law = _names().get(bracket[1], "")
            return _Owner(law, bracket.start()) if law else None
        joint = at - 1 if text.endswith("の", 0, at) else at
        run = _RUN.search(text, max(0, joint - 20), joint)
        law = _names().get(f"{run[0]}法", "") if run and len(run[0]) > 1 else ""
        if run and law:
            return _Owner(law, run.start())
        named = self._named_owner(joint) if joint < at else None
        if named:
            return None if named.abbreviated else named
        # 三条 and 九条 are also names of places and people.
        alone = not match[0].startswith("第") and not match["branch"]
        if alone and len(match["article"]) < 2 and not match["article"].isascii():
            return None
        law = self._home(at)
        if law == HOME_LAW and (parse_number(match["article"]) or 0) > LAST_HOME_ARTICLE:
            law = _NEXT_LAW
        return _Owner(law, at) if law else None

    def _home(self, at: int) -> str:
        """The law a question means before `at`: the one it named last, else the family register's.

        Empty where that one is none we know (韓国民法). A law that has its article beside
        it was named for that article only.
        """
        named = [
            (end, -len(name), law)
            for name, law in _names().items()
            if len(name) > 2 or name.endswith("法")
            if (end := self.folded.rfind(name, 0, at) + len(name)) >= len(name)
            if not any(f.start < end <= f.end for f in self.found)
        ]
        if not named:
            return HOME_LAW
        end, length, law = max(named, key=lambda each: (each[0], -each[1]))
        run = self._run_before(end + length)
        return "" if run and run not in _NEW_LAW else law

    def _owner(self, at: int) -> _Owner | None:
        """The law named right before `at`, or None where no law is named there."""
        text = self.folded
        at, by_number = _skip_brackets(text, at)
        supplementary = text.endswith("附則", 0, at)
        if supplementary:
            at -= len("附則")
            if not by_number:
                at, by_number = _skip_brackets(text, at)
            elif by_number:
                return _Owner(by_number, at, supplementary=True)
        owner = self._named_owner(at)
        if owner is None or not owner.law:
            number = _LAW_NUMBER_END.search(text, max(0, at - 40), at)
            if number:
                owner = _Owner(_law_of_number(number), number.start())
            elif by_number:
                owner = _Owner(by_number, at)
        if supplementary:
            owner = owner or _Owner(self.law or (self._home(at) if self.asked else ""), at)
            return replace(owner, supplementary=True)
        return owner

    def _named_owner(self, at: int) -> _Owner | None:
        text = self.folded
        if text[at - 1 : at] in ("」", "』"):
            start = max(text.rfind("「", 0, at), text.rfind("『", 0, at))
            quoted = _names().get(text[start + 1 : at - 1])
            return _Owner(quoted, start) if start >= 0 and quoted else None
        if text.endswith("旧", 0, at):
            name, start = self._longest_name(at - 1)
            if name and not self._run_before(start):
                full = bool(_NAMED_IN_FULL.search(text[start : at - 1]))
                return _Owner(f"旧{name}", start, abbreviated=not full)
        own = _THIS_LAW.search(text, max(0, at - 6), at)
        if own:
            return _Owner(self.law, own.start())
        same = _SAME_LAW.search(text, max(0, at - 8), at)
        if same:
            law = self.named if same[0] == "同法" else ""
            return _Owner(law, same.start(), relative=True)
        name, start = self._longest_name(at)
        if self.asked and at - start < len("施行令"):
            name, start = self._implementing(at) or (name, start)
        run = self._run_before(start)
        if name:
            full = bool(_NAMED_IN_FULL.search(text[start:at])) and at - start > 1
            year = _YEAR_OF_LAW.search(text, max(0, start - 30), start)
            if year:
                change = year["change"] or ""
                old = change.endswith("前") or (not change and _is_before(year, name))
                return _Owner(f"旧{name}" if old else name, year.start(), abbreviated=not full)
            if not run or run in _NEW_LAW:
                return _Owner(name, start - len(run), abbreviated=not full)
            if run in _OLD_LAW:
                return _Owner("旧" + name, start - len(run), abbreviated=not full)
        ending = _LAW_ENDING.search(text, max(0, at - 30), at)
        if not ending:
            return None
        title = _CITED_BEFORE.sub("", ending[0])
        generic = not _NOT_A_LAW.search(title) and not _LAST_WORDS.fullmatch(title)
        return _Owner(
            title if generic and len(title) > 2 else "", at - len(title), abbreviated=True
        )

    def _run_before(self, at: int) -> str:
        """The letters a name is joined to on its left: 韓国 in 韓国民法, but not 第三条中."""
        run = _RUN.search(self.folded, max(0, at - 20), at)
        return _CITED_BEFORE.sub("", run[0]) if run else ""

    def _longest_name(self, at: int) -> tuple[str, int]:
        for length in _name_lengths():
            if length <= at:
                name = _names().get(self.folded[at - length : at])
                if name:
                    return name, at - length
        for word, law in self.family.items():
            if self.folded.endswith(word, 0, at):
                return law, at - len(word)
        return "", at

    def _implementing(self, at: int) -> tuple[str, int] | None:
        """The 施行規則 or 施行令 that a question names by no more than that."""
        for word, law in (("施行規則", f"{HOME_LAW}施行規則"), ("施行令", _HOME_ORDER)):
            if self.folded.endswith(word, 0, at):
                start = at - len(word)
                home = self._home(start - self.folded.endswith("の", 0, start))
                child = home + word
                return child if child in laws() else law if home == HOME_LAW else "", start
        return None


_LAW_NUMBER_END = re.compile(_LAW_NUMBER.pattern + "$")


def _family(law: str) -> dict[str, str]:
    """What 法, 令 and 規則 mean in the text of a law."""
    known = laws()
    root = (known[law].parent or law) if law in known else law or HOME_LAW
    words = {"法": root}
    for child in known.values():
        if child.parent == root:
            if child.name.endswith(("規則", "省令")):
                words.setdefault("規則", child.name)
                words.setdefault("規", child.name)
            elif child.name.endswith("令"):
                words.setdefault("令", child.name)
    return words


def _skip_brackets(text: str, at: int) -> tuple[int, str]:
    """Step back over spaces and one bracket that gives a law's number; that law, if it does."""
    while at and text[at - 1] == " ":
        at -= 1
    if not text.endswith(")", 0, at):
        return at, ""
    depth = 0
    for index in range(at - 1, max(-1, at - 200), -1):
        depth += {")": 1, "(": -1}.get(text[index], 0)
        if depth == 0:
            number = _LAW_NUMBER.match(text, index + 1, at)
            if number or text.startswith("(以下", index):
                return index, _law_of_number(number) if number else ""
            break
    return at, ""


def _law_of_number(match: re.Match[str]) -> str:
    year = 1 if match["year"] == "元" else parse_number(match["year"])
    era = _ERAS.get(match["era"], match["era"])
    rank = _RANKS.get(match["rank"], match["rank"]) or match["order"]
    count = parse_number(match["number"] or match["order_number"])
    number = f"{era}{year}年{rank}第{count}号"
    return _numbers().get(number, number)


def _is_before(year: re.Match[str], law: str) -> bool:
    """Whether a year is earlier than that of a law's number: 明治31年戸籍法 is not today's."""
    number = _LAW_NUMBER.match(laws()[law].number) if law in laws() else None
    return number is not None and _gregorian(year) < _gregorian(number)


def _gregorian(match: re.Match[str]) -> int:
    """The year of a match in our calendar; `western`, where it has that group, is one already."""
    if match.groupdict().get("western"):
        return int(match["western"])
    era = match["era"].removesuffix(".")
    count = 1 if match["year"] == "元" else parse_number(match["year"]) or 0
    return ERA_OFFSETS[_ERAS.get(era, era)] + count


def _may_be_short(text: str, match: re.Match[str], owner: _Owner) -> bool:
    """Whether 民767 or 民七六七 is an article and not part of a sentence (民一般, 国民2人)."""
    before = text[owner.start - 1 : owner.start]
    if owner.abbreviated and "ぁ" <= before <= "ん" and before not in _BEFORE_ABBREVIATION:
        return False
    if owner.abbreviated and owner.law not in laws() and not owner.law.startswith("旧"):
        return False
    if match["article"].isascii():
        return True
    marked = match["branch"] or match["paragraph"] or match["circled"] or match["short_paragraph"]
    if len(match["article"]) < 2 and not marked:
        return False
    return bool(_AFTER_KANJI_NUMBER.match(text, match.end()))


def _is_range(match: re.Match[str], owner: _Owner | None) -> bool:
    """Whether the dash of 戸77-79 leads to another article, not to a branch as in 戸77-2."""
    to = re.match("-([0-9]+)", match["branch"])
    if to is None or (owner and (owner.law, match["article"]) in _LONG_BRANCHES):
        return False
    return (parse_number(match["article"]) or 0) < int(to[1])


def _as_article(match: re.Match[str], owner: _Owner) -> Reference | None:
    if not owner.law:
        return None
    article = _joined(match["article"], match["branch"])
    if not article:
        return None
    prefix = "s_" if owner.supplementary else ""
    return _with_part(Reference(owner.law, prefix + article), match)


def _joined(first: str, branches: str) -> str:
    numbers = [parse_number(n) for n in re.findall(_N, first + " " + branches)]
    return "" if None in numbers or 0 in numbers else "_".join(map(str, numbers))


def _part_at(text: str, at: int) -> re.Match[str] | None:
    match = _PART.match(text, at)
    return match if match and match[0] else None


def _with_part(base: Reference, match: re.Match[str]) -> Reference | None:
    """`base` with the paragraph and item of the match."""
    parts = match.groupdict()
    reference = base
    if parts.get("paragraph") or parts.get("short_paragraph"):
        paragraph = parse_number(parts["paragraph"] or parts["short_paragraph"])
        if not paragraph:
            return None
        reference = replace(reference, paragraph=paragraph)
    elif parts["circled"]:
        reference = replace(reference, paragraph=_circled(parts["circled"]))
    elif parts["roman"]:
        reference = replace(reference, paragraph=_ROMAN[parts["roman"]])
        if parts["circled_item"]:
            reference = replace(reference, item=str(_circled(parts["circled_item"])))
    if parts.get("item") or parts.get("short_item"):
        item = _joined(parts["item"] or parts["short_item"], parts["item_branch"] or "")
        if not item:
            return None
        reference = replace(reference, item=item + (parts["sub"] or ""))
    return reference


def _is_circled(char: str) -> bool:
    return "①" <= char <= "⑳"


def _circled(mark: str) -> int:
    return ord(mark) - ord("①") + 1


def _order(article: str) -> tuple[int, ...]:
    """How articles follow each other: 77, 77_2, 78; an empty one comes before all."""
    return tuple(int(part) for part in article.split("_") if part.isdigit())


def _between(first: Reference, last: Reference) -> Iterator[Reference]:
    """What lies between the ends of a short range, the ends left out."""
    if first.law != last.law or not first.article or not last.article or first.item or last.item:
        return
    if first.article == last.article:
        if first.paragraph and last.paragraph and last.paragraph - first.paragraph <= LONGEST_RANGE:
            for paragraph in range(first.paragraph + 1, last.paragraph):
                yield replace(first, paragraph=paragraph)
        return
    *stem, start = first.article.split("_")
    *other, stop = last.article.split("_")
    whole = not first.paragraph and not last.paragraph
    if whole and stem == other and int(stop) - int(start) <= LONGEST_RANGE:
        for number in range(int(start) + 1, int(stop)):
            yield replace(first, article="_".join([*stem, str(number)]))


def _neighbours(article: str, steps: range, articles: tuple[str, ...]) -> list[str]:
    if article in articles:
        here = articles.index(article)
        return [articles[here + n] for n in steps if 0 <= here + n < len(articles)]
    *stem, last = article.split("_")
    names = []
    for n in steps:
        number = int(last) + n
        # The article before 77条の2 is 77条; nothing is numbered 77条の1.
        branch = stem and stem != ["s"]
        if branch and number == 1:
            names.append("_".join(stem))
        elif number > 0 and not (branch and number < 1):
            names.append("_".join([*stem, str(number)]))
    return names


# --- precedents ----------------------------------------------------------------------------

# 民一〇〇号 is number 100 of 民, not number 00 of 民一: no number begins with a zero.
_NONZERO = KANJI_NUMERALS.translate(dict.fromkeys(map(ord, "〇○◯零")))
_OFFICE = (
    r"(?:民事?(?:甲|乙|丙|刑|行甲|行乙|行)"
    r"|民(?:事 ?)?\([一二三四五六1-6]\)"
    rf"|民(?:事 ?)?[一二三四五六](?=発|[ 第]|[{_NONZERO}0-9])"
    r"|民(?:事 ?)?[1-6](?=発? ?第)"
    r"|民(?:事局?)?(?=第|[0-9]))発?"
)
_COUNT = rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+(?![0-9])|{_N})"
_DAY = (
    rf"(?:(?P<era>{_ERA_NAMES}|[明大昭平令]|[mtshr]\.?) ?(?P<year>元|{_N})"
    # No other era has had such years since there are notices.
    r"|(?P<showa>4[6-9]|5[0-9]|6[0-4])(?=[.・])"
    r"|(?P<western>(?:18|19|20)[0-9]{2})) ?[年.・] ?"
    rf"(?P<month>{_N}) ?[月.・] ?(?P<day>{_N}) ?日?"
)
_DAY_AFTER = re.compile(rf"[ \n]{{0,3}}{_DAY}")
_KINDS = "依命通知|回答|通達|通知|指示|決議|認可|訓令|指令"
_NOTICE = re.compile(
    rf"(?:(?<![{_KANJI}{_KATAKANA}a-z0-9]){_DAY} ?(?:付け?|附け?)?の?[、 ]?)?(?:(?:法務省|司法省) ?)?"
    rf"(?:(?P<office>{_OFFICE}) ?(?P<mark>第?) ?(?P<number>{_COUNT}) ?(?P<end>号?)"
    rf"|(?P<other>[{_KANJI}]{{1,10}}?) ?第 ?(?P<other_number>{_COUNT}) ?号)"
    rf"(?: ?(?P<by>[{_KANJI}0-9()]{{0,20}}?)(?P<kind>{_KINDS}))?"
)
_NEXT_NOTICE = re.compile(
    r" ?(?:及び|並びに|又は|若しくは|および|ならびに|または|もしくは|と|[、,・]) ?"
    rf"(?P<notice>(?:同日付?け?の? ?(?P<office>{_OFFICE}) ?第? ?|第 ?|(?=[0-9]{{3}}))"
    rf"(?P<number>{_COUNT}) ?号"
    rf"(?!様式|書式|用紙)(?: ?[{_KANJI}0-9()]{{0,20}}?(?P<kind>{_KINDS}))?)"
)
_NO_NOTICE = re.compile("法律|令$|告示|規則|条例|判決")
# What follows the number of an article: 民767条, 民773の2, 民819①.
_OF_ARTICLE = re.compile(
    rf" ?(?:条|第? ?{_N} ?項|[のノ之-] ?[0-9{KANJI_NUMERALS}]|[{_CIRCLED}{_ROMANS}]|[ivx]+(?![a-z]))"
)
_BY_OFFICE = re.compile(r"(?:.*[局課省長官])?")


def _precedents(text: str) -> Iterator[_Found]:
    """Notices cited by date, office and number; the date may be missing."""
    at = 0
    while match := _NOTICE.search(text, at):
        at = match.end()
        number = parse_number((match["number"] or match["other_number"]).replace(",", ""))
        day = match if match["month"] else None
        # A notice's own heading prints the number first and the date below it.
        after = _DAY_AFTER.match(text, match.end()) if match["end"] and not day else None
        if number and _is_notice(match, dated=bool(day or after)):
            day = day or after
            office = _office(match["office"]) if match["office"] else match["other"]
            first = Reference(
                date=_iso_date(day) if day else "",
                office=office,
                number=str(number),
                kind=match["kind"] or "",
            )
            at = after.end() if after else at
            for found in _listed(text, _Found(first, match.start(), at)):
                yield found
                at = found.end


def _listed(text: str, first: _Found) -> list[_Found]:
    """A notice and those listed with it: 民二第5500号及び第5501号通達, which share its date."""
    notices = [first]
    while match := _NEXT_NOTICE.match(text, notices[-1].end):
        before = notices[-1].reference
        number = parse_number(match["number"].replace(",", ""))
        # What follows a whole citation (…号通達、第3号) is the next only if it says so itself.
        if not before or not number or (before.kind and not (match["office"] or match["kind"])):
            break
        office = _office(match["office"]) if match["office"] else before.office
        reference = replace(before, office=office, number=str(number), kind=match["kind"] or "")
        notices.append(_Found(reference, match.start("notice"), match.end()))
    return notices


def _is_notice(match: re.Match[str], *, dated: bool) -> bool:
    """Whether this is a notice and not an article (民767), a law's number or a counter's (第3号窓口)."""
    if not match["office"]:
        return dated and bool(match["kind"]) and not _NO_NOTICE.search(match["other"])
    alone = bool(re.fullmatch("民(?:事局?)?", match["office"]))
    if match["end"]:
        return not alone or dated or bool(match["mark"])
    if _OF_ARTICLE.match(match.string, match.end("number")):
        return False
    if dated or match["office"][-1] in "甲乙":
        return True
    if re.match("[国市県区町村住公移農漁庶]", match.string[max(0, match.start() - 1) :]):
        return False
    if match["kind"] and _BY_OFFICE.fullmatch(match["by"]):
        return True
    # An article's paragraphs are not counted in hundreds: 民二5500 is none of 民法第2条.
    return not alone and bool(re.match("[0-9]{3}", match["number"].replace(",", "")))


def _office(printed: str) -> str:
    """民甲 and 民事甲 are one, so are 民事(二), 民2 and 民二."""
    office = re.sub(r"[() ]", "", printed)
    office = re.sub(r"[1-6]", lambda m: "〇一二三四五六"[int(m[0])], office)
    office = re.sub(r"^民(?=[甲乙丙])", "民事", office)
    return re.sub(r"^民事(?=[一二三四五六])", "民", office)


def _iso_date(match: re.Match[str]) -> str:
    month, day = parse_number(match["month"]), parse_number(match["day"])
    year = ERA_OFFSETS["昭和"] + int(match["showa"]) if match["showa"] else _gregorian(match)
    if not month or not day or not FIRST_GREGORIAN_YEAR <= year <= 9999:
        return ""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def _era_date(iso: str) -> str:
    """An ISO date in the era of that day, as precedents are cited; empty for an empty one."""
    if not iso:
        return ""
    day = date.fromisoformat(iso)
    for era, first in _ERA_STARTS:
        if day >= first:
            year = day.year - ERA_OFFSETS[era]
            return f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日"
    return ""


_ERA_STARTS = (
    ("令和", date(2019, 5, 1)),
    ("平成", date(1989, 1, 8)),
    ("昭和", date(1926, 12, 25)),
    ("大正", date(1912, 7, 30)),
    ("明治", date(1868, 1, 25)),
)
