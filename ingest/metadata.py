"""What a book says of itself: title, edition, date of publication, as-of date, ISBN.

Three sources, the first that knows wins: a sidecar file (`NAME.pdf.toml`), the
colophon (奥付) on the first or last pages, the file's own metadata.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from app.core.book import Document, Page, first_day
from app.core.errors import UnreadableFile
from app.core.japanese import ERA_OFFSETS, fold, parse_number

FIELDS = ("title", "edition", "shelf", "authors", "publisher", "published", "isbn", "as_of")

_COLOPHON_PAGES = 3
_NUMBER = r"[0-9〇一二三四五六七八九十百]+"
_DATE = rf"(?:(?:令和|平成|昭和|大正|明治)\s*(?:元|{_NUMBER})|{_NUMBER})\s*年(?:\s*{_NUMBER}\s*月)?(?:\s*{_NUMBER}\s*日)?"
_DATE_PARTS = re.compile(
    rf"(?P<era>令和|平成|昭和|大正|明治)?\s*(?P<year>元|{_NUMBER})\s*年"
    rf"(?:\s*(?P<month>{_NUMBER})\s*月)?(?:\s*(?P<day>{_NUMBER})\s*日)?"
)
_EDITION = re.compile(
    rf"(?<![一-龠])(第\s*{_NUMBER}\s*版|初版|{_NUMBER}訂版|全訂版|改訂版|補訂版|新訂版|増補版|最新版)"
)
_AS_OF = re.compile(
    rf"内容現在日?[\s:(は]*({_DATE})|({_DATE})\s*(?:現在の法令|現在の内容|現在の法)"
)
_PUBLISHED = re.compile(
    rf"(?:発行日|発行年月日|発\s*行|刊\s*行)[\s:]*({_DATE})|({_DATE})\s*(?:{_EDITION.pattern})?\s*(?:第?{_NUMBER}刷)?\s*(?:発行|刊行)"
)
_ISBN = re.compile(r"isbn[\s:-]*((?:97[89][- ]?)?[0-9][0-9- ]{8,14}[0-9x])", re.IGNORECASE)
_PUBLISHER = re.compile(r"(?:発\s*行\s*[所元]|出\s*版\s*社)[\s:]+([^\s].{1,40})$")
_ISSUER = re.compile(r"発\s*行\s*者[\s:]+([^\s].{1,40})$")
_AUTHORS = re.compile(
    r"(?:編\s*著\s*者?|著\s*者|編\s*集|編\s*者|監\s*修|執\s*筆)[\s:]+([^\s].{1,60})$"
    r"|^([^\s].{1,40})\s(?:編著|共著|著|編|監修)$"
)
_COLOPHON_MARKS = tuple(
    re.compile(mark)
    for mark in (
        r"[年月日版刷]\s*(発行|刊行)|(発行|刊行)\s*日",
        r"発\s*行\s*[所者元]",
        r"isbn",
        r"定\s*価",
        r"印\s*刷",
        r"乱丁|落丁|複製|転載",
    )
)


def book_metadata(document: Document, path: Path) -> dict[str, str]:
    """The fields of `Book` that the file and its sidecar state; unknown ones are left out.

    Raises UnreadableFile for a sidecar that is not valid or has unknown keys.
    """
    found = {key: value for key, value in document.metadata.items() if key in FIELDS and value}
    title = document.title
    if title == path.stem:
        title = _printed_title(document) or title
    found.setdefault("title", title)
    return {**found, **_colophon(document), **_sidecar(path)}


def is_colophon(page: Page) -> bool:
    """Whether a page says who published the book, when, and for how much (奥付)."""
    text = fold(page.text)
    return len(text) < 1500 and sum(bool(mark.search(text)) for mark in _COLOPHON_MARKS) >= 3


def parse_date(text: str) -> str:
    """An ISO date (`2025-10-01`, `2025-10`, `2025`) from 令和7年10月1日 or 2025年10月; empty if none.

    Eras are read as calendar years: books with a colophon are younger than the calendar reform.
    """
    match = _DATE_PARTS.search(fold(text))
    if match is None:
        return ""
    year = 1 if match["year"] == "元" else parse_number(match["year"])
    if not year:
        return ""
    numbers = [year + ERA_OFFSETS[match["era"]] if match["era"] else year]
    for part in (match["month"], match["day"]):
        number = parse_number(part) if part else None
        if not number:
            break
        numbers.append(number)
    return "-".join(
        f"{number:0{4 if position == 0 else 2}}" for position, number in enumerate(numbers)
    )


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of a book's file is looked for."""
    return path.with_name(path.name + ".toml")


