"""Does the evidence say what a sentence claims? Decided by code alone, the same way every time.

Hard failures drop a sentence: a number, date, article or notice that the evidence lacks, a
permission or duty turned round, another passage's words. Soft failures replace it by the
source sentence: words from elsewhere, too little of the source's wording. What limits the
source sentence (ただし書) and is missing from the claim is handed back, to be shown beside it.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from app.answer.answer import Quote
from app.answer.differ import differ
from app.answer.entail import Judge
from app.answer.facts import (
    Amount,
    Date,
    Facts,
    exchanged,
    facts,
    level,
    numbers_in_place,
    opposites,
    predicates,
)
from app.answer.turns import turned
from app.core.book import Citation, Passage
from app.core.glossary import Glossary
from app.core.japanese import Token, bigrams, sentences, tokens
from app.core.references import PRECEDENT, find

# Shares of the claim's character pairs that its source must hold. Calibrated by the
# perturbation suite (`shiori eval verify`): benign edits stay above .6, sentences set
# against another passage below .35.
SUPPORTED = 0.55
UNRELATED = 0.35

# A claim carries a proviso that it holds this much of: one shown twice does less harm than none.
_CARRIED = 0.8

# Predicates speak of the same thing when this share of the words before them agrees.
_SAME_MATTER = 0.4
# A claim this close to its source sentence is held against that sentence alone, predicate by
# predicate, where this share of the words before agrees.
_CLOSE = 0.85
_SAME_WORDS = 0.75
_ALIKE = 0.85

# Characters in which a sentence may end: しなければなりません, することとされています.
_ENDING = 16

# Character pairs of a claim that is too short to be measured by them alone.
_SHORT = 12

_PROVISO = re.compile(r"[\s　]*(?:ただし|但し|もつとも|もっとも|この限りでない)")
# An exception may stand further down, and in words of its own.
_EXCEPTION = re.compile(
    r"[\s　・]*(?:例外|【(?:例外|注意|ただし書)】|なお、[^。]*(?:を除|限りで(?:は)?な|例外))"
    r"|前項(?:本文)?の規定は、[^。]*適用しない|前項(?:本文)?の規定にかかわらず"
)
_MOST_LIMITS = 3
_QUESTION = re.compile(r"か[。．]?$|[？?]$")
_MARK = re.compile(
    r"^[\s　]*(?:[①-⑳]|答|回答|【[^】]*】|・|[（(]?[0-9０-９一二三四五六七八九十]{1,2}[)）．.、　\s])"
)
_DIGITS = re.compile("[0-9]+")
_BARE = re.compile("第[0-9]+条(?:の[0-9]+)*(?:第[0-9]+項)?(?:第[0-9]+号(?:の[0-9]+)*)?")
_PARTS = re.compile("[0-9]+(?:条(?:の[0-9]+)+)?")
_RELATIVE = re.compile("[前次同](?:[二三四五六七八九]?[条項号]|各[項号])")
_BRACKETED = re.compile("[（(][^（）()]*[）)]")
_TOPIC = re.compile(
    "(?P<topic>[^。]{2,60}?)(?:については|に関しては|には|では|とは|(?<!又)(?<!しく)(?<!また)は)(?=[、一-鿿ァ-ヺ0-9０-９「])、?"
)
_LEAD = re.compile(
    "^(?:(?:(?:この|その)場合(?:において)?(?:は|には)?|なお|また|したがって|よって|つまり|結論として(?:は)?|はい"
    "|(?:この|上記の?)?(?:資料|書籍|本|条文|規定|法律|法令)?"
    "(?:により|によると|によれば|に基づき|に基づくと|の規定により|では))、)+"
)
_POINTER = re.compile("その|この|これ|当該|同|前")
_OF_TOPIC, _OF_SENTENCE = 0.5, 0.8
_TERM = re.compile(r"[一-鿿ァ-ヺa-z]")
# What the field says for one thing; the glossary joins what people say to it.
_SAME = ({"届け出", "届け書", "届け"},)
_CLAIM_WORDS = {
    "場合", "事", "物", "時", "為", "者", "方", "際", "前", "後", "中", "上", "下", "内", "外", "間",
    "旨", "必要", "可能", "方法", "手続き", "次", "以下", "以上", "回答", "答え", "質問", "規定", "条",
    "項", "号", "条文", "根拠", "窓口", "職員", "住民", "通り", "下記", "上記", "一般", "原則", "例外",
    "提出", "期間", "期限", "日", "月", "年", "人", "等", "的", "用", "所", "点", "当該", "其の", "此の",
    "何", "本", "全て", "他", "自分", "本人", "期日", "予め", "但し", "こと", "もの", "資料", "書籍",
    "届け書", "結論", "記述", "説明", "内容", "義務", "結果",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a claim. `reasons` are Japanese sentences naming what failed.

    `source` is the sentence of the evidence nearest to the claim, `also` those of other
    passages that say much of it, `limits` the provisos after `source` that the claim leaves out.
    """

    status: Literal["kept", "replaced", "dropped"]
    reasons: tuple[str, ...] = ()
    source: Quote | None = None
    also: tuple[Quote, ...] = ()
    limits: tuple[Quote, ...] = ()


