"""Changes of the law that make older books wrong.

A book states the law of its as-of date. A passage that rests on an article changed
since then is still worth reading, but never without a warning beside it. The table
is a file that staff keep up to date; its columns are explained at its top.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from app.core.book import first_day
from app.core.glossary import bad_row, cells_of, read_table
from app.core.japanese import fold
from app.core.references import PRECEDENT, find

SHIPPED = Path(__file__).parent / "data" / "law_changes.tsv"
LABELS = {
    "effective": "施行日",
    "subject": "改正の名前",
    "articles": "条文",
    "keywords": "手がかりの言葉",
    "summary": "何が変わったか",
}
COLUMNS = tuple(LABELS)


@dataclass(frozen=True, slots=True)
class LawChange:
    """One change. `effective` is an ISO date, `articles` are ids (民法:772), `summary` one sentence."""

    effective: str
    subject: str
    articles: frozenset[str]
    keywords: tuple[str, ...]
    summary: str


class LawChanges:
    """The table, oldest change first."""

    def __init__(self, changes: Iterable[LawChange]) -> None:
        self.changes = tuple(sorted(changes, key=lambda c: (c.effective, c.subject)))

    def warnings_for(self, as_of: str, references: Iterable[str], text: str) -> list[LawChange]:
        """The changes after a book's as-of date that a passage rests on, newest first.

        `as_of` is `2024-03-01`, `2024-03` or `2024` (taken as its first day); of a book
        without one nothing can be said. `references` are the ids the passage is or cites
        (民法:733, 民法:733:1). A passage rests on a change by one of its articles or by a
        keyword in its text.
        """
        since = first_day(as_of)
        later = [change for change in reversed(self.changes) if since and change.effective > since]
        if not later:
            return []
        ids = {_article_id(reference) for reference in references if _is_article(reference)}
        folded = fold(text)
        return [change for change in later if _touches(change, ids, folded)]


def load(paths: Sequence[Path] = (SHIPPED,)) -> LawChanges:
    """Read tables of law changes; all their rows count.

    Raises `SettingsError` naming file, line and cause.
    """
    changes: list[LawChange] = []
    seen: set[tuple[str, str]] = set()
    for path in paths:
        for number, row in read_table(path, COLUMNS):
            change = _change(row, path, number)
            key = (change.effective, change.subject)
            if key in seen:
                raise bad_row(
                    path, number, f"「{change.effective} {change.subject}」の行が二つあります"
                )
            seen.add(key)
            changes.append(change)
    return LawChanges(changes)


def _change(row: Sequence[str], path: Path, number: int) -> LawChange:
    effective, subject, articles, keywords, summary = row
    try:
        date.fromisoformat(effective)
    except ValueError as error:
        cause = f"施行日「{effective}」は日付ではありません（例: 2024-04-01）"
        raise bad_row(path, number, cause) from error
    if not subject or not summary:
        raise bad_row(path, number, "subject と summary は空にできません")
    ids: set[str] = set()
    for written in cells_of(articles):
        mentions = find(written)
        if len(mentions) != 1 or not mentions[0].reference.article:
            raise bad_row(path, number, f"「{written}」は条文の表記ではありません（例: 民法772条）")
        ids.add(mentions[0].reference.article_id)
    words = tuple(fold(word) for word in cells_of(keywords))
    if not ids and not words:
        raise bad_row(path, number, "articles か keywords のどちらかが要ります")
    return LawChange(effective, subject, frozenset(ids), words, summary)


def _touches(change: LawChange, ids: set[str], folded: str) -> bool:
    return bool(ids & change.articles) or any(word in folded for word in change.keywords)


def _is_article(reference: str) -> bool:
    """False for a precedent (先例:1964-06-30:民事甲:2240) and a law cited as a whole (民法)."""
    return ":" in reference and not reference.startswith(f"{PRECEDENT}:")


def _article_id(reference: str) -> str:
    """民法:767:2 → 民法:767."""
    return ":".join(reference.split(":")[:2])
