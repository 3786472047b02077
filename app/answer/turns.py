"""Small words that turn a sentence: 及び for 又は, 婚姻前 for 婚姻後, のみ left out, subject and object exchanged.

A claim may say less than its source and say it otherwise; but where it puts one of these words
beside the very words that have another one there, it says something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from app.answer.facts import level, predicates
from app.core.japanese import Token, tokens

# kind: what the words of a kind exchange; value: what each of them says.
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("及びと又は", "and", "及び|および|並びに|ならびに|かつ(?!て)"),
    ("及びと又は", "or", "又は|または|若しくは|もしくは|あるいは|或いは"),
    ("すべてといずれか", "all", "すべて|全て|全部|いずれも|何れも|全員|双方"),
    ("すべてといずれか", "some", "いずれか|何れか|どちらか|一部(?!事項)|一方"),
    ("除くと含む", "without", "を除(?=[くいき])|以外"),
    ("除くと含む", "with", "を含(?=[むみめ])"),
    ("前と後", "before", "以前|前に|前の|前で|前(?=[、)])|前から"),
    ("前と後", "after", "以後|以降|後に|後の|後で|後(?=[、)])|後から"),
    ("前と後", "before", "(?<=[一-鿿])前(?=[に、のへはがも一-鿿])(?![条項号項段文各二三])"),
    ("前と後", "after", "(?<=[一-鿿])後(?=[に、のへはがも一-鿿])(?!見)"),
    ("範囲", "over", "を超え[るてた]?(?!な)|を上回"),
    ("範囲", "under", "に満たな|未満|に達しな|に達するまで"),
    ("範囲", "most", "以下(?=[のでとにがは、])|を超えな"),
    ("範囲", "least", "以上(?=[のでとにがは、])|に達し[たて]"),
    ("限り", "only", "のみ(?!な)|だけ|に限[りるっ]|でなければ"),
    ("限り", "not only", "のみなら|に限ら[ずな]"),
    ("拘わらず", "despite", "(?:に|にも)(?:かかわらず|関わらず|拘わらず|拘らず)"),
    ("拘わらず", "by", "に(?:従い|従って|より|基づき|よって|基づいて)"),
)  # fmt: skip
_TURN = re.compile("|".join(f"(?P<t{n}>{words})" for n, (_, _, words) in enumerate(_WORDS)))
_NOT = "打消し"
_NEGATED = re.compile("[でがをはも]*[な無][いくけ]")
# Words whose coming or going alone turns a sentence, where those around them stay.
_ALONE = {"限り", _NOT}

_SUBJECT = re.compile("[はが](?!ら)")
_PARTICLE = re.compile("[はがをにのとへ]|から|より|で")
_NO_ONE = {"場合", "とき", "時", "もの", "こと", "者", "旨", "日", "際"}
_NOUN_POS = {"名詞", "接尾辞", "接頭辞", "代名詞", "数詞"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One such word, with the two content words before and after it; `aside` stands in brackets."""

    kind: str
    value: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    shown: str
    aside: bool


@dataclass(frozen=True, slots=True)
class _Read:
    turns: tuple[Turn, ...]
    words: tuple[str, ...]
    roles: dict[str, set[str]]


def turned(claim: str, source: str) -> Iterator[str]:
    """What a claim turns round of its source sentence, each as a Japanese sentence."""
    ours, theirs = _read(claim), _read(source)
    for turn in ours.turns:
        other = _counterpart(turn, theirs.turns)
        if other is not None and other.value != turn.value:
            yield f"根拠の「{other.shown}」が「{turn.shown}」になっています。"
        elif other is None and turn.kind in _ALONE and _joined(turn, theirs.words):
            yield f"「{turn.shown}」は根拠のその箇所にありません。"
    for turn in theirs.turns:
        if (
            turn.kind in _ALONE
            and not turn.aside
            and _counterpart(turn, ours.turns) is None
            and _joined(turn, ours.words)
        ):
            yield f"根拠の「{turn.shown}」が落ちています。"
    yield from _exchanged(ours.roles, theirs.roles)


def _counterpart(turn: Turn, others: Sequence[Turn]) -> Turn | None:
    """The word of the same kind in the same place; one that says the same goes first."""
    scored = [(_likeness(turn, o), o.value == turn.value, n) for n, o in enumerate(others)]
    score, _, at = max(scored, default=(0.0, False, 0))
    return others[at] if score >= 1 else None


def _likeness(one: Turn, other: Turn) -> float:
    """How much of the words around two turns agrees: 1 for a neighbour, a half for the next one."""
    if one.kind != other.kind:
        return 0.0
    score = 0.0
    for ours, theirs in (
        (one.before[::-1], other.before[::-1]),
        (one.after, other.after),
    ):
        for weight, mine, its in zip((1.0, 0.5), ours, theirs, strict=False):
            score += weight * (mine == its)
    return score


def _joined(turn: Turn, words: Sequence[str]) -> bool:
    """Whether the words on both sides of a turn stand next to each other."""
    if not turn.before or not turn.after:
        return False
    pair = (turn.before[-1], turn.after[0])
    return pair in pairwise(words)


def _exchanged(ours: dict[str, set[str]], theirs: dict[str, set[str]]) -> Iterator[str]:
    """Two nouns of which each has taken the other's place: one is the subject here, the other there."""
    both = ours.keys() & theirs.keys()
    up = sorted(noun for noun in both if "は" in ours[noun] and "は" not in theirs[noun])
    down = sorted(noun for noun in both if "は" in theirs[noun] and "は" not in ours[noun])
    for subject in up:
        for noun in down:
            if ours[noun] & theirs[subject] - {"と"}:
                yield f"「{subject}」と「{noun}」が根拠と入れ替わっています。"
                return


@lru_cache(maxsize=4096)
def _read(text: str) -> _Read:
    plain = level(text)
    spans = [
        (m.start(), m.end(), *_WORDS[int((m.lastgroup or "t0")[1:])][:2])
        for m in _TURN.finditer(plain)
    ]
    for predicate in predicates(plain):
        if predicate.kind == "is" and not predicate.holds:
            said = _NEGATED.search(plain, predicate.start, predicate.end)
            start = said.start() if said else predicate.start
            if not any(begin <= start < end for begin, end, _, _ in spans):
                spans.append((start, predicate.end, _NOT, "not"))
    found = tokens(plain)
    content = [t for t in found if not any(t.start < e and t.end > s for s, e, _, _ in spans)]
    turns = []
    for start, end, kind, value in sorted(spans):
        before = tuple(t.norm for t in content if t.end <= start)[-2:]
        after = tuple(t.norm for t in content if t.start >= end)[:2]
        aside = plain.count("(", 0, start) > plain.count(")", 0, start)
        turns.append(Turn(kind, value, before, after, plain[start:end], aside))
    return _Read(tuple(turns), tuple(t.norm for t in content), _roles(plain, found))


def _roles(text: str, found: Sequence[Token]) -> dict[str, set[str]]:
    """Compound nouns → the particles after them; は and が are one: the subject."""
    roles: dict[str, set[str]] = {}
    noun = ""
    for token, following in pairwise((*found, None)):
        if token is None or token.pos not in _NOUN_POS:
            noun = ""
            continue
        noun += text[token.start : token.end]
        if following and following.start == token.end and following.pos in _NOUN_POS:
            continue
        particle = _PARTICLE.match(text, token.end)
        if particle and noun not in _NO_ONE:
            mark = "は" if _SUBJECT.match(text, token.end) else particle[0]
            roles.setdefault(noun, set()).add(mark)
        noun = ""
    return roles