class Verifier:
    """Checks claims; `glossary` says which words stand for each other.

    `judge` is asked about what passes the rules; it raises ModelUnavailable where it cannot answer.
    """

    def __init__(self, glossary: Glossary, judge: Judge | None = None) -> None:
        self._judge = judge
        self._partners: dict[str, set[str]] = {}
        self._professional: set[str] = set()
        for words in _SAME:
            for word in words:
                self._partners.setdefault(word, set()).update(words - {word})
        for entry in glossary.entries:
            everyday = [_norms(phrase) for way in entry.everyday if len(way) == 1 for phrase in way]
            professional = [_norms(term) for term in entry.professional]
            self._professional.update(norms[0] for norms in professional if len(norms) == 1)
            for ours, theirs in ((everyday, professional), (professional, everyday)):
                single = {norms[0] for norms in theirs if len(norms) == 1}
                for norms in ours:
                    if len(norms) == 1:
                        self._partners.setdefault(norms[0], set()).update(single)

    def verify(self, claim: str, evidence: Sequence[Passage], question: str = "") -> Verdict:
        """Whether `evidence`, the passages a claim cites, says it; `question` may lend it words."""
        claim = _MARK.sub("", claim.strip()).strip()
        if not claim or not evidence:
            return Verdict("dropped", ("根拠がありません。",))
        if _QUESTION.search(claim):
            return Verdict("dropped", ("質問は答えになりません。",))
        texts = [_place(passage) for passage in evidence]
        quotes = sorted(
            ((_nearest(claim, passage), passage) for passage in evidence),
            key=lambda found: -_contained(claim, found[0].text),
        )
        source, home = quotes[0]
        window = _window(source, home)
        support = max(
            _contained(said, text)
            for said in (claim, _bare(claim), _body(_bare(claim)))
            for text in (source.text, window)
        )
        related = max(support, _shared_words(claim, window))
        # A passage that says otherwise proves nothing, even beside one that does.
        also = [
            (quote, passage)
            for quote, passage in quotes[1:]
            if _contained(claim, quote.text) >= UNRELATED and not differ(claim, quote.text)
        ]
        limits = _lost_limits(claim, source, home)
        said = facts(claim)
        own = [_known(text, passage) for text, passage in zip(texts, evidence, strict=True)]
        hard = [*_facts_failures(said, own, question), *_misplaced_numbers(claim, source.text)]
        if support >= _CLOSE and not hard:
            hard += _polarity_failures(said, [facts(source.text)], _SAME_WORDS, 1.0)
        if exchanged(said.predicates, facts(source.text).predicates, _SAME_WORDS):
            hard.append("できることと、しなければならないことが根拠と違います。")
        if related < UNRELATED:
            hard.append("引用された箇所に、この文に当たる記述がありません。")
        if hard:
            return Verdict("dropped", tuple(hard), source)
        soft = [*self._term_failures(claim, "\n".join(texts), question)]
        near = [
            (source, home),
            *(q for q in also if _contained(claim, q[0].text) >= support * _ALIKE),
        ]
        windows = [_window(quote, passage) for quote, passage in near]
        soft += _far_amounts(said, windows)
        soft += _far_references(claim, source.text, "\n".join(windows), said.ids)
        soft += self._other_topic(claim, evidence, (source, home), question)
        if support < SUPPORTED:
            soft.append("引用された箇所の言い方から離れています。")
        else:
            soft += turned(_unnamed(claim), _unnamed(_MARK.sub("", source.text)))
            soft += self._swapped(
                _unnamed(claim), _unnamed(_MARK.sub("", source.text)), "\n".join(texts)
            )
        if not soft and self._judge is not None:
            relation = self._judge.relation(window, claim)
            if relation == "contradicts":
                return Verdict("dropped", ("根拠と食い違うと判定されました。",), source)
            if relation == "neutral":
                soft.append("根拠から言えるとは判定されませんでした。")
        if soft:
            return Verdict("replaced", tuple(soft), source, (), limits)
        return Verdict("kept", (), source, tuple(quote for quote, _ in also), limits)

    def _term_failures(self, claim: str, evidence: str, question: str) -> Iterable[str]:
        there = {token.norm for token in _tokens(evidence)} | {t.norm for t in _tokens(question)}
        plain = level(evidence)
        for token in _tokens(_unnamed(claim)):
            if token.pos != "名詞" or token.norm in there or token.norm in _CLAIM_WORDS:
                continue
            if token.surface in plain or self._partners.get(token.norm, set()) & there:
                continue
            if not _TERM.search(token.surface):
                continue
            yield f"「{token.surface}」は根拠にありません。"

    def _other_topic(
        self,
        claim: str,
        evidence: Sequence[Passage],
        nearest: tuple[Quote, Passage],
        question: str,
    ) -> Iterable[str]:
        """The subject of one sentence with what another says of its own."""
        topic, rest = _topic(claim)
        about = _matters(topic)
        if not about or len(rest) < _SHORT // 2:
            return
        # Of equals the sentence nearest to the whole claim.
        source, home = max(
            (nearest, *((_nearest(rest, passage), passage) for passage in evidence)),
            key=lambda found: round(_contained(rest, found[0].text), 1),
        )
        own, _ = _topic(_MARK.sub("", source.text))
        if not own:
            return
        near = _window(source, home) if _POINTER.match(own) else source.text
        lent = {t.norm for t in _tokens("\n".join((*home.section_path, question)))}

        def share(words: set[str], text: str) -> float:
            there = {t.norm for t in _tokens(text)} | lent
            return sum(w in there or bool(self._partners.get(w, set()) & there) for w in words) / (
                len(words) or 1
            )

        elsewhere = share(about, near)
        lost = share(about, own) < _OF_TOPIC and share(_matters(own), claim) < _OF_TOPIC
        moved = _contained(
            topic, "\n".join((*home.section_path, near, question))
        ) < _OF_TOPIC and any(
            _contained(topic, _nearest(topic, passage).text) >= _OF_SENTENCE for passage in evidence
        )
        if elsewhere < _OF_TOPIC or moved or (lost and elsewhere < _OF_SENTENCE):
            yield f"根拠は「{topic}」ではなく「{own}」について述べています。"

    def _swapped(self, claim: str, source: str, evidence: str) -> Iterable[str]:
        """Content words that stand where the source has others: 父 for 母, 婚姻 for 離婚."""
        there = {token.norm for token in _tokens(evidence)}
        ours = [token for token in _tokens(claim) if token.pos in _CONTENT]
        theirs = [token for token in _tokens(source) if token.pos in _CONTENT]
        match = difflib.SequenceMatcher(
            None, [t.norm for t in ours], [t.norm for t in theirs], autojunk=False
        )
        if match.ratio() < 0.6:
            return
        for kind, a0, a1, b0, b1 in match.get_opcodes():
            if kind != "replace" or a1 - a0 > 3 or b1 - b0 > 3:
                continue
            mine, other = ours[a0:a1], theirs[b0:b1]
            if (
                any(_names(t) for t in mine)
                and all(_names(t) for t in other)
                and not self._alike(mine, other, there)
            ):
                said = "".join(t.surface for t in mine)
                stands = "".join(t.surface for t in other)
                yield f"根拠の「{stands}」が「{said}」になっています。"

    def _alike(self, ours: Sequence[Token], theirs: Sequence[Token], there: set[str]) -> bool:
        """Whether words say the same; a text that uses both (養親, 養子) tells them apart."""
        mine, other = {t.norm for t in ours} - _CLAIM_WORDS, {t.norm for t in theirs}
        if mine <= other:
            return True
        said = "".join(t.norm for t in ours if t.norm not in _CLAIM_WORDS)
        if said in "".join(t.norm for t in theirs):  # 届 for 届出
            return True
        # Two professional words (許可, 同意) are no synonyms, even where a row joins them.
        return all(word not in there and self._synonyms(word) & other for word in mine - other)

    def _synonyms(self, word: str) -> set[str]:
        partners = self._partners.get(word, set())
        return partners - self._professional if word in self._professional else partners


