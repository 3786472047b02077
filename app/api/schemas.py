"""The shapes of the REST interface; the command line's --json prints the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.answer.answer import Block, Differing
from app.answer.compose import Answered
from app.api import examples
from app.core.book import Book, Hit, Passage
from app.search.pipeline import Filters, SearchResult


class FiltersIn(BaseModel):
    """What a search is limited to; empty lists limit nothing."""

    model_config = ConfigDict(extra="forbid")

    books: list[str] = Field(default_factory=list, description="書籍IDのいずれか")
    shelves: list[str] = Field(default_factory=list, description="書棚名のいずれか")
    editions: list[str] = Field(default_factory=list, description="版のいずれか (例: 第2版)")
    as_of: str = Field(default="", description="この日に有効な版だけ (例: 2026-04-01)")
    citing: list[str] = Field(
        default_factory=list, description="この条文・先例を引用している箇所だけ (例: 民法772条)"
    )
    acts: list[str] = Field(
        default_factory=list, description="この種類の届出についての箇所だけ (例: 離婚)"
    )

    def to_filters(self) -> Filters:
        """The same for the search."""
        return Filters(
            tuple(self.books),
            tuple(self.shelves),
            tuple(self.editions),
            self.as_of,
            tuple(self.citing),
            acts=tuple(self.acts),
        )


class QuestionIn(BaseModel):
    """A question with the number of passages wanted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.QUESTION]})

    query: str = Field(description="質問文、語句、または条文・先例番号")
    k: int = Field(default=10, description="返すパッセージの数 (1〜200)")
    filters: FiltersIn = Field(default_factory=FiltersIn)


class AskIn(QuestionIn):
    """A question that may go on from earlier ones."""

    history: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="これまでの質問 (古い順)。続きの質問を補って読む",
    )


class HitOut(BaseModel):
    """A passage found. Page indices count from 0; `page_label` is the printed page number."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.HIT]})

    rank: int
    score: float
    passage_id: str
    book_id: str
    book_title: str
    edition: str
    page_label: str
    page_index: int
    page_index_end: int
    section_path: list[str]
    article: str
    text: str
    source_file: str
    shelf: str
    as_of: str
    superseded: bool
    warnings: list[str]
    similar: list[str]


class ExpansionOut(BaseModel):
    """What was searched beside the user's own words, and the articles it led to.

    With the term よくある質問, `adds` is the typical question that is most like the user's.
    """

    term: str
    adds: list[str]
    articles: list[str]


class SearchOut(BaseModel):
    """The answer of /v1/search."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SEARCH]})

    query: str
    took_ms: float
    hits: list[HitOut]
    expansions: list[ExpansionOut]
    notices: list[str]


class SpanOut(BaseModel):
    """Characters `start:end` of a passage's text."""

    passage_id: str
    start: int
    end: int


class LimitOut(BaseModel):
    """A proviso or exception that a sentence leaves out, verbatim."""

    text: str
    span: SpanOut


class SentenceOut(BaseModel):
    """One sentence (or verbatim block) of an answer and the passages that prove it.

    `verbatim` is false for a model's sentence that was verified against its `spans`.
    """

    text: str
    citations: list[str]
    spans: list[SpanOut] = []
    verbatim: bool = True
    limits: list[LimitOut] = []


class SideOut(BaseModel):
    """What one of two books says, verbatim, with its edition and dates."""

    text: str
    span: SpanOut
    book_title: str
    edition: str
    published: str
    as_of: str
    superseded: bool


class DifferingOut(BaseModel):
    """Two books that say different things on one matter."""

    sides: list[SideOut]


class AskOut(BaseModel):
    """The answer of /v1/ask. `reason` says why nothing was answered.

    `confidence` is the share (0 to 1) of what was asked that the books hold, `by_model` says
    whether a language model wrote the answer (`dropped`: how many of its sentences did not
    stand), `inquiry` is a draft for the Legal Affairs Bureau where nothing was answered.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ASK]})

    query: str
    answered: bool
    answer: list[SentenceOut]
    reason: str
    confidence: float = 0.0
    by_model: bool = False
    dropped: int = 0
    differing: list[DifferingOut] = []
    inquiry: str = ""
    took_ms: float
    hits: list[HitOut]
    expansions: list[ExpansionOut]
    notices: list[str]


class PassageOut(BaseModel):
    """A passage with its place: `boxes` are fractions of the page, origin top left."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PASSAGE]})

    passage_id: str
    book: BookOut
    section_path: list[str]
    article: str
    text: str
    page_index: int
    page_index_end: int
    page_label: str
    boxes: list[dict[str, Any]]
    about: list[str]
    cites: list[str]


