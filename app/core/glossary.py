"""Everyday words ↔ the words statutes and manuals use.

A resident says 名字, the statute says 氏. The glossary is a table that staff can
extend without code (its columns are explained at the top of the shipped file);
`expand` names, for the words found in a question, the professional terms and the
articles that govern the matter, `liken` the articles that questions like it are about.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TypeVar

from app.core import references
from app.core.asked import Likeness, TypicalQuestion, TypicalQuestions
from app.core.errors import SettingsError
from app.core.japanese import Token, fold, fold_with_offsets, original_span, tokens

_CORE = Path(__file__).parent
_DATA = _CORE / "data"
SHIPPED = (_DATA / "glossary.tsv", _DATA / "questions.tsv")
LABELS = {
    "topic": "分類",
    "everyday": "窓口の言葉",
    "professional": "専門の言葉",
    "articles": "条文",
    "note": "覚え書き",
}
COLUMNS = tuple(LABELS)

FORWARD = 1.0
LOOSE = 0.7
REVERSE = 0.4
# Rows name the commonest everyday words first; the rest would drown the question.
REVERSE_WORDS = 4

# Rows of this topic also say which words count as the same when everyday phrases are matched.
SAME = "言い換え"

# Rows of this topic hold whole questions, compared by all their words (`liken`), not found in others.
ASKED = "よくある質問"

_T = TypeVar("_T")

# The glossary this process loaded last, by what it is made of.
_in_memory: dict[str, Glossary] = {}

# The code that analyses, as this process runs it: it may change on disk meanwhile.
_CODE = hashlib.sha256()
for _file in sorted(_CORE.rglob("*.py")):
    _CODE.update(_file.read_bytes())

_SEPARATOR = "｜"
_TOGETHER = "＋"
_OFF = "!"
_KANJI = re.compile(r"[一-鿿々]")
# A dependent verb has no form of its own: 直す, 直した and 直せる share the kanji.
_KANJI_STEM = re.compile(r"^(.*[一-鿿々])[ぁ-ゖ]+$", re.DOTALL)
_PREFIX = 3
# Letters that make another word of the one they touch: 未成年, 認知症.
_BEFORE = ("未", "非", "不", "無")
_AFTER = ("症",)
_NONE = "無い"
_AMOUNT = re.compile(
    r"満?[0-9一二三四五六七八九十百千万]+(?:年|[箇か]?月|週間?|日|歳|年齢|円|人|名|通|回|親等)(?:間|以[内上下]|未満)?"
)
# What the analyser leaves out and yet changes the matter: くれる, もらう, なる, ない.
_LEFT_OUT = ("くれ", "もら", "な[るりっろれ]", "(?:な[いくかけ]|ず|ぬ|ません)")


class BadRow(SettingsError):
    """A row of a table cannot be used. `line` is its line in the file, `cause` a clause without 。"""

    line = 0
    cause = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. A member of `everyday` is one way of saying it: the phrases that must all occur."""

    topic: str
    everyday: tuple[tuple[str, ...], ...]
    professional: tuple[str, ...]
    articles: tuple[str, ...]
    note: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What a site row names to extend or switch off this row."""
        return (self.topic, _TOGETHER.join(self.everyday[0]))


@dataclass(frozen=True, slots=True)
class Expansion:
    """What the words `question[start:end]` (= `term`) stand for.

    `adds` are terms the question lacks, `articles` references as written in the
    table. `weight` is `FORWARD` from everyday to professional words, `LOOSE` where
    other words stand between those of the phrase, `REVERSE` the other way.
    """

    term: str
    start: int
    end: int
    adds: tuple[str, ...]
    articles: tuple[str, ...]
    topic: str
    weight: float


@dataclass(frozen=True, slots=True)
class _Phrase:
    """How a phrase is recognised: by spelling, or by normal forms and what stands between them.

    The pattern `stems[i]` must occur in the text before form `i` (the last one: after
    the last form), where the analyser leaves out dependent verbs and negation
    (認知し｜てくれない). A phrase without forms has one stem, which follows its spelling.
    The forms of what has several words are `levelled` by the rows `SAME`.
    """

    spelling: str
    forms: tuple[str, ...]
    stems: tuple[str, ...]
    levelled: bool
    needed: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Rule:
    phrases: tuple[int, ...]
    entry: Entry
    forward: bool


@dataclass(frozen=True, slots=True, order=True)
class _Match:
    """Characters `start:end` of the folded question; `loose` where other words stand between."""

    start: int
    end: int
    loose: bool = False

    def within(self, other: _Match) -> bool:
        return other.start <= self.start and self.end <= other.end and self != other

    def meets(self, other: _Match) -> bool:
        return self.start < other.end and other.start < self.end


def _nouns(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        for term in entry.professional:
            for token in tokens(term):
                if token.pos == "名詞" and len(token.norm) > 1:
                    yield token.norm


class Glossary:
    """The rows, indexed by how their phrases begin and by their rarest word.

    `entries` are the rows of words; those of the topic `ASKED` are kept apart.
    """

    def __init__(self, rows: Iterable[Entry]) -> None:
        rows = tuple(rows)
        self.entries = tuple(row for row in rows if row.topic != ASKED)
        self.vocabulary = frozenset(_nouns(self.entries))
        self._same: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        for entry in self.entries:
            if entry.topic == SAME:
                self._add_same(entry)
        self._ids: dict[tuple[str, tuple[str, ...], bool], int] = {}
        self._phrases: list[_Phrase] = []
        self._by_spelling: dict[str, list[int]] = {}
        self._by_rarest: dict[bool, dict[str, list[int]]] = {False: {}, True: {}}
        self._rules: dict[int, list[_Rule]] = {}
        self._index(list(self._read_rules()))
        self._asked = TypicalQuestions(self._typical(rows))

    def _typical(self, rows: Iterable[Entry]) -> Iterator[TypicalQuestion]:
        # What a row of words says of an article is a way of asking about it as well.
        for row in rows:
            ids = dict.fromkeys(
                id_ for article in row.articles for id_ in references.article_ids(article)
            )
            for way in row.everyday if ids else ():
                text = way[0] if row.topic == ASKED else ""
                words = self._content(_read(" ".join(way)))
                yield TypicalQuestion(text, words, tuple(ids))

    def _content(self, words: Sequence[Token]) -> frozenset[str]:
        return frozenset(word.norm for word in self._levelled(words))

    def _read_rules(self) -> Iterator[_Rule]:
        rows = Counter(_normal(term) for entry in self.entries for term in entry.professional)
        for entry in self.entries:
            for way in entry.everyday:
                yield _Rule(self._numbers(way, entry.topic != SAME), entry, forward=True)
            for term in entry.professional:
                # A term of several rows (届出, 許可) says nothing about any one of them,
                # and neither does a bare period or age.
                if rows[_normal(term)] == 1 and entry.topic != SAME and not _is_amount(term):
                    yield _Rule(self._numbers((term,)), entry, forward=False)

    def _index(self, rules: Sequence[_Rule]) -> None:
        """File rules under their rarest phrase, phrases under their rarest form."""
        phrases = Counter(number for rule in rules for number in rule.phrases)
        for rule in rules:
            rarest = min(rule.phrases, key=lambda number: phrases[number])
            self._rules.setdefault(rarest, []).append(rule)
        self._single = {rule.phrases[0] for rule in rules if len(rule.phrases) == 1}
        forms = Counter(form for phrase in self._phrases for form in phrase.forms)
        for number, phrase in enumerate(self._phrases):
            if phrase.forms:
                form = min(phrase.forms, key=lambda form: forms[form])
                self._by_rarest[phrase.levelled].setdefault(form, []).append(number)

    def expand(self, question: str) -> list[Expansion]:
        """The expansions of a question, in the order of the words they start from.

        A phrase matches whole words, by spelling or by normal forms without particles,
        an everyday one also with a few other words between its own (a loose match, of
        less weight). Inside a longer match a shorter one does not count. One row is
        given once each way, for its first match.
        """
        folded, offsets = fold_with_offsets(question)
        found = self._find(folded)
        spans = {m for number in found.keys() & self._single for m in found[number]}
        exact = [span for span in spans if not span.loose]
        alone = {
            span
            for span in spans
            if not _in_a_compound(span, folded) and not any(span.within(o) for o in exact)
        }
        result: dict[tuple[int, bool], Expansion] = {}
        for phrase in found:
            for rule in self._rules.get(phrase, ()):
                place = _place(rule, found, alone)
                if place is None:
                    continue
                start, end = original_span(offsets, place.start, place.end, len(question))
                expansion = _expansion(rule, question, start, end, folded, loose=place.loose)
                key = (id(rule.entry), rule.forward)
                if expansion is not None and _before(expansion, result.get(key)):
                    result[key] = expansion
        return sorted(result.values(), key=lambda e: (e.start, -e.weight, e.end, e.topic))

    def liken(self, question: str) -> Likeness:
        """The articles that questions with these words are about; `said` are words as the user wrote them."""
        words = tokens(fold(question))
        likeness = self._asked.like(self._content(words))
        equals = {word.norm: {equal.norm for equal in self._levelled([word])} for word in words}
        said = {
            article: frozenset(norm for norm, equal in equals.items() if equal <= asked)
            for article, asked in likeness.said.items()
        }
        return replace(likeness, said=said)

    def rarity(self, word: str) -> float:
        """How much a word (in normal form) tells one matter from another; see `TypicalQuestions.rarity`."""
        return self._asked.rarity(word)

    def _find(self, folded: str) -> dict[int, list[_Match]]:
        """Every place of every phrase in a folded question, by phrase number."""
        words = tokens(folded)
        inside = {at for word in words for at in range(word.start + 1, word.end)}
        found: dict[int, list[_Match]] = {}
        for number, match in chain(
            self._spelled(folded, inside),
            self._formed(folded, words, levelled=False),
            self._formed(folded, self._levelled(words), levelled=True),
        ):
            if not _of_another_word(match, folded):
                places = found.setdefault(number, [])
                if match not in places:
                    places.append(match)
        for number, places in found.items():
            found[number] = [m for m in places if not m.loose] or places
        return found

    def _spelled(self, folded: str, inside: set[int]) -> Iterator[tuple[int, _Match]]:
        for start in range(len(folded)):
            if start in inside:
                continue
            for length in range(1, _PREFIX + 1):
                for number in self._by_spelling.get(folded[start : start + length], ()):
                    phrase = self._phrases[number]
                    end = start + len(phrase.spelling)
                    if end in inside or not folded.startswith(phrase.spelling, start):
                        continue
                    if phrase.forms or _ending(phrase.stems[0]).match(folded, end):
                        yield number, _Match(start, end)

    def _formed(
        self, folded: str, words: Sequence[Token], *, levelled: bool
    ) -> Iterator[tuple[int, _Match]]:
        places: dict[str, list[int]] = {}
        for i, word in enumerate(words):
            places.setdefault(word.norm, []).append(i)
        for norm in places:
            for number in self._by_rarest[levelled].get(norm, ()):
                phrase = self._phrases[number]
                if not places.keys() >= phrase.needed:
                    continue
                for first in places[phrase.forms[0]]:
                    match = _in_order(phrase, first, places, words, folded)
                    if match is not None:
                        yield number, match

    def _numbers(self, phrases: Sequence[str], level: bool = True) -> tuple[int, ...]:
        # A single word stands for itself: else every 婚姻 would count as the everyday 結婚.
        several = len(phrases) > 1 or len(tokens(fold(phrases[0]))) > 1
        return tuple(self._number(phrase, level and several) for phrase in phrases)

    def _number(self, text: str, level: bool) -> int:
        phrase = self._phrase(text, level)
        key = (phrase.spelling, phrase.stems, phrase.levelled)
        if key not in self._ids:
            self._ids[key] = number = len(self._phrases)
            self._phrases.append(phrase)
            self._by_spelling.setdefault(phrase.spelling[:_PREFIX], []).append(number)
        return self._ids[key]

    def _phrase(self, text: str, level: bool) -> _Phrase:
        folded = fold(text)
        words = tokens(folded)
        if not words:
            spelling = _KANJI_STEM.sub(r"\1", folded)
            ending = _left_out(folded.removeprefix(spelling))
            return _Phrase(spelling, (), (ending,), False, frozenset())
        if level:
            words = self._levelled(words)
        stems = tuple(_stem(gap) for gap in _gaps(folded, words, range(len(words))))
        forms = tuple(word.norm for word in words)
        return _Phrase(folded, forms, stems, level, frozenset(forms))

    def _add_same(self, entry: Entry) -> None:
        target = tuple(word.norm for word in tokens(entry.professional[0]))
        for way in entry.everyday:
            forms = tuple(word.norm for word in tokens(way[0]))
            if forms and target and forms != target:
                self._same.setdefault(forms[0], []).append((forms, target))
                self._same[forms[0]].sort(key=lambda pair: -len(pair[0]))

    def _levelled(self, words: Sequence[Token]) -> list[Token]:
        """The words with those of the rows `SAME` put in place of their equals (旦那 → 夫)."""
        norms = tuple(word.norm for word in words)
        result: list[Token] = []
        at = 0
        while at < len(words):
            for forms, target in self._same.get(norms[at], ()):
                if norms[at : at + len(forms)] == forms:
                    last = words[at + len(forms) - 1]
                    result += [replace(words[at], norm=norm, end=last.end) for norm in target]
                    at += len(forms)
                    break
            else:
                result.append(words[at])
                at += 1
        return result


def load_cached(paths: Sequence[Path], cache: Path) -> Glossary:
    """`load`, with the analysed glossary kept in the folder `cache` until anything it is made of changes.

    Analysing thousands of phrases and questions takes seconds, which no start should wait for
    twice, and no process either. The folder must be the service's own: what lies there is trusted.
    """
    digest = _CODE.copy()
    digest.update(version("sudachidict-core").encode())
    try:
        for path in (*paths, *sorted(_DATA.glob("*.tsv"))):
            digest.update(path.read_bytes())
    except OSError:
        return load(paths)  # which says what is wrong with which file
    name = digest.hexdigest()[:16]
    if name not in _in_memory:
        glossary = _load_kept(paths, cache / f"glossary-{name}.pickle")
        _in_memory.clear()
        _in_memory[name] = glossary
    return _in_memory[name]


def _load_kept(paths: Sequence[Path], kept: Path) -> Glossary:
    try:
        found = pickle.loads(kept.read_bytes())
        if isinstance(found, Glossary):
            return found
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, ImportError):
        pass  # not there, or cut short
    glossary = load(paths)
    _keep(kept, pickle.dumps(glossary))
    return glossary


def _keep(kept: Path, content: bytes) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        for old in kept.parent.glob("glossary-*.pickle"):
            old.unlink()
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_bytes(content)
        partial.replace(kept)
    except OSError:
        return  # a folder that cannot be written costs time, not answers


def load(paths: Sequence[Path] = SHIPPED) -> Glossary:
    """Read glossary files in order; a later file extends or switches off rows of an earlier one.

    A row with the topic and first everyday word of an earlier file's row adds its
    words to that row; with `!` before that word it switches the row off.
    Raises `SettingsError` naming file, line and cause.
    """
    entries: dict[tuple[str, str], Entry] = {}
    for path in paths:
        seen: set[tuple[str, str]] = set()
        for number, row in read_table(path, COLUMNS):
            off, entry = _entry(row, path, number)
            if off:
                if entries.pop(entry.key, None) is None:
                    raise bad_row(path, number, f"止める行「{entry.key[1]}」が見つかりません")
                seen.discard(entry.key)
                continue
            if entry.key in seen:
                raise bad_row(path, number, f"「{entry.key[0]}／{entry.key[1]}」の行が二つあります")
            seen.add(entry.key)
            earlier = entries.get(entry.key)
            entries[entry.key] = entry if earlier is None else _joined(earlier, entry)
    return Glossary(entries.values())


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of a tab-separated file; `#` lines and empty lines are left out.

    The first row must name `columns`; cells missing at the end of a row are empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"{path} を読めません（{error.strerror}）。",
            hint="ファイルの場所と読み取り権限を確かめてください。",
            field=str(path),
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path} は UTF-8 ではありません。",
            hint="文字コードを UTF-8 にして保存し直してください。",
            field=str(path),
        ) from error
    header_read = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if not header_read:
            if cells != list(columns):
                raise bad_row(path, number, f"見出し行は {'、'.join(columns)} の順にしてください")
            header_read = True
            continue
        if len(cells) > len(columns):
            raise bad_row(path, number, f"列が {len(cells)} あります（{len(columns)} 列まで）")
        yield number, cells + [""] * (len(columns) - len(cells))


def cells_of(cell: str) -> tuple[str, ...]:
    """The members of a cell, separated by ｜; the half-width | serves as well."""
    return tuple(
        part.strip() for part in cell.replace("|", _SEPARATOR).split(_SEPARATOR) if part.strip()
    )


def _entry(row: Sequence[str], path: Path, number: int) -> tuple[bool, Entry]:
    topic, everyday, professional, articles, note = row
    off = everyday.startswith((_OFF, "！"))
    ways = tuple(_ways(everyday[1:] if off else everyday))
    if not topic or not ways:
        raise bad_row(path, number, "topic と everyday は空にできません")
    if any(not phrase for way in ways for phrase in way):
        raise bad_row(path, number, "＋の前後に言葉がありません")
    entry = Entry(topic, ways, cells_of(professional), cells_of(articles), note)
    if topic == SAME and not off and (not entry.professional or any(len(w) > 1 for w in ways)):
        raise bad_row(path, number, f"{SAME}の行には professional が要り、＋は使えません")
    if not off and not entry.professional and not entry.articles:
        raise bad_row(path, number, "professional か articles のどちらかが要ります")
    if topic == ASKED and not off and not entry.articles:
        raise bad_row(path, number, f"{ASKED}の行には articles が要ります")
    for article in entry.articles:
        if not references.article_ids(article):
            raise bad_row(
                path,
                number,
                f"「{article}」は法令名のある条文の表記ではありません（例: 民法767条2項）",
            )
    return off, entry


def _ways(cell: str) -> Iterator[tuple[str, ...]]:
    for way in cells_of(cell):
        yield tuple(phrase.strip() for phrase in way.replace("+", _TOGETHER).split(_TOGETHER))


def _joined(earlier: Entry, later: Entry) -> Entry:
    return Entry(
        earlier.topic,
        _merged(earlier.everyday, later.everyday),
        _merged(earlier.professional, later.professional),
        _merged(earlier.articles, later.articles),
        later.note or earlier.note,
    )


def _merged(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(first + second))


def bad_row(path: Path, number: int, cause: str) -> BadRow:
    """The error for line `number` of a table."""
    error = BadRow(
        f"{path} の {number} 行目: {cause}。",
        hint="その行を直してから起動し直してください。書き方はファイルの先頭にあります。",
        field=str(path),
    )
    error.line, error.cause = number, cause
    return error


@lru_cache(maxsize=20_000)
def _read(text: str) -> tuple[Token, ...]:
    """The words of a typical question; remembered, as tables are loaded anew whenever a row is tried."""
    return tuple(tokens(fold(text)))


@cache
def _normal(term: str) -> tuple[str, ...]:
    """A term as what is compared: 届け出 and 届出 are one, 未成年 and 成年 are not."""
    folded = fold(term)
    words = tokens(folded)
    return (
        (*(word.norm for word in words), *_gaps(folded, words, range(len(words))))
        if words
        else (folded,)
    )


def _is_amount(term: str) -> bool:
    return _AMOUNT.fullmatch(fold(term)) is not None


def _gaps(folded: str, words: Sequence[Token], at: Sequence[int]) -> list[str]:
    """The texts before each of `words[at]` and the one after the last of them, up to the next word."""
    ends = [words[at[0] - 1].end if at[0] else 0, *(words[i].end for i in at)]
    after = words[at[-1] + 1].start if at[-1] + 1 < len(words) else len(folded)
    starts = [*(words[i].start for i in at), after]
    return [folded[end:start] for end, start in zip(ends, starts, strict=True)]


def _stem(gap: str) -> str:
    """A pattern for what of a gap carries meaning: a dependent verb or a negation, else empty."""
    kanji = _KANJI.search(gap)
    if not kanji:
        return _left_out(gap)
    ending = _left_out(gap[kanji.end() :])
    # 出さない is not 出す: the negation must follow the verb it belongs to.
    return f"{kanji[0]}[ぁ-ゖ]*?{ending}" if ending else kanji[0]


def _left_out(text: str) -> str:
    return next((pattern for pattern in _LEFT_OUT if re.search(pattern, text)), "")


@cache
def _ending(pattern: str) -> re.Pattern[str]:
    """What must follow the stem of a phrase without words: 出してもらう is more than 出."""
    return re.compile(f"[ぁ-ゖ]*?{pattern}")


@cache
def _folded(word: str) -> str:
    """A word of the table, folded once."""
    return fold(word)


def _of_another_word(match: _Match, folded: str) -> bool:
    return folded.endswith(_BEFORE, 0, match.start) or folded.startswith(_AFTER, match.end)


def _in_a_compound(match: _Match, folded: str) -> bool:
    """Whether a single character stands against a kanji: 氏 in 婚氏続称."""
    if match.end - match.start > 1:
        return False
    around = folded[max(match.start - 1, 0) : match.start] + folded[match.end : match.end + 1]
    return _KANJI.search(around) is not None


def _in_order(
    phrase: _Phrase,
    first: int,
    places: dict[str, list[int]],
    words: Sequence[Token],
    folded: str,
) -> _Match | None:
    """The phrase's forms from word `first` on, with fewer other words between than it has itself."""
    at = [first]
    for form in phrase.forms[1:]:
        following = next((i for i in places[form] if i > at[-1]), None)
        if following is None:
            return None
        at.append(following)
    others = [words[i].norm for i in range(at[0], at[-1]) if i not in at]
    if len(others) >= len(at) or _NONE in others:
        return None
    if len(at) == 1 and not any(phrase.stems):
        return _Match(words[first].start, words[first].end)
    gaps = _gaps(folded, words, at)
    pairs = zip(phrase.stems, gaps, strict=True)
    if not all(not stem or re.search(stem, gap) for stem, gap in pairs):
        return None
    # A dependent verb between the words is another word as well: 戸籍を見せたくない.
    between = zip(phrase.stems[1:-1], gaps[1:-1], strict=True)
    loose = bool(others) or any(not stem and _KANJI.search(gap) for stem, gap in between)
    if loose and phrase.forms[-1] == _NONE:
        return None
    return _Match(words[at[0]].start, words[at[-1]].end, loose)


