"""The years of the Japanese eras, as laws and notices are dated."""

from __future__ import annotations

import re
from datetime import date

from app.core.japanese import ERA_OFFSETS, parse_number

ERA_NAMES = "明治|大正|昭和|平成|令和"
ERAS = {"明": "明治", "大": "大正", "昭": "昭和", "平": "平成", "令": "令和"}
ERAS |= {"m": "明治", "t": "大正", "s": "昭和", "h": "平成", "r": "令和"}
_ERA_STARTS = (
    ("令和", date(2019, 5, 1)),
    ("平成", date(1989, 1, 8)),
    ("昭和", date(1926, 12, 25)),
    ("大正", date(1912, 7, 30)),
    ("明治", date(1868, 1, 25)),
)


def gregorian(match: re.Match[str]) -> int:
    """The year of a match in our calendar; `western`, where it has that group, is one already."""
    if match.groupdict().get("western"):
        return int(match["western"])
    era = match["era"].removesuffix(".")
    count = 1 if match["year"] == "元" else parse_number(match["year"]) or 0
    return ERA_OFFSETS[ERAS.get(era, era)] + count


def era_date(iso: str) -> str:
    """An ISO date in the era of that day, as precedents are cited; empty for an empty one."""
    if not iso:
        return ""
    day = date.fromisoformat(iso)
    for era, first in _ERA_STARTS:
        if day >= first:
            year = day.year - ERA_OFFSETS[era]
            return f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日"
    return ""
