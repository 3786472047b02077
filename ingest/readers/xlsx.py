"""Excel → Document: a sheet is a page with its name as heading, a row is a line."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from app.core.book import Document, Line, OutlineItem, Page
from ingest.readers.archive import open_zip
from ingest.readers.faults import broken, empty
from ingest.readers.text import without_invisible

MAX_ROWS = 200_000


def read_xlsx(path: Path) -> Document:
    """Cells as last calculated, hidden sheets left out. Raises UnreadableFile and NoText."""
    open_zip(path).close()
    try:
        # Given the name openpyxl would go by it; what is in the file has been looked at already.
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            pages, hidden = _pages(book)
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        AttributeError,
        KeyError,
        OSError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        raise broken(path, "Excelブック") from error
    if not any(len(page.lines) > 1 for page in pages):
        raise empty(path)
    return Document(
        path.stem,
        pages,
        outline=tuple(OutlineItem(page.lines[0].text, 1, page.index) for page in pages),
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        warnings=(f"非表示のシート{hidden}枚を除きました",) if hidden else (),
    )


def _pages(book: openpyxl.Workbook) -> tuple[tuple[Page, ...], int]:
    pages: list[Page] = []
    hidden = 0
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            hidden += 1
            continue
        lines = [Line(sheet.title, kind="heading", level=1)]
        for number, row in enumerate(sheet.iter_rows(values_only=True)):
            if number >= MAX_ROWS:
                break
            cells = [shown for value in row if (shown := _shown(value))]
            if cells:
                lines.append(Line("\u3000".join(cells), kind="table"))
        pages.append(Page(index=len(pages), lines=tuple(lines), extractor="openpyxl"))
    return tuple(pages), hidden


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(without_invisible(str(value))[0].split())
