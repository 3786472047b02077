"""Sections → passages: the units that are indexed, ranked, shown and cited.

A passage never crosses a section, and carries its section's heading with it: an
article or a question is not parted from what it says. A section longer than the
passage length is cut between paragraphs (項), then between sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from app.core import references
from app.core.book import Box, Document, PageBoxes, Passage, passage_ids
from app.core.japanese import sentences
from app.core.references import Reference
from ingest.contents import index_terms
from ingest.sections import Paragraph, Section, sections, slice_paragraph

# A section this much longer than the passage length still stays whole: a short
# remainder would be a passage that says nothing on its own.
_TOLERANCE = 1.5


_PARAGRAPH = re.compile(r"([②-⑳]|[2-9２-９]|[1１][0-9０-９])[\s　]")


@dataclass(frozen=True, slots=True)
class _Chunk:
    section: Section
    paragraphs: tuple[Paragraph, ...]
    # The number of the paragraph (項) that runs on from the chunk before; 0 at the start.
    number: int = 0

    @property
    def text(self) -> str:
        return "\n".join(paragraph.text for paragraph in self.paragraphs)


def passages(document: Document, book_id: str, passage_chars: int = 600) -> list[Passage]:
    """A document's passages in reading order; `passage_chars` is the length aimed at."""
    chunks = [
        chunk
        for section in _speaking(sections(document))
        for chunk in _chunks(section, passage_chars)
    ]
    ids = passage_ids(book_id, [(chunk.section.path, chunk.text) for chunk in chunks])
    labels = {page.index: page.label for page in document.pages}
    terms = index_terms(document)
    law = references.law_name(document.title)
    return [
        _passage(chunk, passage_id, book_id, ordinal, labels, terms, law)
        for ordinal, (passage_id, chunk) in enumerate(zip(ids, chunks, strict=True))
    ]


def _speaking(found: Sequence[Section]) -> Iterator[Section]:
    """The sections with text of their own, and headings with nothing below them.

    A heading that others stand below is in their paths. Nothing would hold the words of one
    that has nothing below (第三章　削除, the lines of a title page): those in a row are one section.
    """
    alone: list[Section] = []
    for section, after in zip_longest(found, found[1:]):
        own = section.paragraphs or section.kind in ("article", "question")
        if not own and section.heading is not None:
            depth = len(section.headings)
            if after is None or after.headings[:depth] != section.headings:
                alone.append(section)
            continue
        yield from _joined(alone)
        alone = []
        if own:
            yield section
    yield from _joined(alone)


def _joined(alone: Sequence[Section]) -> Iterator[Section]:
    if alone:
        lines = tuple(section.heading for section in alone[1:] if section.heading is not None)
        yield replace(alone[0], paragraphs=lines)


def _chunks(section: Section, passage_chars: int) -> Iterator[_Chunk]:
    heading = (section.heading,) if section.heading is not None else ()
    whole = _Chunk(section, heading + section.paragraphs)
    if len(whole.text) <= passage_chars * _TOLERANCE:
        yield whole
        return
    current: list[Paragraph] = list(heading)
    length = sum(len(paragraph.text) for paragraph in current)
    number = before = 0
    for paragraph in _cut_long(section.paragraphs, passage_chars):
        if len(current) > len(heading) and length + len(paragraph.text) > passage_chars:
            yield _Chunk(section, tuple(current), before)
            current, length, heading, before = [], 0, (), number
        number = _paragraph_number(paragraph.text) or max(number, 1)
        current.append(paragraph)
        length += len(paragraph.text)
    if current:
        yield _Chunk(section, tuple(current), before)


def _cut_long(paragraphs: Iterable[Paragraph], passage_chars: int) -> Iterator[Paragraph]:
    limit = int(passage_chars * _TOLERANCE)
    for paragraph in paragraphs:
        if len(paragraph.text) <= limit:
            yield paragraph
            continue
        start = 0
        for _, end in sentences(paragraph.text):
            while end - start > limit:
                yield slice_paragraph(paragraph, start, start + limit)
                start += limit
            if end - start >= passage_chars // 2:
                yield slice_paragraph(paragraph, start, end)
                start = end
        if paragraph.text[start:].strip():
            yield slice_paragraph(paragraph, start, len(paragraph.text))


