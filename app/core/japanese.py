"""One normaliser and one analyser for Japanese, the same for index and question.

`fold` makes two spellings of a word equal, `tokens` cuts a text into words,
`bigrams` into character pairs, `sentences` into sentences. Folded text is for
matching only; what is shown is always the original, so every function that cuts
a text gives offsets into the original.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sudachipy import Dictionary, SplitMode, Tokenizer

VARIANTS = Path(__file__).parent / "data" / "variants.tsv"

VOICED, SEMI_VOICED = "\u3099", "\u309a"

# A first year of 1 is 元年; 令和6年 is 2018 + 6.
ERA_OFFSETS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}

# Japan took the Gregorian calendar on 1 January 1873; earlier dates are lunisolar.
FIRST_GREGORIAN_YEAR = 1873

KANJI_DIGITS = dict(zip("〇一二三四五六七八九", range(10), strict=True))
FORMAL_NUMERALS = str.maketrans(
    "○◯零壱弐参拾伍陸柒漆捌玖佰陌阡仟", "〇〇〇一二三十五六七七八九百百千千"
)
SMALL_UNITS = {"十": 10, "百": 100, "千": 1000}
LARGE_UNITS = {"万": 10**4, "億": 10**8, "兆": 10**12}

# Letters as a character class writes them.
KANJI = "一-鿿㐀-䶿々〆"
KATAKANA = "ァ-ヺー"

KANJI_NUMERALS = "〇○◯零一二三四五六七八九十百千廿卅壱弐拾"

# 参照 and 参考 follow numbers often; 参 as a numeral hardly ever does. A number is taken whole.
NUMBER = rf"(?>[0-9]+|(?:[{KANJI_NUMERALS}]|参(?![照考加与列]))+)"

_COUNTER_KA = re.compile(
    r"(?<=[0-9〇一二三四五六七八九十百千数何幾半])[ケカ箇個か](?=[月年国所条村町語])"
)


def _fixed_forms() -> dict[str, str]:
    """Characters whose folded form is not, or not safely, what NFKC gives."""
    forms = {"〜": "〜", "~": "〜", "～": "〜", "∼": "〜", "ヶ": "ケ", "ヵ": "カ"}
    forms |= dict.fromkeys("‐‑‒–—―−", "-")
    forms |= {"ﾞ": VOICED, "゛": VOICED, "ﾟ": SEMI_VOICED, "゜": SEMI_VOICED}
    circled = [chr(0x2460 + n) for n in range(20)]
    for first, count, value in (
        (0x2776, 10, 0),  # ❶
        (0x2780, 10, 0),  # ➀
        (0x278A, 10, 0),  # ➊
        (0x24F5, 10, 0),  # ⓵
        (0x24EB, 10, 10),  # ⓫
        (0x3280, 10, 0),  # ㊀
    ):
        forms |= {chr(first + n): circled[value + n] for n in range(count)}
    for common, variants in _variants():
        forms |= dict.fromkeys(variants, common)
    return forms


def _variants() -> Iterator[tuple[str, str]]:
    for line in VARIANTS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            common, variants = line.split("\t")
            yield common, variants


class _FoldTable(dict[int, str]):
    """Folded form by code point, worked out when a character is first met."""

    def __init__(self) -> None:
        super().__init__()
        self._fixed = _fixed_forms()

    def __missing__(self, code: int) -> str:
        form, before = chr(code), ""
        while form != before:
            form, before = unicodedata.normalize("NFC", "".join(map(self._step, form))), form
        self[code] = form
        return form

    def _step(self, char: str) -> str:
        fixed = self._fixed.get(char)
        if fixed is not None:
            return fixed
        if 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF:
            return ""
        category = unicodedata.category(char)
        if category in ("Cf", "Cs"):
            return ""
        if char in "\n\r\v\f\x85" or category in ("Zl", "Zp"):
            return "\n"
        if char == "\t" or category == "Zs":
            return " "
        if category == "Cc":
            return ""
        plain = unicodedata.normalize("NFKC", char)
        # ①, ² and ½ would melt into the number they follow: 10の2① is not 10の21.
        if category == "No" and plain[0].isdigit():
            return char
        return plain.casefold()


@cache
def _table() -> _FoldTable:
    return _FoldTable()


def fold(text: str) -> str:
    """The form of a text for matching, never for display. Folding twice changes nothing.

    Width, case, 旧字体 and 異体字, compatibility characters and variation selectors are
    levelled; ①–⑳ stay distinct from digits; ヶ月, 箇月 and カ月 become か月; every
    line end is a newline, every other space a blank; invisible controls vanish.
    """
    folded = text.translate(_table())
    if _needs_composing(folded):
        return fold_with_offsets(text)[0]
    return _COUNTER_KA.sub("か", folded)


def fold_with_offsets(text: str) -> tuple[str, list[int]]:
    """Folded text and, for each of its characters, the index of its source in `text`."""
    folded, offsets = _replace(text)
    while _needs_composing(folded):
        composed, inner = _compose(folded)
        offsets = [offsets[i] for i in inner]
        # A composed character may fold further, a spare ゛ only back to itself.
        again, inner = _replace(composed)
        if _compose(again)[0] == composed:
            folded = composed
            break
        folded, offsets = again, [offsets[i] for i in inner]
    return _COUNTER_KA.sub("か", folded), offsets


def _replace(text: str) -> tuple[str, list[int]]:
    table = _table()
    chars: list[str] = []
    offsets: list[int] = []
    for index, char in enumerate(text):
        form = table[ord(char)]
        chars.extend(form)
        offsets.extend([index] * len(form))
    return "".join(chars), offsets


def original_span(offsets: list[int], start: int, end: int, length: int) -> tuple[int, int]:
    """Span in the original (of `length` characters) for folded characters `start:end`."""
    if start >= end:
        at = offsets[start] if start < len(offsets) else length
        return at, at
    last = offsets[end] if end < len(offsets) else length
    return offsets[start], max(last, offsets[end - 1] + 1)


def _needs_composing(folded: str) -> bool:
    return VOICED in folded or SEMI_VOICED in folded or not unicodedata.is_normalized("NFC", folded)


def _compose(text: str) -> tuple[str, list[int]]:
    """Join marks to the character they stand on: か + ゛ is が."""
    chars: list[str] = []
    offsets: list[int] = []
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and _is_mark(text[end]):
            end += 1
        form = unicodedata.normalize("NFC", text[start:end])
        form = form.replace(VOICED, "゛").replace(SEMI_VOICED, "゜")
        chars.extend(form)
        offsets.extend([start] * len(form))
        start = end
    return "".join(chars), offsets


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or 0x1160 <= ord(char) <= 0x11FF


def parse_number(text: str) -> int | None:
    """The number a numeral states, or None: 77, ７７, 七七, 七十七, 壱弐, 廿三, 1万5千."""
    body = fold(text).strip().replace(",", "").translate(FORMAL_NUMERALS)
    body = body.replace("廿", "二十").replace("卅", "三十")
    if not body or len(body) > 16:
        return None
    total = 0
    section = ""
    ceiling = 10**16
    for char in body:
        if char not in LARGE_UNITS:
            section += char
            continue
        value, unit = _below_ten_thousand(section), LARGE_UNITS[char]
        if not value or unit >= ceiling:
            return None
        total, section, ceiling = total + value * unit, "", unit
    if not section:
        return total
    rest = _below_ten_thousand(section)
    return None if rest is None or (total and rest >= ceiling) else total + rest


def _below_ten_thousand(section: str) -> int | None:
    total = 0
    digits = ""
    ceiling = 10**16
    for char in section:
        if char in SMALL_UNITS:
            unit = SMALL_UNITS[char]
            if unit >= ceiling:
                return None
            total, digits, ceiling = total + (int(digits) if digits else 1) * unit, "", unit
        elif char in KANJI_DIGITS:
            digits += str(KANJI_DIGITS[char])
        elif char.isascii() and char.isdigit():
            digits += char
        else:
            return None
    value = int(digits) if digits else 0
    return None if not section or value >= ceiling else total + value


def western_year(era: str, year: int) -> int | None:
    """The Gregorian year of an era year; None before 明治6年, when the calendars differ."""
    western = ERA_OFFSETS[era] + year
    return western if western >= FIRST_GREGORIAN_YEAR and year > 0 else None


@dataclass(frozen=True, slots=True)
class Token:
    """A content word: as printed, in normal form, and where it stands in the original text."""

    surface: str
    norm: str
    start: int
    end: int
    pos: str


# Sudachi takes 49,149 bytes at once; a folded character has at most four.
PIECE_CHARS = 8000

_DROPPED_POS = {"助詞", "助動詞", "補助記号", "空白"}

_EXPRESSION = re.compile(
    rf"第? ?(?P<article>{NUMBER}) ?条(?P<branch>(?:[のノ]{NUMBER})*)(?![例件約文理])"
    rf"|第? ?(?P<part>{NUMBER}) ?(?P<unit>項|号)(?![室車棟館線機])"
    rf"|(?P<era>明治|大正|昭和|平成|令和) ?(?P<year>元|{NUMBER}) ?年"
    rf"|(?<![0-9〇一二三四五六七八九十百千])(?P<western>[12][0-9]{{3}}|[一二][〇一二三四五六七八九]{{3}})年"
)

# Sudachi would read 2① as 21; a circled number is a mark, not a word.
_CIRCLED = re.compile("[①-⑳㉑-㉟㊱-㊿⓪²³¹⁰⁴-⁹₀-₉]")

_local = threading.local()
_dictionary_lock = threading.Lock()
_dictionary: list[Dictionary] = []


def warm() -> None:
    """Load the dictionary and this thread's tokenizer, so that the first question does not wait."""
    tokens("戸籍の届出")


