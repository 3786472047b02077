"""Typesets the sample shelf: Markdown in `sources/` becomes two PDFs and one EPUB beside this file.

Run `python -m ingest.samples.build` from the repository root; it needs Chromium and the BIZ UD
fonts named in README.md. The built files are kept in the repository, so only their editors run it.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Literal

import yaml
from pypdf import PdfReader, PdfWriter

HERE = Path(__file__).parent
BODY_MARKER = "<!-- 本文 -->"
WARNING = "この本はソフトウェアのために作った見本であり、実務の根拠にはならない。"
KANJI_DIGITS = "〇一二三四五六七八九"

BlockKind = Literal["heading", "para", "list", "table", "note"]


@dataclass(frozen=True)
class Block:
    """One block of a manuscript; `level` counts from 1 for headings, `rows` belong to tables."""

    kind: BlockKind
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Manuscript:
    """A source file: its title-page facts, the matter before page 1, and the body."""

    meta: dict[str, str]
    front: tuple[Block, ...]
    body: tuple[Block, ...]


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


@dataclass(frozen=True)
class Heading:
    """A heading with the anchor its table-of-contents entry points to."""

    anchor: str
    title: str
    level: int


# --- manuscripts ---------------------------------------------------------------------------


def read_manuscript(path: Path) -> Manuscript:
    """Parse a source file; raises ValueError where the front matter or the body marker is missing."""
    text = path.read_text(encoding="utf-8")
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if match is None or BODY_MARKER not in text:
        raise ValueError(f"{path.name}: front matter or {BODY_MARKER} is missing")
    meta = {key: str(value) for key, value in yaml.safe_load(match[1]).items()}
    front, body = text[match.end() :].split(BODY_MARKER, 1)
    return Manuscript(meta, tuple(parse_blocks(front)), tuple(parse_blocks(body)))


def parse_blocks(text: str) -> Iterator[Block]:
    """Blocks of the Markdown subset the sources use, separated by blank lines."""
    for chunk in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in chunk.splitlines() if line.strip()]
        while lines and (match := re.match(r"(#{1,4})\s+(.+)", lines[0])):
            yield Block("heading", match[2], len(match[1]))
            lines.pop(0)
        if not lines:
            continue
        if all(line.startswith("|") for line in lines):
            yield Block("table", rows=tuple(parse_rows(lines)))
        elif all(re.match(r"[-*] ", line) for line in lines):
            yield from (Block("list", line[2:].strip()) for line in lines)
        elif all(re.match(r"\[\^[^\]]+\]:", line) for line in lines):
            yield from (Block("note", line) for line in lines)
        elif lines[0].startswith("<!--"):
            continue
        else:
            yield Block("para", "".join(lines))


def parse_rows(lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Cells of a pipe table, without its rule line."""
    for line in lines:
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        # Ruby carries a pipe of its own: {漢字|かんじ} would be cut in two.
        if "{" in line:
            masked = re.sub(r"\{([^{}|]+)\|([^{}|]+)\}", "{\\1\x00\\2}", line.strip("|"))
            cells = tuple(cell.strip().replace("\x00", "|") for cell in masked.split("|"))
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            yield cells


def plain(text: str) -> str:
    """Text without ruby, emphasis and note marks, for running heads and outlines."""
    text = re.sub(r"\{([^{}|]+)\|[^{}|]+\}", r"\1", text)
    return re.sub(r"\*\*|\[\^[^\]]+\]", "", text)


def kanji_number(number: int) -> str:
    """1 to 99 as vertical books count: 十二."""
    tens, ones = divmod(number, 10)
    lead = "" if tens == 0 else ("十" if tens == 1 else KANJI_DIGITS[tens] + "十")
    return lead + (KANJI_DIGITS[ones] if ones else "")


# --- HTML ----------------------------------------------------------------------------------


