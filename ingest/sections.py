"""Pages of printed lines → sections: which heading every paragraph stands under.

A heading is what the format itself marks, what the file's outline names, what a label
in the field's form announces (第2章, 第七十七条の二, 問12, 【解説】), a short line set larger, or
one of `numbered_headings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from app.core.book import Box, Document, Line, LineKind, joint
from ingest.contents import contents_pages, index_pages
from ingest.metadata import is_colophon
from ingest.numbered import numbered_headings

_NUMBER = r"[0-9０-９〇一二三四五六七八九十百千]+"
_BRANCH = rf"(?:[のノ]{_NUMBER})*"
_AFTER = r"(?=[\s　（(]|$)"

# Ranks order headings without a stated level; the format's own levels are 1 to 6.
_ARTICLE_RANK = 7.0
_BRACKET_RANK = 8.0
_NUMBERED_RANK = 6.0
_DIVISIONS = {"編": 1.0, "部": 1.2, "章": 2.0, "節": 3.0, "款": 4.0, "目": 5.0}

_DIVISION = re.compile(rf"第\s*{_NUMBER}\s*([編部章節款目]){_BRANCH}{_AFTER}")
_ARTICLE = re.compile(rf"(第\s*{_NUMBER}\s*条{_BRANCH})(?=[\s　（(]|$)")
_QUESTION = re.compile(rf"((?:問|設問|質問|Ｑ|Q)\s*{_NUMBER}{_BRANCH})(?=[\s　.．:：（(]|$)")
_SUPPLEMENT = re.compile(r"附[\s　]*則")
_APPENDIX = re.compile(rf"(別表|別記|附録|様式)(第{_NUMBER}{_BRANCH})?{_AFTER}")
_BRACKET = re.compile(r"【[^】]{1,30}】$")
_CAPTION_AFTER = re.compile(r"\s*[（(][^（）()]*(?:[（(][^（）()]*[）)][^（）()]*)*[）)]")
_ANSWER = re.compile(rf"(?:答|回答|Ａ|A){_NUMBER}?[\s　.．:：]|【")
_ENDS = ("。", "．", "？", "?")
_ASKS = ("か。", "か．", "か", "？", "?")
_LONGEST_QUESTION = 200
_ALIGNED = 0.003  # of the page's width or height
_NOTE_MARK = re.compile(
    rf"[(（]?((?:注|註|※|[*＊†])\s*(?:{_NUMBER})?|{_NUMBER}[)）])"  # a number alone is no sure mark
)
_CAPTION = re.compile(r"[（(][^（）()]{1,60}[）)]$")


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start:end` of a paragraph stand in `box` on page `page_index`.

    `label` is the printed number there, where a sheet bears two pages.
    """

    start: int
    end: int
    page_index: int
    box: Box | None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Printed lines joined; `readings` are the ruby texts beside them."""

    text: str
    pieces: tuple[Piece, ...]
    kind: LineKind = "body"
    readings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its printed text, what it is, its rank (lower is higher up) and its label.

    `kind` is division, article, question, supplement, appendix, bracket or heading;
    `label` is the article or question alone (第七十七条の二, 問12), else empty.
    """

    text: str
    kind: str
    rank: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the paragraphs under it, up to the next heading of any rank.

    `headings` run from the outermost to the section's own; empty before the first one.
    """

    headings: tuple[Heading, ...]
    heading: Paragraph | None
    paragraphs: tuple[Paragraph, ...]

    @property
    def path(self) -> tuple[str, ...]:
        """The headings' printed texts, outermost first."""
        return tuple(heading.text for heading in self.headings)

    @property
    def kind(self) -> str:
        """The kind of the section's own heading; empty before the first one."""
        return self.headings[-1].kind if self.headings else ""


def sections(document: Document) -> list[Section]:
    """A document's sections in reading order; tables of contents and indexes are left out.

    The document's own title as a first heading is no part of the paths.
    """
    builder = _Builder(document.title)
    outline = {(_bare(item.title), item.page_index): item.level for item in document.outline}
    pointing = contents_pages(document) | index_pages(document)
    shown = [page for page in document.pages if page.index not in pointing]
    forms = numbered_headings([line for page in shown for line in page.lines])
    number = 0
    for page in shown:
        if page.index >= len(document.pages) // 2 and is_colophon(page):
            builder.begin_anew()
        builder.turn_page()
        for line in page.lines:
            level = line.level or outline.get((_bare(line.text), page.index), 0)
            builder.add(replace(line, level=level), page.index, forms.get(number, ""))
            number += 1
    return builder.finish()


