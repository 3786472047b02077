"""What a reference is, how its id is spelt, and where a text makes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.core.references.eras import era_date

PRECEDENT = "先例"
# Stands for the date of a notice in the id that is kept for those who cite it without one.
_ANY_DATE = "*"


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
            return f"{era_date(self.date)}{self.office}第{self.number}号{self.kind}"
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


@dataclass(frozen=True, slots=True)
class Found:
    """A reference on folded characters `start:end`; None for an article of a law unknown."""

    reference: Reference | None
    start: int
    end: int
    relative: bool = False
