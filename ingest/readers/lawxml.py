"""Law XML as published by e-Gov → Document: chapters and articles as headings, items as lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from app.core.book import Document, Line, Page, Ruby
from app.core.errors import UnknownFormat
from ingest.readers.faults import empty
from ingest.readers.markup import parse_xml

_DIVISIONS = {"Part": 2, "Chapter": 3, "Section": 4, "Subsection": 5, "Division": 6}
_ITEMS = frozenset(["Item", *(f"Subitem{depth}" for depth in range(1, 11))])
_ARTICLE_LEVEL = 5


def read_lawxml(path: Path) -> Document:
    """One page. Raises UnknownFormat for XML of another kind, UnreadableFile and NoText."""
    root = parse_xml(path.read_bytes(), path)
    law = root if root.tag == "Law" else root.find(".//Law")
    body = None if law is None else law.find("LawBody")
    if law is None or body is None:
        raise UnknownFormat(
            f"{path.name}は法令XMLではありません。",
            hint="e-Gov法令検索の標準法令XML(Law要素で始まるもの)を登録してください。",
            field=path.name,
        )
    title = _text(body.find("LawTitle")) or path.stem
    number = _text(law.find("LawNum"))
    lines = [Line(title, kind="heading", level=1)]
    if number:
        lines.append(Line(f"（{number}）"))
    for child in body:
        if child.tag not in ("LawTitle", "TOC"):
            lines += _lines(child)
    if len(lines) < 3:
        raise empty(path)
    page = Page(index=0, lines=tuple(lines), extractor="lawxml")
    return Document(title, (page,), media_type="application/xml")


def _lines(element: etree._Element) -> Iterator[Line]:
    """Lines of one element of the law, in document order."""
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag in _DIVISIONS:
        yield from _heading(element.find(f"{tag}Title"), _DIVISIONS[tag])
        skip = f"{tag}Title"
    elif tag == "SupplProvision":
        label = _text(element.find("SupplProvisionLabel")) or "附則"
        amending = element.get("AmendLawNum")
        yield Line(label + (f"（{amending}）" if amending else ""), kind="heading", level=2)
        skip = "SupplProvisionLabel"
    elif tag == "Article":
        yield _article(element)
        skip = "ArticleTitle"
    elif tag == "Paragraph":
        yield from _numbered(element, "ParagraphNum", "ParagraphSentence")
        return
    elif tag in _ITEMS:
        yield from _numbered(element, f"{tag}Title", f"{tag}Sentence")
        return
    elif tag == "TableRow" or tag == "TableHeaderRow":
        text = "\u3000".join(cell for column in element if (cell := _text(column)))
        if text:
            yield Line(text, kind="table")
        return
    elif tag.startswith("Appdx") or tag in ("SupplProvisionAppdxTable", "SupplProvisionAppdxStyle"):
        yield from _heading(element.find(f"{tag}Title"), 2)
        skip = f"{tag}Title"
    elif (
        len(element) == 0
        or element.find("Sentence") is not None
        or element.find("Ruby") is not None
    ):
        yield from _line("", element)
        return
    else:
        skip = ""
    for child in element:
        if child.tag not in (skip, "ArticleCaption"):
            yield from _lines(child)


def _heading(title: etree._Element | None, level: int) -> Iterator[Line]:
    text = _text(title)
    if text:
        yield Line(text, kind="heading", level=level)


def _article(element: etree._Element) -> Line:
    title = _text(element.find("ArticleTitle"))
    return Line(title + _text(element.find("ArticleCaption")), kind="heading", level=_ARTICLE_LEVEL)


def _numbered(element: etree._Element, number_tag: str, sentence_tag: str) -> Iterator[Line]:
    """A paragraph or item: number, sentences, then what is nested in it."""
    for child in element:
        if child.tag == sentence_tag:
            yield from _line(_text(element.find(number_tag)), child)
        elif child.tag not in (number_tag, "ParagraphCaption"):
            yield from _lines(child)
        elif child.tag == "ParagraphCaption":
            yield from _line("", child)


def _line(number: str, element: etree._Element) -> Iterator[Line]:
    """One line: the number, a full-width space, the sentences; columns parted by one too."""
    text = f"{number}\u3000" if number else ""
    ruby: list[Ruby] = []
    columns = element.findall("Column") or [element]
    for place, column in enumerate(columns):
        if place:
            text += "\u3000"
        text = _append(text, column, ruby)
    if text.strip():
        yield Line(text.rstrip(), ruby=tuple(ruby))


def _append(text: str, element: etree._Element, ruby: list[Ruby]) -> str:
    """The element's text after `text`; readings are noted, not written."""
    text += _squeezed(element.text)
    for child in element:
        if child.tag == "Ruby":
            start = len(text)
            text += _squeezed(child.text)
            reading = "".join(_squeezed(rt.text) for rt in child.findall("Rt"))
            if reading and len(text) > start:
                ruby.append(Ruby(start, len(text), reading))
        elif isinstance(child.tag, str):
            text = _append(text, child, ruby)
        text += _squeezed(child.tail)
    return text


def _squeezed(text: str | None) -> str:
    return "".join(part.strip() for part in (text or "").splitlines())


def _text(element: etree._Element | None) -> str:
    return "" if element is None else _append("", element, []).strip()
