"""A second opinion on a page's picture: Tesseract, where the site has installed it.

Its reading is set beside ours, never taken for it: on every kind of page measured it was
the worse of the two. How far they agree tells where to look first.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Image = np.ndarray[Any, np.dtype[np.uint8]]

_SECONDS = 60
_COLUMN, _BLOCK = "5", "3"  # page segmentation: a block of vertical text, a page
_allowed = True


def forbid() -> None:
    """Nobody is asked for the rest of this process."""
    global _allowed
    _allowed = False


@cache
def languages() -> frozenset[str]:
    """The languages Tesseract can read here; none where it is not installed."""
    if shutil.which("tesseract") is None:
        return frozenset()
    listed = subprocess.run(
        ["tesseract", "--list-langs"], capture_output=True, text=True, timeout=10, check=False
    )
    return frozenset(listed.stdout.split())


def opinion(image: Image, *, vertical: bool, dpi: float) -> str | None:
    """What Tesseract reads of a page, without white space; None where it cannot say."""
    language = "jpn_vert" if vertical else "jpn"
    if not _allowed or language not in languages():
        return None
    import PIL.Image

    picture = io.BytesIO()
    PIL.Image.fromarray(image).convert("L").save(picture, "PNG")
    try:
        done = subprocess.run(
            [
                *("tesseract", "stdin", "stdout", "-l", language, "--dpi", str(round(dpi))),
                *("--psm", _COLUMN if vertical else _BLOCK, "tsv"),
            ],
            input=picture.getvalue(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    rows = csv.DictReader(
        io.StringIO(done.stdout.decode("utf-8", "replace")), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    return "".join("".join((row["text"] or "").split()) for row in rows)
