"""Every surface form of an article or a precedent ↔ one canonical id.

戸籍法第七十七条の二, 戸77の2, 法77-2 are all `戸籍法:77_2`; 昭39.6.30民事甲2240号 is
`先例:1964-06-30:民事甲:2240`. `find` reads what stands by itself, `resolve_relative`
what depends on its place in a statute (前条, 同項), `remainder` leaves the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from app.core.japanese import fold
from app.core.references.laws import HOME_LAW, Law, law_name, laws
from app.core.references.nouns import PRECEDENT, Mention, Reference, kept_ids, sought_ids
from app.core.references.scan import SEPARATOR, Scan

__all__ = [
    "HOME_LAW",
    "PRECEDENT",
    "Law",
    "Mention",
    "Reference",
    "article_ids",
    "find",
    "kept_ids",
    "law_name",
    "laws",
    "remainder",
    "resolve_relative",
    "sought_ids",
]

_LEADING = re.compile(
    r"^[ 　、,，]*(?:における|について|に関する|に関して|に基づく|による|によれば|によると|とは"
    r"|の(?!み)|は|を|が|と(?![きこも])|に|で(?![きす]))?[ 　、,，]*"
)


def find(text: str, *, law: str = "", asked: bool = False) -> list[Mention]:
    """References that stand by themselves, in order of appearance.

    `law` is the law whose text or commentary this is: a bare 第三条 and この法律 are its
    own, 法 the law it implements. Without it bare articles are nobody's, and 法 and 規
    are those of the family register. A short range also yields the articles in between,
    each with the span of the range.

    `asked` says that this is a question, where less is spelt out than in a book: a bare
    77条の2, 附則3条 or 施行規則57条 is of the law the question named last, else of the
    family register's (of 民法 beyond its end), and 戸籍77条, 戸籍法の第77条 and 第77条2 are read too.
    """
    return [m for m, relative in Scan(text, law, asked=asked).run() if not relative]


@lru_cache(maxsize=20_000)
def article_ids(text: str) -> tuple[str, ...]:
    """The ids of the articles that a text names (戸籍法:77_2), as tables write them: 戸籍法77条の2."""
    ids = (mention.reference.article_id for mention in find(text) if mention.reference.article)
    return tuple(dict.fromkeys(ids))


def resolve_relative(
    text: str,
    *,
    law: str,
    article: str,
    paragraph: int | None = None,
    articles: Sequence[str] = (),
) -> list[Mention]:
    """References that mean something only in their place: 前条, 次条, 同条, 前項, 同法, この法律.

    `law`, `article` and `paragraph` say where the text stands. `articles` are the law's
    articles in order (77, 77_2, 78), to know the neighbours exactly; without it they are
    counted. What cannot be told (前項 without `paragraph`) is left out.
    """
    scan = Scan(text, law, article, paragraph, tuple(articles))
    return [m for m, relative in scan.run() if relative]


def remainder(text: str, mentions: Sequence[Mention]) -> str:
    """The question without its references: 戸77の2の届出人は誰か → 届出人は誰か."""
    parts: list[str] = []
    at = 0
    for start, end in sorted({(m.start, m.end) for m in mentions}):
        if start >= at:
            parts.append(text[at:start])
        at = max(at, end)
    parts.append(text[at:])
    first, *others = (part for i, part in enumerate(parts) if not i or not _only_joins(part))
    kept = [first, *(_LEADING.sub("", part, count=1) for part in others)]
    return " ".join(part.strip() for part in kept if part.strip())


def _only_joins(part: str) -> bool:
    return bool(SEPARATOR.fullmatch(fold(part)))
