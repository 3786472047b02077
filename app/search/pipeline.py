"""A question in, ranked passages out: the one way every face of the product searches."""

from __future__ import annotations

import contextlib
import datetime
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core import references
from app.core.book import Book, Hit, Passage
from app.core.errors import BadRequest, ModelUnavailable, NotFound
from app.core.glossary import ASKED, Expansion, Glossary
from app.core.ledger import Ledger
from app.core.lexical import WORDS, encode_query
from app.core.references import Reference
from app.core.store import Leg, Where
from app.search import known
from app.search.acts import ACTS, is_about
from app.search.current import Current
from app.search.group import grouped
from app.search.question import Question, understand
from app.search.rerank import Reranker, reranked
from app.search.retrieve import Candidate, Retriever, Weights

log = logging.getLogger(__name__)

MAX_K = 200
# Enough beyond what is shown for links to be followed.
_POOL = 60
# The engine does not know what a passage is about: more is fetched, and the rest left out.
_POOL_OF_ACTS = 300
# A typical question that shares less than this with the user's is not shown beside it, and of its
# articles no more than these.
_LIKE_ENOUGH = 0.35
_LIKE_ARTICLES = 3
# How often a search is run again because a book was replaced meanwhile.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is limited to; empty fields limit nothing.

    `as_of` is an ISO date: only editions published by then, and not yet superseded then.
    `citing` are references as written (民法772条): only passages that cite one of them.
    `acts` are kinds of notification (`app.search.acts.ACTS`). `ignore` are words of the
    question whose glossary terms are not searched.
    """

    books: tuple[str, ...] = ()
    shelves: tuple[str, ...] = ()
    editions: tuple[str, ...] = ()
    as_of: str = ""
    citing: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found, how the question was read, and what the user should know about it."""

    query: str
    took_ms: float
    hits: tuple[Hit, ...]
    question: Question
    notices: tuple[str, ...] = ()

    @property
    def expansions(self) -> tuple[Expansion, ...]:
        """The glossary entries that were used."""
        return self.question.expansions

    @property
    def readings(self) -> tuple[Expansion, ...]:
        """How the question was read, to be shown: the expansions, and the typical question it is like."""
        likeness = self.question.likeness
        if likeness.nearest is None or likeness.coverage < _LIKE_ENOUGH:
            return self.expansions
        best = (id_.split(":", 1) for id_ in list(likeness.votes)[:_LIKE_ARTICLES])
        articles = tuple(Reference(law, article).display for law, article in best)
        adds = (likeness.nearest.text,)
        whole = Expansion(ASKED, 0, len(self.query), adds, articles, ASKED, likeness.coverage)
        return (*self.expansions, whole)


