"""XML and HTML for the other readers: safe parsing, and flowing elements into lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from app.core.book import Line, LineKind, Ruby
from app.core.errors import UnreadableFile
from ingest.readers.faults import broken
from ingest.readers.text import without_invisible

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "legend",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "title",
        "tr",
        "ul",
    ]
)
_UNSEEN = frozenset(
    [
        "head",
        "script",
        "style",
        "noscript",
        "template",
        "rp",
        "svg",
        "math",
        "object",
        "iframe",
        "audio",
        "video",
        "select",
        "textarea",
        "button",
    ]
)
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])",
    re.I,
)
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"


def parse_xml(data: bytes, path: Path) -> etree._Element:
    """Parse without DTD, entities or network. Raises UnreadableFile."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _broken(path, error) from error
    if root is None:
        raise _broken(path, ValueError("empty"))
    return root


def parse_html(text: str, path: Path) -> etree._Element:
    """Parse HTML as a browser would, tags left open included. Raises UnreadableFile."""
    body = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    parser = etree.HTMLParser(no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _broken(path, error) from error
    if root is None:
        raise _broken(path, ValueError("empty"))
    return root


def _broken(path: Path, error: Exception) -> UnreadableFile:
    if "depth" not in str(error):
        return broken(path, "XMLまたはHTML")
    return UnreadableFile(
        f"{path.name}は要素の入れ子が深すぎて読めません。",
        hint="元のファイルを確かめ、Word・PDFなど別の形式で保存し直してください。",
        field=path.name,
    )


def local_name(element: etree._Element) -> str:
    """The tag without its namespace, in lower case; empty for comments and the like."""
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""


@dataclass(slots=True)
class FlowPage:
    """Lines up to the next page mark; `label` is the printed page number the mark names."""

    label: str = ""
    lines: list[Line] = field(default_factory=list)


class Flow:
    """Walks an HTML tree and collects paragraphs, headings, table rows and readings."""

    def __init__(self) -> None:
        self.pages = [FlowPage()]
        self.hidden = 0
        self._text = ""
        self._ruby: list[Ruby] = []
        self._base = 0
        self._reading: str | None = None
        self._level = 0
        self._rows = 0
        self._cells: list[str] = []
        self._continues = False

    def walk(self, root: etree._Element) -> None:
        """Add everything a reader of the page would see."""
        skipping: etree._Element | None = None
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if event == "end":
                if skipping is element:
                    skipping = None
                elif skipping is None:
                    self._close(element)
                if skipping is None and element is not root:
                    self._add(element.tail or "", self._is_pre(element.getparent()))
            elif skipping is None:
                if self._unseen(element):
                    skipping = element
                else:
                    self._open(element)
                    self._add(element.text or "", self._is_pre(element))
        self._flush()

    def _unseen(self, element: etree._Element) -> bool:
        if not isinstance(element.tag, str) or local_name(element) in _UNSEEN:
            return True
        hidden = (
            element.get("hidden") is not None
            or element.get("aria-hidden") == "true"
            or _HIDDEN_STYLE.search(element.get("style", "")) is not None
        )
        if hidden:
            self.hidden += len("".join(seen_text(element)).strip())
        return hidden

    @staticmethod
    def _is_pre(element: etree._Element | None) -> bool:
        return element is not None and local_name(element) == "pre"

    def _open(self, element: etree._Element) -> None:
        name = local_name(element)
        if name in _BLOCKS and not (self._rows and name != "tr"):
            self._flush()
        if re.fullmatch(r"h[1-6]", name):
            self._level = int(name[1])
        elif name == "tr":
            self._rows += 1
        elif name == "ruby":
            self._base = len(self._text)
        elif name == "rt":
            self._reading = ""
        if "pagebreak" in (element.get(_EPUB_TYPE) or element.get("epub:type") or "") or (
            element.get("role") == "doc-pagebreak"
        ):
            self._turn(element.get("title") or element.get("aria-label") or "")

    def _turn(self, label: str) -> None:
        continues = bool(self._text.strip())
        self._flush()
        self._continues = continues
        self.pages.append(FlowPage(label.strip()))

    def _close(self, element: etree._Element) -> None:
        name = local_name(element)
        if name == "rt":
            reading = (self._reading or "").strip()
            if reading and self._base < len(self._text):
                self._ruby.append(Ruby(self._base, len(self._text), reading))
            self._base = len(self._text)
            self._reading = None
        elif name in ("td", "th") and self._rows:
            self._cells.append(self._text.strip())
            self._text, self._ruby = "", []
        elif name == "tr":
            self._rows -= 1
            if not self._rows:
                self._row()
        elif name in _BLOCKS and not self._rows:
            self._flush()
            self._continues = False
        if re.fullmatch(r"h[1-6]", name):
            self._level = 0

    def _add(self, text: str, pre: bool) -> None:
        if pre:
            for number, line in enumerate(text.split("\n")):
                if number:
                    self._flush()
                self._text += line
            return
        # a line break inside Japanese text is no space
        text = re.sub(r"(?<=[^\x00-\xff])[ \t\r]*\n\s*(?=[^\x00-\xff])", "", text)
        text = re.sub(r"[ \t\r\n\xa0]+", " ", text)
        if self._reading is not None:
            self._reading += text
            return
        if not self._text or self._text.endswith(" "):
            text = text.lstrip(" \u3000") if not self._text else text.lstrip(" ")
        self._text += text

    def _row(self) -> None:
        text = "\u3000".join(cell for cell in [*self._cells, self._text.strip()] if cell)
        self._text, self._ruby, self._cells = "", [], []
        if text:
            self._append(Line(text, kind="table"))

    def _flush(self) -> None:
        if self._rows:
            return
        text = self._text.rstrip()
        if text:
            kind: LineKind = "heading" if self._level else "body"
            self._append(
                Line(
                    text,
                    kind=kind,
                    level=self._level,
                    starts_paragraph=not self._continues,
                    ruby=tuple(ruby for ruby in self._ruby if ruby.end <= len(text)),
                )
            )
            self._continues = False
        self._text, self._ruby = "", []
        self._base = 0

    def _append(self, line: Line) -> None:
        clean, count = without_invisible(line.text)
        if count:
            self.hidden += count
            line = Line(clean, kind=line.kind, level=line.level)
        if line.text.strip():
            self.pages[-1].lines.append(line)


def seen_text(element: etree._Element) -> Iterator[str]:
    """The strings of an element, for titles and labels."""
    for text in element.itertext():
        if isinstance(text, str):
            yield text