def _tokenizer() -> Tokenizer:
    # A Sudachi tokenizer keeps its working state inside and must not be shared by threads.
    tokenizer = getattr(_local, "tokenizer", None)
    if tokenizer is None:
        with _dictionary_lock:
            if not _dictionary:
                _dictionary.append(Dictionary())
            tokenizer = _dictionary[0].tokenizer(mode=SplitMode.A)
        _local.tokenizer = tokenizer
    return tokenizer


def tokens(text: str) -> list[Token]:
    """Content words in order of appearance, in Sudachi's mode A and its normal forms.

    Particles, auxiliaries, punctuation and dependent verbs (する, いる, なる) are left
    out. 第七十七条の二 is one token 77条の2; a year of an era from 明治6年 on is followed by
    the same year of the western calendar (令和6年, 2024年).
    """
    folded, offsets = fold_with_offsets(text)
    found: list[Token] = []

    def add(start: int, end: int, norm: str, pos: str) -> None:
        begin, stop = original_span(offsets, start, end, len(text))
        found.append(Token(text[begin:stop], norm, begin, stop, pos))

    at = 0
    for match in _EXPRESSION.finditer(folded):
        norms = _expression_norms(match)
        if norms:
            for start, end, norm, pos in _words(folded, at, match.start()):
                add(start, end, norm, pos)
            for norm in norms:
                add(match.start(), match.end(), norm, "数詞")
            at = match.end()
    for start, end, norm, pos in _words(folded, at, len(folded)):
        add(start, end, norm, pos)
    return found