_NAMES = {"名詞", "数詞", "代名詞", "接頭辞"}
_CONTENT = {*_NAMES, "動詞", "形容詞", "形状詞"}


def _names(token: Token) -> bool:
    """Whether a word names something; 消除する is a verb to the dictionary, by its second half."""
    return token.pos in _NAMES or token.norm.endswith("する")


def _facts_failures(claim: Facts, evidence: Sequence[Facts], question: str) -> Iterable[str]:
    asked = facts(question) if question else None
    ids = {id_ for known in (*evidence, *((asked,) if asked else ())) for id_ in known.ids}
    for id_ in sorted(claim.ids - ids):
        if not any(_covers(known, id_) for known in ids):
            yield f"{_spoken(id_)}は根拠にありません。"
    dates = [date for known in evidence for date in known.dates]
    for date in claim.dates:
        if not any(_same_date(date, other) for other in dates):
            yield f"{_spoken_date(date)}は根拠にありません。"
    amounts = [amount for known in evidence for amount in known.amounts]
    numbers = {part for id_ in ids for part in _id_amounts(id_)}
    for amount in claim.amounts:
        failure = _amount_failure(amount, amounts, dates, numbers)
        if failure:
            yield failure
    yield from _polarity_failures(claim, evidence, _SAME_MATTER, _ALIKE)


