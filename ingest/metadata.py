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

from app.core.book import Document, first_day
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
_PUBLISHER = re.compile(r"(?:発行所|発行者|発行元|出版社)[\s:]+([^\s].{1,40})$")
_AUTHORS = re.compile(r"(?:編著者?|著者|編集|編者|監修|執筆)[\s:]+([^\s].{1,60})$")


def book_metadata(document: Document, path: Path) -> dict[str, str]:
    """The fields of `Book` that the file and its sidecar state; unknown ones are left out.

    Raises UnreadableFile for a sidecar that is not valid or has unknown keys.
    """
    found = {key: value for key, value in document.metadata.items() if key in FIELDS and value}
    found.setdefault("title", document.title)
    return {**found, **_colophon(document), **_sidecar(path)}


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
    for line in (line for page in pages for line in page.text.splitlines()):
        if len(line) >= 200:
            continue
        stated = dict(_stated(line))
        # A colophon lists every edition with its date: this book is the latest of them.
        if stated.get("published", "") > found.get("published", ""):
            found |= {key: stated[key] for key in ("published", "edition") if key in stated}
        for key, value in stated.items():
            found.setdefault(key, value)
    return found


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
        stated.append(("authors", match[1].strip()))
    return [(key, value) for key, value in stated if value]
