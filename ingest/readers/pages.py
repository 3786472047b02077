"""Rows of a whole book → Pages: running heads and printed numbers apart, paragraphs marked.

What one page cannot tell (is this line a running head, is this number the page's?)
is decided by looking at all pages together.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from app.core.book import Box, Line, LineKind, Page, Ruby
from app.core.japanese import parse_number
from ingest.layout.lines import OPENING
from ingest.layout.shapes import Row
from ingest.readers import order
from ingest.readers.facing import Number, facing_numbers

_EDGE = 0.15  # share of the printed area's height in which heads and numbers stand
_COMMON = 0.3  # share of the characters that the commonest size has in print
_LARGE = 1.12  # size of a heading's characters, the text's being 1
_LARGE_IN_PICTURE = 1.18  # where the size is measured in a picture
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_KANJI_NUMBER = "[〇一二三四五六七八九十百]"
_SHEET = re.compile(
    r"\d{1,4}(の\d{1,3}){1,3}$|\d{1,4}([‐\-‑–]\d{1,3})$"
    rf"|{_KANJI_NUMBER}{{1,5}}(の{_KANJI_NUMBER}{{1,4}}){{1,3}}$"
)
_NUMBER_DRESS = re.compile(
    r"^[\s\-－‐‑–—―−ー~〜～・〔［\[(（〈<|│]*(p\.?|第)?|(頁|ページ)?[\s\-－‐‑–—―−ー~〜～・〕］\])）〉>|│]*$"
)
_SENTENCE_END = tuple("。．.！？!?」』）)」")
_MARK = (
    r"第[〇一二三四五六七八九十百千0-9０-９]+[編章節款目条](?:の[〇一二三四五六七八九十0-9０-９]+)*|"
    r"(?:問|答|注|[QＱAＡ])[0-9０-９〇一二三四五六七八九十]*|[〇一二三四五六七八九十]{1,3}|[0-9０-９]{1,3}|"
    r"[(（][0-9０-９〇一二三四五六七八九十ア-ンa-z]{1,3}[)）]|[①-⑳⑴-⒇ⅰ-ⅻⅠ-Ⅻ]|[ア-ン]"
)
_LABEL = re.compile(rf"(?:{_MARK})[\u3000 、．.)）]|[(（]?[注※]|[○●◯◎■□◆◇▲△▼▽★☆・①-⑳⑴-⒇]")
_CLEAR_LABEL = re.compile(rf"(?:{_MARK})\u3000")
_FOOTNOTE = re.compile(r"[(（]?(注|註)|[※＊*†]|[(（]?[0-9０-９]{1,3}[)）]")
_POINTER = re.compile(
    r"[0-9０-９]{1,4}([,、 ]+[0-9０-９]{1,4})*|[〇一二三四五六七八九十百]{1,5}|[ivxlc]{1,7}"
)
_BROKEN = re.compile(r"[a-z]{2}[-‐\u00ad]$")
_REST = re.compile(r"[a-z]+[,.;:)!?]* ?")
_NOTE = re.compile(r"[(（]?(注|註)|[※＊*†]|[(（]?[0-9０-９]{1,3}[)）]?[\u3000 ぁ-んァ-ヶ一-龠「『]")


@dataclass(slots=True)
class PageDraft:
    """One page's rows before the book's other pages have been looked at (sizes in points).

    `area` is what the book's pages of this size print on (x0, y0, x1, y1): the paper may be larger.
    `turn` is how many quarter turns clockwise lead from the page as it is read to the page
    as it is shown, where text is printed sideways. `halves` are the numbers of the left and
    the right page on a sheet that bears two.
    """

    index: int
    rows: tuple[Row, ...]
    width: float
    height: float
    vertical: bool
    extractor: str = ""
    confidence: float | None = None
    warnings: tuple[str, ...] = ()
    turn: int = 0
    head_rows: set[int] = field(default_factory=set)
    label: str = ""
    halves: tuple[str, str] | None = None
    area: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def label_of(self, row: Row) -> str:
        """The number of the page on this sheet that a row stands on."""
        if self.halves is None:
            return self.label
        x0, _, x1, _ = row.box
        return self.halves[0 if (x0 + x1) / 2 < self.width / 2 else 1]


@dataclass(frozen=True, slots=True)
class _Edge:
    """A row at the outside of its page that may be no part of the text.

    `side` is T, B, L or R; `place` its distance from the printed area's top or left as a share;
    `gap` the space between it and the text, in em of the page.
    """

    draft: PageDraft
    number: int
    side: str
    place: float
    gap: float

    @property
    def row(self) -> Row:
        return self.draft.rows[self.number]

    @property
    def slot(self) -> tuple[str, int]:
        return (self.side, round(self.place * 100))


def finish_pages(
    drafts: Sequence[PageDraft], *, file_labels: Sequence[str] = ()
) -> tuple[Page, ...]:
    """Pages with heads and numbers set apart. `file_labels` are used where no number is printed.

    A page between two numbered ones gets the number it would bear.
    """
    _set_areas(drafts)
    edges = [edge for draft in drafts for edge in _edges(draft)]
    _number(drafts, edges)
    _mark_heads(drafts, edges)
    _fall_back(drafts, file_labels)
    body = _body_size(drafts)
    starts = _paragraph_starts(drafts)
    pages = [_page(draft, body, starts) for draft in drafts]
    doubted = order.doubtful(pages)
    return tuple(
        replace(page, warnings=(*page.warnings, order.DOUBT)) if page.index in doubted else page
        for page in pages
    )


# --- running heads -------------------------------------------------------------------------


def _set_areas(drafts: Sequence[PageDraft]) -> None:
    """The printed area is the whole page where fewer than three pages of a size can tell."""
    sizes: dict[tuple[int, int], list[PageDraft]] = defaultdict(list)
    for draft in drafts:
        draft.area = (0.0, 0.0, draft.width, draft.height)
        if draft.rows:
            sizes[round(draft.width), round(draft.height)].append(draft)
    for alike in sizes.values():
        if len(alike) < 3:
            continue
        boxes = [row.box for draft in alike for row in draft.rows]
        area = (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )
        for draft in alike:
            draft.area = area


def _edges(draft: PageDraft) -> list[_Edge]:
    """Up to two rows at the top and bottom, and one at each side of a vertical page."""
    if not draft.rows or draft.height <= 0:
        return []
    found = []
    boxes = [row.box for row in draft.rows]
    em = median(row.em for row in draft.rows) or 1.0
    numbers = [number for number, row in enumerate(draft.rows) if not row.table]
    sides = "TBLR" if draft.vertical else "TB"
    for side in sides:
        left = list(numbers)
        for _ in range(2):
            edge = _outermost(draft, boxes, left, side, em)
            if edge is None:
                break
            found.append(edge)
            level = [number for number in left if _beside(boxes[number], boxes[edge.number], side)]
            found += [
                _Edge(draft, number, side, _place(draft, boxes[number], side), edge.gap)
                for number in level
                if number != edge.number
            ]
            left = [number for number in left if number not in level]
    return found


def _outermost(
    draft: PageDraft,
    boxes: list[tuple[float, float, float, float]],
    numbers: list[int],
    side: str,
    em: float,
) -> _Edge | None:
    if not numbers:
        return None
    if side == "T":
        number = min(numbers, key=lambda n: boxes[n][1])
    elif side == "B":
        number = max(numbers, key=lambda n: boxes[n][3])
    elif side == "L":
        number = min(numbers, key=lambda n: boxes[n][0])
    else:
        number = max(numbers, key=lambda n: boxes[n][2])
    box = boxes[number]
    inner = [
        boxes[other]
        for other in numbers
        if other != number and not _beside(boxes[other], box, side)
    ]
    place = _place(draft, box, side)
    if (place if side in "TL" else 1 - place) > _EDGE:
        return None
    if side in "LR" and not draft.rows[number].across:
        inked = sum(part.y1 - part.y0 for part in draft.rows[number].parts)
        if inked > 0.6 * draft.height:
            return None
    gap = float("inf")
    if inner:
        gap = {
            "T": min(other[1] for other in inner) - box[3],
            "B": box[1] - max(other[3] for other in inner),
            "L": min(other[0] for other in inner) - box[2],
            "R": box[0] - max(other[2] for other in inner),
        }[side]
    return _Edge(draft, number, side, place, gap / em)


def _place(draft: PageDraft, box: tuple[float, float, float, float], side: str) -> float:
    low, high = (1, 3) if side in "TB" else (0, 2)
    extent = draft.area[high] - draft.area[low]
    return ((box[low] + box[high]) / 2 - draft.area[low]) / extent if extent > 0 else 0.5


def _beside(
    box: tuple[float, float, float, float], edge: tuple[float, float, float, float], side: str
) -> bool:
    """Whether a row stands level with an edge row (a head at the left, a number at the right)."""
    low, high = (1, 3) if side in "TB" else (0, 2)
    overlap = min(box[high], edge[high]) - max(box[low], edge[low])
    return overlap > 0.5 * min(box[high] - box[low], edge[high] - edge[low]) and (
        box[high] - box[low] < 2.5 * (edge[high] - edge[low])
    )


def _mark_heads(drafts: Sequence[PageDraft], edges: list[_Edge]) -> None:
    """A head repeats its text in its place, or fills a place apart from the text on most pages.

    A heading may repeat too (解説 at the top of two pages); it is larger than the text, and
    its place is not one that stands apart on other pages.
    """
    body = _body_size(drafts)
    repeated: dict[tuple[int, _Look], set[int]] = defaultdict(set)
    filled: dict[tuple[str, int], set[int]] = defaultdict(set)
    apart: dict[tuple[str, int], set[int]] = defaultdict(set)
    for edge in edges:
        side, place = edge.slot
        for near in (place - 1, place, place + 1):
            repeated[near, _look(edge, body)].add(edge.draft.index)
            if edge.gap >= 1.0 and _sets_apart(edge):
                filled[side, near].add(edge.draft.index)
            if edge.gap >= 0.8:
                apart[side, near].add(edge.draft.index)
    pages = sum(1 for draft in drafts if draft.rows)
    if pages < 3:
        _mark_lone_heads(edges)
    for edge in edges:
        side, place = edge.slot
        look = _look(edge, body)
        same = len(repeated[place, look])
        many = len(filled[side, place])
        usual = not look.is_large and len(apart[side, place]) >= 0.3 * pages
        sentence = edge.row.text.endswith("。")
        if (
            same >= max(3, (0.6 if sentence else 0.3) * pages)
            or (same >= 2 and edge.gap >= 0.8 and usual and not sentence)
            or (
                many >= max(3, 0.4 * pages)
                and edge.gap >= 1.0
                and _sets_apart(edge)
                and not sentence
            )
        ):
            edge.draft.head_rows.add(edge.number)


class _Look(NamedTuple):
    """What a head has in common wherever it is printed."""

    side: str
    text: str
    across: bool
    is_large: bool


def _look(edge: _Edge, body: float) -> _Look:
    row = edge.row
    text = _bare(row.text, edge.draft.label_of(row))
    return _Look(edge.side, text, row.across, row.em >= _LARGE * body)


def _mark_lone_heads(edges: list[_Edge]) -> None:
    """With no other pages to compare, a head is what stands small or across at the very edge."""
    for edge in edges:
        near = (edge.place if edge.side in "TL" else 1 - edge.place) < 0.8 * _EDGE
        if not near or edge.gap < 1.0 or edge.row.text.endswith("。"):
            continue
        parsed = parse_label(edge.row.text)
        if parsed is not None and not edge.draft.label:
            edge.draft.label = parsed[0]
        if parsed is not None or (edge.side == "T" and _sets_apart(edge)):
            edge.draft.head_rows.add(edge.number)


def _sets_apart(edge: _Edge) -> bool:
    """Runs across the page or is smaller than the text, and is short: a heading is larger."""
    row = edge.row
    if edge.side == "B" and _FOOTNOTE.match(row.text):
        return False
    size = row.em / (median(other.em for other in edge.draft.rows) or 1.0)
    apart = size < 0.92 or (row.across and size < 1.1)
    return apart and len(row.text) <= 40


def _bare(text: str, label: str) -> str:
    """A head's text without the page number beside it, white space or width differences."""
    folded = "".join(unicodedata.normalize("NFKC", text).split())
    number = "".join(unicodedata.normalize("NFKC", label).split())
    if number and folded != number:
        folded = folded.removeprefix(number).removesuffix(number)
    return "" if folded == number else folded


