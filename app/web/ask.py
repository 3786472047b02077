"""The page on which questions are asked and answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from markupsafe import Markup

from app.answer.answer import Answer, Block
from app.answer.compose import Answered, Answerer, Event, Found, Sentence, Status
from app.answer.differ import told
from app.answer.followup import standalone
from app.core import references
from app.core.book import Book, Citation, Hit, Passage
from app.core.errors import NotFound, ShioriError
from app.core.japanese import fold
from app.core.ledger import Lookup
from app.live import HEADERS, MEDIA_TYPE
from app.search.acts import ACTS, acts_of
from app.search.pipeline import Filters
from app.web import expanding, hints, marks
from app.web.books import page_of_quote
from app.web.desk import keep_lookup, own_lookup, reader_of
from app.web.stream import Kept, stream
from app.web.view import Product, View, check_same_site, page_url

SHOWN = 10
# Books are counted over this many of the best passages.
COUNTED = 50
# The first passages are shown whole, the rest by their best sentences.
_WHOLE = 3
_REFERENCES = 8
# Look-ups offered on the empty page.
RECENT = 5


@dataclass(frozen=True, slots=True)
class Ask:
    """A question and what it is limited to, as the page's address carries them.

    `book` is what the form's field held: ids of books, or parts of their titles; `book_ids` are
    the books it means. `act` is a kind of notification; `without` are question words whose glossary terms are not
    searched; `shown` is how many passages are listed; `lookup` is the look-up the question
    goes on with. `said` is a follow-up as the user wrote it, where `q` is what it was read
    as; the same as `q` where it is not to be read as a follow-up. `wait` shows the answer of
    a language model in one piece, once it is whole.
    """

    q: str = ""
    book: tuple[str, ...] = ()
    shelf: tuple[str, ...] = ()
    edition: tuple[str, ...] = ()
    as_of: str = ""
    citing: tuple[str, ...] = ()
    act: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    shown: int = SHOWN
    lookup: int | None = None
    said: str = ""
    wait: bool = False
    book_ids: tuple[str, ...] = ()

    @property
    def filters(self) -> Filters:
        """The same for the search."""
        return Filters(
            self.book_ids,
            self.shelf,
            self.edition,
            self.as_of,
            self.citing,
            self.act,
            self.without,
        )

    @property
    def limited(self) -> bool:
        """Whether any filter is set."""
        return bool(
            self.book or self.shelf or self.edition or self.as_of or self.citing or self.act
        )

    @property
    def unlimited(self) -> Ask:
        """The same question without any filter."""
        return Ask(q=self.q, without=self.without, lookup=self.lookup, said=self.said)

    @property
    def url(self) -> str:
        """The page's address; what has its usual value is left out."""
        return "/?" + self.parameters

    @property
    def parameters(self) -> str:
        """The question and its limits as they stand in an address."""
        pairs: list[tuple[str, str]] = [("q", self.q)]
        for name in ("book", "shelf", "edition", "citing", "act", "without"):
            pairs += [(name, value) for value in getattr(self, name)]
        if self.as_of:
            pairs.append(("as_of", self.as_of))
        if self.shown != SHOWN:
            pairs.append(("shown", str(self.shown)))
        if self.lookup is not None:
            pairs.append(("lookup", str(self.lookup)))
        if self.said:
            pairs.append(("said", self.said))
        if self.wait:
            pairs.append(("wait", "true"))
        return urlencode(pairs)

    def but(self, **changes: Any) -> Ask:
        """The same question with something changed; the list starts from its top again.

        A changed `book` is given as ids.
        """
        if "book" in changes:
            changes["book_ids"] = changes["book"]
        return replace(self, **({"shown": SHOWN} | changes))

    def anew(self, q: str) -> Ask:
        """Another question under the same limits, read by itself."""
        return self.but(q=q, said=q, lookup=None, without=())

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
class Proof:
    """A passage that proves a sentence: its number, and the address of its page with the words marked.

    `link` leads to it in the list, or to the page where the list does not go so far.
    """

    number: int
    hit: Hit
    url: str
    link: str


@dataclass(frozen=True, slots=True)
class Facet:
    """A choice to limit the answer by: `count` of the best passages fall under it, `url` makes it."""

    name: str
    count: int
    url: str
    is_chosen: bool