def _far_amounts(claim: Facts, windows: Sequence[str]) -> Iterable[str]:
    """Amounts that stand in the passage, but not near the sentence the claim rests on."""
    near = [facts(window) for window in windows]
    amounts = {(amount.value, amount.unit) for known in near for amount in known.amounts}
    parts = {str(part) for known in near for date in known.dates for part in date}
    for amount in claim.amounts:
        if amount.unit == "条" or amount.value in parts:
            continue
        if not any(v == amount.value and _same_unit(u, amount.unit) for v, u in amounts) and (
            amount.value,
            amount.unit,
        ) not in {part for known in near for id_ in known.ids for part in _id_amounts(id_)}:
            yield f"「{_numbered(amount.value, amount.unit)}」は、根拠の別の箇所の数です。"


def _far_references(claim: str, source: str, near: str, named: Iterable[str]) -> Iterable[str]:
    """Articles and 前項, 次条 without a law's name that the sentences the claim rests on do not write."""
    there = level(near)
    known = Counter(_BARE.findall(level(source)))
    ours = Counter(_BARE.findall(level(_unnamed(claim))))
    for written, times in ours.items():
        numbers = ":".join(number.replace("条の", "_") for number in _PARTS.findall(written))
        if any(f"{id_}:".find(f":{numbers}:") >= 0 for id_ in named):
            continue
        if not re.search(rf"{written}(?![0-9])(?!の[0-9])", there) or 0 < known[written] < times:
            yield f"「{written}」は根拠のその箇所にありません。"
    for written in dict.fromkeys(_RELATIVE.findall(claim)):
        if written not in near:
            yield f"「{written}」は根拠のその箇所にありません。"


def _covers(known: str, claimed: str) -> bool:
    """Whether a reference of the evidence is, or lies within, the one claimed; a missing date is no other date."""
    if claimed.startswith(f"{PRECEDENT}::"):
        return known.startswith(f"{PRECEDENT}:") and known.split(":")[2:] == claimed.split(":")[2:]
    return known == claimed or known.startswith(f"{claimed}:")


