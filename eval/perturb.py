"""Changed sentences for the verifier: does it catch what is wrong, and leave what is not?

Real sentences of a book are changed one way at a time: a number, a reference, a bound, a
permission or duty, a condition, 及び for 又は, a term, who does it to whom, the passage or the
sentence they are said of; and, harmlessly, how a numeral, a year or a verb is written, the
order of clauses, everyday for legal words, a reference named before or behind.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core.book import Passage
from app.core.japanese import ERA_OFFSETS, sentences

HARMFUL = (
    "number", "reference", "bound", "negation", "modality", "condition", "conjunction", "term",
    "role", "passage", "merged",
)  # fmt: skip
BENIGN = ("benign", "paraphrase")
PROVISO = "proviso"
_PROVISO = re.compile(r"[\s　]*(?:ただし|但し)、")

_KANJI_DIGITS = "〇一二三四五六七八九"
_COUNTED = "か月|箇月|ヶ月|日|年|人|歳|円|条|項|号|通|週間|親等|級"
_NUMERAL = re.compile(
    rf"(?<![〇一二三四五六七八九十百千万0-9０-９])([一二三四五六七八九]|[0-9０-９]+|[二三四五六七八九]?十[一二三四五六七八九]?)(?={_COUNTED})"
)

_FLIPS: tuple[tuple[str, str], ...] = (
    ("することができない", "することができる"),
    ("することができる", "することができない"),
    ("ことができない", "ことができる"),
    ("ことができる", "ことができない"),
    ("なければならない", "なくてもよい"),
    ("してはならない", "することができる"),
    ("することを要しない", "することを要する"),
    ("を要しない", "を要する"),
    ("を要する", "を要しない"),
    ("は要らない", "が要る"),
    ("が要る", "は要らない"),
    ("が必要である", "は不要である"),
    ("必要がない", "必要がある"),
    ("できない。", "できる。"),
    ("できる。", "できない。"),
    ("しない。", "する。"),
    ("されない。", "される。"),
    ("される。", "されない。"),
    ("する。", "しない。"),
    ("れる。", "れない。"),
    ("でない。", "である。"),
    ("である。", "でない。"),
    ("効力を生ずる", "効力を生じない"),
    ("足りる。", "足りない。"),
)

_CLASSES: tuple[tuple[str, ...], ...] = (
    ("離婚", "婚姻", "離縁", "縁組", "認知"),
    ("出生", "死亡", "失踪", "転籍", "分籍"),
    ("父", "母"),
    ("夫", "妻"),
    ("養親", "養子"),
    ("家庭裁判所", "市町村長", "法務大臣", "検察官"),
    ("本籍地", "所在地", "住所地"),
    ("謄本", "抄本"),
    ("届出人", "証人", "代理人"),
    ("後見人", "保佐人", "補助人"),
    ("配偶者", "直系尊属", "直系卑属", "兄弟姉妹"),
    ("戸籍", "住民票"),
    ("許可", "同意", "承諾"),
    ("取消し", "無効"),
)

# Another article, paragraph or kind of reference than the one written.
_REFERENCES: tuple[tuple[str, str], ...] = (
    ("前条", "次条"), ("次条", "前条"), ("前二項", "前項"), ("前項", "次項"), ("同条", "次条"), ("同項", "前項"),
)  # fmt: skip
_ARTICLE = re.compile(r"第([一二三四五六七八九十百]+)(?=条|項|号)")
_BRANCH = re.compile(r"条の[二三四五六七八九十]+")

_BOUNDS: tuple[tuple[str, str], ...] = (
    ("以内", "以後"), ("年以上", "年以下"), ("人以上", "人以下"), ("年以下", "年以上"), ("円以下", "円以上"),
    ("未満", "以上"), ("を超える", "に満たない"), ("に満たない", "を超える"), ("を経過した", "を経過しない"),
    ("以前", "以後"), ("以後", "以前"), ("までに", "以後に"), ("婚姻前", "婚姻後"), ("満了後", "満了前"),
)  # fmt: skip

_MODALITY: tuple[tuple[str, str], ...] = (
    ("することができる。", "しなければならない。"),
    ("しなければならない。", "することができる。"),
    ("することができない。", "しなければならない。"),
    ("してはならない。", "しなければならない。"),
    ("することを要しない。", "してはならない。"),
)

_CONDITIONS: tuple[tuple[str, str], ...] = (
    ("でないときは", "であるときは"), ("がないときは", "があるときは"), ("があるときは", "がないときは"),
    ("しないときは", "するときは"), ("できないときは", "できるときは"), ("でない者", "である者"), ("でない子", "である子"),
    ("を除き、", "を含め、"), ("を除く。", "を含む。"), ("を含む。", "を除く。"), ("にかかわらず", "に従い"),
    ("に限り", "に限らず"), ("知れない", "知れた"), ("のみ", ""),
)  # fmt: skip

_CONJUNCTIONS: tuple[tuple[str, str], ...] = (
    ("又は", "及び"), ("及び", "又は"), ("若しくは", "及び"), ("並びに", "又は"), ("かつ、", "又は"),
    ("いずれも", "いずれかが"), ("いずれか", "いずれも"),
)  # fmt: skip

_ROLES = (
    "養親", "養子", "父", "母", "夫", "妻", "届出人", "配偶者", "市町村長", "家庭裁判所", "後見人", "子", "請求者",
    "代理人", "証人", "検察官", "法務大臣", "相続人", "利害関係人",
)  # fmt: skip
_ROLE = re.compile("(?<![一-鿿])(" + "|".join(_ROLES) + ")([がはをにの])")
_SUBJECT = re.compile(r"[^、。（）]{4,40}は、")

_WORDINGS: tuple[tuple[str, str], ...] = (
    ("届け出なければ", "届出をしなければ"), ("届出をしなければ", "届書を提出しなければ"), ("者は、", "人は、"),
    ("直ちに", "すぐに"), ("添えなければ", "添付しなければ"), ("当該", ""), ("並びに", "と"), ("及び", "と"), ("又は", "か"),
    ("ときは、", "場合は、"), ("場合には、", "ときは、"), ("市町村長", "市区町村長"), ("の規定により", "に基づき"),
    ("に規定する", "で定める"), ("請求する", "求める"), ("経過した", "過ぎた"), ("を要する", "が必要"), ("は、", "は"),
)  # fmt: skip
_ENDINGS: tuple[tuple[str, str], ...] = (
    ("しなければならない。", "することが必要です。"),
    ("しなければならない。", "する義務があります。"),
    ("することができる。", "することが可能です。"),
    ("することができない。", "することは認められません。"),
    ("することを要しない。", "しなくてもかまいません。"),
    ("してはならない。", "してはいけません。"),
    ("ものとする。", "こととされています。"),
    ("する。", "することになります。"),
    ("しない。", "しません。"),
    ("れる。", "れます。"),
)
_LEADS = ("この場合、", "資料によると、", "結論として、", "したがって、")
_CLAUSES = re.compile(
    "(?P<who>[^、。]{2,25}は、)(?P<when>[^、。]{4,40}(?:ときは|場合には|により|までに|以内に)、)(?P<rest>.+)"
)

_BENIGN: tuple[tuple[str, str], ...] = (
    ("することができる。", "できる。"),
    ("することができる。", "することができます。"),
    ("しなければならない。", "する必要がある。"),
    ("しなければならない。", "しなければなりません。"),
    ("することを要しない。", "しなくてよい。"),
    ("とする。", "とします。"),
    ("である。", "です。"),
    ("する。", "します。"),
    ("届出", "届け出"),
    ("手続", "手続き"),
    ("箇月", "か月"),
    ("前条の規定により、", ""),
    ("又は", "または"),
    ("及び", "および"),
    ("によつて", "によって"),
    ("届出をする", "届を提出する"),
    ("できる。", "可能です。"),
)


@dataclass(frozen=True, slots=True)
class Changed:
    """A sentence changed one way, and the passages it is to be checked against."""

    kind: str
    claim: str
    original: str
    evidence: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of change: shares (0 to 1) of `sentences` kept, replaced by the source, dropped.

    Of sentences without their proviso those count as replaced that have it set beside them.
    """

    kind: str
    sentences: int
    kept: float
    replaced: float
    dropped: float

    @property
    def caught(self) -> float:
        """The share that is not shown as it was claimed."""
        return self.replaced + self.dropped