# --- printed page numbers ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Candidate:
    edge: _Edge
    text: str
    value: int
    script: str
    alone: bool
    x: float  # points


def _number(drafts: Sequence[PageDraft], edges: list[_Edge]) -> None:
    """Find the pages' printed numbers: those that grow with the page index, by majority of neighbours."""
    candidates: dict[int, list[_Candidate]] = {draft.index: [] for draft in drafts}
    for edge in edges:
        candidates[edge.draft.index] += _candidates(edge)
    _number_facing(drafts, candidates)
    candidates = {draft.index: candidates[draft.index] for draft in drafts if draft.halves is None}
    votes: dict[int, Counter[tuple[str, int]]] = {
        index: Counter({(found.script, found.value - index) for found in here})
        for index, here in candidates.items()
    }
    slots: Counter[tuple[str, int]] = Counter()
    for draft in drafts:
        best: _Candidate | None = None
        best_votes = 1
        for found in candidates.get(draft.index, ()):
            key = (found.script, found.value - draft.index)
            count = sum(
                votes[near][key]
                for near in range(draft.index - 6, draft.index + 7)
                if near in votes
            )
            if count > best_votes or (
                best is not None and count == best_votes and found.alone > best.alone
            ):
                best, best_votes = found, count
        if best is not None:
            draft.label = best.text
            slots[best.edge.slot] += 1
            # some books print it twice: in the head and at the foot
            for found in candidates[draft.index]:
                if (found.script, found.value) == (best.script, best.value):
                    _take(found)
    _sheets(edges, slots)
    _drop_strays(drafts)
    _fill_between(drafts)