def _sidecar(path: Path) -> dict[str, str]:
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return {}
    try:
        values: Mapping[str, object] = tomllib.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableFile(
            f"書誌ファイル {sidecar.name} を読めません: {error}",
            hint='UTF-8のTOMLで 項目 = "値" の形に直してください。',
            field=sidecar.name,
        ) from None
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise UnreadableFile(
            f"書誌ファイル {sidecar.name} に知らない項目 {', '.join(unknown)} があります。",
            hint=f"使える項目: {', '.join(FIELDS)}",
            field=sidecar.name,
        )
    stated = {key: str(value) for key, value in values.items()}
    for key in ("published", "as_of"):
        if key in stated:
            stated[key] = _date(stated[key], key, sidecar)
    return stated


def _date(text: str, key: str, sidecar: Path) -> str:
    """A sidecar's date as ISO; raises UnreadableFile where it is none."""
    date = text if first_day(text) else parse_date(text)
    if not first_day(date):
        raise UnreadableFile(
            f"書誌ファイル {sidecar.name} の {key} の値「{text}」は日付として読めません。",
            hint="2025-10-01、2025-10、令和7年10月1日 のように書いてください。",
            field=sidecar.name,
        )
    return date


def _colophon(document: Document) -> dict[str, str]:
    pages = document.pages
    if len(pages) > 2 * _COLOPHON_PAGES:
        pages = pages[:_COLOPHON_PAGES] + pages[-_COLOPHON_PAGES:]
    found: dict[str, str] = {}
    issuer = ""
    for line in (line for page in pages for line in page.text.splitlines()):
        if len(line) >= 200:
            continue
        stated = dict(_stated(line))
        # A colophon lists every edition with its date: this book is the latest of them.
        if stated.get("published", "") > found.get("published", ""):
            found |= {key: stated[key] for key in ("published", "edition") if key in stated}
        for key, value in stated.items():
            found.setdefault(key, value)
        if match := _ISSUER.search(unicodedata.normalize("NFKC", line).strip()):
            issuer = issuer or match[1].strip()
    if issuer:
        # The publisher's name, as a rule that of a person, where no publishing house is named.
        found.setdefault("publisher", issuer)
    return found


def _printed_title(document: Document) -> str:
    """The title a colophon repeats from the first pages, without the edition; empty if none."""
    front = "".join(_squeezed(page.text) for page in document.pages[:_COLOPHON_PAGES])
    for page in document.pages[-_COLOPHON_PAGES:]:
        if page.index < _COLOPHON_PAGES or not is_colophon(page):
            continue
        for line in page.text.splitlines():
            title = _EDITION.sub("", unicodedata.normalize("NFKC", line)).strip(" 『』「」[]()")
            named = _PUBLISHER.search(title) or _AUTHORS.search(title) or _DATE_PARTS.search(title)
            if 4 <= len(title) <= 60 and not named and _squeezed(title) in front:
                return title
    return ""


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def _stated(line: str) -> list[tuple[str, str]]:
    # Names are shown, so their characters stay as printed, but for their width.
    names = unicodedata.normalize("NFKC", line).strip()
    line = fold(line)
    stated: list[tuple[str, str]] = []
    if match := _AS_OF.search(line):
        stated.append(("as_of", parse_date(match[1] or match[2])))
    if match := _PUBLISHED.search(line):
        stated.append(("published", parse_date(match[1] or match[2])))
    if match := _ISBN.search(line):
        stated.append(("isbn", re.sub(r"[- ]", "", match[1]).upper()))
    if match := _EDITION.search(line):
        stated.append(("edition", re.sub(r"\s", "", match[1])))
    if match := _PUBLISHER.search(names):
        stated.append(("publisher", match[1].strip()))
    if match := _AUTHORS.search(names):
        stated.append(("authors", (match[1] or match[2]).strip()))
    return [(key, value) for key, value in stated if value]
