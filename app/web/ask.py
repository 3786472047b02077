"""The page on which questions are asked and answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from markupsafe import Markup

from app.answer.compose import Answered
from app.core import references
from app.core.book import Book, Hit, Passage
from app.core.errors import ShioriError
from app.search.pipeline import Filters
from app.web import marks
from app.web.books import page_of_quote
from app.web.view import Product, View, page_url

SHOWN = 10
# Books are counted over this many of the best passages.
COUNTED = 50
# The first passages are shown whole, the rest by their best sentences.
_WHOLE = 3
_REFERENCES = 8


@dataclass(frozen=True, slots=True)
class Ask:
    """A question and what it is limited to, as the page's address carries them.

    `without` are question words whose glossary terms are not searched; `shown` is how
    many passages are listed; `lookup` is the look-up the question goes on with.
    """

    q: str = ""
    book: tuple[str, ...] = ()
    shelf: tuple[str, ...] = ()
    edition: tuple[str, ...] = ()
    as_of: str = ""
    citing: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    shown: int = SHOWN
    lookup: int | None = None

    @property
    def filters(self) -> Filters:
        """The same for the search."""
        return Filters(
            self.book, self.shelf, self.edition, self.as_of, self.citing, ignore=self.without
        )

    @property
    def limited(self) -> bool:
        """Whether any filter is set."""
        return bool(self.book or self.shelf or self.edition or self.as_of or self.citing)

    @property
    def url(self) -> str:
        """The page's address; what has its usual value is left out."""
        return "/?" + self.parameters

    @property
    def parameters(self) -> str:
        """The question and its limits as they stand in an address."""
        pairs: list[tuple[str, str]] = [("q", self.q)]
        for name in ("book", "shelf", "edition", "citing", "without"):
            pairs += [(name, value) for value in getattr(self, name)]
        if self.as_of:
            pairs.append(("as_of", self.as_of))
        if self.shown != SHOWN:
            pairs.append(("shown", str(self.shown)))
        if self.lookup is not None:
            pairs.append(("lookup", str(self.lookup)))
        return urlencode(pairs)

    def but(self, **changes: Any) -> Ask:
        """The same question with something changed; the list starts from its top again."""
        return replace(self, **({"shown": SHOWN} | changes))

    def in_lookup(self, lookup: int) -> Ask:
        """The same question as part of a look-up."""
        return replace(self, lookup=lookup)

    def without_but(self, term: str) -> Ask:
        """The same question with one word's glossary terms searched again."""
        return self.but(without=tuple(word for word in self.without if word != term))

    @property
    def lists_citing(self) -> bool:
        """Whether the page lists what cites a reference, rather than answers a question."""
        return self.citing == (self.q,)


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A hit as the page shows it. `text` is the whole, `snippet` its best sentences where they differ."""

    number: int
    hit: Hit
    text: Markup
    snippet: Markup | None
    cut_before: bool
    cut_after: bool
    cited: tuple[str, ...]

    @property
    def passage(self) -> Passage:
        """The passage."""
        return self.hit.passage

    @property
    def book(self) -> Book:
        """Its book."""
        return self.hit.book


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A block of the answer (`app.answer`'s); the numbers of the passages that prove it, and the pages."""

    block: Any
    proofs: tuple[tuple[int, str], ...]


