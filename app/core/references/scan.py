"""The scan of a text for references, by itself or in its place in a statute."""

from __future__ import annotations

import re
from dataclasses import replace

from app.core.japanese import (
    KANJI,
    KANJI_NUMERALS,
    KATAKANA,
    NUMBER,
    fold_with_offsets,
    original_span,
    parse_number,
)
from app.core.references.articles import (
    AS_ROMANS,
    LAST_ARTICLE,
    LONG,
    LONGEST_RANGE,
    LOOSE_PARAGRAPH,
    MORE_PARAGRAPHS,
    SHORT,
    between,
    circled,
    is_circled,
    joined,
    neighbours,
    order,
    part_at,
    with_part,
)
from app.core.references.laws import LAW_NUMBER, law_of_number, laws
from app.core.references.notices import precedents
from app.core.references.nouns import Found, Mention, Reference
from app.core.references.owners import NOT_A_LAW, RUN, Owner, Owners

# The articles of which more branches are in force than their own number: 30の51.
_LONG_BRANCHES = {
    ("住民基本台帳法", "30"),
    ("住民基本台帳法施行令", "30"),
}

_CANDIDATE = re.compile(
    rf"(?P<whole>この(?:法律|政令|省令|規則)|(?<![{KANJI}])[本同]法)(?!律?第|律?[0-9])"
    rf"|(?P<step>[前次])(?P<steps>{NUMBER})?(?P<unit>[条項])(?![例件約目])"
    r"|(?P<same>同[条項]|本条)(?![例件約目])"
    r"|(?P<items>前各号)"
    rf"|(?P<title>(?:(?<=[{KANJI}])法|法律)(?=[^{KANJI}{KATAKANA}0-9]))"
    rf"|(?:第 ?|(?<![0-9{KANJI_NUMERALS}.]))(?={NUMBER})"
)

SEPARATOR = re.compile(
    r"(?:前段|後段|本文|但書|ただし書|柱書)?[ 、,・/]*"
    r"(?:及び|並びに|又は|若しくは|または|および|もしくは|ならびに|から|より|ないし|乃至|と|や|〜|-)?[ ]*"
)
_RANGE = re.compile(r"から|より|ないし|乃至|〜|-")
_WORD_LIST = re.compile(
    r" ?(?:及び|並びに|又は|若しくは|または|および|もしくは|ならびに|から|より|ないし|乃至|と|や) ?"
)
_SHORT_LIST = re.compile(r" ?[・、,〜-] ?")

# Of the letters that may stand before 民767, those that end a word: 又は民767, 及び戸77.
_BEFORE_ABBREVIATION = set("はびにらとやでもくのるが")
_AFTER_KANJI_NUMBER = re.compile(rf"[但本前後柱各及又並乃若準参類違所第条等・、]|[^{KANJI}]|$")