def paragraphs(document: Document) -> Iterator[Paragraph]:
    """Every paragraph of a document in reading order, headings included."""
    for section in sections(document):
        if section.heading is not None:
            yield section.heading
        yield from section.paragraphs


@dataclass
class _Builder:
    title: str
    stack: list[Heading] = field(default_factory=list)
    heading: Paragraph | None = None
    body: list[Paragraph] = field(default_factory=list)
    done: list[Section] = field(default_factory=list)
    caption: Paragraph | None = None
    first_of_page: int = 0
    note_in: int | None = None
    ranks: dict[str, float] = field(default_factory=dict)

    def begin_anew(self) -> None:
        """What follows stands under none of the headings so far."""
        self._place_caption()
        self._close()
        self.stack = []

    def turn_page(self) -> None:
        """The next lines stand on another page; its notes belong to the sections on it."""
        self.first_of_page = len(self.done)
        self.note_in = None

    def add(self, line: Line, page_index: int, form: str = "") -> None:
        """Take the next line; `form` is that of its number where it is a numbered heading."""
        paragraph = _paragraph(line, page_index)
        if not paragraph.text:
            return
        if line.kind == "footnote" and self._place_note(paragraph, line):
            return
        goes_on = not line.starts_paragraph or self._asks_on(line)
        if goes_on and self._continue(paragraph, line):
            return
        split = _split_heading(line)
        if split is None and form and self._may_be_numbered():
            split = Heading(_shown(line.text), "heading", self._rank_of(form)), ""
        if split is None:
            self._place_caption()
            if _CAPTION.match(line.text.strip()) and line.level == 0 and line.kind == "body":
                self.caption = paragraph
            else:
                self.body.append(paragraph)
            return
        heading, rest = split
        text = paragraph.text
        at = len(text) - len(rest)
        self._open(heading, slice_paragraph(paragraph, 0, len(text[:at].rstrip())))
        if rest:
            self.body.append(slice_paragraph(paragraph, at, len(text)))

    def _may_be_numbered(self) -> bool:
        """Numbered parts of an article or an answer stay with it; its 解説 may have parts."""
        kinds = [heading.kind for heading in self.stack]
        return "question" not in kinds and kinds[-1:] != ["article"]

    def _rank_of(self, form: str) -> float:
        """A form of number stands below those met before it, and below 【】 where it began there."""
        if form not in self.ranks:
            below = any(heading.kind == "bracket" for heading in self.stack)
            self.ranks[form] = (_BRACKET_RANK if below else _NUMBERED_RANK) + 0.1 * (
                len(self.ranks) + 1
            )
        return self.ranks[form]

    def _place_note(self, note: Paragraph, line: Line) -> bool:
        """Put a note at the foot of a page into the section above that refers to it by its mark."""
        if line.starts_paragraph:
            mark = _NOTE_MARK.match(note.text)
            self.note_in = None
            if mark is None or any(mark[1] in paragraph.text for paragraph in self.body):
                return False
            for number in range(self.first_of_page, len(self.done)):
                if any(mark[1] in paragraph.text for paragraph in self.done[number].paragraphs):
                    self.note_in = number
                    break
        if self.note_in is None:
            return False
        section = self.done[self.note_in]
        paragraphs = section.paragraphs
        if line.starts_paragraph:
            paragraphs = (*paragraphs, note)
        else:
            paragraphs = (*paragraphs[:-1], _join(paragraphs[-1], note))
        self.done[self.note_in] = replace(section, paragraphs=paragraphs)
        return True

    def _continue(self, paragraph: Paragraph, line: Line) -> bool:
        self._place_caption()
        if self.body and self.body[-1].kind == line.kind:
            self.body[-1] = _join(self.body[-1], paragraph)
            return True
        if not self.body and self.heading is not None and self._heading_goes_on(line):
            self.heading = _join(self.heading, paragraph)
            own = self.stack[-1]
            self.stack[-1] = replace(own, text=_shown(self.heading.text))
            return True
        return False

    def _heading_goes_on(self, line: Line) -> bool:
        """Whether a line that continues the one before is still its heading."""
        if line.kind == "heading":
            return True
        assert self.heading is not None  # asked right below a heading only
        before, text = self.heading.text, line.text.strip()
        if self.stack[-1].kind != "question" or line.kind != self.heading.kind:
            return False
        if len(before) > _LONGEST_QUESTION or _ANSWER.match(text):
            return False
        # A question of several sentences may break between them; an answer asks nothing.
        return not before.endswith(_ENDS) or text.endswith(_ASKS)

    def _asks_on(self, line: Line) -> bool:
        """Whether a line set like the question above it, and asking too, is its next sentence."""
        if self.body or self.heading is None or self.stack[-1].kind != "question":
            return False
        above = self.heading.pieces[-1].box
        if above is None or line.box is None or not line.text.strip().endswith(_ASKS):
            return False
        return _split_heading(line) is None and (
            abs(above.x0 - line.box.x0) < _ALIGNED or abs(above.y0 - line.box.y0) < _ALIGNED
        )

    def _open(self, heading: Heading, paragraph: Paragraph) -> None:
        caption, self.caption = self.caption, None
        if caption is not None:
            if heading.kind == "article":
                # A law prints an article's caption on the line above the article.
                paragraph = _join(paragraph, caption)
                heading = replace(heading, text=heading.text + _shown(caption.text))
            else:
                self.body.append(caption)
        self._close()
        while self.stack and self.stack[-1].rank >= heading.rank:
            self.stack.pop()
        if not self.done and not self.stack and _bare(heading.text) == _bare(self.title):
            return
        self.stack.append(heading)
        self.heading = paragraph

    def _place_caption(self) -> None:
        # Only an article directly below may take a caption; otherwise it is ordinary text.
        caption, self.caption = self.caption, None
        if caption is not None:
            self.body.append(caption)

    def _close(self) -> None:
        if self.body or self.heading is not None:
            self.done.append(Section(tuple(self.stack), self.heading, tuple(self.body)))
        self.body = []
        self.heading = None

    def finish(self) -> list[Section]:
        self._place_caption()
        self._close()
        return self.done