def changes(passages: Sequence[Passage], limit: int, seed: int = 1) -> Iterator[Changed]:
    """Up to `limit` sentences, each unchanged and changed in every way that applies to it."""
    chance = random.Random(seed)
    pool = [(passage, *span) for passage in passages for span in sentences(passage.text)]
    chance.shuffle(pool)
    used = 0
    for passage, start, end in pool:
        sentence = passage.text[start:end]
        if not 20 <= len(sentence) <= 160 or not sentence.endswith("。"):
            continue
        used += 1
        if used > limit:
            return
        here = (passage,)
        yield Changed("unchanged", sentence, sentence, here)
        changed = {kind: change(sentence, chance) for kind, change in _CHANGES.items()}
        for kind, claims in {**changed, "merged": _merged(sentence, passage, chance)}.items():
            for claim in claims:
                if kind in BENIGN or claim not in passage.text:
                    yield Changed(kind, claim, sentence, here)
        other = chance.choice(passages)
        if other.id != passage.id and sentence not in other.text:
            yield Changed("passage", sentence, sentence, (other,))


def provisos(passages: Sequence[Passage], limit: int, seed: int = 1) -> Iterator[Changed]:
    """Up to `limit` sentences whose ただし書 was left out."""
    found = [
        Changed(PROVISO, passage.text[slice(*span)], passage.text[slice(*span)], (passage,))
        for passage in passages
        for span, after in pairwise(sentences(passage.text))
        if _PROVISO.match(passage.text, after[0]) and 20 <= span[1] - span[0] <= 160
    ]
    random.Random(seed).shuffle(found)
    yield from found[:limit]


