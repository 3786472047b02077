"""A question as the engine needs it: its words, the references it names, what its words stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from app.core import references
from app.core.asked import Likeness
from app.core.errors import BadRequest
from app.core.glossary import ASKED, Expansion, Glossary
from app.core.japanese import bigrams, fold, tokens
from app.core.references import Mention

# Words the user did not write weigh less than those they did.
_EXPANSION_WEIGHT = 0.4
# 離婚 says more of a question than 今 or 使う: the field's own nouns count for more.
_FIELD_WEIGHT = 1.5
# A law's name in a reference still finds books on that law, but must not drown the question.
_REFERENCE_WEIGHT = 0.3


# Chosen on the development questions; both are flat around these values.
_LIST_DISCOUNT = 0.25
_MOST_VOTES = 2.0


@dataclass(frozen=True, slots=True)
class Question:
    """A question understood.

    `own` are the user's words, `terms` the same with those of the glossary, `grams` the user's
    character pairs; all with their weights. `mentions` are the
    references the user wrote; `articles` those the glossary names, each with its votes, and
    `likeness` those that questions like it are about. `rarities` are the user's words as written,
    each with how much it tells one matter from another.
    """

    text: str
    own: dict[str, float]
    terms: dict[str, float]
    grams: dict[str, float]
    mentions: tuple[Mention, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    articles: dict[str, float] = field(default_factory=dict)
    likeness: Likeness = field(default_factory=Likeness)
    rarities: dict[str, float] = field(default_factory=dict)


def understand(
    text: str, glossary: Glossary, max_chars: int, ignore: Collection[str] = ()
) -> Question:
    """Reads a question; raises BadRequest for an empty or an overlong one.

    The glossary is not asked about the words in `ignore`; `ASKED` among them leaves out its
    typical questions.
    """
    text = check(text, max_chars)
    mentions = tuple(references.find(text, asked=True))
    asked = references.remainder(text, mentions)
    own: dict[str, float] = {}
    rarities: dict[str, float] = {}
    for token in tokens(asked):
        own[token.norm] = _FIELD_WEIGHT if token.norm in glossary.vocabulary else 1.0
        rarities[fold(token.surface)] = glossary.rarity(token.norm)
    for token in tokens(text) if mentions else ():
        own.setdefault(token.norm, _REFERENCE_WEIGHT)
    terms = dict(own)
    expansions = tuple(item for item in glossary.expand(asked) if item.term not in ignore)
    for expansion in expansions:
        weight = _EXPANSION_WEIGHT * expansion.weight
        for word in (word for added in expansion.adds for word in words(added)):
            terms[word] = max(weight, terms.get(word, 0.0))
    return Question(
        text,
        own,
        terms,
        dict.fromkeys(bigrams(asked), 1.0),
        mentions,
        expansions,
        _articles(expansions),
        Likeness() if ASKED in ignore else glossary.liken(asked),
        rarities,
    )


def _articles(expansions: Iterable[Expansion]) -> dict[str, float]:
    """The articles that expansions name. Each is a vote, and a long list says less of each member."""
    votes: dict[str, float] = {}
    for expansion in expansions:
        named = {id_ for article in expansion.articles for id_ in references.article_ids(article)}
        for article_id in named:
            vote = expansion.weight * len(named) ** -_LIST_DISCOUNT
            votes[article_id] = min(votes.get(article_id, 0.0) + vote, _MOST_VOTES)
    return votes


@lru_cache(maxsize=20_000)
def words(text: str) -> tuple[str, ...]:
    """The words of a glossary term; remembered, as the same terms come again and again."""
    return tuple(token.norm for token in tokens(text))


def check(text: str, max_chars: int) -> str:
    """The question without surrounding space; raises BadRequest where it cannot be searched."""
    stripped = text.strip()
    if not stripped:
        raise BadRequest(
            "質問が空です。", hint="調べたいことを文または語句で入力してください。", field="query"
        )
    if len(stripped) > max_chars:
        raise BadRequest(
            f"質問が長すぎます ({len(stripped):,}文字)。{max_chars:,}文字まで受け付けます。",
            hint="要点だけに縮めて、もう一度検索してください。",
            field="query",
        )
    return stripped
