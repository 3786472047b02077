"""Loose-leaf books: which pages a supplement (追録) replaces, adds and takes out, by printed label."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.core.book import Page
from app.core.errors import BadRequest
from app.core.japanese import parse_number
from ingest.merge import Leaf
from ingest.readers.pages import parse_label

Key = tuple[int, ...]

_BETWEEN = re.compile(r"の|[‐\-‑–]")
_SHEET = re.compile(
    r"\d{1,4}(?:(?:の|[‐\-‑–])\d{1,3}){1,3}"
    "|[〇一二三四五六七八九十百]{1,5}(?:の[〇一二三四五六七八九十百]{1,4}){1,3}"
)
_EDGE = 0.12  # share of the page's height in which a printed number stands
_SHOWN = 10

_ORDER = re.compile(r"差し?替|加除|入れ?替|除去.*(挿入|加入|差し?込)")
_OUT = re.compile(r"除去|取り?除|抜き?取|抜く|削除|廃棄|取り?外")
_IN = re.compile(r"挿入|差し?込|加入|追加|綴じ?込|加える|差し?入")
_LABEL = r"[0-9]{1,4}(?:(?:の|[‐\-‑])[0-9]{1,3}){0,3}"
_RANGE = re.compile(rf"({_LABEL})(?:頁|ページ)?(?:\s*[~〜～から]+\s*({_LABEL}))?")
_NONE = re.compile(r"なし|[-‐―ー–—]{1,2}$|^[-‐―ー–—]{1,2}\s")
_COUNT = re.compile(r"[0-9]+\s*枚|第?\s*[0-9]+\s*号|[0-9]+\s*[年月日]")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A page of a supplement that was not put into the book: it bears no number (a cover, a table)."""

    file: str
    page_index: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The new book leaf by leaf, and the labels of what changed, in the order of the book."""

    leaves: tuple[Leaf, ...]
    replaced: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...] = ()


def label_key(label: str) -> Key | None:
    """Where a label stands among others: roman numbers first, then 124, 124の1, 124の2, 125.

    None for a label that is no number.
    """
    folded = unicodedata.normalize("NFKC", label).strip()
    if _SHEET.fullmatch(folded):
        return (1, *(parse_number(part) or 0 for part in _BETWEEN.split(folded)))
    parsed = parse_label(folded)
    if parsed is None:
        return None
    return (0 if parsed[2] == "i" else 1, parsed[1])


def labelled(pages: Sequence[Page]) -> list[Page]:
    """A supplement's pages with the numbers that few neighbours could not prove to be theirs.

    What stands alone at a page's edge and reads like a number is taken for it here; a page
    between 124の1 and 124の3 is 124の2.
    """
    found = [page if page.label else replace(page, label=_edge_number(page)) for page in pages]
    for before, here in pairwise(range(len(found))):
        after = here + 1
        if after >= len(found) or found[here].label or not found[here].lines:
            continue
        low, high = label_key(found[before].label), label_key(found[after].label)
        if low and high and len(low) > 2 and low[:-1] == high[:-1] and high[-1] - low[-1] == 2:
            stem = re.sub(r"\d+$", "", found[before].label)
            found[here] = replace(found[here], label=f"{stem}{low[-1] + 1}")
    return found


def _edge_number(page: Page) -> str:
    outside = [
        line.text
        for line in page.lines
        if line.box is not None and (line.box.y1 < _EDGE or line.box.y0 > 1 - _EDGE)
    ]
    candidates = {
        _bare(text) for text in (*page.heads, *outside) if label_key(_bare(text)) is not None
    }
    return candidates.pop() if len(candidates) == 1 else ""


def _bare(text: str) -> str:
    """A number without the dashes or brackets around it."""
    folded = unicodedata.normalize("NFKC", text).strip(" \u3000-‐‑–—―−・〔〕[]()<>|")
    parsed = parse_label(folded)
    return parsed[0] if parsed else folded


def plan(
    book: Sequence[Page],
    supplements: Sequence[tuple[str, Sequence[Page]]],
    remove: Iterable[str] = (),
) -> Plan:
    """What supplements (file name and labelled pages), applied in order, make of a book.

    Pages named to be taken out by a supplement's own table (差替表) or by `remove` go,
    unless the supplement brings them. Raises BadRequest where no page bears a number,
    where a number to replace stands on several pages, and for a label in `remove` that
    the book does not bear.
    """
    leaves = [Leaf(0, page.index, page.label) for page in book]
    replaced: set[str] = set()
    added: set[str] = set()
    gone: set[str] = set()
    left_out: list[LeftOut] = []
    warnings: list[str] = []
    for number, (name, pages) in enumerate(supplements, start=1):
        fresh = [page for page in pages if page.label and label_key(page.label) is not None]
        _check(name, fresh, leaves)
        left_out += [LeftOut(name, page.index) for page in pages if page not in fresh]
        brought = {label_key(page.label) for page in fresh}
        for span in removals([page for page in pages if not page.label]):
            inside = [leaf for leaf in leaves if _within(leaf, span)]
            if not inside:
                warnings.append(f"差替表が除くとする {_shown(span)} 頁は、この本にありません。")
            doomed = [leaf for leaf in inside if label_key(leaf.label) not in brought]
            gone |= {leaf.label for leaf in doomed}
            leaves = [leaf for leaf in leaves if leaf not in doomed]
        for page in fresh:
            at = _place_of(page.label, leaves)
            if at is None:
                leaves.insert(_place_for(page.label, leaves), Leaf(number, page.index, page.label))
                added.add(page.label)
            else:
                old = leaves[at]
                stands_for = old.page_index if old.source == 0 else old.stands_for
                leaves[at] = Leaf(number, page.index, old.label, stands_for)
                if old.label not in added:
                    replaced.add(old.label)
    for label in remove:
        at = _place_of(label, leaves)
        if at is None:
            raise BadRequest(
                f"この本に {label} 頁はありません。",
                hint="shiori ingest report で頁番号を確かめてください。",
                field="remove",
            )
        gone.add(leaves.pop(at).label)
    if not leaves:
        raise BadRequest("すべてのページが除かれます。", hint="除くページを確かめてください。")
    return Plan(
        tuple(leaves),
        _sorted(replaced - gone),
        _sorted(added - gone),
        _sorted(gone - added),
        tuple(left_out),
        tuple(warnings),
    )


def _check(name: str, fresh: Sequence[Page], leaves: Sequence[Leaf]) -> None:
    if not fresh:
        raise BadRequest(
            f"追録 {name} に、印刷された頁番号のあるページがありません。",
            hint="頁番号 (124の1 など) を読めるファイルか、shiori read で確かめてください。",
            field=name,
        )
    brought = Counter(label_key(page.label) for page in fresh)
    there = Counter(label_key(leaf.label) for leaf in leaves)
    twice = [
        page.label
        for page in fresh
        if brought[label_key(page.label)] > 1 or there[label_key(page.label)] > 1
    ]
    if twice:
        raise BadRequest(
            f"頁番号 {'、'.join(list(dict.fromkeys(twice))[:_SHOWN])} が何ページもあり、"
            "差し替える先が決まりません。",
            hint="shiori read で頁番号の読み取りを確かめ、追録を分けて登録してください。",
            field=name,
        )


def _place_of(label: str, leaves: Sequence[Leaf]) -> int | None:
    key = label_key(label)
    for at, leaf in enumerate(leaves):
        if leaf.label == label or (key is not None and label_key(leaf.label) == key):
            return at
    return None


def _place_for(label: str, leaves: Sequence[Leaf]) -> int:
    """Behind the page with the nearest smaller number; else before the nearest larger one."""
    key = label_key(label)
    assert key is not None  # only numbered pages are put in
    numbered = [(found, at) for at, leaf in enumerate(leaves) if (found := label_key(leaf.label))]
    before = [(found, at) for found, at in numbered if found < key]
    if before:
        return max(before)[1] + 1
    return min(numbered)[1] if numbered else len(leaves)


def removals(pages: Iterable[Page]) -> list[tuple[Key, Key]]:
    """The spans of labels that a supplement's own table (差替表, 加除表) says are taken out.

    Read are a line that says so (除去 124の1〜124の3), and rows whose head names both what
    goes and what comes. A row with a single span and no word is left alone.
    """
    found: list[tuple[Key, Key]] = []
    for page in pages:
        lines = [unicodedata.normalize("NFKC", line.text) for line in page.lines]
        if not any(_ORDER.search(line) for line in lines):
            continue
        out_first: bool | None = None
        for line in lines:
            out, come = _OUT.search(line), _IN.search(line)
            spans = [*_spans(_COUNT.sub(" ", line))]
            if out and come and not spans:
                out_first = out.start() < come.start()
            elif out and spans:
                found += spans if not come else _sentence(line)
            elif out_first is not None and not come and (len(spans) == 2 or _NONE.search(line)):
                found += _row(line, spans, out_first)
    return found


def _sentence(line: str) -> list[tuple[Key, Key]]:
    """Spans of a line that names both, up to the word for what comes."""
    out, come = _OUT.search(line), _IN.search(line)
    assert out is not None
    assert come is not None
    if out.start() < come.start():
        before, after = line[: out.start()], line[out.end() : come.start()]
        return _spans(before) or _spans(after)
    return _spans(line[come.end() :])


def _row(line: str, spans: list[tuple[Key, Key]], out_first: bool) -> list[tuple[Key, Key]]:
    if len(spans) == 2:
        return spans[:1] if out_first else spans[1:]
    nothing = _NONE.search(line)
    first = _RANGE.search(line)
    if len(spans) != 1 or nothing is None or first is None:
        return []
    leads = first.start() < nothing.start()
    return spans if leads == out_first else []


def _spans(text: str) -> list[tuple[Key, Key]]:
    spans = []
    for match in _RANGE.finditer(text):
        low = label_key(match[1])
        high = label_key(match[2]) if match[2] else low
        if low and high and low <= high:
            spans.append((low, high))
    return spans


def _within(leaf: Leaf, span: tuple[Key, Key]) -> bool:
    key = label_key(leaf.label)
    return key is not None and span[0] <= key <= span[1]


def _shown(span: tuple[Key, Key]) -> str:
    low, high = ("の".join(str(part) for part in key[1:]) for key in span)
    return low if low == high else f"{low}〜{high}"


def _sorted(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(labels, key=lambda label: (label_key(label) or (2,), label)))