class Listed:
    """The hits of a page, of which `shown` are in its list."""

    def __init__(self, hits: Sequence[Hit], shown: int) -> None:
        self._hits = hits
        self._shown = shown
        self._numbers = {hit.passage.id: number for number, hit in enumerate(hits, start=1)}

    def proof(self, product: Product, citation: Citation) -> Proof:
        """What a citation points at."""
        number = self._numbers[citation.passage_id]
        hit = self._hits[number - 1]
        index = page_of_quote(product.ledger, hit.passage, citation.start, citation.end)
        url = page_url(hit.passage, index, f"{citation.start}-{citation.end}")
        return Proof(number, hit, url, f"#p{number}" if number <= self._shown else url)


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A block of the answer with its proofs, and the page of each proviso it leaves out."""

    block: Block
    proofs: tuple[Proof, ...]
    limits: tuple[tuple[str, Proof], ...]


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer as the page shows it; `differing` are pairs of quotations that disagree."""

    answer: Answer
    blocks: list[ShownBlock]
    differing: list[tuple[tuple[str, Proof], ...]]
    notices: list[str]


def router(product: Product, view: View) -> APIRouter:
    """The search page, the answer as a model writes it, the printed slip and the draft of an inquiry."""
    routes = APIRouter(include_in_schema=False)
    kept = Kept()
    threading.Thread(target=hints.warm, args=(product.glossary,), daemon=True).start()

    def limited(ask: Ask) -> Ask:
        return in_books(ask, product.ledger.books())

    @routes.get("/")
    def search(
        request: Request, ask: Annotated[Ask, Depends(asked)], solved: int | None = None
    ) -> Response:
        ledger = product.ledger
        books = ledger.books()
        page: dict[str, Any] = {
            "ask": ask,
            "choices": choices(product),
            "book_written": "、".join(
                name_of(books[each]) if each in books else each for each in ask.book
            ),
            "found": None,
            "error": None,
            "solved": ledger.lookup(solved) if solved else None,
            "recent": [],
        }
        try:
            page["ask"] = ask = limited(ask)
        except NotFound as error:
            page["error"] = error
            return view.page(request, "ask.html", error.status, **page)
        if "q" not in request.query_params:
            page["recent"] = recent(ledger.lookups(limit=RECENT))
            return view.page(request, "ask.html", **page)
        earlier = ledger.lookup(ask.lookup) if ask.lookup else None
        read = read_as(ask, earlier)
        if read != ask:
            return RedirectResponse(read.url, 303)
        try:
            page["found"] = answer = found(product, kept, ask)
        except ShioriError as error:
            if error.status >= 500:
                raise
            page["error"] = error
            return view.page(request, "ask.html", error.status, **page)
        answered = answer["answered"]
        ids = [item.passage.id for item in answer["passages"]]
        lookup = ledger.log_lookup(
            answered.result.query,
            ids,
            answered.took_ms,
            answered.answer.answered,
            ask.lookup,
            own_lookup(request),
        )
        page["ask"] = ask.in_lookup(lookup)
        page["lookup"] = now = ledger.lookup(lookup)
        page["likes"] = ledger.likes(ids)
        page["notes"] = ledger.notes(ids, reader_of(request))
        page["folders"] = [name for name in ledger.folders(reader_of(request)) if name]
        page["related"] = hints.related(ask.q, ledger, now.queries if now else ())
        response = view.page(request, "ask.html", **page)
        keep_lookup(response, lookup)
        return response

    @routes.get("/answer", dependencies=[Depends(check_same_site)])
    def answer(request: Request, ask: Annotated[Ask, Depends(asked)]) -> Response:
        ask = limited(ask)
        cancelled = threading.Event()
        events = product.answerer.events(ask.q, COUNTED, ask.filters, cancelled)
        # The search is run at once, so that a question that cannot be used is an error status.
        first = next(events)
        assert isinstance(first, Found)
        listed = Listed(first.result.hits, ask.shown)

        def shown(event: Event | ShioriError) -> tuple[str, str] | None:
            if isinstance(event, Status):
                return "status", event.text
            if isinstance(event, Sentence):
                block = _block(product, listed, event.block)
                return "sentence", view.fragment("_sentence.html", item=block)
            if isinstance(event, Answered):
                kept.put(event, ask.filters)
                written = _shown_answer(product, listed, event.answer)
                return "done", view.fragment("_written.html", written=written, heading="h2")
            if isinstance(event, ShioriError):
                return "error", f"{event.message}{event.hint}"
            return None

        return StreamingResponse(
            stream(events, cancelled, shown), media_type=MEDIA_TYPE, headers=HEADERS
        )

    @routes.get("/slip")
    def slip(request: Request, ask: Annotated[Ask, Depends(asked)]) -> Response:
        ask = limited(ask)
        return view.page(
            request,
            "slip.html",
            ask=ask,
            found=found(product, kept, ask),
            titles=[product.ledger.book(book_id).title for book_id in ask.book_ids],
            printed_at=time.time(),
        )

    @routes.get("/inquiry")
    def inquiry(request: Request, ask: Annotated[Ask, Depends(asked)]) -> Response:
        ask = limited(ask)
        return view.page(
            request,
            "inquiry.html",
            ask=ask,
            answer=Answerer(product.searcher).ask(ask.q, COUNTED, ask.filters).answer,
        )

    return routes