def table(
    changed: Sequence[Changed], verdict: Callable[[str, Sequence[Passage]], str]
) -> list[Row]:
    """What the verifier made of each kind; `verdict` gives kept, replaced or dropped."""
    found: dict[str, list[str]] = {}
    for each in changed:
        found.setdefault(each.kind, []).append(verdict(each.claim, each.evidence))
    return [
        Row(
            kind,
            len(verdicts),
            *(verdicts.count(status) / len(verdicts) for status in ("kept", "replaced", "dropped")),
        )
        for kind, verdicts in found.items()
    ]


def _number(sentence: str, chance: random.Random) -> Iterator[str]:
    places = list(_NUMERAL.finditer(sentence))
    if not places:
        return
    match = chance.choice(places)
    yield sentence[: match.start()] + _other(match[0], chance) + sentence[match.end() :]


def _other(numeral: str, chance: random.Random) -> str:
    digit = numeral[-1]
    if digit in "十":
        return numeral + chance.choice(_KANJI_DIGITS[1:])
    digits = _KANJI_DIGITS[1:] if digit in _KANJI_DIGITS else "123456789"
    return numeral[:-1] + chance.choice([d for d in digits if d != digit])


def _negation(sentence: str, chance: random.Random) -> Iterator[str]:
    for said, flipped in _FLIPS:
        if said in sentence:
            at = sentence.rindex(said)
            yield sentence[:at] + flipped + sentence[at + len(said) :]
            return


def _term(sentence: str, chance: random.Random) -> Iterator[str]:
    present = [(word, group) for group in _CLASSES for word in group if word in sentence]
    if not present:
        return
    word, group = chance.choice(present)
    yield sentence.replace(word, chance.choice([other for other in group if other != word]), 1)


