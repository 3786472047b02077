"""Precedents: notices cited by date, office and number (昭39.6.30民事甲2240号)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from app.core.japanese import (
    ERA_OFFSETS,
    FIRST_GREGORIAN_YEAR,
    KANJI,
    KANJI_NUMERALS,
    KATAKANA,
    NUMBER,
    parse_number,
)
from app.core.references.articles import CIRCLED, ROMANS
from app.core.references.eras import ERA_NAMES, gregorian
from app.core.references.nouns import Found, Reference

# 民一〇〇号 is number 100 of 民, not number 00 of 民一: no number begins with a zero.
_NONZERO = KANJI_NUMERALS.translate(dict.fromkeys(map(ord, "〇○◯零")))
_OFFICE = (
    r"(?:民事?(?:甲|乙|丙|刑|行甲|行乙|行)"
    r"|民(?:事 ?)?\([一二三四五六1-6]\)"
    rf"|民(?:事 ?)?[一二三四五六](?=発|[ 第]|[{_NONZERO}0-9])"
    r"|民(?:事 ?)?[1-6](?=発? ?第)"
    r"|民(?:事局?)?(?=第|[0-9]))発?"
)
_COUNT = rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+(?![0-9])|{NUMBER})"
_DAY = (
    rf"(?:(?P<era>{ERA_NAMES}|[明大昭平令]|[mtshr]\.?) ?(?P<year>元|{NUMBER})"
    # No other era has had such years since there are notices.
    r"|(?P<showa>4[6-9]|5[0-9]|6[0-4])(?=[.・])"
    r"|(?P<western>(?:18|19|20)[0-9]{2})) ?[年.・] ?"
    rf"(?P<month>{NUMBER}) ?[月.・] ?(?P<day>{NUMBER}) ?日?"
)
_DAY_AFTER = re.compile(rf"[ \n]{{0,3}}{_DAY}")
_KINDS = "依命通知|回答|通達|通知|指示|決議|認可|訓令|指令"
_NOTICE = re.compile(
    rf"(?:(?<![{KANJI}{KATAKANA}a-z0-9]){_DAY} ?(?:付け?|附け?)?の?[、 ]?)?(?:(?:法務省|司法省) ?)?"
    rf"(?:(?P<office>{_OFFICE}) ?(?P<mark>第?) ?(?P<number>{_COUNT}) ?(?P<end>号?)"
    rf"|(?P<other>[{KANJI}]{{1,10}}?) ?第 ?(?P<other_number>{_COUNT}) ?号)"
    rf"(?: ?(?P<by>[{KANJI}0-9()]{{0,20}}?)(?P<kind>{_KINDS}))?"
)
_NEXT_NOTICE = re.compile(
    r" ?(?:及び|並びに|又は|若しくは|および|ならびに|または|もしくは|と|[、,・]) ?"
    rf"(?P<notice>(?:同日付?け?の? ?(?P<office>{_OFFICE}) ?第? ?|第 ?|(?=[0-9]{{3}}))"
    rf"(?P<number>{_COUNT}) ?号"
    rf"(?!様式|書式|用紙)(?: ?[{KANJI}0-9()]{{0,20}}?(?P<kind>{_KINDS}))?)"
)
_NO_NOTICE = re.compile("法律|令$|告示|規則|条例|判決")
# What follows the number of an article: 民767条, 民773の2, 民819①.
_OF_ARTICLE = re.compile(
    rf" ?(?:条|第? ?{NUMBER} ?項|[のノ之-] ?[0-9{KANJI_NUMERALS}]|[{CIRCLED}{ROMANS}]|[ivx]+(?![a-z]))"
)
_BY_OFFICE = re.compile(r"(?:.*[局課省長官])?")


def precedents(text: str) -> Iterator[Found]:
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
            for found in _listed(text, Found(first, match.start(), at)):
                yield found
                at = found.end


def _listed(text: str, first: Found) -> list[Found]:
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
        notices.append(Found(reference, match.start("notice"), match.end()))
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
    year = ERA_OFFSETS["昭和"] + int(match["showa"]) if match["showa"] else gregorian(match)
    if not month or not day or not FIRST_GREGORIAN_YEAR <= year <= 9999:
        return ""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""
