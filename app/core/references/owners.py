"""Whose article a number is: the law that is named before it, or that a question means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.japanese import KANJI, KANJI_NUMERALS, KATAKANA, NUMBER, parse_number
from app.core.references.eras import ERA_NAMES
from app.core.references.laws import (
    HOME_LAW,
    LAW_NUMBER,
    LAW_NUMBER_END,
    family,
    is_before,
    law_of_number,
    laws,
    name_lengths,
    names,
)
from app.core.references.nouns import Found

# A bare 772条 is beyond the end of that law; the counter means the next one on its desk.
LAST_HOME_ARTICLE = 140
_NEXT_LAW = "民法"
# The order a counter means by 施行令: the register's own law has none.
_HOME_ORDER = "住民基本台帳法施行令"

# 旧733条, 改正前の733条: of a law that is no longer in force, and which is not said.
_FORMER = re.compile(r"(?:旧|改正前の?|従前の)$")
# 法の適用に関する通則法(通則法)31条: the law's other name between it and the article.
_LAW_IN_BRACKET = re.compile(r"\(([^()]*[法令則])\)$")
# 令和6年改正民法, 平成30年改正前民法, 明治31年戸籍法.
_YEAR_OF_LAW = re.compile(
    rf"(?:(?P<era>{ERA_NAMES}|(?<![{KANJI}{KATAKANA}])[明大昭平令]) ?(?P<year>元|{NUMBER})"
    r"|(?<![0-9])(?P<western>(?:18|19|20)[0-9]{2})) ?年"
    rf"(?: ?{NUMBER} ?月(?: ?{NUMBER} ?日)?)?(?P<change>(?:一部)?改正前?|改正後)?$"
)

_LAW_ENDING = re.compile(
    rf"[{KANJI}{KATAKANA}a-z・]*(?:法律?|令|規則|細則|規程|条例|条約|協定|憲法|準則|要綱|要領|約款|規約)$"
)
NOT_A_LAW = re.compile(r"(?:[方手文用寸作技療話立司合違適不無商]法|[命指号辞]令|原則)$")
RUN = re.compile(rf"[{KANJI}{KATAKANA}a-z]+$")

_NAMED_IN_FULL = re.compile(r"(?:法|法律|令|規則|細則|省令|規程|準則|典範|法例|憲法)$")
# 第三条中民法, 施行前ヨリ民法: a citation or a particle of the old orthography, no part of a name.
_CITED_BEFORE = re.compile(
    rf".*[0-9{KANJI_NUMERALS}](?:[条項号]中?|中)|.*[{KANJI}](?:[ノハヲニ]|ヨリ)(?=[{KANJI}]|$)"
)
# The end of a name with kana in it, whose beginning cannot be told: …に関する法律.
_LAST_WORDS = re.compile(
    r"法律(?:施行令|施行規則)?|政令|省令|規則|条例|条約|規程|協定|準則|要綱|特例法|施行令|施行規則"
)
_THIS_LAW = re.compile(rf"(?:この(?:法律|政令|省令|規則)|(?<![{KANJI}])本法)$")
_SAME_LAW = re.compile(rf"(?<![{KANJI}])同(?:法(?:施行令|施行規則)?|令|規則|省令|政令|条例)$")

# What a law in force is called by besides its name, and what one no longer in force is.
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


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose article a number is: the law named before it. `law` is empty where it cannot be told."""

    law: str
    start: int
    supplementary: bool = False
    relative: bool = False
    abbreviated: bool = False
    listed: bool = False