def router(product: Product, view: View) -> APIRouter:
    """The search page."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def search(
        request: Request, ask: Annotated[Ask, Depends(asked)], solved: int | None = None
    ) -> Response:
        page: dict[str, Any] = {
            "ask": ask,
            "choices": choices(product),
            "found": None,
            "error": None,
            "solved": product.ledger.lookup(solved) if solved else None,
        }
        if "q" not in request.query_params:
            return view.page(request, "ask.html", **page)
        try:
            page["found"] = answer = found(product, ask)
        except ShioriError as error:
            if error.status >= 500:
                raise
            page["error"] = error
            return view.page(request, "ask.html", error.status, **page)
        answered = answer["answered"]
        lookup = product.ledger.log_lookup(
            answered.result.query,
            [item.passage.id for item in answer["passages"]],
            answered.took_ms,
            answered.answer.answered,
            ask.lookup,
        )
        page["ask"] = ask.in_lookup(lookup)
        page["lookup"] = product.ledger.lookup(lookup)
        ids = [item.passage.id for item in answer["passages"]]
        page["likes"] = product.ledger.likes(ids)
        page["notes"] = product.ledger.notes(ids)
        return view.page(request, "ask.html", **page)

    @routes.get("/slip")
    def slip(request: Request, ask: Annotated[Ask, Depends(asked)]) -> Response:
        return view.page(
            request, "slip.html", ask=ask, found=found(product, ask), printed_at=time.time()
        )

    return routes


def asked(
    q: str = "",
    book: Annotated[list[str] | None, Query()] = None,
    shelf: Annotated[list[str] | None, Query()] = None,
    edition: Annotated[list[str] | None, Query()] = None,
    as_of: str = "",
    citing: Annotated[list[str] | None, Query()] = None,
    without: Annotated[list[str] | None, Query()] = None,
    shown: Annotated[int, Query(ge=1, le=COUNTED)] = SHOWN,
    lookup: int | None = None,
) -> Ask:
    """The question that an address carries."""
    return Ask(
        q.strip(),
        _given(book),
        _given(shelf),
        _given(edition),
        as_of.strip(),
        _given(citing),
        _given(without),
        shown,
        lookup,
    )


def choices(product: Product) -> dict[str, list[Any]]:
    """What the shelf offers to limit a search to."""
    books = list(product.ledger.books().values())
    return {
        "books": books,
        "shelves": sorted({book.shelf for book in books if book.shelf}),
        "editions": sorted({book.edition for book in books if book.edition}),
    }


def found(product: Product, ask: Ask) -> dict[str, Any]:
    """Everything the page shows for a question; raises BadRequest or NotFound."""
    answered = product.answerer.ask(ask.q, COUNTED, ask.filters)
    hits = answered.result.hits
    cited = {item.passage_id for block in answered.answer.blocks for item in block.citations}
    last = max((n for n, hit in enumerate(hits, start=1) if hit.passage.id in cited), default=0)
    shown = hits[: max(ask.shown, last)]
    sought = marks.wanted(answered.result.question)
    return {
        "answered": answered,
        "blocks": _blocks(product, answered),
        "passages": [_shown(number, hit, sought) for number, hit in enumerate(shown, start=1)],
        "more": min(len(hits), len(shown) + SHOWN) if len(hits) > len(shown) else 0,
        "facets": _facets(product, ask, answered),
        "expansions": _expansions(answered),
    }


def _given(values: Iterable[str] | None) -> tuple[str, ...]:
    """The values of a form's field; a choice left open is an empty one."""
    return tuple(value.strip() for value in values or () if value.strip())


def _expansions(answered: Answered) -> list[tuple[str, list[str], list[str]]]:
    """Each word of the question with the terms and articles the glossary gave for it."""
    merged: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for item in answered.result.expansions:
        adds, articles = merged.setdefault(item.term, ({}, {}))
        adds.update(dict.fromkeys(item.adds))
        articles.update(dict.fromkeys(item.articles))
    return [(term, list(adds), list(articles)) for term, (adds, articles) in merged.items()]


def _blocks(product: Product, answered: Answered) -> list[ShownBlock]:
    hits = answered.result.hits
    numbers = {hit.passage.id: number for number, hit in enumerate(hits, start=1)}
    blocks = []
    for block in answered.answer.blocks:
        proofs: dict[int, str] = {}
        for item in block.citations:
            number = numbers[item.passage_id]
            passage = hits[number - 1].passage
            index = page_of_quote(product.ledger, passage, item.start, item.end)
            proofs.setdefault(number, page_url(passage, index, f"{item.start}-{item.end}"))
        blocks.append(ShownBlock(block, tuple(proofs.items())))
    return blocks


def _shown(number: int, hit: Hit, sought: marks.Wanted) -> ShownPassage:
    text = hit.passage.text
    start, end = (0, len(text)) if number <= _WHOLE else marks.snippet(text, sought)
    part = None if (start, end) == (0, len(text)) else marks.marked(text, sought, start, end)
    return ShownPassage(
        number,
        hit,
        marks.marked(text, sought),
        part,
        start > 0,
        end < len(text),
        cited_articles(hit.passage),
    )


def cited_articles(passage: Passage) -> tuple[str, ...]:
    """The articles and notices a passage is or names, written out, each once."""
    law = passage.about[0].split(":")[0] if passage.about else ""
    found = (mention.reference for mention in references.find(passage.text, law=law))
    names = (
        replace(item, paragraph=None, item=None).display for item in found if item.id != item.law
    )
    return tuple(dict.fromkeys(names))[:_REFERENCES]


def _facets(product: Product, ask: Ask, answered: Answered) -> list[tuple[Book, int]]:
    """How many of the best passages stand in which book, as if no book had been chosen."""
    hits = answered.result.hits
    if ask.book:
        hits = product.searcher.search(ask.q, COUNTED, ask.but(book=()).filters).hits
    counts = Counter(hit.book.id for hit in hits)
    books = {hit.book.id: hit.book for hit in hits}
    return [(books[book_id], count) for book_id, count in counts.most_common()]