def _passage(
    chunk: _Chunk,
    passage_id: str,
    book_id: str,
    ordinal: int,
    labels: dict[int, str],
    terms: dict[int, tuple[str, ...]],
    law: str,
) -> Passage:
    section = chunk.section
    pieces = [piece for item in chunk.paragraphs for piece in item.pieces]
    pages = sorted({piece.page_index for piece in pieces})
    halves = (piece.label for piece in pieces if piece.page_index == pages[0])
    own = _own_reference(section, law)
    numbered = list(_numbered(chunk)) if own else []
    about = _own_ids(own, [number for number, _ in numbered]) if own else ()
    found = references.find(chunk.text, law=own.law if own else law)
    relative = _relative(own, numbered) if own else []
    cited = [*(mention.reference for mention in found), *relative]
    if own and law and own.law != law:
        # Who asks for 戸籍法附則第3条 may mean that of an amending act.
        cited.append(replace(own, law=law))
    cites = dict.fromkeys(
        id_ for reference in cited for id_ in (reference.article_id, reference.id)
    )
    readings = (reading for item in chunk.paragraphs for reading in item.readings)
    resolved = (reference.display for reference in relative)
    listed = (term for page in pages for term in terms.get(page, ()))
    return Passage(
        id=passage_id,
        book_id=book_id,
        ordinal=ordinal,
        text=chunk.text,
        section_path=section.path,
        article=section.headings[-1].label if section.headings else "",
        kind="article" if own else section.kind,
        page_index=pages[0],
        page_index_end=pages[-1],
        page_label=next(halves, "") or labels.get(pages[0], ""),
        boxes=_boxes(chunk.paragraphs),
        about=about,
        cites=tuple(id_ for id_ in cites if id_ not in about),
        context="\n".join(dict.fromkeys((*resolved, *readings, *listed))),
    )


def _own_reference(section: Section, law: str) -> Reference | None:
    """What article a section is: of the law the book is, or of the law its heading names."""
    if not section.headings:
        return None
    own = section.headings[-1]
    if law and own.kind == "article":
        supplements = [item.text for item in section.headings if item.kind == "supplement"]
        # 附則（令和五年法律第四八号）is that act's own, and its articles count from one again.
        act = references.law_name(supplements[0]) if supplements else ""
        written = f"{act or law}{'附則' if supplements else ''}{own.label}"
    elif not law and own.kind == "heading":
        written = own.text
    else:
        return None
    mentions = references.find(written)
    if not mentions or mentions[0].start != 0 or not mentions[0].reference.article:
        return None
    # The name of 戸籍法附則第三条第一項の戸籍の改製に関する省令 begins with an article of another law.
    if re.match(r"\w", written[mentions[0].end :]):
        return None
    return replace(mentions[0].reference, paragraph=None, item=None)


def _relative(own: Reference, numbered: Iterable[tuple[int, str]]) -> list[Reference]:
    """What 前項, 同条 and their like mean in each paragraph of an article."""
    return [
        mention.reference
        for number, text in numbered
        for mention in references.resolve_relative(
            text, law=own.law, article=own.article, paragraph=number
        )
    ]


def _own_ids(own: Reference, numbers: list[int]) -> tuple[str, ...]:
    ids = [replace(own, paragraph=number).id for number in numbers]
    return tuple(dict.fromkeys((own.article_id, *ids)))


def _numbered(chunk: _Chunk) -> Iterator[tuple[int, str]]:
    """The paragraphs (項) of an article with their numbers; items belong to the one above."""
    number = chunk.number
    lines: list[str] = []
    for paragraph in chunk.paragraphs:
        if paragraph is chunk.section.heading:
            continue
        stated = _paragraph_number(paragraph.text)
        if stated and lines:
            yield number, "\n".join(lines)
            lines = []
        number = stated or max(number, 1)
        lines.append(paragraph.text)
    if lines:
        yield number, "\n".join(lines)


def _paragraph_number(text: str) -> int:
    """The number a paragraph (項) states at its beginning; 0 where it states none."""
    match = _PARAGRAPH.match(text)
    if match is None:
        return 0
    mark = match[1]
    return ord(mark) - ord("①") + 1 if "①" <= mark <= "⑳" else int(mark)


def _boxes(paragraphs: Iterable[Paragraph]) -> tuple[PageBoxes, ...]:
    boxes: dict[int, list[Box]] = {}
    for paragraph in paragraphs:
        for piece in paragraph.pieces:
            found = boxes.setdefault(piece.page_index, [])
            if piece.box is not None and piece.box not in found:
                found.append(piece.box)
    return tuple(PageBoxes(page, tuple(found)) for page, found in sorted(boxes.items()) if found)
