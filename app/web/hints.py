"""What may help where a question found little: another spelling, a question somebody asked before."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from app.core.glossary import Glossary
from app.core.japanese import fold, readings, tokens
from app.core.ledger import Ledger

# A word to suggest has two characters at least, one of them kanji, and three sounds.
_WORD = re.compile(r"^(?=.*[一-鿿])[一-鿿々ぁ-ゖァ-ヺー]{2,12}$")
_HIRAGANA = re.compile(r"[ぁ-ゖー]")
_KANA = re.compile(r"^[ぁ-ゖァ-ヺー]+$")
_SOUNDS = 3
# How many words of a question one suggested word may stand for.
_SPAN = 5
_ALIKE = 0.75
SUGGESTED = 3

RELATED = 3
_RELATED_SHARE = 0.34


def warm(glossary: Glossary) -> None:
    """Reads the glossary's words aloud once, so that the first question in vain does not wait."""
    _by_sound(glossary)


def spellings(question: str, unknown: Collection[str], glossary: Glossary) -> list[str]:
    """The question with a word written as the field writes it, best first.

    A word that sounds like one of the glossary's is taken for it (認地 for 認知), and so is
    one of `unknown` (words that no passage holds) that looks like it.
    """
    by_sound, known = _by_sound(glossary)
    others: dict[tuple[str, ...], str] = {_norms(question): question}
    for start, end, sound in _stretches(question):
        written = question[start:end]
        if len(sound) < _SOUNDS or fold(written) in known:
            continue
        for word in by_sound.get(sound, ()):
            if not _is_slip(written, word):
                continue
            other = question[:start] + word + question[end:]
            others.setdefault(_norms(other), other)
    for written in unknown:
        for word in difflib.get_close_matches(fold(written), known, n=1, cutoff=_ALIKE):
            if word in written or written in word:
                continue
            other = question.replace(written, word)
            others.setdefault(_norms(other), other)
    return list(others.values())[1 : SUGGESTED + 1]


def _is_slip(written: str, word: str) -> bool:
    """Whether a word is what was meant by another way to write its sound.

    Either no kanji was written at all, or one of its kanji and all of its kana are right.
    """
    if word.startswith(written):
        return False
    kana, meant = ("".join(_HIRAGANA.findall(text)) for text in (written, word))
    return kana == written or (kana == meant and not set(written).isdisjoint(word))


def related(question: str, ledger: Ledger, but: Collection[str] = ()) -> list[str]:
    """Questions answered before that share words with this one, likest first; none of `but`."""
    own = _words(question)
    written = {token.surface for token in tokens(question) if token.pos == "名詞"}
    asked = ledger.asked_like(sorted(word for word in written if len(word) > 1))
    scored: list[tuple[float, str]] = []
    for other in asked:
        words = _words(other)
        share = len(own & words) / len(own | words)
        if other not in but and words != own and share >= _RELATED_SHARE:
            scored.append((share, other))
    scored.sort(key=lambda item: -item[0])
    return [other for _, other in scored[:RELATED]]


def _norms(text: str) -> tuple[str, ...]:
    return tuple(token.norm for token in tokens(text))


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(_norms(text)) or frozenset([text])


@lru_cache(maxsize=2)
def _by_sound(glossary: Glossary) -> tuple[Mapping[str, Sequence[str]], frozenset[str]]:
    """The glossary's words by how they sound, and all of them folded."""
    words = {
        word
        for entry in glossary.entries
        for word in (*entry.professional, *(part for way in entry.everyday for part in way))
        if _WORD.match(word)
    }
    found: dict[str, list[str]] = {}
    for word in sorted(words):
        sound = _sound([reading for _, _, reading in readings(word)])
        if len(sound) >= _SOUNDS:
            found.setdefault(sound, []).append(word)
    return found, frozenset(fold(word) for word in words)


def _stretches(question: str) -> list[tuple[int, int, str]]:
    """Runs of up to five words that stand together, with their sound."""
    read = readings(question)
    return [
        (
            read[first][0],
            read[last][1],
            _sound([reading for _, _, reading in read[first : last + 1]]),
        )
        for first in range(len(read))
        for last in range(first, min(first + _SPAN, len(read)))
    ]


def _sound(readings_of_words: Sequence[str]) -> str:
    joined = "".join(readings_of_words)
    # Hiragana that the dictionary did not read sounds like its katakana.
    katakana = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in joined)
    return katakana if _KANA.match(katakana) else ""
