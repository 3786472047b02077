"""Applies supplements (追録) to a loose-leaf book: its next edition, with the pages exchanged.

The pages are put together in one PDF, which is read like any book and published beside
the edition before it, which it supersedes. What changed is kept with it. The same
supplement a second time changes nothing; a kill at any point leaves the book as it was.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from app.core.book import Book, Page, Passage, content_id, first_day
from app.core.errors import BadRequest, Conflict, NotReady, ShioriError, UnreadableFile, why
from app.core.japanese import fold
from app.core.ledger import Ledger
from app.core.settings import Settings
from ingest.index import Shelf, fingerprint
from ingest.jobs import Event, read_alone

_NUMBERED = re.compile(r"追録\s*第?\s*([0-9]{1,4})\s*号?|第\s*([0-9]{1,4})\s*次?\s*追録")
_EDITION = re.compile(r"\s*追録第[0-9]+号$")


@dataclass(frozen=True, slots=True)
class Changes:
    """What a supplement changed. Labels as printed; passages are counted by their content.

    `left_out` are pages without a printed number, `file` and page index each.
    """

    replaced: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    passages_same: int = 0
    passages_new: int = 0
    passages_gone: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The figures in a line."""
        return (
            f"差替え{len(self.replaced)} 追加{len(self.added)} 除去{len(self.removed)}ページ、"
            f"パッセージは新しいもの{self.passages_new}・消えたもの{self.passages_gone}"
            f"・同じもの{self.passages_same}"
        )


@dataclass(frozen=True, slots=True)
class Supplemented:
    """The new edition (`state` added, or unchanged where it was there already) and what changed."""

    book: Book
    supersedes: str
    state: str
    changes: Changes = field(default_factory=Changes)

    def as_json(self) -> dict[str, Any]:
        """The stable JSON shape of `shiori ingest supplement --json`."""
        book = self.book
        return {
            "state": self.state,
            "book_id": book.id,
            "supersedes": self.supersedes,
            "title": book.title,
            "edition": book.edition,
            "as_of": book.as_of,
            "pages": book.pages,
            "passages": book.passages,
            **changes_json(self.changes),
        }


def changes_json(changes: Changes) -> dict[str, Any]:
    """Changes as they are printed and kept."""
    values = asdict(changes)
    values["left_out"] = [{"file": file, "page_index": index} for file, index in changes.left_out]
    return values


def changes_of(ledger: Ledger, book_id: str) -> Changes | None:
    """What the supplement that made this edition changed; None for a book that was read from a file."""
    kept = ledger.fact(_fact(book_id))
    if not kept:
        return None
    values: dict[str, Any] = json.loads(kept)
    values["left_out"] = [(item["file"], item["page_index"]) for item in values["left_out"]]
    for name in ("replaced", "added", "removed", "left_out", "warnings"):
        values[name] = tuple(values[name])
    return Changes(**values)


def supplement(
    shelf: Shelf,
    book_id: str,
    files: Sequence[Path],
    settings: Settings,
    *,
    remove: Sequence[str] = (),
    as_of: str = "",
    on_event: Callable[[Event], None] = lambda event: None,
    stopping: threading.Event | None = None,
) -> Supplemented:
    """Exchanges a book's pages for those of the files, by printed label; publishes its next edition.

    `remove` are labels to take out besides those the supplement's table names, `as_of` the
    date whose law the new edition states, where the supplement does not say.
    Raises NotFound, Conflict where a later edition is on the shelf, BadRequest for a date
    that is none and where the labels do not tell which pages are meant, UnreadableFile for a file that cannot be read.
    """
    if as_of and not first_day(as_of):
        raise BadRequest(
            f"日付「{as_of}」を読めません。",
            hint="2026-04-01 のように書いてください。",
            field="as_of",
        )
    book = shelf.ledger.book(book_id)
    files = [file.expanduser().absolute() for file in files]
    key = content_id(
        shelf.ledger.sha256(book_id), *(_digest(file) for file in files), *remove, as_of, length=64
    )
    if known := shelf.ledger.book_with(sha256=key):
        made = known[0]
        return Supplemented(
            made, book_id, "unchanged", changes_of(shelf.ledger, made.id) or Changes()
        )
    _check_latest(shelf.ledger, book)
    original = shelf.original(book_id)
    if original.suffix != ".pdf":
        raise BadRequest(
            f"「{book.title}」はPDFの本ではないので、ページを差し替えられません。",
            hint="新しい内容のファイルを shiori ingest add で登録してください。",
            field=book_id,
        )
    name = f"{book.source_file} + {', '.join(file.stem for file in files)}.pdf"
    job_id = shelf.ledger.start_job(name)
    state, reason = "interrupted", "途中で止められました。"
    try:
        with tempfile.TemporaryDirectory(prefix="shiori-") as folder:
            task = _Task(
                source=name,
                book_id=shelf.new_id(name, key),
                original=original,
                files=tuple(files),
                pages=tuple(shelf.ledger.pages(book_id)),
                remove=tuple(remove),
                merged=Path(folder) / "merged.pdf",
            )
            broken = NotReady(
                "追録を処理するプロセスが異常終了しました。",
                hint="メモリが足りているかを確かめ、もう一度行ってください。元の本はそのままです。",
            )
            stopping = stopping or threading.Event()
            read = read_alone(_read, task, settings, on_event, stopping, broken)
            made, changes = _publish(shelf, book, task, key, read, as_of)
        state, reason = "added", changes.sentence
    except ShioriError as error:
        state, reason = "failed", error.in_full
        raise
    finally:
        shelf.ledger.finish_job(job_id, state, reason=reason, book_id=book_id)
    on_event(Event(name, "added", made.pages, made.pages))
    return Supplemented(made, book_id, "added", changes)