def read_as(ask: Ask, earlier: Lookup | None) -> Ask:
    """A follow-up as the whole question it is read as; any other question as it is."""
    if not ask.q or ask.said or earlier is None or earlier.solved_at is not None:
        return ask
    whole = standalone(ask.q, earlier.queries)
    return ask if whole == ask.q else replace(ask, q=whole, said=ask.q)


def recent(lookups: Iterable[Lookup]) -> list[Lookup]:
    """Look-ups to go on with from the empty page: each question once."""
    by_question = {lookup.queries[-1]: lookup for lookup in lookups if lookup.queries}
    return list(by_question.values())


def asked(
    q: str = "",
    book: Annotated[list[str] | None, Query()] = None,
    shelf: Annotated[list[str] | None, Query()] = None,
    edition: Annotated[list[str] | None, Query()] = None,
    as_of: str = "",
    citing: Annotated[list[str] | None, Query()] = None,
    act: Annotated[list[str] | None, Query()] = None,
    without: Annotated[list[str] | None, Query()] = None,
    shown: Annotated[int, Query(ge=1, le=COUNTED)] = SHOWN,
    lookup: int | None = None,
    said: str = "",
    wait: bool = False,
) -> Ask:
    """The question that an address carries."""
    return Ask(
        q.strip(),
        _given(book),
        _given(shelf),
        _given(edition),
        as_of.strip(),
        _given(citing),
        _given(act),
        _given(without),
        shown,
        lookup,
        said.strip(),
        wait,
    )


def in_books(ask: Ask, books: Mapping[str, Book]) -> Ask:
    """The same question with the books its `book` means; raises NotFound for one that means none."""
    ids: dict[str, None] = {}
    for written in ask.book:
        parts = [written] if _meant(written, books) else written.split("、")
        for part in parts:
            meant = _meant(part, books)
            if not meant:
                raise NotFound(
                    f"書名に「{part}」を含む本は、この書棚にありません。",
                    hint="書名の一部を入れ直すか、「本」の欄を空にしてください。",
                    field="book",
                )
            ids.update(dict.fromkeys(meant))
    return replace(ask, book_ids=tuple(ids))


def _meant(written: str, books: Mapping[str, Book]) -> list[str]:
    """The books of an id, else of a whole name, else of a part of one."""
    if written in books:
        return [written]
    wanted = fold(written)
    named = {book_id: fold(name_of(book)) for book_id, book in books.items()}
    whole = [book_id for book_id, name in named.items() if name == wanted]
    return whole or [book_id for book_id, name in named.items() if wanted in name]


def name_of(book: Book) -> str:
    """A book as the form's field names it: title and edition."""
    return f"{book.title} {book.edition}".strip()


def choices(product: Product) -> dict[str, list[Any]]:
    """What the shelf offers to limit a search to."""
    books = list(product.ledger.books().values())
    return {
        "books": sorted({name_of(book) for book in books}),
        "shelves": sorted({book.shelf for book in books if book.shelf}),
        "editions": sorted({book.edition for book in books if book.edition}),
        "acts": list(ACTS),
    }