def _number_facing(drafts: Sequence[PageDraft], candidates: dict[int, list[_Candidate]]) -> None:
    """Number the sheets that bear two pages."""
    sheets = {}
    for draft in drafts:
        if draft.width > draft.height > 0:
            sheets[draft.index] = [
                Number(found.text, found.value, found.script, found.x / draft.width, y, found.alone)
                for found in candidates[draft.index]
                if found.edge.side in "TB"
                for y in [(found.edge.row.box[1] + found.edge.row.box[3]) / 2 / draft.height]
            ]
    labels = facing_numbers(sheets)
    for draft in drafts:
        if draft.index in labels:
            draft.halves = labels[draft.index]
            draft.label = "・".join(draft.halves[::-1] if draft.vertical else draft.halves)
            for found in candidates[draft.index]:
                if found.text == draft.halves[0 if found.x < draft.width / 2 else 1]:
                    _take(found)


def _take(found: _Candidate) -> None:
    """A row that is the number, or sets it apart by a wide gap, is no part of the text."""
    row = found.edge.row
    outside = any(part.text.strip() == found.text for part in (row.parts[0], row.parts[-1]))
    if found.alone or (len(row.parts) > 1 and outside and len(row.text) <= 40):
        found.edge.draft.head_rows.add(found.edge.number)


