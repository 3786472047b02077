"""Candidates for a question: engine legs fused, references looked up, links followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.core.book import Passage
from app.core.japanese import fold, tokens
from app.core.ledger import Ledger
from app.core.lexical import GRAMS, WORDS, encode_query
from app.core.store import DENSE, Leg, Scored, Store, Where
from app.search.fusion import Key, fused
from app.search.question import Question

# A passage that is the very paragraph named stands above the rest of its article.
_PARAGRAPH_SHARE = 0.1

# How many passages may be an article that a question, or the articles that a candidate, names; and
# those that glossary and typical questions name.
_ABOUT = 100
_GOVERNING = 400
# So many of the articles that count most are asked for by themselves: a large shelf holds each of them
# in many editions, and the engine would leave out any.
_FOREMOST = 8

# How many candidates links are followed from, how many articles of each, how many candidates
# are asked who cites them, and how many passages may answer.
_LINKING = 10
_CITED = 8
_CITED_BY = 5
_CITING = 30

# How many of the best passages by the user's own words are read for how many of them they hold.
_SPEAKING = 3
# What share of the words they must hold to speak for the question, and what then remains of the
# weight of glossary and links.
_NEARLY_ALL = 0.7
_ASIDE = 0.3

# Institutions that the law states in the same words: what speaks of the other one alone is no answer,
# however alike, and keeps this share of its score.
_PARALLEL = (("離婚", "離縁"), ("離縁", "離婚"))
_MISTAKEN = 0.6

# How fast typical questions lose weight where the books say the question's words better.
_STEEPNESS = 3

# What an explanation that cites an article gets of what the article gets.
_EXPLANATION = 0.5


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each kind of evidence adds to a passage's score; the words leg counts 1.

    Chosen on the development questions; `dense` and `rerank` are off until a model is there
    (`app.search.weights`). `rerank` is the share of a reranker's judgement in the final score.
    """

    grams: float = 0.25
    dense: float = 0.0
    topic: float = 0.6
    asked: float = 3.0
    link: float = 0.2
    mention: float = 10.0
    cited: float = 1.5
    supplement: float = 0.6
    superseded: float = 0.5
    rerank: float = 0.0


@dataclass(slots=True)
class Candidate:
    """A passage that may answer, with what speaks for it."""

    key: Key
    passage: Passage
    score: float
    legs: dict[str, float] = field(default_factory=dict)


