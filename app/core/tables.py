"""The site's own rows of the glossary and of the table of law changes, kept in the data directory.

They stand above the tables that come with the product and those named in the settings.
A table is checked whole, together with those below it, before it takes the place of the
one on disk: what is on disk can always be loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from app.core.errors import BadRequest, Conflict, SettingsError, why
from app.core.glossary import BadRow

Row = tuple[str, ...]
T = TypeVar("T")

MAX_ROWS = 5000

_HEAD = (
    "# この施設の行。書棚の画面から直せます。書き方は製品付属の表の先頭にあります。",
    "#",
)


@dataclass(frozen=True, slots=True)
class SiteTable(Generic[T]):
    """One table of the site in the file `path`; `load` reads it on top of those below it.

    `columns` are the columns' names in the file with what people call them.
    """

    name: str
    path: Path
    columns: Mapping[str, str]
    load: Callable[[Path], T] = field(repr=False)
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def text(self) -> str:
        """The file's text; empty where there is none yet."""
        try:
            return self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return ""

    def rows(self) -> list[Row]:
        """The site's rows in the order of the file."""
        return self.parse(self.text())

    def mark(self) -> str:
        """Tells this state of the file from any other; hand it to `save`."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]

    def parse(self, text: str) -> list[Row]:
        """Rows of a tab-separated text; comments, empty lines and the names of columns are left out.

        Raises BadRequest naming a row with too many cells.
        """
        rows: list[Row] = []
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.split("\t")]
            if not any(cells) or line.startswith("#") or cells == list(self.columns):
                continue
            if len(cells) > len(self.columns):
                cause = f"列が {len(cells)} あります（{len(self.columns)} 列まで）"
                raise self._bad(len(rows), cells, cause)
            rows.append((*cells, *[""] * (len(self.columns) - len(cells))))
        return rows

    def checked(self, rows: Sequence[Row]) -> T:
        """What these rows make of the table; raises BadRequest naming the row at fault."""
        with self._written(rows) as (_, loaded):
            return loaded

    def save(self, rows: Sequence[Row], mark: str) -> T:
        """Puts these rows in place of the saved ones, whole or not at all.

        Raises BadRequest naming the row at fault, Conflict where the file is no longer the
        one that `mark` was made of.
        """
        with self._written(rows) as (candidate, loaded):
            if mark != self.mark():
                raise Conflict(
                    "ほかの人が先にこの表を直しました。何も保存していません。",
                    hint="表の画面を開き直し、新しい内容の上で直してください。",
                )
            candidate.replace(self.path)
        return loaded

    @contextlib.contextmanager
    def _written(self, rows: Sequence[Row]) -> Iterator[tuple[Path, T]]:
        """The rows as a file beside the saved one, and what it loads to; one at a time."""
        with self._writing, self._candidate(rows) as written:
            yield written

    @contextlib.contextmanager
    def _candidate(self, rows: Sequence[Row]) -> Iterator[tuple[Path, T]]:
        if len(rows) > MAX_ROWS:
            raise BadRequest(
                f"行が {len(rows):,} あります。{MAX_ROWS:,}行まで保存できます。",
                hint="多い分は、設定 glossary や law_changes に書くファイルにしてください。",
            )
        head = [line for line in self.text().splitlines() if line.startswith("#")] or [*_HEAD]
        lines = [*head, "\t".join(self.columns)]
        for number, row in enumerate(rows):
            if row[0].startswith("#"):
                raise self._bad(number, row, f"{next(iter(self.columns))} は # で始められません")
            lines.append("\t".join(" ".join(cell.split()) for cell in row))
        # One that a process killed here leaves behind is written over by the next.
        candidate = self.path.with_name(f"{self.path.name}.{os.getpid()}.partial")
        try:
            candidate.write_text("\n".join(lines) + "\n", encoding="utf-8")
            yield candidate, self._loaded(candidate, rows, first=len(head) + 2)
        except OSError as error:
            raise SettingsError(
                f"表 {self.path.name} を書けません: {why(error)}。",
                hint="データフォルダーの空き容量と権限を確かめてください。",
                field=str(self.path),
            ) from error
        finally:
            candidate.unlink(missing_ok=True)

    def _loaded(self, candidate: Path, rows: Sequence[Row], *, first: int) -> T:
        try:
            return self.load(candidate)
        except BadRow as error:
            if error.field != str(candidate):
                raise
            number = error.line - first
            raise self._bad(number, rows[number], error.cause) from error

    def _bad(self, number: int, row: Sequence[str], cause: str) -> BadRequest:
        """The error for a row, counted from 0 here and from 1 where it is read."""
        for column, label in self.columns.items():
            cause = re.sub(rf" ?{column} ?", f"「{label}」", cause)
        shown = "／".join(cell for cell in row[:2] if cell) or "空の行"
        return BadRequest(
            f"{number + 1}行目（{shown}）: {cause}。",
            hint="この行を直してください。まだ何も保存していません。",
            field=str(number + 1),
        )
