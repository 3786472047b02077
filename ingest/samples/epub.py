"""Writes a manuscript as an EPUB 3 file."""

from __future__ import annotations

import html
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from ingest.samples.compose import WARNING, Composer, Heading, colophon_html, cover_html, full_date
from ingest.samples.manuscript import Block, Manuscript

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
    files["colophon.xhtml"] = xhtml("奥付", colophon_html(book.meta, kanji=False))
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
<meta property="dcterms:modified">{full_date(meta["published"])}T00:00:00Z</meta>
</metadata>
<manifest>{manifest}
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/></manifest>
<spine>{itemrefs}</spine>
</package>
"""