class BookOut(BaseModel):
    """A book on the shelf."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BOOK]})

    id: str
    title: str
    edition: str
    shelf: str
    authors: str
    publisher: str
    published: str
    isbn: str
    as_of: str
    pages: int
    passages: int
    superseded_by: str
    source_file: str


class HealthOut(BaseModel):
    """Whether the service answers, and with what."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.HEALTH]})

    status: str = Field(description="ready または loading")
    version: str
    books: int
    passages: int
    search: str = Field(description="lexical (語による検索) または hybrid (語と意味による検索)")
    engine: str = Field(description="embedded または server")
    model: str = Field(description="埋め込みモデルの名前。使っていなければ空")
    model_state: str = Field(description="none, loading, ready または failed")
    reranker: str = Field(description="並べ替えモデルの名前。使っていなければ空")
    reranker_state: str = Field(description="none, loading, ready または failed")
    llm: str = Field(default="", description="言語モデルの名前。使っていなければ空")
    llm_state: str = Field(default="none", description="none, loading, ready または failed")
    message: str


class Failure(BaseModel):
    """What went wrong, and what the caller can do."""

    code: str = Field(examples=["bad_request"])
    message: str = Field(examples=["質問が空です。"])
    hint: str = Field(description="次にすること")
    field: str = Field(description="原因の入力の名前。なければ空")
    request_id: str = Field(description="この要求の記録の番号")


class ErrorOut(BaseModel):
    """The one error shape."""

    error: Failure


def hit_out(hit: Hit) -> HitOut:
    """A hit as the interfaces show it."""
    passage, book = hit.passage, hit.book
    return HitOut(
        rank=hit.rank,
        score=hit.score,
        passage_id=passage.id,
        book_id=book.id,
        book_title=book.title,
        edition=book.edition,
        page_label=passage.page_label,
        page_index=passage.page_index,
        page_index_end=passage.page_index_end,
        section_path=list(passage.section_path),
        article=passage.article,
        text=passage.text,
        source_file=book.source_file,
        shelf=book.shelf,
        as_of=book.as_of,
        superseded=bool(book.superseded_by),
        warnings=list(hit.warnings),
        similar=list(hit.similar),
    )


def book_out(book: Book) -> BookOut:
    """A book as the interfaces show it."""
    return BookOut(**asdict(book))


def passage_out(passage: Passage, book: Book) -> PassageOut:
    """A passage as the interfaces show it."""
    return PassageOut(
        passage_id=passage.id,
        book=book_out(book),
        section_path=list(passage.section_path),
        article=passage.article,
        text=passage.text,
        page_index=passage.page_index,
        page_index_end=passage.page_index_end,
        page_label=passage.page_label,
        boxes=[asdict(page) for page in passage.boxes],
        about=list(passage.about),
        cites=list(passage.cites),
    )


def search_out(result: SearchResult) -> SearchOut:
    """A search result as the interfaces show it."""
    return SearchOut(query=result.query, took_ms=result.took_ms, **_shared(result))


def ask_out(answered: Answered) -> AskOut:
    """An answer as the interfaces show it."""
    answer = answered.answer
    return AskOut(
        query=answered.result.query,
        answered=answer.answered,
        answer=[sentence_out(block) for block in answer.blocks],
        reason=answer.reason,
        confidence=round(answer.confidence, 4),
        by_model=answer.by_model,
        dropped=answer.dropped,
        differing=[_differing_out(each, answered.result.hits) for each in answer.differing],
        inquiry=answer.inquiry,
        took_ms=answered.took_ms,
        **{
            **_shared(answered.result),
            "notices": [*answered.result.notices, *answer.notices],
        },
    )


def sentence_out(block: Block) -> SentenceOut:
    """A block of an answer as the interfaces show it."""
    return SentenceOut(
        text=block.text,
        citations=list(dict.fromkeys(citation.passage_id for citation in block.citations)),
        spans=[SpanOut(**asdict(citation)) for citation in block.citations],
        verbatim=block.verbatim,
        limits=[
            LimitOut(text=limit.text, span=SpanOut(**asdict(limit.citation)))
            for limit in block.limits
        ],
    )


def _differing_out(differing: Differing, hits: Sequence[Hit]) -> DifferingOut:
    books = {hit.passage.id: hit.book for hit in hits}
    sides = [(quote, books[quote.citation.passage_id]) for quote in differing.sides]
    return DifferingOut(
        sides=[
            SideOut(
                text=quote.text,
                span=SpanOut(**asdict(quote.citation)),
                book_title=book.title,
                edition=book.edition,
                published=book.published,
                as_of=book.as_of,
                superseded=bool(book.superseded_by),
            )
            for quote, book in sides
        ]
    )


def _shared(result: SearchResult) -> dict[str, Any]:
    return {
        "hits": [hit_out(hit) for hit in result.hits],
        "expansions": [
            ExpansionOut(term=item.term, adds=list(item.adds), articles=list(item.articles))
            for item in result.readings
        ],
        "notices": list(result.notices),
    }