def _amount_failure(
    amount: Amount,
    amounts: Sequence[Amount],
    dates: Sequence[Date],
    numbers: set[tuple[str, str]],
) -> str:
    same = [a for a in amounts if a.value == amount.value and _same_unit(a.unit, amount.unit)]
    shown = _numbered(amount.value, amount.unit)
    if not same:
        if (amount.value, amount.unit) in numbers:
            return ""
        if amount.unit in ("年", "月", "日") and any(amount.value in map(str, d) for d in dates):
            return ""
        return f"「{shown}」は根拠にありません。"
    bounds = {a.bound for a in same if a.bound}
    if amount.bound and bounds and amount.bound not in bounds:
        return f"「{shown}」の範囲（以内・以上など）が根拠と違います。"
    return ""


def _same_unit(one: str, other: str) -> bool:
    people, age = {"人", "名"}, {"歳", "才"}
    return one == other or {one, other} <= people or {one, other} <= age


def _id_amounts(id_: str) -> list[tuple[str, str]]:
    """民法:767:2 holds the numbers 767条 and 2項."""
    if id_.startswith(f"{PRECEDENT}:"):
        return []
    parts = id_.split(":")[1:]
    return [
        (part.removeprefix("s_"), unit)
        for part, unit in zip(parts, ("条", "項", "号"), strict=False)
    ]


def _same_date(claim: Date, known: Date) -> bool:
    """Whether a date of the evidence says all that the claim's date says."""
    return all(mine is None or mine == theirs for mine, theirs in zip(claim, known, strict=True))


def _misplaced_numbers(claim: str, source: str) -> Iterable[str]:
    """Numbers that stand in the source's own words, where the source has others."""
    there: dict[tuple[str, str], set[str]] = {}
    for place, number in numbers_in_place(source):
        there.setdefault(place, set()).add(number)
    for place, number in numbers_in_place(claim):
        if place in there and number not in there[place]:
            before, after = place
            yield f"「{before}{number}{after}」の数が根拠と違います。"


def _polarity_failures(
    claim: Facts, evidence: Sequence[Facts], least: float, slack: float
) -> Iterable[str]:
    known = [predicate for each in evidence for predicate in each.predicates]
    if opposites(claim.predicates, known, least, slack):
        yield "肯定と否定が根拠と逆です。"


@lru_cache(maxsize=4096)
def _unnamed(text: str) -> str:
    """A text without the laws and notices it names: that these are right is checked apart."""
    for mention in reversed(find(text)):
        text = text[: mention.start] + text[mention.end :]
    return text


def _bare(text: str) -> str:
    """A sentence without the references it names and without what leads it in: 資料によると、"""
    return _LEAD.sub("", _unnamed(text))


def _topic(text: str) -> tuple[str, str]:
    """What a sentence says it is about, and what it says of that; both empty where it names nothing."""
    plain = _bare(_BRACKETED.sub("", text))
    match = _TOPIC.match(plain)
    return (match["topic"], plain[match.end() :]) if match else ("", "")


def _matters(text: str) -> set[str]:
    """The nouns of a text that say what it is about."""
    return {
        t.norm for t in _tokens(text) if t.pos == "名詞" and _TERM.search(t.surface)
    } - _CLAIM_WORDS


def _known(text: str, passage: Passage) -> Facts:
    return _passage_facts(_statements(text), passage.about + passage.cites)


def _statements(text: str) -> str:
    """A text without its questions: 自由に決められるか。 says nothing."""
    return "\n".join(text[start:end] for start, end in _stated(text))


@lru_cache(maxsize=4096)
def _stated(text: str) -> tuple[tuple[int, int], ...]:
    """Spans of the sentences that are no questions; of a text of questions only, all."""
    spans = sentences(text) or [(0, len(text))]
    return tuple(span for span in spans if not _QUESTION.search(text[slice(*span)])) or tuple(spans)


@lru_cache(maxsize=2048)
def _passage_facts(text: str, ids: tuple[str, ...]) -> Facts:
    return facts(text, ids=ids)