def _candidates(edge: _Edge) -> list[_Candidate]:
    found = []
    row = edge.row
    x0, _, x1, _ = row.box
    pieces = [(row.text, True, (x0 + x1) / 2)]
    if edge.gap < 0.8:
        pieces = pieces[:1]
    elif len(row.parts) > 1:
        pieces += [(part.text, False, (part.x0 + part.x1) / 2) for part in row.parts]
    words = row.text.split()
    if len(words) > 1 and edge.gap >= 0.8:
        pieces += [(words[0], False, x0), (words[-1], False, x1)]
    for text, alone, x in pieces:
        parsed = parse_label(text)
        if parsed is not None:
            found.append(_Candidate(edge, parsed[0], parsed[1], parsed[2], alone, x))
    return found


def parse_label(text: str) -> tuple[str, int, str] | None:
    """A printed page number: its bare text, its value and its script (1, i or 一); None if it is none."""
    bare = _NUMBER_DRESS.sub("", text.strip())
    folded = unicodedata.normalize("NFKC", bare)
    if re.fullmatch(r"[0-9]{1,4}", folded):
        return (folded, int(folded), "1")
    lowered = folded.lower()
    if re.fullmatch(r"[ivxlc]{1,7}", lowered):
        value = _roman(lowered)
        return (bare, value, "i") if value else None
    if re.fullmatch(r"[〇一二三四五六七八九十百千]{1,7}", bare) and (number := parse_number(bare)):
        return (bare, number, "一")
    return None


def _roman(text: str) -> int:
    values = [_ROMAN[char] for char in text]
    total = 0
    for value, after in zip(values, [*values[1:], 0], strict=True):
        total += -value if value < after else value
    return total


