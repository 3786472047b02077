"""Typesets a manuscript as a PDF: Chromium sets the pages, pypdf adds running heads and outline."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.constants import PageLabelStyle
from pypdf.generic import IndirectObject

from ingest.samples.compose import WARNING, Composer, Heading, colophon_html, cover_html, full_date
from ingest.samples.manuscript import Manuscript

MINCHO = '"BIZ UDMincho", "BIZ UD明朝"'
GOTHIC = '"BIZ UDGothic", "BIZ UDゴシック"'

COMMON_CSS = f"""
html {{ font: 10.5pt {MINCHO}; }}
body {{ margin: 0; line-break: strict; text-align: justify; widows: 1; orphans: 1; }}
p {{ margin: 0; text-indent: 1em; }}
h1, h2, h3, th, strong {{ font-family: {GOTHIC}; font-weight: bold; }}
h1, h2, h3 {{ break-after: avoid; break-inside: avoid; text-align: start; }}
h1 {{ break-before: page; font-size: 15pt; }}
h2 {{ font-size: 12pt; }}
h3 {{ font-size: 10.5pt; }}
rt {{ font-size: 50%; }}
.mark {{ font-size: 65%; }}
.item {{ padding-inline-start: 1em; text-indent: -1em; }}
.notes {{ margin-block-start: 1em; padding-block-start: .6em; border-block-start: .4pt solid #000; }}
.note {{ font-size: 84%; padding-inline-start: 4em; text-indent: -4em; }}
.note .mark {{ font-size: 100%; }}
table {{ border-collapse: collapse; font-size: 86%; margin-block: 1em; break-inside: avoid; }}
th, td {{ border: .4pt solid #000; padding: .35em .5em; text-align: start; text-indent: 0; }}
th {{ background: #eee; }}
tr {{ break-inside: avoid; }}
.toc {{ display: flex; align-items: last baseline; }}
.toc i {{ flex: 1; margin-inline: .5em; border-block-end: .8pt dotted #777; }}
.toc, h1 a {{ color: inherit; text-decoration: none; }}
.toc.l1 {{ font-family: {GOTHIC}; font-weight: bold; margin-block-start: .5em; }}
.toc.l2 {{ padding-inline-start: 1em; }}
.toc.l3 {{ padding-inline-start: 2em; font-size: 90%; }}
.cover, .colophon {{ break-before: page; text-align: start; }}
.cover {{ break-before: auto; }}
.cover p, .colophon p {{ text-indent: 0; }}
.cover .title {{ font: bold 24pt {GOTHIC}; }}
.cover .subtitle {{ font-size: 13pt; }}
.cover .warn, .colophon .warn {{ font-family: {GOTHIC}; font-weight: bold; }}
"""

TATE_CSS = """
html { writing-mode: vertical-rl; font-size: 9.5pt; line-height: 17pt; }
h1 { margin-block: 0 17pt; line-height: 34pt; }
h2 { margin-block: 17pt 0; padding-inline-start: 1em; line-height: 17pt; }
h3 { margin-block: 8.5pt 0; padding-inline-start: 2em; }
.toc { line-height: 14pt; }
table { margin-block: 12pt; }
.tcy { text-combine-upright: all; }
.cover .title { margin-block: 60pt 0; padding-inline-start: 2em; line-height: 44pt; }
.cover .subtitle { padding-inline-start: 6em; line-height: 28pt; }
.cover .by { margin-block-start: 50pt; padding-inline-start: 14em; }
.colophon .title { font-size: 13pt; margin-block-start: 60pt; line-height: 26pt; }
"""

YOKO_CSS = """
html { line-height: 17.5pt; }
h1 { margin: 0 0 17.5pt; line-height: 26pt; border-bottom: 1.2pt solid #000; }
h2 { margin: 17.5pt 0 8pt; line-height: 19pt; }
h3 { margin: 15pt 0 4pt; padding: 3pt 6pt; background: #eee; line-height: 17pt; }
table { width: 100%; line-height: 13pt; }
.toc { line-height: 14.5pt; }
.toc span:first-child { flex: 0 1 auto; max-width: 27em; padding-left: 3em; text-indent: -3em; }
.toc.l1 span:first-child { padding: 0; text-indent: 0; }
.answer { text-indent: 0; }
.cover .title { margin-top: 150pt; line-height: 36pt; }
.cover .by { margin-top: 180pt; }
.colophon .title { font-size: 13pt; margin-top: 250pt; }
"""


@dataclass(frozen=True)
class Layout:
    """How a printed book looks; lengths are points."""

    vertical: bool
    width: float
    height: float
    margin: tuple[float, float, float, float]  # top, right, bottom, left
    css: str
    page_labels: bool
    toc_levels: int = 2


TEBIKI = Layout(
    vertical=True,
    width=362.8,  # B6, 128 x 182 mm
    height=515.9,
    margin=(66, 45.2, 69.8, 45.2),  # leaves 40 characters in a line, 16 lines on a page
    css=TATE_CSS,
    page_labels=False,
)
MONDO = Layout(
    vertical=False,
    width=419.5,  # A5, 148 x 210 mm
    height=595.3,
    margin=(62, 52, 63, 52),
    css=YOKO_CSS,
    page_labels=True,
    toc_levels=3,
)


@dataclass(frozen=True)
class Pagination:
    """On which PDF page (from 0) each heading stands, and on which the body begins."""

    pages: dict[str, int]
    first: int

    def label(self, index: int) -> str:
        """The number printed on a page: ⅰ, ⅱ, … before the body, 1, 2, … from there."""
        if index < self.first:
            return chr(0x2170 + index)
        return str(index - self.first + 1)


def build_pdf(book: Manuscript, layout: Layout, target: Path) -> None:
    """Typeset a manuscript: once to learn the page numbers, once with them; then add running heads."""
    composer = Composer(kanji=layout.vertical)
    front = composer.compose(book.front)
    contents = Heading("contents", "目次", 1)
    front_count = len(composer.headings)
    body_anchor = f"s{front_count}"
    body = composer.compose(book.body)
    listed = [
        heading
        for number, heading in enumerate(composer.headings)
        if heading.level <= (layout.toc_levels if number >= front_count else 1)
    ]

    def typeset(labels: dict[str, str]) -> PdfReader:
        toc = contents_html(listed, labels)
        pages = (
            cover_html(book.meta)
            + front
            + toc
            + body
            + colophon_html(book.meta, kanji=layout.vertical)
        )
        return PdfReader(BytesIO(print_pdf(document_html(pages, layout))))

    draft = paginate(typeset({}), [contents, *listed], body_anchor)
    reader = typeset({anchor: draft.label(index) for anchor, index in draft.pages.items()})
    pagination = paginate(reader, [contents, *listed], body_anchor)
    if pagination != draft:
        raise RuntimeError("the table of contents moved the pages it lists")
    heads = running_heads([contents, *listed], pagination, len(reader.pages))
    overlay = PdfReader(BytesIO(print_pdf(heads_html(book.meta["title"], heads, layout))))
    writer = join(reader, overlay)
    describe(writer, book.meta, listed, pagination, page_labels=layout.page_labels)
    writer.write(target)


def paginate(reader: PdfReader, headings: Iterable[Heading], body_anchor: str) -> Pagination:
    """Look up where the links of the table of contents lead."""
    targets = reader.named_destinations
    pages = {
        heading.anchor: reader.get_destination_page_number(targets["/" + heading.anchor]) or 0
        for heading in headings
    }
    return Pagination(pages, pages[body_anchor])


def running_heads(
    headings: Iterable[Heading], pagination: Pagination, pages: int
) -> list[tuple[str, str] | None]:
    """Chapter title and printed number of each page; None on the cover and the colophon."""
    starts = {pagination.pages[h.anchor]: h.title for h in headings if h.level == 1}
    heads: list[tuple[str, str] | None] = [None]
    chapter = ""
    for index in range(1, pages - 1):
        chapter = starts.get(index, chapter)
        heads.append((chapter, pagination.label(index)))
    return [*heads, None]


def contents_html(headings: Iterable[Heading], labels: dict[str, str]) -> str:
    """The table of contents; each entry links to its heading."""
    entries = "".join(
        f'<a class="toc l{heading.level}" href="#{heading.anchor}">'
        f"<span>{html.escape(heading.title)}</span><i></i>"
        f'<span class="tcy">{labels.get(heading.anchor, "00")}</span></a>'
        for heading in headings
    )
    return f'<h1 id="contents"><a href="#contents">目次</a></h1>{entries}'


def document_html(content: str, layout: Layout) -> str:
    """A whole HTML document for one printed book."""
    margin = " ".join(f"{length}pt" for length in layout.margin)
    page = f"@page {{ size: {layout.width}pt {layout.height}pt; margin: {margin}; }}"
    return (
        f'<!doctype html><html lang="ja"><head><meta charset="utf-8">'
        f"<style>{page}{COMMON_CSS}{layout.css}</style></head><body>{content}</body></html>"
    )


def heads_html(title: str, heads: Iterable[tuple[str, str] | None], layout: Layout) -> str:
    """One sheet a page with nothing but the running heads and the printed number."""
    top, right, _, left = layout.margin
    css = f"""
    @page {{ size: {layout.width}pt {layout.height}pt; margin: 0; }}
    body {{ margin: 0; font: 7.5pt {MINCHO}; }}
    section {{ position: relative; height: {layout.height - 0.5}pt; break-after: page; overflow: hidden; }}
    span {{ position: absolute; white-space: nowrap; }}
    .book {{ left: {left}pt; top: {top - 32}pt; }}
    .chapter {{ right: {right}pt; top: {top - 32}pt; }}
    .number {{ font-size: 9pt; bottom: 34pt; }}
    """
    sheets = []
    for head in heads:
        spans = ""
        if head is not None:
            # A vertical book is bound on the right: its odd pages lie on the left.
            outer = "left" if is_odd(head[1]) == layout.vertical else "right"
            spans = (
                f'<span class="book">{title}</span><span class="chapter">{head[0]}</span>'
                f'<span class="number" style="{outer}: {left}pt">{head[1]}</span>'
            )
        sheets.append(f"<section>{spans}</section>")
    return (
        f'<!doctype html><html lang="ja"><head><meta charset="utf-8"><style>{css}</style></head>'
        f"<body>{''.join(sheets)}</body></html>"
    )


def is_odd(label: str) -> bool:
    """Whether a printed number, ⅲ or 3, is odd."""
    return (int(label) if label.isdecimal() else ord(label) - 0x216F) % 2 == 1


def print_pdf(page: str) -> bytes:
    """Print an HTML document with Chromium; raises CalledProcessError where Chromium fails."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_text(page, encoding="utf-8")
        command = [
            chromium(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-pdf-tagging",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return target.read_bytes()


def chromium() -> str:
    """Path of the Chromium to print with; raises FileNotFoundError where there is none."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        raise FileNotFoundError("chromium is needed to typeset the samples (see README.md)")
    return found


def join(pages: PdfReader, heads: PdfReader) -> PdfWriter:
    """Lay the running heads over the pages."""
    if len(pages.pages) != len(heads.pages):
        raise RuntimeError(f"{len(pages.pages)} pages, but {len(heads.pages)} sheets of heads")
    writer = PdfWriter()
    for page, head in zip(pages.pages, heads.pages, strict=True):
        added = writer.add_page(page)
        added.merge_page(head)
        if "/Annots" in added:
            # The links of the contents name destinations that live outside the pages.
            del added["/Annots"]
        added.compress_content_streams()
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    return writer


def describe(
    writer: PdfWriter,
    meta: dict[str, str],
    headings: Iterable[Heading],
    pagination: Pagination,
    *,
    page_labels: bool,
) -> None:
    """Write title, outline and, for a book that is to have them, page labels; dates are fixed."""
    stamp = "D:" + full_date(meta["published"]).replace("-", "") + "000000Z"
    writer.metadata = {
        "/Title": meta["title"],
        "/Author": meta["authors"],
        "/Subject": WARNING,
        "/CreationDate": stamp,
        "/ModDate": stamp,
    }
    parents: dict[int, IndirectObject] = {}
    for heading in headings:
        parent = parents.get(heading.level - 1)
        parents[heading.level] = writer.add_outline_item(
            title=heading.title, page_number=pagination.pages[heading.anchor], parent=parent
        )
    if page_labels:
        writer.set_page_label(
            0, pagination.first - 1, style=PageLabelStyle.LOWERCASE_ROMAN, start=1
        )
        writer.set_page_label(
            pagination.first, len(writer.pages) - 1, style=PageLabelStyle.DECIMAL, start=1
        )
