"""The hard facts of a sentence in one form: references, dates, amounts, and what is allowed or required.

三箇月以内 and 3か月以内, 令和6年 and 2024年, 民767② and 民法第767条第2項 are the same fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.core import references
from app.core.japanese import ERA_OFFSETS, KANJI_NUMERALS, NUMBER, fold, parse_number

Date = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit (日, か月, 円, 条 …) and, where one follows, its bound (以内, 未満 …)."""

    value: str
    unit: str
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Predicate:
    """What is said of the words `before` it: `kind` is can, must or is; `holds` false where negated."""

    kind: str
    holds: bool
    before: frozenset[str]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one text. `ids` are canonical references, with those of their articles."""

    ids: frozenset[str]
    dates: tuple[Date, ...]
    amounts: tuple[Amount, ...]
    predicates: tuple[Predicate, ...]


_BOUNDS = {
    "以内": "within", "内": "within", "まで": "within",
    "以上": "least", "以下": "most", "未満": "under",
    "を超え": "over", "を過ぎ": "over", "を経過": "over", "超": "over",
    "以後": "after", "以降": "after", "経過後": "over", "後": "after",
    "以前": "before", "前": "before",
}  # fmt: skip
_BOUND = re.compile("|".join(sorted(_BOUNDS, key=len, reverse=True)))
_UNIT = (
    r"か月間?|か年|か国|か所|週間?|日間?|年間?|月|時間?|分|秒|人|名|歳|才|円|通|枚|件|回|部|冊|世代?|親等"
    r"|条|項|号|章|節|編|款|頁|ページ|%|割|倍|分の|種|つ|親|級|番|丁目|世帯|字|箇"
)
_DATE = re.compile(
    rf"(?:(?P<era>明治|大正|昭和|平成|令和) ?(?P<year>元|{NUMBER})|(?<![0-9])(?P<western>[12][0-9]{{3}})"
    r"|(?P<kanji>[一二][〇一二三四五六七八九]{3})) ?年"
    # 1951年(昭和26年)10月4日 is one date.
    r"(?:\((?:明治|大正|昭和|平成|令和|[12])[^()年]{1,5}年\))?"
    rf"(?: ?(?P<month>{NUMBER}) ?月(?: ?(?P<day>{NUMBER}) ?日)?)?"
)
_MONTH_DAY = re.compile(rf"(?P<month>{NUMBER}) ?月 ?(?P<day>{NUMBER}) ?日")
_ARTICLE = re.compile(rf"第? ?(?P<n>{NUMBER}) ?条(?P<branch>(?:[のノ]{NUMBER})*)")
_PART = re.compile(rf" ?第? ?(?P<n>{NUMBER}) ?(?P<unit>項|号)")
_AMOUNT = re.compile(rf"(?P<n>{NUMBER}(?:[.,][0-9]+)*(?:[万億千][0-9]*)?) ?(?P<unit>{_UNIT})?")
_NUMERAL = re.compile(rf"{NUMBER}(?:[万億][0-9{KANJI_NUMERALS}]*)?")
_DIGITS = re.compile("[0-9]+")
# Characters before and after a numeral by which it is known again in another sentence.
_BEFORE, _AFTER = 3, 1
# 一般, 第三者, 十分 are words, no numbers.
_WORDS = re.compile(
    "一般|一部(?!を添)|一切|一定|一方|一応|一時|一旦|一律|一致|一緒|一体|一身|唯一|同一|統一|単一|画一|万一|随一"
    "|第三者|第三国|第一次|第二次|二重|三者|十分|一覧|一括|一連|一環|四半期|百科|千葉|三重県|四国|九州|八王子|六法"
    "|一種の|一つ一つ|一人一人|再三|千円札|一読|一見|一層|一因|万全|数十|何十"
)


def facts(text: str, *, ids: Iterable[str] = ()) -> Facts:
    """The facts of a text; `ids` are references known to be meant besides those written."""
    folded = fold(text)
    mentions = references.find(folded)
    found = set(ids)
    for mention in mentions:
        found.update((mention.reference.id, mention.reference.article_id))
    rest = _blank(folded, ((m.start, m.end) for m in mentions))
    rest = _blank(rest, (m.span() for m in _WORDS.finditer(rest)))
    dates, rest = _dates(rest)
    for mention in mentions:  # 戸籍法(昭和22年法律第224号)第49条
        for bracketed in _BRACKETED.findall(folded[mention.start : mention.end]):
            dates += _dates(bracketed)[0]
    amounts = [*_articles(rest)]
    rest = _blank(rest, (m.span() for m in _ARTICLE.finditer(rest)))
    amounts += _amounts(rest)
    return Facts(frozenset(found), tuple(dates), tuple(amounts), tuple(predicates(folded)))


def level(text: str) -> str:
    """A folded text with every reference, era year and numeral written one way: 民法第767条第2項, 2024年, 450円.

    市区町村 is what statutes call 市町村.
    """
    folded = fold(text).replace("市区町村", "市町村")
    written = {(m.start, m.end): m.reference.display for m in references.find(folded)}
    spans = [(start, end, shown) for (start, end), shown in written.items()]
    spans += [(*m.span(), m[0]) for m in _WORDS.finditer(folded)]
    spans += [(*m.span(), f"{_year(m)}年" + _rest_of(m)) for m in _DATE.finditer(folded)]
    spans += [(*m.span(), _arabic(m[0])) for m in _NUMERAL.finditer(folded)]
    parts: list[str] = []
    at = 0
    for start, end, shown in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= at:
            parts += (folded[at:start], shown)
            at = end
    return "".join((*parts, folded[at:]))


def numbers_in_place(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Each numeral of a text with the characters around it: ((日から, か), 3).

    Numerals of a list (第三条、第五条) have no place of their own and are left out.
    """
    folded = fold(text)
    plain = _NUMERAL.sub(lambda match: _arabic(match[0]), folded)
    for match in _DIGITS.finditer(plain):
        before = plain[max(0, match.start() - _BEFORE) : match.start()]
        if len(before) == _BEFORE and "、" not in before:
            yield (before, plain[match.end() : match.end() + _AFTER]), match[0]