def _sheets(edges: list[_Edge], slots: Counter[tuple[str, int]]) -> None:
    """Loose-leaf numbers (124の1) stand where the other numbers stand, or repeat their place."""
    sheets = []
    for edge in edges:
        folded = _NUMBER_DRESS.sub("", unicodedata.normalize("NFKC", edge.row.text).strip())
        if not edge.draft.label and _SHEET.match(folded):
            sheets.append((edge, folded))
    places = Counter(edge.slot for edge, _ in sheets)
    for edge, text in sheets:
        side, place = edge.slot
        known = sum(slots[side, near] for near in (place - 1, place, place + 1))
        if known or places[edge.slot] >= 2:
            edge.draft.label = text
            edge.draft.head_rows.add(edge.number)


def _fill_between(drafts: Sequence[PageDraft]) -> None:
    """A page that prints no number, between two that agree, bears the one they imply."""
    known = [(position, draft) for position, draft in enumerate(drafts) if draft.label.isdecimal()]
    for (a, before), (b, after) in pairwise(known):
        if 1 < b - a <= 6 and int(after.label) - int(before.label) == b - a:
            for position in range(a + 1, b):
                if not drafts[position].label:
                    drafts[position].label = str(int(before.label) + position - a)


def _drop_strays(drafts: Sequence[PageDraft]) -> None:
    """A number that fits neither neighbour, where these fit each other, is not the page's."""
    known = [(position, draft) for position, draft in enumerate(drafts) if draft.label.isdecimal()]
    for (a, before), (b, here), (c, after) in zip(known, known[1:], known[2:], strict=False):
        if not before.label:
            continue
        step = int(after.label) - int(before.label)
        if step == c - a <= 4 and int(here.label) - int(before.label) != b - a:
            here.label = ""


def _fall_back(drafts: Sequence[PageDraft], file_labels: Sequence[str]) -> None:
    """Where a book prints no numbers at all, the labels the file states stand for them."""
    if any(draft.label for draft in drafts):
        return
    for draft, label in zip(drafts, file_labels, strict=False):
        draft.label = label


# --- lines ---------------------------------------------------------------------------------


def _body_size(drafts: Sequence[PageDraft]) -> float:
    """The book's commonest character size in points.

    Handwriting has none, nor has a page photographed at an angle: there it is the middle one.
    """
    sizes: Counter[float] = Counter()
    for draft in drafts:
        for row in draft.rows:
            sizes[round(row.em, 1)] += len(row.text)
    if not sizes:
        return 1.0
    size, count = sizes.most_common(1)[0]
    if count < _COMMON * sizes.total():
        size = median(sizes.elements())
    return size or 1.0


def _page(draft: PageDraft, body: float, starts: set[tuple[int, int]]) -> Page:
    lines = []
    note = False
    for number, row in enumerate(draft.rows):
        if number in draft.head_rows:
            continue
        begins = (draft.index, number) in starts
        size = round(row.em / body, 2) if body else 1.0
        note = size <= 0.93 and (_NOTE.match(row.text) is not None if begins else note)
        lines.append(_line(row, draft, size, begins, note))
    lines = _whole_words(lines)
    width, height = (draft.height, draft.width) if draft.turn % 2 else (draft.width, draft.height)
    return Page(
        index=draft.index,
        lines=tuple(lines),
        label=draft.label,
        heads=tuple(
            part.text for number in sorted(draft.head_rows) for part in draft.rows[number].parts
        ),
        width=round(width, 2),
        height=round(height, 2),
        vertical=draft.vertical,
        extractor=draft.extractor,
        confidence=draft.confidence,
        warnings=draft.warnings,
    )


def _whole_words(lines: list[Line]) -> list[Line]:
    """A Latin word broken at a line's end stands whole where it begins, without the hyphen."""
    whole: list[Line] = []
    for line in lines:
        before = whole[-1] if whole else None
        if before is not None and not line.starts_paragraph and _BROKEN.search(before.text):
            rest = _REST.match(line.text)
            if rest is not None:
                cut = rest.end()
                whole[-1] = replace(before, text=before.text[:-1] + rest[0].rstrip())
                moved = tuple(
                    Ruby(ruby.start - cut, ruby.end - cut, ruby.text)
                    for ruby in line.ruby
                    if ruby.start >= cut
                )
                line = replace(line, text=line.text[cut:], ruby=moved)
        if line.text:
            whole.append(line)
    return whole