def readings(text: str) -> list[tuple[int, int, str]]:
    """Start, end and reading in katakana of every word of a text, particles too, in mode A.

    A word the dictionary lacks reads as it is written.
    """
    folded, offsets = fold_with_offsets(text)
    return [
        (
            *original_span(offsets, base + word.begin(), base + word.end(), len(text)),
            word.reading_form(),
        )
        for base, piece in _pieces(folded, 0, len(folded))
        for word in _tokenizer().tokenize(piece)
    ]


def _expression_norms(match: re.Match[str]) -> list[str]:
    """Normal forms of an article, paragraph, item or year; empty where its number is none."""
    if match["article"]:
        numbers = [parse_number(n) for n in re.split("[のノ]", match["article"] + match["branch"])]
        if None in numbers:
            return []
        return [f"{numbers[0]}条" + "".join(f"の{n}" for n in numbers[1:])]
    if match["part"]:
        number = parse_number(match["part"])
        return [] if number is None else [f"{number}{match['unit']}"]
    if match["western"]:
        return [f"{parse_number(match['western'])}年"]
    year = 1 if match["year"] == "元" else parse_number(match["year"])
    if not year:
        return []
    western = western_year(match["era"], year)
    return [f"{match['era']}{year}年"] + ([f"{western}年"] if western else [])


