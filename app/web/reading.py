"""The pages of a book that was never printed: its text to read, leaf by leaf, a passage marked in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup, escape

from app.core.book import Line, Passage, joint

# Paragraphs shown at once. A statute is one page of thousands, which an old machine is long in showing.
LEAF = 150
# Words shorter than this tell nothing by standing within others.
_TELLING = 4
# Within so many paragraphs the next line of a passage is looked for.
_NEAR = 3


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph to read. `level` is a heading's level (0 none), `under` the heading it stands under."""

    html: Markup
    text: str
    kind: str
    level: int
    under: str
    is_marked: bool
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """What of a page is shown at once; `index` counts from 0, `sections` are (heading, paragraphs)."""

    index: int
    count: int
    sections: list[tuple[str, list[Paragraph]]]

    @property
    def is_marked(self) -> bool:
        """Whether any of the passage stands on it."""
        return any(item.is_marked for _, items in self.sections for item in items)

    @property
    def is_quoted(self) -> bool:
        """Whether any of the quoted words stand on it."""
        return any(item.is_quoted for _, items in self.sections for item in items)


def leaf(paragraphs: Sequence[Paragraph], index: int | None) -> Leaf:
    """A leaf of a page: the last for too high an index; without one, that of the quoted words or the passage."""
    spans = list(_spans(paragraphs))
    if index is None:
        at = _first(paragraphs)
        index = next(
            n for n, (start, end) in enumerate(spans) if start <= at < end or n + 1 == len(spans)
        )
    index = min(index, len(spans) - 1)
    start, end = spans[index]
    sections = [
        (under, list(group))
        for under, group in groupby(paragraphs[start:end], key=lambda item: item.under)
    ]
    return Leaf(index, len(spans), sections)


def _first(paragraphs: Sequence[Paragraph]) -> int:
    for name in ("is_quoted", "is_marked"):
        for at, item in enumerate(paragraphs):
            if getattr(item, name):
                return at
    return 0


def _spans(paragraphs: Sequence[Paragraph]) -> Iterator[tuple[int, int]]:
    """Cuts before a heading where one is near, so that no article is torn."""
    start = 0
    while len(paragraphs) - start > LEAF:
        cut = start + LEAF
        end = next((at for at in range(cut, start + LEAF // 2, -1) if paragraphs[at].level), cut)
        yield start, end
        start = end
    yield start, len(paragraphs)


def paragraphs(lines: Sequence[Line], passage: Passage | None, quote: str = "") -> list[Paragraph]:
    """The paragraphs of a page, its readings (ruby) above the words.

    Those of the passage are marked, those with characters `quote` ("12-80") of its text quoted.
    """
    joined: list[tuple[Line, str, Markup]] = []
    for line in lines:
        html = with_ruby(line)
        if line.starts_paragraph or not joined:
            joined.append((line, line.text, html))
        else:
            first, text, before = joined[-1]
            between = joint(text, line.text)
            joined[-1] = (first, text + between + line.text, before + between + html)
    places = _places([text.strip() for _, text, _ in joined], passage)
    start, end = (int(number) for number in quote.split("-")) if quote else (0, 0)
    found: list[Paragraph] = []
    under = ""
    for at, (line, text, html) in enumerate(joined):
        under = text.strip() if line.level else under
        is_quoted = any(a < end and start < b for a, b in places.get(at, ()))
        found.append(Paragraph(html, text, line.kind, line.level, under, at in places, is_quoted))
    return found


def _places(
    texts: Sequence[str], passage: Passage | None
) -> Mapping[int, Sequence[tuple[int, int]]]:
    """Which paragraphs hold which characters of a passage's text.

    The same words may stand in many places (前項の規定は…), so the run that holds the most of its
    lines one after another is taken.
    """
    wanted: list[tuple[str, int, int]] = []
    at = 0
    for line in passage.text.split("\n") if passage else ():
        if line.strip():
            wanted.append((line.strip(), at, at + len(line)))
        at += len(line) + 1
    best: dict[int, list[tuple[int, int]]] = {}
    held = 0
    for first in range(len(texts)):
        # A passage that began on the page before is met in its middle.
        begins = next((n for n, item in enumerate(wanted) if _holds(texts[first], item[0])), None)
        if begins is None:
            continue
        run: dict[int, list[tuple[int, int]]] = {}
        at = first
        for words, start, end in wanted[begins:]:
            near = range(at, min(at + _NEAR, len(texts)))
            place = next((n for n in near if _holds(texts[n], words)), None)
            if place is not None:
                run.setdefault(place, []).append((start, end))
                at = place
        if (found := sum(map(len, run.values()))) > held:
            best, held = run, found
    return best


def _holds(paragraph: str, words: str) -> bool:
    if min(len(paragraph), len(words)) < _TELLING:
        return paragraph == words
    return words in paragraph or paragraph in words


def with_ruby(line: Line) -> Markup:
    """A line as HTML, its readings as `<ruby>`."""
    parts: list[Markup] = []
    at = 0
    for ruby in sorted(line.ruby, key=lambda item: item.start):
        if ruby.start < at:
            continue
        parts.append(escape(line.text[at : ruby.start]))
        base = line.text[ruby.start : ruby.end]
        parts.append(Markup("<ruby>{}<rt>{}</rt></ruby>").format(base, ruby.text))
        at = ruby.end
    parts.append(escape(line.text[at:]))
    return Markup("").join(parts)