def _benign(sentence: str, chance: random.Random) -> Iterator[str]:
    for said, same in _BENIGN:
        if said in sentence:
            yield sentence.replace(said, same, 1)
    numerals = [m for m in _NUMERAL.finditer(sentence) if len(m[0]) == 1 and m[0] in _KANJI_DIGITS]
    if numerals:
        match = chance.choice(numerals)
        arabic = str(_KANJI_DIGITS.index(match[0]))
        yield sentence[: match.start()] + arabic + sentence[match.end() :]
    era = re.search(r"(昭和|平成|令和)([0-9]{1,2})年", sentence)
    if era:
        yield sentence.replace(era[0], f"{ERA_OFFSETS[era[1]] + int(era[2])}年", 1)
    if "（" in sentence and "）" in sentence:
        yield re.sub(r"（[^（）]*）", "", sentence)


def _one_of(pairs: Sequence[tuple[str, str]]) -> Callable[[str, random.Random], Iterator[str]]:
    """A change of the first wording of `pairs` that a sentence has."""

    def change(sentence: str, chance: random.Random) -> Iterator[str]:
        for said, other in pairs:
            if said in sentence:
                yield sentence.replace(said, other, 1)
                return

    return change


def _reference(sentence: str, chance: random.Random) -> Iterator[str]:
    yield from _one_of(_REFERENCES)(sentence, chance)
    places = list(_ARTICLE.finditer(sentence))
    if places:
        match = chance.choice(places)
        yield sentence[: match.start(1)] + _other(match[1], chance) + sentence[match.end(1) :]
    branch = _BRANCH.search(sentence)
    if branch:
        yield sentence[: branch.start()] + "条" + sentence[branch.end() :]


def _role(sentence: str, chance: random.Random) -> Iterator[str]:
    """Who does it and to whom, exchanged."""
    found = list(_ROLE.finditer(sentence))
    for one in found:
        for other in found:
            if one[2] in "がは" and other[2] not in "がは" and one[1] != other[1]:
                pieces = {one.span(1): other[1], other.span(1): one[1]}
                yield _with(sentence, pieces)
                return


def _with(sentence: str, pieces: dict[tuple[int, int], str]) -> str:
    for (start, end), text in sorted(pieces.items(), reverse=True):
        sentence = sentence[:start] + text + sentence[end:]
    return sentence


def _merged(sentence: str, passage: Passage, chance: random.Random) -> Iterator[str]:
    """The subject of a sentence with what another sentence of its passage says of its own."""
    subject = _SUBJECT.match(sentence)
    others = [
        (other, match)
        for start, end in sentences(passage.text)
        if (other := passage.text[start:end]) != sentence
        and len(other) <= 160
        and (match := _SUBJECT.match(other))
        and other[:6] != sentence[:6]
    ]
    if subject and others:
        other, match = chance.choice(others)
        yield subject[0] + other[match.end() :]


def _paraphrase(sentence: str, chance: random.Random) -> Iterator[str]:
    wordings = [pair for pair in _WORDINGS if pair[0] in sentence]
    endings = [pair for pair in _ENDINGS if sentence.endswith(pair[0])]
    for said, same in chance.sample(wordings, min(2, len(wordings))):
        yield sentence.replace(said, same, 1)
    for said, same in chance.sample(endings, min(2, len(endings))):
        yield sentence.removesuffix(said) + same
    if wordings and endings:
        (said, same), (end, other) = chance.choice(wordings), chance.choice(endings)
        both = sentence.removesuffix(end) + other
        if said in both:
            yield both.replace(said, same, 1)
    clauses = _CLAUSES.match(sentence)
    if clauses:
        yield clauses["when"] + clauses["who"] + clauses["rest"]
    yield chance.choice(_LEADS) + sentence


_CHANGES: dict[str, Callable[[str, random.Random], Iterator[str]]] = {
    "number": _number,
    "negation": _negation,
    "term": _term,
    "reference": _reference,
    "bound": _one_of(_BOUNDS),
    "modality": _one_of(_MODALITY),
    "condition": _one_of(_CONDITIONS),
    "conjunction": _one_of(_CONJUNCTIONS),
    "role": _role,
    "benign": _benign,
    "paraphrase": _paraphrase,
}
