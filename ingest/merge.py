"""Puts the pages of several PDFs into one, in a child process with limits.

`python -m ingest.merge` reads one request and writes the file. The pages keep what they
show; labels and the outline are written anew, links and forms are left behind.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.core.book import OutlineItem
from app.core.errors import UnreadableFile
from ingest.sandbox import Limits, child_environment


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of the new file: the number of its source, its index there and its printed label.

    `stands_for` is the index of the page of the first source that it replaces, if any.
    """

    source: int
    page_index: int
    label: str = ""
    stands_for: int | None = None


def merge(sources: Sequence[Path], leaves: Sequence[Leaf], into: Path, limits: Limits) -> None:
    """Writes a PDF of `leaves` with the outline of the first source.

    An entry for a page that is gone points to the next one that is not. Raises UnreadableFile where a source cannot be taken apart.
    """
    request = {
        "sources": [str(source) for source in sources],
        "leaves": [asdict(leaf) for leaf in leaves],
        "into": str(into),
        "memory": limits.ocr_memory,
        "cpu": limits.cpu,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ingest.merge"],
            input=json.dumps(request).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            timeout=limits.wall,
            check=False,
        )
        failed = done.returncode != 0
    except subprocess.TimeoutExpired:
        failed = True
    if failed:
        names = "、".join(source.name for source in sources[1:])
        raise UnreadableFile(
            f"追録 {names} のページを本に綴じ込めません(どちらかのファイルが壊れているか、大きすぎます)。",
            hint="追録のPDFを作り直すか入手し直して、もう一度行ってください。元の本はそのままです。",
            field=names,
        )


def _child() -> None:
    request = json.loads(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu"], request["cpu"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(request["cpu"])  # ends the child even where the parent is gone
    sources = [Path(source) for source in request["sources"]]
    leaves = [Leaf(**leaf) for leaf in request["leaves"]]
    _write(sources, leaves, Path(request["into"]))


def _write(sources: Sequence[Path], leaves: Sequence[Leaf], into: Path) -> None:
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import (
        ArrayObject,
        DictionaryObject,
        NameObject,
        NumberObject,
        TextStringObject,
    )

    from ingest.readers.structure import structure

    readers = [PdfReader(source) for source in sources]
    for reader in readers:
        if reader.is_encrypted:
            reader.decrypt("")
    writer = PdfWriter()
    labels = ArrayObject()
    for number, leaf in enumerate(leaves):
        page = readers[leaf.source].pages[leaf.page_index]
        # Links and article threads would pull the pages they point to in with them.
        writer.add_page(page, excluded_keys=["/Annots", "/B", "/StructParents"])
        stated = DictionaryObject({NameObject("/P"): TextStringObject(leaf.label)})
        labels += [NumberObject(number), stated]
    writer.root_object[NameObject("/PageLabels")] = DictionaryObject({NameObject("/Nums"): labels})
    stated_of_book = structure(sources[0], None)
    if stated_of_book is not None:
        titles = {"/Title": stated_of_book.title, "/Author": stated_of_book.author}
        writer.add_metadata({key: value for key, value in titles.items() if value})
        _write_outline(writer, stated_of_book.outline, leaves)
    with into.open("wb") as file:
        writer.write(file)
        file.flush()
        os.fsync(file.fileno())


def _write_outline(writer: Any, outline: Sequence[OutlineItem], leaves: Sequence[Leaf]) -> None:
    places: dict[int, int] = {}
    for number, leaf in enumerate(leaves):
        of_book = leaf.page_index if leaf.source == 0 else leaf.stands_for
        if of_book is not None:
            places.setdefault(of_book, number)
    kept = sorted(places)
    above: list[Any] = []
    for item in outline:
        at = bisect_left(kept, item.page_index)
        if at == len(kept):
            continue
        del above[item.level - 1 :]
        parent = above[-1] if above else None
        above.append(
            writer.add_outline_item(title=item.title, page_number=places[kept[at]], parent=parent)
        )


if __name__ == "__main__":
    _child()