def _rest_of(match: re.Match[str]) -> str:
    return "".join(
        f"{parse_number(match[u])}{unit}"
        for u, unit in (("month", "月"), ("day", "日"))
        if match[u]
    )


def _arabic(numeral: str) -> str:
    value = parse_number(numeral)
    return numeral if value is None else str(value)


def _blank(text: str, spans: Iterable[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + "\n" * (end - start) + text[end:]
    return text


def _dates(text: str) -> tuple[list[Date], str]:
    found: list[Date] = []
    for match in _DATE.finditer(text):
        year = _year(match)
        month = parse_number(match["month"]) if match["month"] else None
        day = parse_number(match["day"]) if match["day"] else None
        found.append((year, month, day))
    rest = _blank(text, (m.span() for m in _DATE.finditer(text)))
    for match in _MONTH_DAY.finditer(rest):
        found.append((None, parse_number(match["month"]), parse_number(match["day"])))
    return found, _blank(rest, (m.span() for m in _MONTH_DAY.finditer(rest)))


def _year(match: re.Match[str]) -> int | None:
    if match["western"] or match["kanji"]:
        return parse_number(match["western"] or match["kanji"])
    count = 1 if match["year"] == "元" else parse_number(match["year"])
    return ERA_OFFSETS[match["era"]] + count if count else None


def _articles(text: str) -> Iterator[Amount]:
    for match in _ARTICLE.finditer(text):
        numbers = [parse_number(n) for n in re.split("[のノ]", match["n"] + match["branch"])]
        yield Amount("_".join(str(number) for number in numbers), "条")


def _amounts(text: str) -> Iterator[Amount]:
    for match in _AMOUNT.finditer(text):
        value = parse_number(match["n"].replace(",", ""))
        written = match["n"] if value is None else str(value)
        unit = (match["unit"] or "").removesuffix("間")
        bound = _BOUND.match(text, match.end())
        yield Amount(written, unit, _BOUNDS[bound[0]] if bound else "")


# --- what is allowed, required or so ---------------------------------------------------------

# The longest spelling first: なければならない is no negation, 要しない no duty.
_PREDICATES: tuple[tuple[str, str, bool], ...] = (
    (r"義務(?:は|が|も)?(?:な[いくし]|ありません|負わ)", "must", False),
    (r"義務(?:が(?:あ(?:ります|[るりっ])|生じ|課さ)|を(?:負[いうっ]|課)|(?:づ|付)け|と(?:なる|なって|され)|です|である)", "must", True),
    (r"妨げ(?:ない|ず|ません)|妨げられ(?:ない|ず|ません)", "can", True),
    (r"で?なければな(?:らない|らず|りません)|なければいけない|ねばな(?:らない|らず|りません)|なくてはな(?:らない|りません)|ないわけにはいかない", "must", True),
    (r"で?なくて(?:も)?(?:よい|良い|いい|よく|足り|差し?支え(?:は|が)?(?:な|ありません)|(?:構|かま)(?:わない|いません)|済)|ないでよい|ないで足り|に及ば(?:ない|ず|ません)|を省略(?:する|できる|し)|しないことができ", "must", False),
    (r"(?:てはな(?:らない|らず|りません)|ては(?:いけない|いけません)|ることはでき(?:ない|ず|ません)|べきで(?:は)?な)", "can", False),
    (r"必要(?:と(?:は)?しな|[がはもで]*(?:は)?(?:な[いくし]|ありません|無))|不必要|不要|要し(?:ない|ません|な|ず)|要(?:ら|さ)(?:ない|ず|ません)|要(?:る|す)もの(?:では)な", "must", False),
    (r"必要|を?要(?:する|します|し、|すべき|る(?![件素])|ります)|べき", "must", True),
    (r"(?:でき|出来|得)(?:な(?!け)|ず|ません)|不可能|不可|認め(?:られ)?(?:な(?!け)|ず|ません)|許(?:さ|され)(?:な|ず|ません)|禁(?:止|じ)", "can", False),
    (r"(?:でき|出来)(?:る|ます|た|れば|、|得|て)|得る|得ます|可能|認め(?:られ)?(?:る|ます|た|て)|許(?:す|され)(?:る|ます|た)?|差し?支え(?:は|が)?(?:な|ありません)|て(?:も)?(?:よい|よろしい|良い|いい|(?:構|かま)(?:わない|いません))", "can", True),
    (r"(?:受理|適用|記載|請求|対象|該当|適法|有効|効力|成立|公開|開示|嫡出|同意|承諾|許可|異議|理由|制限)(?:で|が|を|は)?(?:無い|ない|なく|なき)", "is", False),
    (r"無効|不受理|除く|除か|除き|未満了|非該当|不適法|不成立", "is", False),
    (r"有効|含む|含み|含ま(?:れ)|該当する|成立する|適法", "is", True),
    (r"(?<=[出来見得寝いえけせてねべめれげぜでびぺじちにひみりぎきしわかさたなまらばがざだぱられ])(?:ない|なく(?!て)|なかつ|なかっ|ません|ず(?=[、。にとは]|$)|ぬ(?=[とこも]))|で(?:は)?な[いくけ]|が(?:ない|なく|なけれ)|もない|しない|しなく(?!て)|しません|せず|ざる", "is", False),
    (r"(?:する|します|した|される|されます|された|れる|られる|[うくぐすつぬぶむる]|ます|である|です|がある|があり)(?=[。、()」]|もの|こと(?![がはもを]*(?:でき|出来|認め|許|可能|必要|不可|要|義務|禁|妨げ|差し))|とき|場合|者|$)", "is", True),
)  # fmt: skip
_PREDICATE = re.compile("|".join(f"(?P<p{n}>{p})" for n, (p, _, _) in enumerate(_PREDICATES)))
_CONTEXT = 14
_AHEAD = 200
_BRACKETED = re.compile(r"\([^()]*\)")
_JOINERS = re.compile(r"(?:こと|もの|が|は|も|を|に|の|と|で|し|する|、|。| )+$")


def predicates(folded: str) -> Iterator[Predicate]:
    """What a folded text says is possible, required or the case, with the words before each."""
    for match in _PREDICATE.finditer(folded):
        number = int((match.lastgroup or "p0")[1:])
        _, kind, holds = _PREDICATES[number]
        ahead = _BRACKETED.sub("", folded[max(0, match.start() - _AHEAD) : match.start()])
        clause = re.split("[。\n]", ahead)[-1]
        before = _JOINERS.sub("", clause)[-_CONTEXT:]
        pairs = frozenset(before[i : i + 2] for i in range(len(before) - 1)) or frozenset({before})
        yield Predicate(kind, holds, pairs, match.start(), match.end())


# 要しない is no prohibition, しなければならない no permission.
_EXCHANGED = {
    frozenset((("can", True), ("must", True))),
    frozenset((("must", False), ("can", False))),
}


def exchanged(
    said: Iterable[Predicate], known: Sequence[Predicate], least: float
) -> list[Predicate]:
    """Those of `said` that make a duty of what is known as a permission on the same words, or the reverse.

    `least` is the share (0 to 1) of the words before that must agree.
    """
    return [
        each
        for each in said
        if (matter := _nearest(each, known, least))
        and all(
            frozenset(((each.kind, each.holds), (k.kind, k.holds))) in _EXCHANGED for k in matter
        )
    ]


def _nearest(each: Predicate, known: Sequence[Predicate], least: float) -> list[Predicate]:
    """The known predicates whose words before agree best, if at least `least` of them do."""
    scored = [(len(each.before & k.before) / (len(each.before) or 1), k) for k in known]
    best = max((score for score, _ in scored), default=0.0)
    return [k for score, k in scored if score == best] if best >= least else []


def opposites(
    said: Iterable[Predicate], known: Sequence[Predicate], least: float, slack: float
) -> list[Predicate]:
    """Those of `said` that everything known on the same words says the opposite of.

    `least` is the share (0 to 1) of the words before that must agree, `slack` the share of the
    best agreement down to which predicates count as being on the same words.
    """
    turned: list[Predicate] = []
    for each in said:
        scored = [(len(each.before & k.before) / (len(each.before) or 1), k) for k in known]
        best = max((score for score, _ in scored), default=0.0)
        matters = [k for score, k in scored if score >= best * slack]
        if best >= least and all(k.holds != each.holds for k in matters):
            turned.append(each)
    return turned