class Retriever:
    """Finds candidates in the store and reads them from the ledger."""

    def __init__(self, ledger: Ledger, weights: Weights) -> None:
        self._ledger = ledger
        self._weights = weights

    def candidates(
        self,
        store: Store,
        question: Question,
        where: Where,
        limit: int,
        dense: Sequence[float] | None = None,
    ) -> list[Candidate]:
        """Up to about `limit` candidates, best first; `dense` is the question's vector, if any."""
        weights = self._weights
        names = {WORDS: 1.0, GRAMS: weights.grams}
        if dense is not None and weights.dense > 0:
            names[DENSE] = weights.dense
        else:
            dense = None
        own, *found = store.search(legs(question, limit, dense), where)
        held = self._held(own or found[0])
        if question.expansions and _speaks_for_itself(question, held):
            found[0] = own
            weights = replace(weights, topic=weights.topic * _ASIDE, link=weights.link * _ASIDE)
        articles = _governing(question, weights, held)
        scores = fused(dict(zip(names, found, strict=True)), names)
        self._add_references(store, question, where, scores)
        governing = self._ledger.passages(self._governed(store, where, articles))
        for key, passage in governing.items():
            added = {id_: articles[id_] for id_ in passage.about if id_ in articles}
            scores[key] = scores.get(key, 0.0) + sum(added.values())
        kept = sorted(scores, key=lambda key: (-scores[key], key))[:limit]
        candidates = self._read(kept, scores, governing)
        for candidate in candidates:
            candidate.score += _explained(candidate.passage, articles)
        candidates.sort(key=lambda item: (-item.score, item.key))
        linked = self._links(store, candidates, where)
        if linked:
            missing = [key for key in linked if key not in scores]
            candidates += self._read(missing, dict.fromkeys(missing, 0.0))
            for candidate in candidates:
                candidate.score += weights.link * linked.get(candidate.key, 0.0)
        for candidate in candidates:
            if is_supplement(candidate.passage):
                candidate.score *= weights.supplement
            if _is_mistaken(candidate.passage, question):
                candidate.score *= _MISTAKEN
        return sorted(candidates, key=lambda item: (-item.score, item.key))

    def _held(self, own: Sequence[Scored]) -> list[str]:
        """The best passages by the user's own words, each as one folded text with its headings."""
        keys = [(hit.generation, hit.passage_id) for hit in own[:_SPEAKING]]
        passages = self._ledger.passages(keys).values()
        return [fold("\n".join((*passage.section_path, passage.text))) for passage in passages]

    def _add_references(
        self,
        store: Store,
        question: Question,
        where: Where,
        scores: dict[Key, float],
    ) -> None:
        weights = self._weights
        named = {mention.reference.article_id: 1.0 for mention in question.mentions}
        exact = {mention.reference.id for mention in question.mentions}
        for key in self._about(store, where, named, _ABOUT * len(named)):
            scores[key] = scores.get(key, 0.0) + weights.mention
        for key in self._about(store, where, exact - set(named)):
            scores[key] = scores.get(key, 0.0) + weights.mention * _PARAGRAPH_SHARE
        for key in self._citing(store, where, exact, question.terms):
            scores[key] = scores.get(key, 0.0) + weights.cited

    def _links(
        self, store: Store, candidates: Sequence[Candidate], where: Where
    ) -> dict[Key, float]:
        """Passages that the best candidates cite (準用), or that cite them (施行規則, 解説).

        Each with the score of the strongest candidate it is linked to, as a share of the best.
        """
        linked: dict[Key, float] = {}
        best = max((candidate.score for candidate in candidates), default=0.0)
        if best <= 0:
            return linked
        for place, candidate in enumerate(candidates[:_LINKING]):
            passage = candidate.passage
            cited = [id_ for id_ in passage.cites if _is_article(id_)][:_CITED]
            keys = self._about(store, where, cited)
            own = tuple(id_ for id_ in passage.about if _is_article(id_))
            if own and place < _CITED_BY:
                keys += self._citing(store, where, own)
            for key in keys:
                share = min(candidate.score / best, 1.0)
                linked[key] = max(share, linked.get(key, 0.0))
        return linked

    def _governed(self, store: Store, where: Where, articles: Mapping[str, float]) -> list[Key]:
        """The passages that are the articles, those of the foremost articles before others."""
        ranked = sorted(articles, key=lambda id_: (-articles[id_], id_))
        first = self._about(store, where, ranked[:_FOREMOST], _GOVERNING)
        others = self._about(store, where, ranked[_FOREMOST:], _GOVERNING)
        return list(dict.fromkeys(first + others))[:_GOVERNING]

    def _about(
        self, store: Store, where: Where, ids: Iterable[str], limit: int = _ABOUT
    ) -> list[Key]:
        wanted = tuple(ids)
        if not wanted:
            return []
        found = store.select(replace(where, about=wanted), limit)
        return [(generation, id_) for id_, generation in found]

    def _citing(
        self,
        store: Store,
        where: Where,
        ids: Iterable[str],
        terms: Mapping[str, float] | None = None,
    ) -> list[Key]:
        """Passages that cite one of `ids`; with `terms`, those that say most of them before others."""
        # A search limited to what cites an article already looks at nothing else.
        wanted = tuple(ids)
        if not wanted or where.cites:
            return []
        citing = replace(where, cites=wanted)
        found: list[Key] = []
        if terms:
            (ranked,) = store.search([Leg(WORDS, encode_query(terms), _CITING)], citing)
            found = [(hit.generation, hit.passage_id) for hit in ranked]
        if len(found) < _CITING:
            found += [(generation, id_) for id_, generation in store.select(citing, _CITING)]
        return list(dict.fromkeys(found))[:_CITING]

    def _read(
        self,
        keys: Sequence[Key],
        scores: Mapping[Key, float],
        known: Mapping[Key, Passage] | None = None,
    ) -> list[Candidate]:
        passages = dict(known or {})
        passages |= self._ledger.passages([key for key in keys if key not in passages])
        return [Candidate(key, passages[key], scores[key]) for key in keys if key in passages]