class Scan:
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
        self.folded, self.offsets = fold_with_offsets(text.translate(AS_ROMANS))
        self.law = law
        self.article = article
        self.paragraph = paragraph
        self.articles = articles
        self.asked = asked
        self.found: list[Found] = []
        self.owners = Owners(self.folded, law, self.found, asked=asked)

    def run(self) -> list[tuple[Mention, bool]]:
        """All mentions in order, each with whether it depends on its place."""
        notices = list(precedents(self.folded))
        numbers = [match.span() for match in LAW_NUMBER.finditer(self.folded)]
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

    def _mention(self, found: Found, reference: Reference) -> Mention:
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
        long = LONG.match(self.folded, at)
        if long:
            self._long(long)
            return
        part = part_at(self.folded, at)
        if part and self._part(part):
            return
        short = SHORT.match(self.folded, at)
        if short and _is_range(short, self.owners.named_before(at)):
            short = SHORT.match(self.folded, at, short.start("branch"))
        if short:
            self._short(short)

    def _long(self, match: re.Match[str]) -> None:
        owner = self.owners.before(match.start()) or self._linked_owner(match.start())
        # 一条を加える counts articles; 第一条 and 77条 name one.
        names_one = match[0].startswith("第") or match["article"].isascii()
        if owner is None and self.law and names_one:
            owner = Owner(self.law, match.start())
        if owner is None and self.asked:
            owner = self.owners.meant_by(match)
        reference = _as_article(match, owner) if owner else None
        if owner is None or reference is None:
            self.found.append(Found(None, match.start(), match.end()))
            return
        paragraph = LOOSE_PARAGRAPH.match(self.folded, match.end()) if self.asked else None
        if paragraph and not reference.paragraph and not reference.item:
            reference = replace(reference, paragraph=int(paragraph[1]))
            self._add(reference, owner, match, paragraph.end())
        else:
            self._add(reference, owner, match)

    def _short(self, match: re.Match[str]) -> None:
        owner = self.owners.before(match.start())
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
        reference = with_part(base, match)
        if reference is None:
            return False
        self._add(reference, Owner(reference.law, match.start(), relative=relative), match)
        return True

    def _stands_alone(self, match: re.Match[str]) -> bool:
        """Whether 第二項 is one of the article we stand in (第一号法定受託事務 is a term)."""
        return (
            bool(self.article)
            and match[0].startswith("第")
            and not RUN.search(self._left(match.start()))
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
        article = joined(match["article"], match["branch"])
        return order(before.reference.article) < order(article)

    def _add(self, reference: Reference, owner: Owner, match: re.Match[str], end: int = 0) -> None:
        # Some laws carry an article in their very name: 戸籍法附則第三条第一項の戸籍の改製に関する省令.
        while owner.start < match.start() and self.found and self.found[-1].start >= owner.start:
            self.found.pop()
        before = self._linked(match.start())
        end = end or match.end()
        if before and before.reference and _RANGE.search(self.folded[before.end : match.start()]):
            if self.folded.startswith("まで", end):
                end += len("まで")
            for each in between(before.reference, reference):
                self.found.append(Found(each, before.start, end, owner.relative))
        self.found.append(Found(reference, owner.start, end, owner.relative))
        if match["circled"] or match["roman"]:
            self._more_paragraphs(reference, owner.relative)
        # 同法 is the law named last, never the one a bare article belongs to.
        if owner.start < match.start() and not owner.relative:
            self.owners.named = reference.law

    def _more_paragraphs(self, reference: Reference, relative: bool) -> None:
        """The other paragraphs of 民819①③ or 戸27の2Ⅰ・Ⅱ, the other items of 民770Ⅰ①③."""
        roman = bool(reference.item) or not is_circled(self.folded[self.found[-1].end - 1])
        for match in iter(lambda: MORE_PARAGRAPHS.match(self.folded, self.found[-1].end), None):
            if match["circled"] and roman:
                more: Reference | None = replace(reference, item=str(circled(match["circled"])))
            else:
                more = with_part(replace(reference, item=None), match)
            if more is None:
                return
            reference = more
            self.found.append(Found(more, match.end() - len(match[1]), match.end(), relative))

    # --- references that depend on their place

    def _title(self, at: int) -> None:
        """A law named without an article: the one that 同法 means from here on."""
        if NOT_A_LAW.search(self.folded, max(0, at - 2), at):
            return
        number = LAW_NUMBER.match(self.folded, at + 1) if self.folded[at : at + 1] == "(" else None
        owner = self.owners.named_before(at)
        self.owners.named = owner.law if owner else ""
        if not self.owners.named and number:
            self.owners.named = law_of_number(number)

    def _add_relative(self, match: re.Match[str], reference: Reference, end: int = 0) -> None:
        self.found.append(Found(reference, match.start(), end or match.end(), relative=True))

    def _whole(self, match: re.Match[str]) -> None:
        law = self.owners.named if match["whole"] == "同法" else self.law
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
            names = neighbours(self.article, steps, self.articles)
            bases = [Reference(self.law, name) for name in names]
        part = part_at(self.folded, match.end())
        if part and len(bases) == 1:
            reference = with_part(bases[0], part)
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
        part = part_at(self.folded, match.end())
        reference = with_part(base, part) if part else None
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

    def _linked(self, at: int) -> Found | None:
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
            if SEPARATOR.fullmatch(gap):
                return found
        return None

    def _linked_owner(self, at: int) -> Owner | None:
        before = self._linked(at)
        if before is None:
            return None
        if before.reference is None or not before.reference.article:
            return Owner("", at)
        return Owner(
            before.reference.law,
            at,
            supplementary=before.reference.article.startswith("s_"),
            relative=before.relative,
            listed=bool(_SHORT_LIST.fullmatch(self.folded, before.end, at)),
        )


def _may_be_short(text: str, match: re.Match[str], owner: Owner) -> bool:
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


def _is_range(match: re.Match[str], owner: Owner | None) -> bool:
    """Whether the dash of 戸77-79 leads to another article, not to a branch as in 戸77-2."""
    to = re.match("-([0-9]+)", match["branch"])
    if to is None or (owner and (owner.law, match["article"]) in _LONG_BRANCHES):
        return False
    return (parse_number(match["article"]) or 0) < int(to[1])


def _as_article(match: re.Match[str], owner: Owner) -> Reference | None:
    if not owner.law:
        return None
    article = joined(match["article"], match["branch"])
    if not article:
        return None
    prefix = "s_" if owner.supplementary else ""
    return with_part(Reference(owner.law, prefix + article), match)
