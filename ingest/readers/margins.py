"""Page numbers in the margins of a picture that the OCR engine passes over: one digit is too little for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ingest.readers.pages import parse_label

if TYPE_CHECKING:
    import numpy as np

    Image = np.ndarray[Any, np.dtype[np.uint8]]
    Recognise = Callable[[Image], tuple[str, float]]
    Bounds = tuple[float, float, float, float]

_SURE = 0.8
_MOST = 6  # pieces of ink to look at; more is noise or a picture


def lost_numbers(
    image: Image, lines: Sequence[Bounds], em: float, recognise: Recognise
) -> Iterator[tuple[Bounds, str, float]]:
    """Numbers above or below all text that no line holds: bounds, text and how sure it is.

    `lines` are the bounds of the lines read, `em` the size of the text, both in pixels.
    """
    body = [box for box in lines if max(box[2] - box[0], box[3] - box[1]) > 8 * em]
    if not body:
        return
    top, bottom = min(box[1] for box in body), max(box[3] for box in body)
    pieces = [
        piece
        for piece in _ink(image, em)
        if (piece[3] < top - 0.5 * em or piece[1] > bottom + 0.5 * em)
        and not any(_meet(piece, line) for line in lines)
    ]
    if len(pieces) > _MOST:
        return
    for piece in pieces:
        text, score = recognise(_framed(image, piece, em))
        if score >= _SURE and parse_label(text) is not None:
            yield piece, text, score


def _ink(image: Image, em: float) -> Iterator[Bounds]:
    """Pieces of ink about as high as a digit, those close beside one another together."""
    import cv2
    import numpy as np

    grey = image.mean(axis=2)
    ink = (grey < 0.6 * float(np.median(grey))).astype(np.uint8)
    joined = cv2.dilate(ink, np.ones((1, max(1, round(0.5 * em))), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for left, top, width, height, area in stats[1:count].tolist():
        if 0.35 * em < height < 1.3 * em and width < 4 * em and area > 0.05 * em * em:
            yield (left, top, left + width, top + height)


def _meet(a: Bounds, b: Bounds) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _framed(image: Image, piece: Bounds, em: float) -> Image:
    """A piece of the page with some of the paper around it."""
    import numpy as np

    x0, y0, x1, y1 = (round(value) for value in piece)
    pad = round(0.3 * em)
    cut = image[max(0, y0 - pad) : y1 + pad, max(0, x0 - pad) : x1 + pad]
    return np.ascontiguousarray(cut)