def legs(question: Question, limit: int, dense: Sequence[float] | None = None) -> list[Leg]:
    """What the engine is asked: the user's words, these with the glossary's, pairs, the vector."""
    asked = [
        # Where the glossary adds nothing, the next leg is the same.
        Leg(WORDS, encode_query(question.own), limit if question.expansions else 0),
        Leg(WORDS, encode_query(question.terms), limit),
        Leg(GRAMS, encode_query(question.grams), limit),
    ]
    return asked if dense is None else [*asked, Leg(DENSE, dense, limit)]


def _speaks_for_itself(question: Question, held: Sequence[str]) -> bool:
    """Whether the user's words are the books' words: a passage holds nearly all of them.

    None of those the glossary knows may be missing: 離縁 is not 離婚, however like the
    rest of the sentence. What the glossary adds then leads away rather than on.
    """
    wanted = [fold(token.surface) for token in tokens(question.text)]
    known = {fold(token.surface) for item in question.expansions for token in tokens(item.term)}
    for text in held:
        missing = [word for word in wanted if word not in text]
        if len(missing) <= (1 - _NEARLY_ALL) * len(wanted) and known.isdisjoint(missing):
            return True
    return False


def _governing(question: Question, weights: Weights, held: Sequence[str]) -> dict[str, float]:
    """What the articles that glossary and typical questions name add to a passage's score.

    Typical questions count in full where they say the question's words better than the
    books' best passages do; a question in the statutes' own words needs no interpreter.
    An article the user wrote is found without either.
    """
    in_books = max((_coverage(question.rarities, text) for text in held), default=0.0)
    share = min(1.0, question.likeness.coverage / in_books) ** _STEEPNESS if in_books else 1.0
    added = {id_: weights.topic * votes for id_, votes in question.articles.items()}
    for id_, vote in question.likeness.votes.items():
        added[id_] = added.get(id_, 0.0) + weights.asked * share * vote
    written = {mention.reference.article_id for mention in question.mentions}
    return {id_: score for id_, score in added.items() if id_ not in written}


def _coverage(rarities: Mapping[str, float], text: str) -> float:
    """The share of a question's words, weighed by their rarity, that a folded text holds."""
    total = sum(rarities.values())
    return sum(r for word, r in rarities.items() if word in text) / total if total else 0.0


def _explained(passage: Passage, articles: Mapping[str, float]) -> float:
    """What a book's explanation of a matter gets of the articles it cites.

    A statute's article gets all of its own; that it cites another is a link, no more.
    """
    if passage.about:
        return 0.0
    cited = [articles[id_] for id_ in passage.cites if id_ in articles]
    return _EXPLANATION * max(cited, default=0.0)


def _is_mistaken(passage: Passage, question: Question) -> bool:
    """Whether a passage speaks only of the institution parallel to the one asked about."""
    pairs = [
        (asked, other)
        for asked, other in _PARALLEL
        if asked in question.own and other not in question.own
    ]
    if not pairs:
        return False
    text = "\n".join((*passage.section_path, passage.text))
    return any(other in text and asked not in text for asked, other in pairs)


def _is_article(reference_id: str) -> bool:
    """Whether an id names a whole article: 戸籍法:77_2, not 戸籍法:77_2:1 and not 戸籍法."""
    return reference_id.count(":") == 1


def is_supplement(passage: Passage) -> bool:
    """Whether a passage belongs to a statute's supplementary provisions (附則)."""
    return any("附則" in heading.replace("　", "") for heading in passage.section_path)