class Owners:
    """The laws named in a folded text. `named` is the one named last, which 同法 means.

    `found` is what the scan has read so far, `law` the law whose text this is; `asked`
    says that it is a question.
    """

    def __init__(self, folded: str, law: str, found: Sequence[Found], *, asked: bool) -> None:
        self.folded = folded
        self.law = law
        self.found = found
        self.asked = asked
        self.family = family(law)
        self.named = ""

    def before(self, at: int) -> Owner | None:
        """The law named right before `at`, or None where no law is named there."""
        text = self.folded
        at, by_number = _skip_brackets(text, at)
        supplementary = text.endswith("附則", 0, at)
        if supplementary:
            at -= len("附則")
            if not by_number:
                at, by_number = _skip_brackets(text, at)
            elif by_number:
                return Owner(by_number, at, supplementary=True)
        owner = self.named_before(at)
        if owner is None or not owner.law:
            number = LAW_NUMBER_END.search(text, max(0, at - 40), at)
            if number:
                owner = Owner(law_of_number(number), number.start())
            elif by_number:
                owner = Owner(by_number, at)
        if supplementary:
            owner = owner or Owner(self.law or (self._home(at) if self.asked else ""), at)
            return replace(owner, supplementary=True)
        return owner

    def named_before(self, at: int) -> Owner | None:
        """The law whose name or abbreviation ends at `at`; its own number does not count as one."""
        text = self.folded
        if text[at - 1 : at] in ("」", "』"):
            start = max(text.rfind("「", 0, at), text.rfind("『", 0, at))
            quoted = names().get(text[start + 1 : at - 1])
            return Owner(quoted, start) if start >= 0 and quoted else None
        if text.endswith("旧", 0, at):
            name, start = self._longest_name(at - 1)
            if name and not self._run_before(start):
                full = bool(_NAMED_IN_FULL.search(text[start : at - 1]))
                return Owner(f"旧{name}", start, abbreviated=not full)
        own = _THIS_LAW.search(text, max(0, at - 6), at)
        if own:
            return Owner(self.law, own.start())
        same = _SAME_LAW.search(text, max(0, at - 8), at)
        if same:
            law = self.named if same[0] == "同法" else ""
            return Owner(law, same.start(), relative=True)
        name, start = self._longest_name(at)
        if self.asked and at - start < len("施行令"):
            name, start = self._implementing(at) or (name, start)
        run = self._run_before(start)
        if name:
            full = bool(_NAMED_IN_FULL.search(text[start:at])) and at - start > 1
            year = _YEAR_OF_LAW.search(text, max(0, start - 30), start)
            if year:
                change = year["change"] or ""
                old = change.endswith("前") or (not change and is_before(year, name))
                return Owner(f"旧{name}" if old else name, year.start(), abbreviated=not full)
            if not run or run in _NEW_LAW:
                return Owner(name, start - len(run), abbreviated=not full)
            if run in _OLD_LAW:
                return Owner("旧" + name, start - len(run), abbreviated=not full)
        ending = _LAW_ENDING.search(text, max(0, at - 30), at)
        if not ending:
            return None
        title = _CITED_BEFORE.sub("", ending[0])
        generic = not NOT_A_LAW.search(title) and not _LAST_WORDS.fullmatch(title)
        return Owner(title if generic and len(title) > 2 else "", at - len(title), abbreviated=True)

    def _run_before(self, at: int) -> str:
        """The letters a name is joined to on its left: 韓国 in 韓国民法, but not 第三条中."""
        run = RUN.search(self.folded, max(0, at - 20), at)
        return _CITED_BEFORE.sub("", run[0]) if run else ""

    def _longest_name(self, at: int) -> tuple[str, int]:
        for length in name_lengths():
            if length <= at:
                name = names().get(self.folded[at - length : at])
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

    def meant_by(self, match: re.Match[str]) -> Owner | None:
        """Whose article a bare one in a question is: 戸籍法の第77条, 戸籍77条, 第77条."""
        text, at = self.folded, match.start()
        if _FORMER.search(text, max(0, at - 6), at):
            return None
        bracket = _LAW_IN_BRACKET.search(text, max(0, at - 40), at)
        if bracket:
            law = names().get(bracket[1], "")
            return Owner(law, bracket.start()) if law else None
        joint = at - 1 if text.endswith("の", 0, at) else at
        run = RUN.search(text, max(0, joint - 20), joint)
        law = names().get(f"{run[0]}法", "") if run and len(run[0]) > 1 else ""
        if run and law:
            return Owner(law, run.start())
        named = self.named_before(joint) if joint < at else None
        if named:
            return None if named.abbreviated else named
        # 三条 and 九条 are also names of places and people.
        alone = not match[0].startswith("第") and not match["branch"]
        if alone and len(match["article"]) < 2 and not match["article"].isascii():
            return None
        law = self._home(at)
        if law == HOME_LAW and (parse_number(match["article"]) or 0) > LAST_HOME_ARTICLE:
            law = _NEXT_LAW
        return Owner(law, at) if law else None

    def _home(self, at: int) -> str:
        """The law a question means before `at`: the one it named last, else the family register's.

        Empty where that one is none we know (韓国民法). A law that has its article beside
        it was named for that article only.
        """
        named = [
            (end, -len(name), law)
            for name, law in names().items()
            if len(name) > 2 or name.endswith("法")
            if (end := self.folded.rfind(name, 0, at) + len(name)) >= len(name)
            if not any(f.start < end <= f.end for f in self.found)
        ]
        if not named:
            return HOME_LAW
        end, length, law = max(named, key=lambda each: (each[0], -each[1]))
        run = self._run_before(end + length)
        return "" if run and run not in _NEW_LAW else law


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
            number = LAW_NUMBER.match(text, index + 1, at)
            if number or text.startswith("(以下", index):
                return index, law_of_number(number) if number else ""
            break
    return at, ""
