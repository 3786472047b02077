"""How much of what a question asks a passage holds: the confidence that it answers at all.

Every word of the question counts with its inverse document frequency, verbs, adverbs and
vague nouns with a third of it. A word the passage lacks counts in part where the glossary's
professional term for it, or the article that governs it, is there, or where the passage is an
article that is often asked about in that word.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from app.answer.premise import asserted
from app.core import references
from app.core.book import Hit
from app.core.japanese import KANJI_NUMERALS, Token, fold, tokens
from app.search.acts import is_about
from app.search.acts import named as acts_named
from app.search.pipeline import Searcher, SearchResult
from app.search.question import Question, words

# An everyday word whose professional counterpart is there: a little less sure than itself.
_STOOD_FOR = 0.85
_LESSER = 0.3
_LESSER_POS = {"動詞", "副詞", "代名詞", "接続詞", "感動詞", "連体詞"}
_ASKING = {"何", "誰", "何時", "何処", "どれ", "どちら", "幾ら", "幾つ", "何故", "どう", "如何"}
_VAGUE = {
    "必要",
    "手続き",
    "方法",
    "今",
    "現在",
    "時",
    "場合",
    "事",
    "物",
    "為",
    "際",
    "後",
    "前",
    "方",
    "人",
    "者",
    "自分",
}

# 16歳からできると聞いた asks from what age: the number, and who said so, are not looked for.
_OF_PREMISE = frozenset(
    [
        "歳",
        "才",
        "円",
        "人",
        "名",
        "日",
        "週",
        "月",
        "年",
        "箇月",
        "か月",
        "以内",
        "以上",
        "聞く",
        "言う",
        "思う",
        "書く",
        "良い",
        "通",
    ]
)

# What a question asks for, and how a text that can answer says it. A passage on the matter
# that lacks it (a fee, a deadline, opening hours) answers another question.
_NUMERAL = f"[0-9{KANJI_NUMERALS}]"
# A length of time or an age, and that there is none; 令和6年4月1日 and 1日目 are neither.
_NUMBER = re.compile(f"{_NUMERAL}")
_COUNT = f"(?<![0-9{KANJI_NUMERALS}月和成治正]){_NUMERAL}+ ?"
_AGE = f"{_COUNT}[歳才]|成年"
_SPAN = (
    f"{_COUNT}(?:日(?!目)|[かヶ箇ヵ]月|月(?! ?{_NUMERAL})|週|年(?! ?{_NUMERAL}+ ?月)|時間)"
    "|(?:期間|期限)[^。]{0,6}(?:ない|ありません)|いつでも"
)
_KINDS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(asks), re.compile(says))
    for asks, says in (
        (
            "いくら(?!でも|も|か[^。?])|なんぼ|何円|(?:料金|費用|相場)(?!を|が)|(?:金|手数料|使用料)(?:は|って|を)?[?。 ]*$",
            f"{_NUMERAL} ?(?:円|[千万億]|ドル|ユーロ|ポンド|人|%)|無料|免除",
        ),
        (
            "何(?:日|[かヶ箇ヵ]月|週間?|年|歳|時間)|いつ(?:まで|から)|期限|期間は",
            f"{_SPAN}|{_AGE}|遅滞なく|直ちに|速やか|まで",
        ),
        (
            "電話番号|時間帯|[土日]曜|営業時間|(?:開い|あい)て(?:い|る|ま)",
            "電話番号|午[前後]|曜日|[0-9]時",
        ),
        ("様式|書式|寸法|サイズ", "様式|書式|寸法|センチ|ミリ"),
    )
)
_ABROAD = re.compile(
    "([ァ-ヺー]{2,}|韓国|台湾|中国|米国|英国)(?:人|の方)?の?[^、。 ]{0,5}(?:民法|法律|役所|領事館|大使館|証明)"
)
# What each takes away.
_LACKED = 0.5
# The same of a sentence, with the words that need not be said where the thing itself is.
_SAYING: tuple[tuple[re.Pattern[str], re.Pattern[str], frozenset[str]], ...] = tuple(
    (re.compile(asks), re.compile(says), frozenset((*words(named), *named.split())))
    for asks, says, named in (
        ("何[歳才]|年齢|いくつ", _AGE, "年齢 歳"),
        (
            "何(?:日|[かヶ箇ヵ]月|週間?|年)|いつ(?:まで|から)|期限|期間",
            _SPAN,
            "期限 期間 日 月 週 年",
        ),
        ("いくら|何円|料金|費用|手数料", f"{_NUMERAL} ?円|無料", "料金 費用 手数料"),
        ("何[人名]", f"{_NUMERAL} ?[人名]", "人 名"),
    )
)

# From so many nouns on a passage on the matter may lack one, of up to this share of their weight.
_MANY, _MISSING = 4, 0.25

# How many of the best passages are asked whether they answer.
_PASSAGES = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """The question's own words with their weights, and what some of them stand for.

    `nouns` are those that carry the matter: no verbs, no adverbs; `written` are they as the
    user wrote them, `unknown` those of them that no passage of the shelf holds. `stands` are
    (words of the question, professional words, article ids), `said` by article id the words
    often asked about it. `kinds` find what is asked for (an amount, a time) in a text that can
    answer.
    """

    weights: Mapping[str, float]
    nouns: frozenset[str] = frozenset()
    written: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    stands: tuple[tuple[tuple[str, ...], tuple[tuple[str, ...], ...], frozenset[str]], ...] = ()
    said: Mapping[str, frozenset[str]] = field(default_factory=dict)
    kinds: tuple[re.Pattern[str], ...] = ()
    saying: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = ()

    def said_of(self, text: str) -> tuple[float, frozenset[str]]:
        """How much (0 to 1) of what is asked for (an age, a time) a text says, and the words that stand for it."""
        if not self.saying:
            return 0.0, frozenset()
        folded = fold(text)
        found = [named for says, named in self.saying if says.search(folded)]
        return len(found) / len(self.saying), frozenset().union(*found)

    def coverage(self, there: Collection[str], about: Collection[str] = ()) -> float:
        """The share (0 to 1) of the weight that the words `there` hold.

        `about` are the ids of the articles that the text itself is.
        """
        total = sum(self.weights.values())
        if total <= 0:
            return 0.0
        stood = self._stood(there, about)
        found = 0.0
        for term, weight in self.weights.items():
            if term in there:
                found += weight
            elif term in stood:
                found += weight * _STOOD_FOR
        return found / total

    def known(self, there: Collection[str], about: Collection[str] = ()) -> set[str]:
        """The wanted words that are there, themselves or by what stands for them."""
        return {term for term in self.weights if term in there} | self._stood(there, about)

    def _stood(self, there: Collection[str], about: Collection[str]) -> set[str]:
        stood: set[str] = set()
        for own, professional, articles in self.stands:
            if not articles.isdisjoint(about):
                stood.update(own)
            elif any(all(word in there for word in term) for term in professional):
                # 認知 is a professional word itself: 嫡出でない子 does not stand for it.
                stood.update(set(own).difference(*professional))
        return stood.union(*(self.said.get(id_, ()) for id_ in about))


def wanted(searcher: Searcher, result: SearchResult) -> Wanted:
    """What the question of a search asks for."""
    question = result.question
    own = _own_words(question)
    weights = searcher.word_weights(replace(question, terms=dict.fromkeys(own, 1.0)))
    stands = tuple(
        (
            words(expansion.term),
            tuple(words(added) for added in expansion.adds),
            frozenset(id_ for text in expansion.articles for id_ in references.article_ids(text)),
        )
        for expansion in result.expansions
    )
    # Words that no passage holds are all equally rare.
    rare = max(weights.values(), default=0.0) or 1.0
    nouns = frozenset(term for term, share in own.items() if share == 1.0)
    written = {
        token.surface: token.norm
        for token in tokens(question.text)
        if token.norm in nouns and token.pos == "名詞"
    }
    return Wanted(
        weights={term: (weights[term] or rare) * share for term, share in own.items()},
        nouns=nouns,
        written=tuple(written),
        unknown=tuple(surface for surface, norm in written.items() if not weights[norm]),
        stands=stands,
        said=question.likeness.said,
        kinds=_kinds(fold(question.text)),
        saying=_saying(fold(question.text)),
    )


def confidence(result: SearchResult, asked: Wanted) -> float:
    """How surely (0 to 1) the passages found answer the question.

    A question that names an article or a notice is answered by the passages that are it or
    cite it, and by nothing else.
    """
    named = named_ids(result.question)
    if named:
        return float(any(speaks_of(hit, named) for hit in result.hits))
    return max((_answering(hit, asked) for hit in result.hits[:_PASSAGES]), default=0.0)


def is_near(result: SearchResult, asked: Wanted) -> bool:
    """Whether the passages found are on the question's matter, though they may not answer it.

    One holds the nouns that tell most (the rarest, those in no book among them), or is about
    a notification that the question names: タラーク離婚 is near 離婚, 印鑑登録 near nothing.
    """
    best = result.hits[:_PASSAGES]
    acts = acts_named(result.question.text)
    most = max((asked.weights[noun] for noun in asked.nouns), default=0.0)
    telling = {noun for noun in asked.nouns if asked.weights[noun] == most}
    return any(
        is_about(hit.passage, acts)
        or (telling and telling <= asked.known(_there(hit, asked), hit.passage.about))
        for hit in best
    )


def _answering(hit: Hit, asked: Wanted) -> float:
    """How surely (0 to 1) a passage answers: what it holds, less where it lacks the kind of thing asked for."""
    text = fold("\n".join((*hit.passage.section_path, hit.passage.text)))
    lacked = sum(not kind.search(text) for kind in asked.kinds)
    return max(0.0, held(hit, asked) - _LACKED * lacked)


def _kinds(question: str) -> tuple[re.Pattern[str], ...]:
    abroad = [re.compile(re.escape(match[1])) for match in _ABROAD.finditer(question)]
    return (*(says for asks, says in _KINDS if asks.search(question)), *abroad)


def _saying(question: str) -> tuple[tuple[re.Pattern[str], frozenset[str]], ...]:
    number = asserted(question)
    asked = f"{question} 何{number.unit}" if number else question
    return tuple((says, named) for asks, says, named in _SAYING if asks.search(asked))


def named_ids(question: Question) -> set[str]:
    """Ids of the articles and notices that a question names; a law as a whole is none."""
    ids = (
        id_
        for mention in question.mentions
        for id_ in (mention.reference.id, mention.reference.article_id)
        if ":" in id_
    )
    return set(references.sought_ids(ids))


def speaks_of(hit: Hit, named: Collection[str]) -> bool:
    """Whether a passage is, or cites, one of the articles or notices named."""
    kept = references.kept_ids((*hit.passage.about, *hit.passage.cites))
    return any(id_ in named for id_ in kept)


def held(hit: Hit, asked: Wanted) -> float:
    """The share (0 to 1) of the wanted weight that a passage with its place holds."""
    return asked.coverage(_there(hit, asked), hit.passage.about)


def lacks(hit: Hit, asked: Wanted) -> bool:
    """Whether a passage's own text lacks a noun of the question and all that stands for it.

    Of many nouns one that is not among the rarest may be missing.
    """
    there = {token.norm for token in passage_tokens(hit.passage.text)}
    there |= asked.said_of(hit.passage.text)[1]
    missing = asked.nouns - asked.known(there, hit.passage.about)
    if len(asked.nouns) < _MANY or len(missing) > 1:
        return bool(missing)
    weights = asked.weights
    return sum(weights[w] for w in missing) > _MISSING * sum(weights[w] for w in asked.nouns)


def _there(hit: Hit, asked: Wanted) -> set[str]:
    there = {token.norm for token in passage_tokens(hit.passage.text)}
    there.update(place_words(hit.book.title, hit.passage.section_path))
    there.update(asked.said_of(hit.passage.text)[1])
    return there


def near_headings(hit: Hit) -> frozenset[str]:
    """The words of the two nearest headings: an article's caption, and the part of the law it stands in."""
    return place_words("", hit.passage.section_path[-2:])


@lru_cache(maxsize=4096)
def passage_tokens(text: str) -> tuple[Token, ...]:
    """A passage's words; remembered, as good passages come again and again."""
    return tuple(tokens(text))


@lru_cache(maxsize=4096)
def place_words(title: str, path: tuple[str, ...]) -> frozenset[str]:
    """The words of a book's title and of the headings above a passage."""
    return frozenset(token.norm for token in tokens("\n".join((title, *path))))


def _own_words(question: Question) -> dict[str, float]:
    """Words the user wrote → their share of weight; what merely asks (誰, いつ) has none."""
    own: dict[str, float] = {}
    taken = _OF_PREMISE if asserted(question.text) else frozenset[str]()
    for token in tokens(question.text):
        if token.norm in taken or (taken and _NUMBER.search(token.norm)):
            continue
        if question.terms.get(token.norm, 0.0) < 1.0 or token.norm in _ASKING:
            continue
        lesser = token.pos in _LESSER_POS or token.norm in _VAGUE
        share = _LESSER if lesser else 1.0
        own[token.norm] = max(share, own.get(token.norm, 0.0))
    return own