def _place(passage: Passage) -> str:
    """A passage's text under its headings: an article's number stands above it."""
    return "\n".join((*passage.section_path, passage.text))


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[Token, ...]:
    return tuple(tokens(level(text)))


@lru_cache(maxsize=65536)
def _norms(text: str) -> tuple[str, ...]:
    return tuple(token.norm for token in tokens(text))


@lru_cache(maxsize=8192)
def _grams(text: str) -> frozenset[str]:
    return frozenset(bigrams(level(text)))


@lru_cache(maxsize=8192)
def _numbers(text: str) -> frozenset[str]:
    return frozenset(_DIGITS.findall(level(text)))


def _contained(claim: str, text: str) -> float:
    """The share (0 to 1) of the claim's character pairs that a text holds.

    Of a short claim half the pairs are endings; its words count, where there are more of them.
    """
    own = _grams(claim)
    there = _grams(text)
    pairs = len(own & there) / len(own) if own else 0.0
    words = {token.norm for token in _tokens(claim)}
    if len(own) >= _SHORT or not words:
        return pairs
    return max(pairs, len(words & {token.norm for token in _tokens(text)}) / len(words))


@lru_cache(maxsize=4096)
def _body(text: str) -> str:
    """A sentence without what it ends in: that it is so, possible or required is checked apart."""
    plain = level(text)
    ending = max(len(plain) - _ENDING, plain.rfind("、"))
    return plain[
        : min((p.start for p in predicates(plain) if p.start > ending), default=len(plain))
    ]


def _shared_words(claim: str, text: str) -> float:
    """The share (0 to 1) of the claim's words that a text holds: free wording keeps these."""
    words = {token.norm for token in _tokens(claim)}
    return len(words & {token.norm for token in _tokens(text)}) / len(words) if words else 0.0


def _nearest(claim: str, passage: Passage) -> Quote:
    """The sentence of a passage that holds most of the claim and its numbers; of equals the shorter."""
    own = _numbers(claim)
    body = _body(_bare(claim))

    def key(span: tuple[int, int]) -> tuple[float, int, int]:
        text = passage.text[slice(*span)]
        return _contained(body, text), len(own & _numbers(text)), span[0] - span[1]

    start, end = max(_stated(passage.text), key=key)
    return Quote(passage.text[start:end], Citation(passage.id, start, end))


def _window(source: Quote, passage: Passage) -> str:
    """The source sentence with its neighbours and heading: a claim may join two sentences."""
    spans = sentences(passage.text)
    at = next((n for n, (start, _) in enumerate(spans) if start == source.citation.start), 0)
    around = spans[max(0, at - 1) : at + 2]
    return "\n".join((*passage.section_path[-1:], *(passage.text[slice(*s)] for s in around)))


def _lost_limits(claim: str, source: Quote, passage: Passage) -> tuple[Quote, ...]:
    """Provisos right after the source sentence, and exceptions below it, that the claim does not carry."""
    lost: list[Quote] = []
    follows = True
    for start, end in sentences(passage.text):
        if start < source.citation.end:
            continue
        text = passage.text[start:end]
        follows = follows and bool(_PROVISO.match(text))
        if (follows or _EXCEPTION.search(text)) and _contained(text, claim) < _CARRIED:
            lost.append(Quote(text, Citation(passage.id, start, end)))
    return tuple(lost[:_MOST_LIMITS])


def _spoken(id_: str) -> str:
    parts = id_.split(":")
    if parts[0] == PRECEDENT:
        return f"先例「{parts[1]} {parts[2]}第{parts[3]}号」"
    return parts[0] + "".join(_numbered(number, unit) for number, unit in _id_amounts(id_))


def _numbered(number: str, unit: str) -> str:
    """77_2 of 条 is 77条の2."""
    first, *branches = number.split("_")
    return f"{first}{unit}" + "".join(f"の{branch}" for branch in branches)


def _spoken_date(date: Date) -> str:
    parts = zip(date, ("年", "月", "日"), strict=True)
    return "".join(f"{part}{unit}" for part, unit in parts if part)