def _words(folded: str, start: int, end: int) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, normal form and part of speech of each content word in `folded[start:end]`."""
    tokenizer = _tokenizer()
    for base, piece in _pieces(folded, start, end):
        for morpheme in tokenizer.tokenize(_CIRCLED.sub(" ", piece)):
            pos = morpheme.part_of_speech()
            if pos[0] in _DROPPED_POS or (pos[0] == "動詞" and pos[1] == "非自立可能"):
                continue
            norm = fold(morpheme.normalized_form()).strip()
            if norm:
                yield base + morpheme.begin(), base + morpheme.end(), norm, pos[0]


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Cut `text[start:end]` into pieces Sudachi takes, at a line or sentence end where there is one."""
    while start < end:
        stop = min(end, start + PIECE_CHARS)
        if stop < end:
            cut = max(text.rfind("\n", start, stop), text.rfind("。", start, stop))
            stop = cut + 1 if cut > start else stop
        if not text[start:stop].isspace():
            yield start, text[start:stop]
        start = stop


_LETTERS = re.compile(r"[ぁ-ゖァ-ヺー々〆〇㐀-䶿一-鿿\U00020000-\U000323af]{2,}")


def bigrams(text: str) -> list[str]:
    """Pairs of neighbouring Japanese letters of the folded text; none across punctuation or space."""
    return [run[i : i + 2] for run in _LETTERS.findall(fold(text)) for i in range(len(run) - 1)]


_OPENING = dict(zip("「『（(〔【［[〈《", "」』）)〕】］]〉》", strict=True))
_CLOSING = set(_OPENING.values())
_SENTENCE_END = set("。！？!?｡")


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans of sentences, in order, without surrounding space.

    A sentence ends at 。！？ outside brackets and at every line end; ただし書 is a
    sentence of its own.
    """
    spans: list[tuple[int, int]] = []
    at = 0
    for line in text.splitlines(keepends=True):
        for start, end in _line_sentences(line):
            body = line[start:end]
            stripped = body.strip()
            if stripped:
                begin = at + start + len(body) - len(body.lstrip())
                spans.append((begin, begin + len(stripped)))
        at += len(line)
    return spans


def _line_sentences(line: str) -> Iterator[tuple[int, int]]:
    closed_by = _matching_brackets(line)
    start = position = 0
    while position < len(line):
        if position in closed_by:
            position = closed_by[position] + 1
            continue
        if line[position] in _SENTENCE_END:
            while position + 1 < len(line) and line[position + 1] in _SENTENCE_END:
                position += 1
            yield start, position + 1
            start = position + 1
        position += 1
    yield start, len(line)


def _matching_brackets(line: str) -> dict[int, int]:
    """Index of each opening bracket that is closed on the line → index of its closing one."""
    pairs: dict[int, int] = {}
    open_at: list[int] = []
    for index, char in enumerate(line):
        if char in _OPENING:
            open_at.append(index)
        elif char in _CLOSING:
            for depth in range(len(open_at) - 1, -1, -1):
                if _OPENING[line[open_at[depth]]] == char:
                    pairs[open_at[depth]] = index
                    del open_at[depth:]
                    break
    return pairs