class Searcher:
    """Searches the shelf. The index and the reranker are asked for anew each time: both can change.

    `reranker` returns None while none is configured or loaded; it reads the first
    `rerank_candidates`. A model that fails leaves a search by words, and a notice.
    """

    def __init__(
        self,
        ledger: Ledger,
        current: Current,
        glossary: Glossary,
        *,
        reranker: Callable[[], Reranker | None] = lambda: None,
        rerank_candidates: int = 30,
        weights: Weights | None = None,
        question_max_chars: int = 1000,
        warnings: Callable[[Book, Passage], tuple[str, ...]] = lambda book, passage: (),
    ) -> None:
        self._ledger = ledger
        self._current = current
        self._glossary = glossary
        self._reranker = reranker
        self._rerank_candidates = rerank_candidates
        self.weights = weights or Weights()
        self._max_chars = question_max_chars
        self._warnings = warnings
        self._retriever = Retriever(ledger, self.weights)

    def search(self, text: str, k: int = 10, filters: Filters = NO_FILTERS) -> SearchResult:
        """The `k` best passages for a question; raises BadRequest for input it cannot use."""
        started = time.perf_counter()
        if not 1 <= k <= MAX_K:
            raise BadRequest(
                f"件数 k={k} は使えません。", hint=f"1から{MAX_K}までにしてください。", field="k"
            )
        question = understand(text, self._glossary, self._max_chars, filters.ignore)
        _check_acts(filters.acts)
        limit = max(_POOL_OF_ACTS if filters.acts else _POOL, k)
        candidates, notices = self._settled(question, filters, limit)
        if filters.acts:
            candidates = [item for item in candidates if is_about(item.passage, filters.acts)]
        if candidates:
            candidates = self._judged(question, candidates, notices)
        hits = tuple(self._shown(candidates, k))
        took_ms = (time.perf_counter() - started) * 1000
        return SearchResult(question.text, round(took_ms, 3), hits, question, tuple(notices))

    def word_weights(self, question: Question) -> dict[str, float]:
        """How much each of the question's words says: about its inverse document frequency.

        The engine keeps no table of frequencies, so each word is searched alone: its best
        score is that frequency times a saturated term weight, which varies little. A word
        no passage holds gets 0.
        """
        terms = list(question.terms)
        legs = [Leg(WORDS, encode_query({term: 1.0}), 1) for term in terms]
        with self._current.use() as index:
            found = index.store.search(legs, Where(hidden=self._ledger.hidden()))
        return {
            term: scored[0].score if scored else 0.0
            for term, scored in zip(terms, found, strict=True)
        }

    def similar(self, hit: Hit) -> list[Hit]:
        """The near-duplicates in other books that a hit stands for as well."""
        found: list[Hit] = []
        for passage_id in hit.similar:
            # A book that was replaced meanwhile has no say any more.
            with contextlib.suppress(NotFound):
                passage = self._ledger.passage(passage_id)
                found.append(replace(hit, passage=passage, book=self._ledger.book(passage.book_id)))
        return found

    def _settled(
        self, question: Question, filters: Filters, limit: int
    ) -> tuple[Sequence[Candidate], list[str]]:
        """Candidates and notices of a shelf on which no book was replaced meanwhile.

        A book that is replaced during a search could be found twice, or not at all.
        """
        for _ in range(_ATTEMPTS):
            live = set(self._ledger.live_generations().values())
            where = self._where(filters)
            notices: list[str] = []
            if where:
                found = self._found(question, where, limit, notices)
            else:
                found = []
                notices.append(
                    f"{filters.as_of} の時点で有効な本は、探した範囲にありません。"
                    "日付の指定を外すか、後の日付にしてください。"
                )
            candidates = [candidate for candidate in found if candidate.key[0] in live]
            if live <= set(self._ledger.live_generations().values()):
                break
        return candidates, notices

    def _found(
        self, question: Question, where: Where, limit: int, notices: list[str]
    ) -> list[Candidate]:
        with self._current.use() as index:
            books = self._ledger.books().values() if question.mentions else ()
            notices += known.notices(index.store, where, question.mentions, books)
            vector: Sequence[float] | None = None
            if index.dense is not None and self.weights.dense > 0:
                try:
                    vector = index.dense.encode_query(question.text)
                except ModelUnavailable as error:
                    log.error("dense leg left out", extra={"error": error.message})
                    notices.append("意味による検索が働かなかったので、語だけで探しました。")
            return self._retriever.candidates(index.store, question, where, limit, vector)

    def _judged(
        self, question: Question, candidates: Sequence[Candidate], notices: list[str]
    ) -> Sequence[Candidate]:
        reranker = self._reranker() if self.weights.rerank > 0 else None
        if reranker is None:
            return candidates
        share, top = self.weights.rerank, self._rerank_candidates
        named = frozenset(item.reference.article_id for item in question.mentions)
        try:
            return reranked(question.text, candidates, reranker, share, top, named)
        except ModelUnavailable as error:
            log.error("reranking left out", extra={"error": error.message})
            notices.append("並べ替えモデルが働かなかったので、元の順で示しています。")
            return candidates

    def _shown(self, candidates: Sequence[Candidate], k: int) -> list[Hit]:
        """The `k` best hits: superseded editions below current ones, near-duplicates joined."""
        books = self._ledger.books()
        there = [item for item in candidates if item.passage.book_id in books]
        for candidate in there:
            if books[candidate.passage.book_id].superseded_by:
                candidate.score *= self.weights.superseded
        there.sort(key=lambda item: (-item.score, item.key))
        passages = [item.passage for item in there]
        groups = grouped(passages, k)
        # What only an old edition says may be among the best, but stands below every current one.
        groups.sort(key=lambda group: bool(books[passages[group[0]].book_id].superseded_by))
        return [
            Hit(
                rank=rank,
                score=round(there[first].score, 6),
                passage=passages[first],
                book=books[passages[first].book_id],
                warnings=self._warnings(books[passages[first].book_id], passages[first]),
                similar=tuple(passages[place].id for place in others),
            )
            for rank, (first, others) in enumerate(groups, start=1)
        ]

    def _where(self, filters: Filters) -> Where | None:
        """The engine's filter; None where the filters leave no book to search."""
        for book_id in filters.books:
            self._ledger.book(book_id)
        where = Where(
            books=filters.books,
            shelves=filters.shelves,
            editions=filters.editions,
            cites=tuple(_cited_ids(filters.citing)),
            hidden=self._ledger.hidden(),
        )
        if not filters.as_of:
            return where
        valid = valid_books(self._ledger.books(), filters.as_of)
        wanted = [book_id for book_id in filters.books or valid if book_id in valid]
        return replace(where, books=tuple(sorted(wanted))) if wanted else None


def valid_books(books: Mapping[str, Book], date: str) -> set[str]:
    """Ids of the books that stood on the shelf as the newest edition at an ISO date.

    A book without a date counts as always published. Raises BadRequest for a bad date.
    """
    try:
        day = datetime.date.fromisoformat(date).isoformat()
    except ValueError:
        raise BadRequest(
            f"日付「{date}」を読めません。", hint="2026-04-01 の形で書いてください。", field="as_of"
        ) from None
    return {
        book.id
        for book in books.values()
        if _published_by(book, day)
        and not (book.superseded_by and _published_by(books[book.superseded_by], day))
    }


def _published_by(book: Book, day: str) -> bool:
    # A date known to the month or year (2024-03) compares as the start of it.
    return (book.published or book.as_of) <= day


def _check_acts(acts: Sequence[str]) -> None:
    for act in acts:
        if act not in ACTS:
            raise BadRequest(
                f"届出の種類「{act}」はありません。",
                hint=f"{'、'.join(ACTS)} のどれかにしてください。",
                field="acts",
            )


def _cited_ids(written: Sequence[str]) -> list[str]:
    ids: list[str] = []
    for text in written:
        mentions = references.find(text, asked=True)
        if not mentions:
            raise BadRequest(
                f"「{text}」は条文や先例の表記として読めません。",
                hint="民法772条、昭39.6.30民事甲2240号 のように書いてください。",
                field="citing",
            )
        ids += [mention.reference.id for mention in mentions]
    return ids
