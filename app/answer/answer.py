"""The nouns of an answer: blocks of text, the citations that prove them, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.book import Citation


@dataclass(frozen=True, slots=True)
class Quote:
    """Verbatim text of one passage: `text == passage.text[start:end]` of its citation."""

    text: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Block:
    """One block of an answer with the passages that prove it.

    A `verbatim` block is the text of its only citation; any other is a model's sentence
    that was verified against its citations. `limits` are provisos and exceptions of those
    passages that the sentence leaves out, to be shown beside it.
    """

    text: str
    citations: tuple[Citation, ...]
    verbatim: bool = True
    limits: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class Differing:
    """Two sentences of two books on the same matter that cannot both be right, verbatim."""

    sides: tuple[Quote, Quote]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or why there is none.

    `confidence` is the share (0 to 1) of what the question asks for that the best passage
    holds. `notices` are sentences the user should read with it (a model that did not
    answer, a sentence that was taken out); `inquiry` is a draft of the question to the
    Legal Affairs Bureau where nothing was answered. `by_model` says who wrote the blocks,
    `dropped` how many sentences of a model did not stand. `differing` are the places where
    books disagree: they are set side by side, never blended.
    """

    answered: bool
    blocks: tuple[Block, ...]
    reason: str
    confidence: float
    notices: tuple[str, ...] = ()
    inquiry: str = ""
    by_model: bool = False
    dropped: int = 0
    differing: tuple[Differing, ...] = ()
