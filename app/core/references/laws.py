"""The laws of the field, what they are called, and their numbers (昭和22年法律第224号)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from app.core.japanese import KANJI, KATAKANA, NUMBER, fold, parse_number
from app.core.references.articles import CIRCLED
from app.core.references.eras import ERA_NAMES, ERAS, gregorian

# The register's own law: what 法 and 規 mean where nothing else is said.
HOME_LAW = "戸籍法"

LAW_NUMBER = re.compile(
    rf"(?P<era>{ERA_NAMES}|(?<![{KANJI}{KATAKANA}])[明大昭平令]) ?(?P<year>元|{NUMBER}) ?[年.・]? ?"
    rf"(?:{NUMBER} ?[月.・] ?{NUMBER} ?日? ?)?"
    # 昭22法224 needs no 号, but 昭和22年法77条 is an article.
    rf"(?:(?P<rank>法律?|政令?|勅令?|太政官布告) ?第? ?(?P<number>{NUMBER})(?: ?号|(?! ?[条項の号0-9{CIRCLED}]))"
    rf"|(?P<order>[{KANJI}・]{{1,12}}?(?:[省庁]令|規則|府令)) ?第? ?(?P<order_number>{NUMBER}) ?号)"
)
LAW_NUMBER_END = re.compile(LAW_NUMBER.pattern + "$")
_RANKS = {"法": "法律", "政": "政令", "勅": "勅令"}


@dataclass(frozen=True, slots=True)
class Law:
    """A law of the field. `parent` is the law it implements, which it calls 法."""

    name: str
    number: str = ""
    parent: str = ""
    abbreviations: tuple[str, ...] = ()


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
def names() -> dict[str, str]:
    """Folded name or abbreviation → canonical name."""
    names: dict[str, str] = {}
    for law in laws().values():
        for name in (law.name, *law.abbreviations):
            names[fold(name)] = law.name
    return names


@cache
def name_lengths() -> tuple[int, ...]:
    """The lengths of the names, the longest first."""
    return tuple(sorted({len(name) for name in names()}, reverse=True))


@cache
def _numbers() -> dict[str, str]:
    return {law.number: law.name for law in laws().values() if law.number}


@lru_cache(maxsize=4096)
def law_name(text: str) -> str:
    """Canonical name for a law's name, abbreviation or number; empty when it is none we know."""
    folded = fold(text).strip()
    by_number = LAW_NUMBER.search(folded)
    return names().get(folded) or (law_of_number(by_number) if by_number else "")


def law_of_number(match: re.Match[str]) -> str:
    """The law that a match of `LAW_NUMBER` numbers; the number itself where none is known by it."""
    year = 1 if match["year"] == "元" else parse_number(match["year"])
    era = ERAS.get(match["era"], match["era"])
    rank = _RANKS.get(match["rank"], match["rank"]) or match["order"]
    count = parse_number(match["number"] or match["order_number"])
    number = f"{era}{year}年{rank}第{count}号"
    return _numbers().get(number, number)


def is_before(year: re.Match[str], law: str) -> bool:
    """Whether a year is earlier than that of a law's number: 明治31年戸籍法 is not today's."""
    number = LAW_NUMBER.match(laws()[law].number) if law in laws() else None
    return number is not None and gregorian(year) < gregorian(number)


def family(law: str) -> dict[str, str]:
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