class Composer:
    """Turns blocks into HTML and numbers headings and notes as it goes."""

    def __init__(self, *, kanji: bool) -> None:
        self.kanji = kanji
        self.headings: list[Heading] = []
        self._note_numbers: dict[str, str] = {}
        self._pending: list[str] = []

    def compose(self, blocks: Iterable[Block]) -> str:
        """The blocks as HTML; notes stand at the end of the section they belong to."""
        parts: list[str] = []
        for block in blocks:
            if block.kind == "heading" and block.level <= 2:
                parts.append(self._flush_notes())
            parts.append(self._block(block))
        parts.append(self._flush_notes())
        return "\n".join(part for part in parts if part)

    def inline(self, text: str) -> str:
        """Ruby, emphasis and note marks of one paragraph as XHTML."""
        out = html.escape(text, quote=False)
        out = re.sub(
            r"\{([^{}|]+)\|([^{}|]+)\}", r"<ruby>\1<rp>（</rp><rt>\2</rt><rp>）</rp></ruby>", out
        )
        out = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", out)
        return re.sub(r"\[\^([^\]]+)\]", lambda match: self._note_mark(match[1]), out)

    def _block(self, block: Block) -> str:
        if block.kind == "heading":
            heading = Heading(f"s{len(self.headings)}", plain(block.text), block.level)
            self.headings.append(heading)
            title = self.inline(block.text)
            return f'<h{block.level} id="{heading.anchor}">{title}</h{block.level}>'
        if block.kind == "table":
            return self._table(block.rows)
        if block.kind == "list":
            return f'<p class="item">・{self.inline(block.text)}</p>'
        if block.kind == "note":
            key, text = block.text[2:].split("]:", 1)
            self._pending.append(
                f'<p class="note">{self._note_mark(key)}　{self.inline(text.strip())}</p>'
            )
            return ""
        answer = ' class="answer"' if re.match(r"(\*\*)?答(\*\*)?[　\s]", block.text) else ""
        return f"<p{answer}>{self.inline(block.text)}</p>"

    def _table(self, rows: tuple[tuple[str, ...], ...]) -> str:
        lines = []
        for number, row in enumerate(rows):
            tag = "th" if number == 0 else "td"
            lines.append(
                "<tr>" + "".join(f"<{tag}>{self.inline(c)}</{tag}>" for c in row) + "</tr>"
            )
        return "<table>" + "".join(lines) + "</table>"

    def _note_mark(self, key: str) -> str:
        if key not in self._note_numbers:
            number = len(self._note_numbers) + 1
            self._note_numbers[key] = kanji_number(number) if self.kanji else str(number)
        return f'<span class="mark">（注{self._note_numbers[key]}）</span>'

    def _flush_notes(self) -> str:
        notes, self._pending = self._pending, []
        return f'<div class="notes">{"".join(notes)}</div>' if notes else ""


# --- printed books -------------------------------------------------------------------------

MINCHO = '"BIZ UDMincho", "BIZ UD明朝"'
GOTHIC = '"BIZ UDGothic", "BIZ UDゴシック"'

COMMON_CSS = f"""
html {{ font: 10.5pt {MINCHO}; }}
body {{ margin: 0; line-break: strict; text-align: justify; widows: 1; orphans: 1; }}
p {{ margin: 0; text-indent: 1em; }}
h1, h2, h3, th, strong {{ font-family: {GOTHIC}; font-weight: bold; }}
h1, h2, h3 {{ break-after: avoid; text-align: start; }}
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
.toc {{ display: flex; align-items: baseline; }}
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
h4 { margin: 8pt 0 0; font-size: 10.5pt; }
table { width: 100%; }
.cover .title { margin-top: 150pt; line-height: 36pt; }
.cover .by { margin-top: 180pt; }
.colophon .title { font-size: 13pt; margin-top: 250pt; }
"""

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
        pages = cover_html(book.meta) + front + toc + body + colophon_html(book.meta)
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


def cover_html(meta: dict[str, str]) -> str:
    """The cover."""
    return (
        '<section class="cover">'
        f'<p class="title">{meta["title"]}</p><p class="subtitle">{meta["subtitle"]}</p>'
        f'<p class="warn">{WARNING}</p>'
        f'<p class="by">{meta["authors"]}</p><p class="publisher">{meta["publisher"]}</p></section>'
    )


def contents_html(headings: Iterable[Heading], labels: dict[str, str]) -> str:
    """The table of contents; each entry links to its heading."""
    entries = "".join(
        f'<a class="toc l{heading.level}" href="#{heading.anchor}">'
        f"<span>{html.escape(heading.title)}</span><i></i>"
        f'<span class="tcy">{labels.get(heading.anchor, "00")}</span></a>'
        for heading in headings
    )
    return f'<h1 id="contents"><a href="#contents">目次</a></h1>{entries}'


def colophon_html(meta: dict[str, str]) -> str:
    """The last page: title, edition, dates, publisher, and what the book is not."""
    lines = "".join(f"<p>{name}　{value}</p>" for name, value in imprint(meta))
    return f'<section class="colophon"><p class="title">{meta["title"]}</p>{lines}<p class="warn">{WARNING}</p></section>'


def imprint(meta: dict[str, str]) -> list[tuple[str, str]]:
    """What the colophon states, in the order it is printed."""
    return [
        ("版", meta["edition"]),
        ("発行", japanese_date(meta["published"])),
        ("内容現在日", japanese_date(meta["as_of"])),
        ("著者", meta["authors"]),
        ("発行所", meta["publisher"]),
    ]


def japanese_date(iso: str) -> str:
    """2026-04-01 as 令和八年四月一日; only for the Reiwa era, which all samples are from."""
    year, *rest = (int(part) for part in iso.split("-"))
    units = zip((year - 2018, *rest), "年月日", strict=False)
    return "令和" + "".join(kanji_number(number) + unit for number, unit in units)


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
    for index, head in enumerate(heads):
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
    stamp = "D:" + meta["published"].replace("-", "").ljust(8, "0") + "000000Z"
    writer.metadata = {
        "/Title": meta["title"],
        "/Author": meta["authors"],
        "/Subject": WARNING,
        "/CreationDate": stamp,
        "/ModDate": stamp,
    }
    parents: dict[int, object] = {}
    for heading in headings:
        parent = parents.get(heading.level - 1)
        parents[heading.level] = writer.add_outline_item(
            title=heading.title, page_number=pagination.pages[heading.anchor], parent=parent
        )
    if page_labels:
        writer.set_page_label(0, pagination.first - 1, style="/r", start=1)
        writer.set_page_label(pagination.first, len(writer.pages) - 1, style="/D", start=1)


