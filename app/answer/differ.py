"""Where two books say different things on one matter: both are shown, with edition and date.

Sentences are on one matter when, numbers aside, most of the shorter one's wording and nearly
all of its nouns stand in the other, and the other says little besides. They differ when both
count in the same unit and share none of its counts, or when one says the opposite of the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import product

from app.answer.answer import Block, Differing, Quote
from app.answer.facts import Facts, Predicate, facts, opposites
from app.core.book import Book, Citation, Hit
from app.core.japanese import KANJI_NUMERALS, bigrams, sentences, tokens

# Shares of the shorter and of the longer sentence's character pairs (numbers left out), and of
# the shorter one's nouns, that the other holds. At these values none of the answers to the 100
# counter questions from 37 statutes and three sample books, which agree, is held to differ.
_OF_SHORTER, _OF_LONGER, _OF_NOUNS = 0.6, 0.4, 0.9
_SAME_WORDS = 0.75
_MOST = 2

_UNITS_OF_PLACE = {"", "条", "項", "号", "章", "節", "編", "款", "頁", "ページ"}
_TIME = {"日", "週", "か月", "か年", "年"}
_COUNT = re.compile(
    f"[0-9０-９{KANJI_NUMERALS}]+(?:[かカヵ箇ヶケ]月|[かカヵ箇ヶケ]年|[年月日週円人名歳才通枚件回])?間?"
)


def differing(blocks: Sequence[Block], hits: Sequence[Hit]) -> tuple[Differing, ...]:
    """The sentences of an answer that another book among `hits` contradicts, with that book's.

    At most two, and one for a pair of books.
    """
    by_id = {hit.passage.id: hit for hit in hits}
    found: dict[tuple[str, str], Differing] = {}
    for citation in (citation for block in blocks for citation in block.citations):
        home = by_id.get(citation.passage_id)
        if home is None:
            continue
        for hit in (hit for hit in hits if hit.book.id != home.book.id):
            pair = (min(home.book.id, hit.book.id), max(home.book.id, hit.book.id))
            if pair in found:
                continue
            ours = [q for q in _quotes(home) if _within(q.citation, citation)]
            for one, other in product(ours, _quotes(hit)):
                if differ(one.text, other.text):
                    found[pair] = Differing((one, other))
                    break
    return tuple(found.values())[:_MOST]


def say_otherwise(one: str, other: str) -> bool:
    """Whether two nearly equal passages differ in what they say, not in spelling alone."""
    ours, theirs = ({text[start:end] for start, end in _statements(text)} for text in (one, other))
    return any(differ(mine, its) for mine, its in product(ours - theirs, theirs - ours))


def differ(one: str, other: str) -> bool:
    """Whether two sentences on the same matter cannot both be right."""
    if not _on_one_matter(one, other):
        return False
    first, second = _facts(one), _facts(other)
    return _counts_differ(first, second) or any(
        opposites(_of_kind(first, kind), _of_kind(second, kind), _SAME_WORDS, 1.0)
        for kind in ("can", "must", "is")
    )


def _of_kind(known: Facts, kind: str) -> list[Predicate]:
    """直系卑属を養子とする場合は要しない is no answer to 直系卑属を養子とする場合に当たる."""
    return [predicate for predicate in known.predicates if predicate.kind == kind]


def _on_one_matter(one: str, other: str) -> bool:
    ours, theirs = _grams(one), _grams(other)
    shorter, longer = min(len(ours), len(theirs)), max(len(ours), len(theirs))
    if not shorter or shorter < _OF_LONGER * longer:
        return False
    shared = len(ours & theirs)
    if shared < _OF_SHORTER * shorter or shared < _OF_LONGER * longer:
        return False
    fewer, more = sorted((_nouns(one), _nouns(other)), key=len)
    if "。" not in one + other and fewer != more:
        return False  # rows of a table: 戸籍の謄本 450円 and 除籍の謄本 750円 are two matters
    return len(fewer & more) >= _OF_NOUNS * len(fewer)


def told(differing: Differing, books: Sequence[Book]) -> str:
    """A sentence that sets the two side by side, with edition and date; `books` are theirs in order."""
    sides = "、".join(
        f"{_edition(book)}は「{' '.join(quote.text.split())}」"
        for quote, book in zip(differing.sides, books, strict=True)
    )
    return f"本によって書いてあることが違います。{sides}と述べています。"


def _edition(book: Book) -> str:
    date = f"{book.as_of}現在" if book.as_of else f"{book.published}発行" if book.published else ""
    notes = [note for note in (date, "新しい版あり" if book.superseded_by else "") if note]
    shown = " ".join(part for part in (f"『{book.title}』", book.edition) if part)
    return shown + (f"（{'、'.join(notes)}）" if notes else "")


def _counts_differ(one: Facts, other: Facts) -> bool:
    ours, theirs = _counts(one), _counts(other)
    return any(ours[unit].isdisjoint(theirs[unit]) for unit in ours.keys() & theirs.keys())


def _counts(known: Facts) -> dict[str, set[tuple[str, str]]]:
    counts: dict[str, set[tuple[str, str]]] = {}
    for amount in known.amounts:
        if amount.unit not in _UNITS_OF_PLACE:
            kind = "time" if amount.unit in _TIME else amount.unit
            counts.setdefault(kind, set()).add((amount.value, amount.unit))
    return counts


@lru_cache(maxsize=4096)
def _statements(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(
        span for span in sentences(text) if not text[slice(*span)].rstrip("。").endswith("か")
    )


def _quotes(hit: Hit) -> list[Quote]:
    """The statements of a passage."""
    text = hit.passage.text
    return [
        Quote(text[start:end], Citation(hit.passage.id, start, end))
        for start, end in _statements(text)
    ]


def _within(part: Citation, whole: Citation) -> bool:
    return whole.start <= part.start and part.end <= whole.end


@lru_cache(maxsize=8192)
def _grams(text: str) -> frozenset[str]:
    return frozenset(bigrams(_COUNT.sub("", text)))


@lru_cache(maxsize=8192)
def _nouns(text: str) -> frozenset[str]:
    plain = _COUNT.sub("", text)
    return frozenset(token.norm for token in tokens(plain) if token.pos == "名詞")


@lru_cache(maxsize=4096)
def _facts(text: str) -> Facts:
    return facts(text)
