"""Whether what a question refers to is on the shelf at all: a false premise is named, not searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.references import Mention, Reference
from app.core.store import Store, Where

# A law is on the shelf when one of its first articles is: some begin with a deleted one.
_FIRST_ARTICLES = ("1", "2", "3")


def notices(store: Store, where: Where, mentions: Sequence[Mention]) -> list[str]:
    """A sentence for each reference that the shelf shows to be wrong, or holds nothing of."""
    found = (_notice(store, where, mention.reference) for mention in mentions)
    return list(dict.fromkeys(notice for notice in found if notice))


def _notice(store: Store, where: Where, reference: Reference) -> str:
    display = reference.display
    if reference.office:
        if _holds(store, replace(where, cites=(reference.id,))) or _holds(
            store, replace(where, about=(reference.id,))
        ):
            return ""
        return f"{display}を載せた本も、引用した本も、この書棚にはありません。"
    if not reference.article or not _has_law(store, where, reference.law):
        return ""
    if not _holds(store, replace(where, about=(reference.article_id,))):
        article = replace(reference, paragraph=None, item=None).display
        return f"{article}は、この書棚の{reference.law}にありません。条番号を確かめてください。"
    paragraph = replace(reference, item=None)
    if reference.paragraph and not _holds(store, replace(where, about=(paragraph.id,))):
        return f"{paragraph.display}は、この書棚の{reference.law}にありません。項番号を確かめてください。"
    return ""


def _has_law(store: Store, where: Where, law: str) -> bool:
    first = tuple(f"{law}:{number}" for number in _FIRST_ARTICLES)
    return _holds(store, replace(where, about=first))


def _holds(store: Store, where: Where) -> bool:
    return bool(store.select(where, 1))
