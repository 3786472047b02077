"""Changed sentences for the verifier: does it catch what is wrong, and leave what is not?

Real sentences of a book are changed one way at a time: a number, a permission or duty, a
term, the passage they are said of; and, harmlessly, how a numeral, a year or a verb is written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core.book import Passage
from app.core.japanese import ERA_OFFSETS, sentences

HARMFUL = ("number", "negation", "term", "passage")
BENIGN = "benign"
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
        for kind, change in _CHANGES.items():
            for claim in change(sentence, chance):
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


_CHANGES: dict[str, Callable[[str, random.Random], Iterator[str]]] = {
    "number": _number,
    "negation": _negation,
    "term": _term,
    BENIGN: _benign,
}
