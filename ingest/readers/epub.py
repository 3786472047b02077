"""EPUB → Document: the spine's documents in order, a page for each or for each printed page marked."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag
from zipfile import ZipFile

from lxml import etree

from app.core.book import Document, OutlineItem, Page
from app.core.errors import UnreadableFile
from ingest.readers.archive import open_zip, read_member
from ingest.readers.faults import broken, empty
from ingest.readers.html import decode_html, hidden_warning
from ingest.readers.markup import Flow, local_name, parse_html, parse_xml, seen_text

_FONT_OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_FIELDS = {"creator": "authors", "publisher": "publisher", "date": "published"}


def read_epub(path: Path) -> Document:
    """Readings, headings and the table of contents included. Raises UnreadableFile and NoText."""
    with open_zip(path) as archive:
        names = set(archive.namelist())
        _refuse_locked(archive, names, path)
        package_name = _package_name(archive, path)
        package = parse_xml(read_member(archive, package_name, path), path)
        folder = posixpath.dirname(package_name)
        manifest = _manifest(package, folder)
        pages: list[Page] = []
        places: dict[str, int] = {}
        hidden = 0
        for name in _spine(package, manifest):
            if name not in names:
                continue
            text = decode_html(read_member(archive, name, path), path)
            flow = Flow()
            root = parse_html(text, path)
            body = root.find("body")
            flow.walk(root if body is None else body)
            hidden += flow.hidden
            places[name] = len(pages)
            for found in flow.pages:
                if found.lines or found.label:
                    pages.append(
                        Page(len(pages), tuple(found.lines), found.label, extractor="epub")
                    )
        outline = tuple(_outline(archive, manifest, names, places, path))
    if not any(page.lines for page in pages):
        raise empty(path)
    metadata = _metadata(package)
    return Document(
        metadata.pop("title", "") or path.stem,
        tuple(pages),
        outline=outline,
        metadata=metadata,
        media_type="application/epub+zip",
        warnings=hidden_warning(hidden),
    )


def _refuse_locked(archive: ZipFile, names: set[str], path: Path) -> None:
    """Obfuscated fonts are no lock; anything else encrypted is."""
    if "META-INF/encryption.xml" not in names:
        return
    root = parse_xml(read_member(archive, "META-INF/encryption.xml", path), path)
    methods = [
        element.get("Algorithm", "")
        for element in root.iter()
        if local_name(element) == "encryptionmethod"
    ]
    if any(method not in _FONT_OBFUSCATION for method in methods):
        raise UnreadableFile(
            f"{path.name}はコピー保護(DRM)がかかっていて読めません。",
            hint="保護のないEPUBかPDFを出版社に確かめてください。",
            field=path.name,
        )


def _package_name(archive: ZipFile, path: Path) -> str:
    root = parse_xml(read_member(archive, "META-INF/container.xml", path), path)
    for element in root.iter():
        if local_name(element) == "rootfile" and element.get("full-path"):
            return str(element.get("full-path"))
    raise broken(path, "EPUB")


def _manifest(package: etree._Element, folder: str) -> dict[str, tuple[str, str, str]]:
    """Item id → (member name, media type, properties)."""
    return {
        element.get("id", ""): (
            _member(folder, element.get("href", "")),
            element.get("media-type", ""),
            element.get("properties", ""),
        )
        for element in package.iter()
        if local_name(element) == "item"
    }


def _member(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(urldefrag(href).url)))


def _spine(package: etree._Element, manifest: dict[str, tuple[str, str, str]]) -> Iterator[str]:
    for element in package.iter():
        if local_name(element) == "itemref":
            name, media_type, properties = manifest.get(element.get("idref", ""), ("", "", ""))
            if "html" in media_type and "nav" not in properties.split():
                yield name


def _outline(
    archive: ZipFile,
    manifest: dict[str, tuple[str, str, str]],
    names: set[str],
    places: dict[str, int],
    path: Path,
) -> Iterator[OutlineItem]:
    """The navigation document's (or the older NCX's) entries."""
    for name, media_type, properties in manifest.values():
        if name not in names:
            continue
        folder = posixpath.dirname(name)
        if "nav" in properties.split():
            root = parse_html(decode_html(read_member(archive, name, path), path), path)
            toc = root.find(".//nav")
            links = [] if toc is None else list(toc.iter("a"))
            entries = [
                (
                    "".join(seen_text(link)),
                    link.get("href", ""),
                    sum(1 for _ in link.iterancestors("ol")),
                )
                for link in links
            ]
        elif media_type == "application/x-dtbncx+xml":
            root = parse_xml(read_member(archive, name, path), path)
            entries = [
                _ncx_entry(point) for point in root.iter() if local_name(point) == "navpoint"
            ]
        else:
            continue
        for title, href, level in entries:
            target = _member(folder, href)
            if title.strip() and target in places:
                yield OutlineItem(" ".join(title.split()), max(level, 1), places[target])
        return


def _ncx_entry(point: etree._Element) -> tuple[str, str, int]:
    title = href = ""
    for child in point:
        if local_name(child) == "navlabel":
            title = "".join(seen_text(child))
        elif local_name(child) == "content":
            href = child.get("src", "")
    level = 1 + sum(1 for parent in point.iterancestors() if local_name(parent) == "navpoint")
    return title, href, level


def _metadata(package: etree._Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in package.iter():
        name = local_name(element)
        text = " ".join((element.text or "").split())
        if not text:
            continue
        if name == "title":
            found.setdefault("title", text)
        elif name in _FIELDS:
            key = _FIELDS[name]
            found[key] = f"{found[key]}、{text}" if name == "creator" and key in found else text
        elif name == "identifier" and "isbn" in text.lower():
            found["isbn"] = text.lower().removeprefix("urn:isbn:").strip()
    if "published" in found:
        found["published"] = found["published"][:10]
    return found
