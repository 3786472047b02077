"""The number of an article with its paragraphs and items: 第77条の2第1項第3号, 77の2Ⅰ③."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from app.core.japanese import KANJI_NUMERALS, NUMBER, parse_number
from app.core.references.nouns import Reference

# A longer range (民法第一条から第千条まで) is cited by its ends only.
LONGEST_RANGE = 10

# No law of the field has more articles; 民法2024 is a year or a page.
LAST_ARTICLE = 1399

COUNTER = (
    r"(?:[人名歳才年月日時分秒円件通枚回号個番丁世級度倍割点台組棟階室都区市町村週版訂編巻章節等親代頁重つ%者軒冊]"
    r"|か[月年国所]|ページ)"
)
# Ⅰ to Ⅹ are read as one character each: folded, ⅠⅡ would be iii, which is Ⅲ.
ROMANS = "".join(chr(0x10FF01 + n) for n in range(10))
AS_ROMANS = {first + n: ROMANS[n] for first in (ord("Ⅰ"), ord("ⅰ")) for n in range(10)}
CIRCLED = "①-⑳"
_ROMAN_PARAGRAPH = (
    rf"(?P<roman>[{ROMANS}]|(?:i{{1,3}}|iv|vi{{0,3}}|ix|x)(?![a-z]))"
    rf"(?: ?(?P<circled_item>[{CIRCLED}]))?"
)

_PARAGRAPH = (
    rf"(?: ?第? ?(?P<paragraph>{NUMBER}) ?項| ?(?P<circled>[{CIRCLED}])| ?{_ROMAN_PARAGRAPH})"
)
_ITEM = (
    rf"(?: ?第? ?(?P<item>{NUMBER}) ?号(?P<item_branch>(?:の{NUMBER}(?!{COUNTER}))*)"
    r"(?P<sub>[イロハニホヘトチリヌルヲ](?![ァ-ヺー]))?)"
)

LONG = re.compile(
    rf"第? ?(?P<article>{NUMBER}) ?条(?P<branch>(?: ?[のノ之] ?{NUMBER}(?! ?項|{COUNTER}))*)(?![例件約文理])"
    rf"{_PARAGRAPH}?{_ITEM}?"
)
SHORT = re.compile(
    rf"(?P<article>{NUMBER})(?P<branch>(?:[のノ之] ?{NUMBER}(?!{COUNTER})|-(?>[0-9]{{1,2}})(?![0-9条]))*)"
    rf"{_PARAGRAPH}?(?:{_ITEM}|(?<=[①-⑳ivx{ROMANS}]) ?(?P<short_item>{NUMBER})(?!{COUNTER}|条)"
    rf"|(?<=[{KANJI_NUMERALS}])(?P<short_paragraph>[0-9]{{1,2}}))?(?! ?{COUNTER}|[0-9a-z]|[.,][0-9])"
)
_PART = re.compile(rf"{_PARAGRAPH}?{_ITEM}?")
MORE_PARAGRAPHS = re.compile(
    rf"(?=[{CIRCLED}{ROMANS}・、,])[・、,]?((?P<circled>[{CIRCLED}])|{_ROMAN_PARAGRAPH})"
)
LOOSE_PARAGRAPH = re.compile(
    rf" ?([1-9][0-9]?)(?! ?{COUNTER}|[0-9a-z条項号万億千百の〜-]|[.,][0-9])"
)

_ROMAN = {
    n: i
    for i, n in enumerate(["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"], start=1)
}
_ROMAN |= {mark: number for number, mark in enumerate(ROMANS, start=1)}


def joined(first: str, branches: str) -> str:
    """77 and の2の3 as 77_2_3; empty where one of them is no number."""
    numbers = [parse_number(n) for n in re.findall(NUMBER, first + " " + branches)]
    return "" if None in numbers or 0 in numbers else "_".join(map(str, numbers))


def part_at(text: str, at: int) -> re.Match[str] | None:
    """The paragraph and item written at `at`, if any."""
    match = _PART.match(text, at)
    return match if match and match[0] else None


def with_part(base: Reference, match: re.Match[str]) -> Reference | None:
    """`base` with the paragraph and item of the match."""
    parts = match.groupdict()
    reference = base
    if parts.get("paragraph") or parts.get("short_paragraph"):
        paragraph = parse_number(parts["paragraph"] or parts["short_paragraph"])
        if not paragraph:
            return None
        reference = replace(reference, paragraph=paragraph)
    elif parts["circled"]:
        reference = replace(reference, paragraph=circled(parts["circled"]))
    elif parts["roman"]:
        reference = replace(reference, paragraph=_ROMAN[parts["roman"]])
        if parts["circled_item"]:
            reference = replace(reference, item=str(circled(parts["circled_item"])))
    if parts.get("item") or parts.get("short_item"):
        item = joined(parts["item"] or parts["short_item"], parts["item_branch"] or "")
        if not item:
            return None
        reference = replace(reference, item=item + (parts["sub"] or ""))
    return reference


def is_circled(char: str) -> bool:
    """Whether a character is one of ① to ⑳."""
    return "①" <= char <= "⑳"


def circled(mark: str) -> int:
    """The number in one of ① to ⑳."""
    return ord(mark) - ord("①") + 1


def order(article: str) -> tuple[int, ...]:
    """How articles follow each other: 77, 77_2, 78; an empty one comes before all."""
    return tuple(int(part) for part in article.split("_") if part.isdigit())


def between(first: Reference, last: Reference) -> Iterator[Reference]:
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


def neighbours(article: str, steps: range, articles: tuple[str, ...]) -> list[str]:
    """The articles so many steps from one, by the law's own list or else by counting."""
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