def _split_heading(line: Line) -> tuple[Heading, str] | None:
    """The heading a line opens, and the rest of the line that is body text; None for body."""
    if line.kind in ("table", "footnote") or not line.starts_paragraph:
        return None
    text = line.text.strip()
    level = float(line.level)
    if match := _ARTICLE.match(text):
        return _article(text, match, level)
    if match := _QUESTION.match(text):
        heading = Heading(_shown(text), "question", max(level, _ARTICLE_RANK), _bare(match[1]))
        return heading, ""
    if match := _DIVISION.match(text):
        if line.level == 0 and (len(text) > 60 or text.endswith("。")):
            return None
        return Heading(_shown(text), "division", level or _DIVISIONS[match[1]]), ""
    if _SUPPLEMENT.match(text) and len(text) <= 60 and not text.endswith("。"):
        return Heading(_shown(text), "supplement", level or 0.9), ""
    if _APPENDIX.match(text) and len(text) <= 80 and not text.endswith("。"):
        return Heading(_shown(text), "appendix", level or 6.9), ""
    if line.level:
        return Heading(_shown(text), "heading", level), ""
    if _BRACKET.match(text):
        return Heading(text, "bracket", _BRACKET_RANK), ""
    if line.kind == "heading":
        return Heading(_shown(text), "heading", 2.5 if line.size >= 1.4 else 3.5), ""
    return None


def _article(text: str, match: re.Match[str], level: float) -> tuple[Heading, str] | None:
    label = _bare(match[1])
    if level:
        # The format marks the whole line as heading.
        return Heading(_shown(text), "article", max(level, _ARTICLE_RANK), label), ""
    rest = text[match.end() :]
    if caption := _CAPTION_AFTER.match(rest):
        rest = rest[caption.end() :]
    if rest and not rest[0].isspace():
        return None
    head = text[: len(text) - len(rest)]
    return Heading(_shown(head), "article", _ARTICLE_RANK, label), rest.lstrip()


def _paragraph(line: Line, page_index: int) -> Paragraph:
    stripped = line.text.strip()
    piece = Piece(0, len(stripped), page_index, line.box, line.label)
    return Paragraph(stripped, (piece,), line.kind, tuple(ruby.text for ruby in line.ruby))


def _join(first: Paragraph, second: Paragraph) -> Paragraph:
    text = first.text + joint(first.text, second.text)
    shift = len(text)
    moved = tuple(
        replace(piece, start=piece.start + shift, end=piece.end + shift) for piece in second.pieces
    )
    return Paragraph(
        text + second.text, first.pieces + moved, first.kind, first.readings + second.readings
    )


def slice_paragraph(paragraph: Paragraph, start: int, end: int) -> Paragraph:
    """Characters `start:end` of a paragraph, with the pieces that still stand."""
    pieces = tuple(
        replace(piece, start=max(piece.start, start) - start, end=min(piece.end, end) - start)
        for piece in paragraph.pieces
        if piece.start < end and piece.end > start
    )
    return replace(paragraph, text=paragraph.text[start:end], pieces=pieces)


def _bare(text: str) -> str:
    return re.sub(r"[\s　]+", "", text)


def _shown(text: str) -> str:
    return re.sub(r"[\s　]+", "　", text.strip())
