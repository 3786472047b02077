"""Small PDFs written by hand: every character placed on its own, fonts not embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mark:
    """One character with its baseline origin (points from the bottom left) and size."""

    char: str
    x: float
    y: float
    size: float = 10.0
    mode: int = 0


def across(text: str, x: float, y: float, size: float = 10.0, mode: int = 0) -> list[Mark]:
    """A horizontal line; ASCII advances half an em."""
    marks = []
    for char in text:
        marks.append(Mark(char, x, y, size, mode))
        x += size / 2 if char.isascii() else size
    return marks


def down(text: str, x: float, y: float, size: float = 10.0) -> list[Mark]:
    """A vertical line of full-width characters."""
    return [Mark(char, x, y - size * number, size) for number, char in enumerate(text)]


def write_pdf(
    path: Path,
    pages: Sequence[Sequence[Mark]],
    *,
    size: tuple[int, int] = (420, 595),
    extra: str = "",
    page_entries: str = "",
    catalog_entries: str = "",
    encoding: str = "UniJIS-UTF16-H",
) -> Path:
    """Write a PDF whose characters stand exactly where the marks say, in their order."""
    objects: list[bytes] = []
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Catalog /Pages 2 0 R {catalog_entries} >>".encode())
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(
        f"<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin-Light-{encoding}"
        f" /Encoding /{encoding} /DescendantFonts [4 0 R] >>".encode()
    )
    objects.append(
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin-Light /DW 1000"
        b" /W [1 230 500] /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>"
    )
    for number, marks in enumerate(pages):
        content = extra + "BT\n" + "".join(_show(mark) for mark in marks) + "ET\n"
        stream = content.encode()
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] {page_entries}"
            f" /Resources << /Font << /F 3 0 R >> >> /Contents {6 + 2 * number} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    path.write_bytes(assemble(objects))
    return path


def _show(mark: Mark) -> str:
    code = mark.char.encode("utf-16-be").hex()
    return f"{mark.mode} Tr /F {mark.size} Tf 1 0 0 1 {mark.x:.2f} {mark.y:.2f} Tm <{code}> Tj\n"


def assemble(objects: Sequence[bytes]) -> bytes:
    """Number the objects, the first being the catalog, and add the table of their places."""
    data = b"%PDF-1.5\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        table,
    )