# --- the EPUB --------------------------------------------------------------------------------

EPUB_CSS = """
body { line-height: 1.8; margin: 1em; }
p { margin: 0; text-indent: 1em; }
p.answer, p.item { text-indent: 0; }
.mark { font-size: 70%; vertical-align: super; }
.note { font-size: 85%; }
table { border-collapse: collapse; }
th, td { border: 1px solid; padding: .3em .6em; }
"""
CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>
"""


def build_epub(book: Manuscript, target: Path) -> None:
    """Write a manuscript as EPUB 3: one XHTML file a chapter, a nav document, no fonts."""
    composer = Composer(kanji=False)
    files = {"cover.xhtml": xhtml(book.meta["title"], cover_html(book.meta))}
    entries: list[tuple[str, Heading]] = []
    for number, blocks in enumerate(chapters((*book.front, *book.body))):
        known = len(composer.headings)
        content = composer.compose(blocks)
        name = f"text{number:02}.xhtml"
        added = composer.headings[known:]
        files[name] = xhtml(added[0].title if added else book.meta["title"], content)
        entries += [(name, heading) for heading in added if heading.level <= 2]
    files["colophon.xhtml"] = xhtml("奥付", colophon_html(book.meta))
    spine = list(files)
    files["nav.xhtml"] = xhtml("目次", nav_html(entries))
    files["style.css"] = EPUB_CSS
    files["package.opf"] = package_opf(book.meta, spine)
    stored = zipfile.ZipInfo("mimetype")
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(stored, "application/epub+zip")
        archive.writestr(packed("META-INF/container.xml"), CONTAINER)
        for name in sorted(files):
            archive.writestr(packed(f"EPUB/{name}"), files[name])


def packed(name: str) -> zipfile.ZipInfo:
    """A compressed archive member without a date of its own, so that builds repeat."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def chapters(blocks: tuple[Block, ...]) -> Iterator[tuple[Block, ...]]:
    """The blocks cut before each chapter heading."""
    starts = [n for n, b in enumerate(blocks) if b.kind == "heading" and b.level == 1]
    for start, end in pairwise([*starts, len(blocks)]):
        yield blocks[start:end]


def xhtml(title: str, content: str) -> str:
    """One XHTML file of the EPUB."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" '
        'xmlns:epub="http://www.idpf.org/2007/ops" lang="ja" xml:lang="ja">'
        f"<head><title>{html.escape(title)}</title>"
        '<link rel="stylesheet" type="text/css" href="style.css"/></head>'
        f"<body>{content}</body></html>\n"
    )


def nav_html(entries: Iterable[tuple[str, Heading]]) -> str:
    """The nav document: chapters, with their sections in a nested list."""
    tree: list[tuple[str, list[str]]] = []
    for name, heading in entries:
        link = f'<a href="{name}#{heading.anchor}">{html.escape(heading.title)}</a>'
        if heading.level == 1:
            tree.append((link, []))
        else:
            tree[-1][1].append(f"<li>{link}</li>")
    items = ""
    for link, sections in tree:
        nested = f"<ol>{''.join(sections)}</ol>" if sections else ""
        items += f"<li>{link}{nested}</li>"
    return f'<nav epub:type="toc" id="toc"><h1>目次</h1><ol>{items}</ol></nav>'


def package_opf(meta: dict[str, str], spine: Iterable[str]) -> str:
    """The package document; the identifier is derived from the title, so that builds repeat."""
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"shiori-sample:{meta['title']}")
    manifest = "".join(
        f'<item id="{name.removesuffix(".xhtml")}" href="{name}" media-type="application/xhtml+xml"/>'
        for name in spine
    )
    itemrefs = "".join(f'<itemref idref="{name.removesuffix(".xhtml")}"/>' for name in spine)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="ja">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier>
<dc:title>{meta["title"]}</dc:title>
<dc:language>ja</dc:language>
<dc:creator>{meta["authors"]}</dc:creator>
<dc:publisher>{meta["publisher"]}</dc:publisher>
<dc:date>{meta["published"]}</dc:date>
<dc:description>{WARNING}</dc:description>
<meta property="dcterms:modified">{meta["published"].ljust(10, "0")[:10]}T00:00:00Z</meta>
</metadata>
<manifest>{manifest}
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/></manifest>
<spine>{itemrefs}</spine>
</package>
"""


def main() -> None:
    """Build every book whose source is there, or only those named on the command line."""
    builders = {
        "tebiki": lambda book: build_pdf(book, TEBIKI, HERE / "tebiki.pdf"),
        "mondo": lambda book: build_pdf(book, MONDO, HERE / "mondo.pdf"),
        "shogai": lambda book: build_epub(book, HERE / "shogai.epub"),
    }
    for name in sys.argv[1:] or builders:
        builders[name](read_manuscript(HERE / "sources" / f"{name}.md"))


if __name__ == "__main__":
    main()