def next_edition(edition: str, stated: int) -> str:
    """The edition's name with the number of the supplement that made it; the next one where unknown."""
    last = re.search(r"追録第([0-9]+)号$", edition)
    number = stated or (int(last[1]) + 1 if last else 1)
    return f"{_EDITION.sub('', edition)} 追録第{number}号".strip()


def _digest(file: Path) -> str:
    try:
        return fingerprint(file)
    except OSError as error:
        raise UnreadableFile(
            f"{file} を開けません: {why(error)}。",
            hint="ファイルの場所と権限を確かめてください。",
            field=str(file),
        ) from error


def _check_latest(ledger: Ledger, book: Book) -> None:
    if book.superseded_by:
        later = ledger.book(book.superseded_by)
        raise Conflict(
            f"「{book.name}」には後の版 {later.edition} (ID {later.id}) があります。",
            hint=f"追録は最新の版に加えてください: shiori ingest supplement {later.id} …",
            field=book.id,
        )


def _publish(
    shelf: Shelf, book: Book, task: _Task, key: str, read: _Read, as_of: str
) -> tuple[Book, Changes]:
    with shelf.writing:
        book = shelf.ledger.book(book.id)
        _check_latest(shelf.ledger, book)  # another supplement may have been quicker
        stated = read.metadata
        made = replace(
            book,
            id=task.book_id,
            source_file=task.source,
            edition=next_edition(book.edition, read.number),
            published=max(book.published, stated.get("published", "")),
            as_of=as_of or max(book.as_of, stated.get("as_of", "")),
            superseded_by="",
        )
        before = _contents(book.id, [passage for _, passage in shelf.ledger.passages_of(book.id)])
        after = _contents(made.id, read.prepared.passages)
        changes = replace(
            read.changes,
            passages_same=len(before & after),
            passages_new=len(after - before),
            passages_gone=len(before - after),
        )
        kept = json.dumps(changes_json(changes), ensure_ascii=False)
        shelf.ledger.set_fact(_fact(made.id), kept)
        made = shelf.publish(made, task.merged, key, read.prepared)
    return made, changes


def _contents(book_id: str, passages: Sequence[Passage]) -> set[str]:
    """Passage ids without the book's: the same path and text give the same."""
    return {passage.id.removeprefix(book_id) for passage in passages}


def _fact(book_id: str) -> str:
    return f"supplement:{book_id}"


# -- in the child process -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    """Everything the child needs; `pages` are the book's, whose labels count."""

    source: str
    book_id: str
    original: Path
    files: tuple[Path, ...]
    pages: tuple[Page, ...]
    remove: tuple[str, ...]
    merged: Path


@dataclass(frozen=True, slots=True)
class _Read:
    """`number` is the supplement's own (追録第12号), 0 where it does not say."""

    changes: Changes
    metadata: dict[str, str]
    number: int
    prepared: Any  # ingest.pipeline.Prepared; not imported here, where LlamaIndex must not be


def _read(task: _Task, settings: Settings) -> _Read:
    from ingest.jobs import report_pages
    from ingest.loose import labelled, plan
    from ingest.merge import merge
    from ingest.metadata import book_metadata
    from ingest.pipeline import prepare
    from ingest.readers.dispatch import sniff
    from ingest.sandbox import limits_of, read_book

    limits = limits_of(settings)
    supplements: list[tuple[str, list[Page]]] = []
    metadata: dict[str, str] = {}
    number = 0
    for file in task.files:
        if sniff(file) != "pdf":
            raise UnreadableFile(
                f"{file.name} はPDFではないので、ページとして綴じ込めません。",
                hint="PDFにして登録してください。",
                field=file.name,
            )
        document = read_book(file, limits=limits)
        found = book_metadata(document, file)
        for name in ("published", "as_of"):
            metadata[name] = max(metadata.get(name, ""), found.get(name, ""))
        pages = labelled(document.pages)
        supplements.append((file.name, pages))
        unnumbered = [line.text for page in pages if not page.label for line in page.lines]
        number = _stated_number([*unnumbered, document.title, file.stem]) or number
    made = plan(task.pages, supplements, task.remove)
    merge([task.original, *task.files], made.leaves, task.merged, limits)
    document = read_book(task.merged, limits=limits, on_page=report_pages(task.source))
    pages_of = zip(document.pages, made.leaves, strict=True)
    document = replace(
        document, pages=tuple(replace(page, label=leaf.label) for page, leaf in pages_of)
    )
    changes = Changes(
        made.replaced,
        made.added,
        made.removed,
        tuple((item.file, item.page_index) for item in made.left_out),
        warnings=made.warnings,
    )
    prepared = prepare(document, task.book_id, passage_chars=settings.passage_chars)
    return _Read(changes, metadata, number, prepared)


def _stated_number(lines: Sequence[str]) -> int:
    for line in lines:
        if match := _NUMBERED.search(fold(line)):
            return int(match[1] or match[2])
    return 0