def _place(rule: _Rule, found: dict[int, list[_Match]], alone: set[_Match]) -> _Match | None:
    """Where a rule applies: one phrase that stands alone, or all phrases, side by side anywhere."""
    if len(rule.phrases) == 1:
        places = (m for m in found[rule.phrases[0]] if m in alone)
        return min((m for m in places if rule.forward or not m.loose), default=None)
    if not all(phrase in found for phrase in rule.phrases):
        return None
    parts: list[_Match] = []
    for phrase in rule.phrases:
        free = (m for m in found[phrase] if not any(m.meets(part) for part in parts))
        part = min(free, default=None)
        if part is None:
            return None
        parts.append(part)
    start, end = min(m.start for m in parts), max(m.end for m in parts)
    return _Match(start, end, any(m.loose for m in parts))


def _before(expansion: Expansion, other: Expansion | None) -> bool:
    return other is None or (-expansion.weight, expansion.start) < (-other.weight, other.start)


def _expansion(
    rule: _Rule, question: str, start: int, end: int, folded: str, *, loose: bool
) -> Expansion | None:
    entry = rule.entry
    if rule.forward:
        words = entry.professional
    else:
        words = tuple(way[0] for way in entry.everyday if len(way) == 1)[:REVERSE_WORDS]
    adds = tuple(word for word in words if _folded(word) not in folded)
    if not adds and not entry.articles:
        return None
    weight = (LOOSE if loose else FORWARD) if rule.forward else REVERSE
    return Expansion(question[start:end], start, end, adds, entry.articles, entry.topic, weight)
