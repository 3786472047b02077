"""How a question was widened, as the page tells it: the glossary's words and the typical question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core import references
from app.core.glossary import ASKED, SAME, Expansion
from app.core.japanese import tokens
from app.search.question import words

# Articles listed for one question.
_REFERENCES = 8


@dataclass(frozen=True, slots=True)
class Widened:
    """Words of the question, the terms the glossary gave for them worth telling, and its articles."""

    term: str
    adds: tuple[str, ...]
    articles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Typical:
    """A question often asked that is like this one, and the articles that answer it."""

    text: str
    articles: tuple[str, ...]


def widened(readings: Iterable[Expansion]) -> list[Widened]:
    """What the glossary gave, once for each word; words that only got another form of themselves are left out."""
    merged: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for item in readings:
        if item.topic != ASKED:
            adds, articles = merged.setdefault(item.term, ({}, {}))
            adds.update(dict.fromkeys(added for added in item.adds if _tells(item, added)))
            articles.update(dict.fromkeys(item.articles))
    every = (Widened(term, tuple(adds), tuple(arts)) for term, (adds, arts) in merged.items())
    return [each for each in every if each.adds or each.articles]


def _tells(item: Expansion, added: str) -> bool:
    """Whether a term says more than the words it was given for (使い → 使う) or a verb of everyday (戻れる → 戻る)."""
    is_verb = item.topic == SAME and [token.pos for token in tokens(added)] == ["動詞"]
    return not is_verb and not set(words(added)) <= set(words(item.term))


def typical(readings: Iterable[Expansion]) -> Typical | None:
    """The typical question that this one is like, if it is like any."""
    found = next((item for item in readings if item.topic == ASKED), None)
    return Typical("・".join(found.adds[0].split()), found.articles) if found else None


def governing(given: Sequence[Widened]) -> list[str]:
    """The articles that the glossary names for the question, those named most often first."""
    named = Counter(
        mention.reference.display
        for each in given
        for article in each.articles
        for mention in references.find(article)
    )
    return [article for article, _ in named.most_common(_REFERENCES)]