def _line(row: Row, draft: PageDraft, size: float, begins: bool, note: bool) -> Line:
    kind: LineKind = "body"
    large = _LARGE if draft.extractor == "pdfium" else _LARGE_IN_PICTURE
    if row.table:
        kind = "table"
    elif size >= large and len(row.text) <= 60 and not row.text.endswith(("。", "、")):
        kind = "heading"
    elif note:
        kind = "footnote"
    label = draft.label_of(row) if draft.halves is not None else ""
    return Line(row.text, _box(row, draft), kind, begins, 0, size, row.ruby, label)


def _box(row: Row, draft: PageDraft) -> Box:
    """A row's place on the page as it is shown."""
    x0, y0, x1, y1 = row.box
    left, right = _share(x0, draft.width), _share(x1, draft.width)
    top, bottom = _share(y0, draft.height), _share(y1, draft.height)
    if draft.turn == 1:
        return Box(_rest(bottom), left, _rest(top), right)
    if draft.turn == 2:
        return Box(_rest(right), _rest(bottom), _rest(left), _rest(top))
    if draft.turn == 3:
        return Box(top, _rest(right), bottom, _rest(left))
    return Box(left, top, right, bottom)


def _rest(share: float) -> float:
    return round(1.0 - share, 4)


def _share(value: float, whole: float) -> float:
    return round(min(max(value / whole, 0.0), 1.0), 4) if whole else 0.0


def _paragraph_starts(drafts: Sequence[PageDraft]) -> set[tuple[int, int]]:
    """(page index, row number) of every row that begins a paragraph."""
    starts: set[tuple[int, int]] = set()
    widths = [
        row.column[1] - row.column[0]
        for draft in drafts
        for number, row in enumerate(draft.rows)
        if number not in draft.head_rows and not row.table and not row.across
    ]
    width = median(widths) if widths else 0.0
    before: Row | None = None
    for draft in drafts:
        pitch = _pitch(draft)
        for number, row in enumerate(draft.rows):
            if number in draft.head_rows:
                continue
            if before is None or _begins(before, row, width, pitch):
                starts.add((draft.index, number))
            before = row
    return starts


def _pitch(draft: PageDraft) -> float:
    """The usual distance between the tops of two lines (points)."""
    steps = [
        after.top - before.top
        for before, after in pairwise(draft.rows)
        if before.column == after.column and 0 < after.top - before.top < 4 * after.em
    ]
    return median(steps) if steps else 0.0


def _points(row: Row) -> bool:
    """Whether a line ends in a page number set apart, as in a table of contents."""
    return (
        len(row.parts) > 1 and _POINTER.fullmatch(row.parts[-1].text.strip(" .．…‥・")) is not None
    )


def _begins(before: Row, row: Row, width: float, pitch: float) -> bool:
    """Whether a row begins a paragraph, from what stands before it.

    It does after a line that ends early, after a wider step, with another size, with a
    label, and with an indent after a sentence's end; `width` is the book's usual measure.
    """
    if row.table or before.table or row.across != before.across:
        return True
    if abs(row.em - before.em) > 0.07 * max(row.em, before.em):
        return True
    if _CLEAR_LABEL.match(row.text) or _points(before):
        return True
    if before.text.endswith(("、", "，")):
        return False
    em = row.em
    same_column = row.column == before.column
    if same_column and pitch and row.top - before.top > 1.45 * pitch:
        return True
    right = max(before.column[1], before.column[0] + width)
    if before.across:
        right = before.column[1]
    room = right - before.end
    ended = before.text.endswith(_SENTENCE_END)
    indent = (row.start - row.column[0]) / em
    first_word = re.match(r"[A-Za-z0-9,.]+", row.text)
    need = 0.6 * len(first_word[0]) * em if first_word else 0.0
    if room > need + (1.2 if ended else 3.0) * em:
        return True
    if ended and _LABEL.match(row.text):
        return True
    if indent >= 0.7:
        # a bracket at a line's start may be set without the free half of its cell
        slack = 0.6 if row.text[0] in OPENING or before.text[:1] in OPENING else 0.3
        hanging = same_column and abs(row.start - before.start) < slack * em
        return ended and not hanging
    return False
