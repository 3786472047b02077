"""Draws one page of a PDF as a picture, in a child process with limits.

pdfium may abort, hang or take all memory on a hostile file, so the service never
loads it: `python -m ingest.render` reads one request and answers with the picture.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import NotReady, UnreadableFile
from ingest.sandbox import child_environment

if TYPE_CHECKING:
    from PIL.Image import Image

MEMORY = 1 << 30
"""Address space of the child in bytes."""

SECONDS = 20
"""Processor and wall time of one page."""

_FAILED = 3


def draw_page(path: Path, page_index: int, width: int) -> bytes:
    """A page as a PNG `width` pixels wide; raises UnreadableFile naming the file.

    Raises NotReady where the machine could not start the child.
    """
    request = json.dumps({"path": str(path), "page_index": page_index, "width": width}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ingest.render"],
            input=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            timeout=SECONDS + 5,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _not_drawn(path, page_index, "時間がかかりすぎたため中止しました") from None
    except OSError as error:
        raise NotReady(
            f"ページの画像を作る処理を始められません: {error.strerror}",
            hint="しばらく待って開き直し、続くときは管理者に知らせてください。",
        ) from error
    if done.returncode or not done.stdout:
        raise _not_drawn(path, page_index, "ファイルのこのページを描けません")
    return done.stdout


def _not_drawn(path: Path, page_index: int, cause: str) -> UnreadableFile:
    return UnreadableFile(
        f"{page_index + 1}枚目の画像を作れませんでした。{cause}。",
        hint="文字の表示で読むか、原本のファイルを開いてください。",
        field=path.name,
    )


def _child() -> None:
    request = json.loads(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)  # ends the child even where the parent is gone
    # libraries may print; only the picture goes to the parent
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    picture = _drawn(Path(request["path"]), request["page_index"], request["width"])
    with contextlib.suppress(BrokenPipeError), answer:
        answer.write(picture)


def _drawn(path: Path, page_index: int, width: int) -> bytes:
    import pypdfium2 as pdfium

    try:
        page = pdfium.PdfDocument(path)[page_index]
        scale = width / page.get_width()
        # A page of extreme shape must not become a picture of extreme size.
        scale = min(scale, 4 * width / page.get_height())
        image = page.render(scale=scale).to_pil()
    except (pdfium.PdfiumError, IndexError, MemoryError, ZeroDivisionError):
        sys.exit(_FAILED)
    if _is_grey(image):
        image = image.convert("L")  # half the size and the time
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _is_grey(image: Image) -> bool:
    from PIL import ImageChops

    if image.mode == "L":
        return True
    red, green, blue = image.convert("RGB").split()
    same = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return not any(difference.getbbox() for difference in same)


if __name__ == "__main__":
    _child()