def found(product: Product, kept: Kept, ask: Ask) -> dict[str, Any]:
    """Everything the page shows for a question; raises BadRequest or NotFound.

    `answered` is what the books say, `written` what a language model made of it, if it has
    done so already; `writes` is the address at which it is about to.
    """
    answered = Answerer(product.searcher).ask(ask.q, COUNTED, ask.filters)
    result = answered.result
    has_model = bool(product.settings.llm_url or product.settings.llm_factory)
    asks_model = has_model and answered.answer.answered and not ask.lists_citing
    written = kept.get(result, ask.filters) if asks_model else None
    if asks_model and ask.wait and written is None:
        whole = product.answerer.ask(ask.q, COUNTED, ask.filters)
        kept.put(whole, ask.filters)
        written = whole.answer
    hits = result.hits
    blocks = [*answered.answer.blocks, *(written.blocks if written else ())]
    cited = {item.passage_id for block in blocks for item in block.citations}
    last = max((n for n, hit in enumerate(hits, start=1) if hit.passage.id in cited), default=0)
    shown = hits[: max(ask.shown, last)]
    listed = Listed(hits, len(shown))
    widened = expanding.widened(result.readings)
    sought = marks.wanted(result.question)
    return {
        "answered": answered,
        "verbatim": _shown_answer(product, listed, answered.answer),
        "written": _shown_answer(product, listed, written) if written else None,
        "writes": "/answer?" + ask.parameters if asks_model and not written else "",
        "passages": [_shown(number, hit, sought) for number, hit in enumerate(shown, start=1)],
        "more": min(len(hits), len(shown) + SHOWN) if len(hits) > len(shown) else 0,
        "facets": _facets(product, ask, answered),
        "acts": _acts(product, ask, answered),
        "expansions": widened,
        "typical": expanding.typical(result.readings),
        "governing": expanding.governing(widened),
        "mentions": _mentions(answered),
        "unknown": answered.unknown,
        "spellings": _spellings(product, answered),
    }


def _given(values: Iterable[str] | None) -> tuple[str, ...]:
    """The values of a form's field; a choice left open is an empty one."""
    return tuple(value.strip() for value in values or () if value.strip())


def _mentions(answered: Answered) -> list[str]:
    """The articles and notices that the question names, written out."""
    mentions = answered.result.question.mentions
    named = (replace(mention.reference, paragraph=None, item=None) for mention in mentions)
    return list(dict.fromkeys(item.display for item in named if item.id != item.law))


def _spellings(product: Product, answered: Answered) -> list[str]:
    """Other ways to write a question of which something was not found."""
    unknown = answered.unknown
    if (answered.answer.answered and not unknown) or answered.result.question.mentions:
        return []
    return hints.spellings(answered.result.query, unknown, product.glossary)


def _shown_answer(product: Product, listed: Listed, answer: Answer) -> ShownAnswer:
    differing = [
        tuple((quote.text, listed.proof(product, quote.citation)) for quote in each.sides)
        for each in answer.differing
    ]
    # What is set side by side need not be told in a sentence too.
    said = {
        told(each, [proof.hit.book for _, proof in sides])
        for each, sides in zip(answer.differing, differing, strict=True)
    }
    return ShownAnswer(
        answer,
        [_block(product, listed, block) for block in answer.blocks],
        differing,
        [notice for notice in answer.notices if notice not in said],
    )


def _block(product: Product, listed: Listed, block: Block) -> ShownBlock:
    proofs: dict[int, Proof] = {}
    for item in block.citations:
        proof = listed.proof(product, item)
        proofs.setdefault(proof.number, proof)
    limits = ((limit.text, listed.proof(product, limit.citation)) for limit in block.limits)
    return ShownBlock(block, tuple(proofs.values()), tuple(limits))


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


def _facets(product: Product, ask: Ask, answered: Answered) -> list[Facet]:
    """How many of the best passages stand in which book, as if no book had been chosen."""
    hits = list(answered.result.hits)
    counts = Counter(hit.book.id for hit in hits)
    if ask.book:
        others = product.searcher.search(ask.q, COUNTED, ask.but(book=()).filters).hits
        # The chosen ones are listed though they may not be among the best of all.
        counts |= Counter(hit.book.id for hit in others)
        hits += others
    books = {hit.book.id: hit.book for hit in hits}
    return _chosen_first(
        Facet(name_of(books[each]), count, ask.but(book=(each,)).url, each in ask.book_ids)
        for each, count in counts.most_common()
    )


def _acts(product: Product, ask: Ask, answered: Answered) -> list[Facet]:
    """How many of the best passages are about which kind of notification, as if none had been chosen."""
    hits = answered.result.hits
    if ask.act:
        hits = product.searcher.search(ask.q, COUNTED, ask.but(act=()).filters).hits
    counts = Counter(act for hit in hits for act in acts_of(hit.passage))
    return _chosen_first(
        Facet(act, count, ask.but(act=(act,)).url, act in ask.act)
        for act, count in counts.most_common()
        if count > 1 or act in ask.act
    )


def _chosen_first(facets: Iterable[Facet]) -> list[Facet]:
    """What is chosen stays in sight, however long the list."""
    return sorted(facets, key=lambda facet: not facet.is_chosen)
