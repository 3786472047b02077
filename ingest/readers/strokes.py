"""Puts back what the OCR engine drops from vertical lines: punctuation, brackets, small kana.

The engine tells where each character it read stands. Between two that are further
apart than the line's pitch something was left out; what it was is told from its ink.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Image = np.ndarray[Any, np.dtype[np.uint8]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]
    Recognise = Callable[[Image], tuple[str, float]]

_SMALL = str.maketrans(
    "つやゆよあいうえおツヤユヨアイウエオ", "っゃゅょぁぃぅぇぉッャュョァィゥェォ"
)


@dataclass(frozen=True, slots=True)
class Word:
    """One character and where it begins and ends along the line (pixels)."""

    char: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _Blob:
    """Ink between two characters: its place along and across the line, and its picture."""

    top: int
    left: int
    picture: Any
    ink: Mask

    @property
    def middle(self) -> float:
        return self.top + int(self.ink.shape[0]) / 2


def repaired(
    image: Image,
    corners: Sequence[tuple[float, float]],
    words: Sequence[Word],
    recognise: Recognise,
) -> str:
    """The line's text with dropped characters put back.

    `image` is the whole page (RGB), `corners` the line's box from its top left round;
    `recognise` reads the picture of a single character and says how sure it is.
    """
    text = "".join(word.char for word in words)
    steps = [
        after.start - before.start
        for before, after in pairwise(words)
        if not before.char.isascii() and not after.char.isascii()
    ]
    if len(steps) < 4:
        return text
    pitch = median(steps)
    # the box may be tight: a comma stands at its very edge
    slack = round(0.12 * pitch)
    strip = _strip(image, corners, slack)
    top = corners[0][1] - slack
    bottom = top + len(strip)
    blobs = _blobs(strip)
    read = ""
    place = corners[0][1]
    for word in [*words, Word("", bottom, bottom)]:
        for start, end in _cells(place, word.start, pitch):
            inside = [blob for blob in blobs if start <= blob.middle + top < end]
            read += _missing(strip, inside, (start - top, end - top), pitch, read, recognise)
        read += word.char
        place = max(place, word.end)
    return read.rstrip("\u3000")


def _strip(image: Image, corners: Sequence[tuple[float, float]], slack: int) -> Any:
    """The line set upright, in shades of grey, with `slack` pixels around it."""
    import cv2
    import numpy as np

    first, second, _, last = corners
    width = max(1, round(math.dist(first, second)))
    height = max(1, round(math.dist(first, last)))
    goal = [(slack, slack), (slack + width, slack), (slack, slack + height)]
    turn = cv2.getAffineTransform(
        np.array([first, second, last], np.float32), np.array(goal, np.float32)
    )
    size = (width + 2 * slack, height + 2 * slack)
    upright = cv2.warpAffine(image, turn, size, borderMode=cv2.BORDER_REPLICATE)
    return upright.mean(axis=2)


def _blobs(strip: Any) -> list[_Blob]:
    """Connected ink of a line, specks left out."""
    import cv2
    import numpy as np

    dark, light = float(strip.min()), float(strip.max())
    ink = (strip < dark + 0.6 * (light - dark)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    blobs = []
    for number in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[number])
        if area >= 4:
            window = (slice(top, top + height), slice(left, left + width))
            blobs.append(_Blob(top, left, strip[window], labels[window] == number))
    return blobs


def _cells(start: float, end: float, pitch: float) -> list[tuple[float, float]]:
    """The free stretch between two characters, cut into cells of about one pitch."""
    free = end - start
    if free < 0.55 * pitch:
        return []
    count = max(1, round(free / pitch))
    return [(start + free * n / count, start + free * (n + 1) / count) for n in range(count)]


def _missing(
    strip: Any,
    blobs: list[_Blob],
    cell: tuple[float, float],
    pitch: float,
    before: str,
    recognise: Recognise,
) -> str:
    """The character that stands in one free cell, a wide space where there is no ink."""
    if not blobs:
        return "\u3000" if before and cell[1] - cell[0] > 0.8 * pitch else ""
    top = min(blob.top for blob in blobs)
    bottom = max(blob.top + blob.ink.shape[0] for blob in blobs)
    left = min(blob.left for blob in blobs)
    right = max(blob.left + blob.ink.shape[1] for blob in blobs)
    height, width = (bottom - top) / pitch, (right - left) / pitch
    across = (left + right) / 2 / strip.shape[1]
    if max(height, width) < 0.1:
        return ""
    if max(height, width) <= 0.47 and len(blobs) == 1:
        if 0.35 < across < 0.62:
            return "・"
        if across >= 0.62:
            return "。" if _is_ring(blobs[0].picture) else "、"
    opening = (top + bottom) / 2 > (cell[0] + cell[1]) / 2
    if width >= 0.72 and height <= 0.4 and len(blobs) == 1:
        if _is_even(blobs[0].ink):
            return "（" if opening else "）"
        return "「" if opening else "」"
    char, score = recognise(_framed(strip, top, bottom, left, right))
    if len(char) == 1 and score >= 0.5 and char.isalnum():
        return char.translate(_SMALL) if max(height, width) < 0.74 else char
    if len(blobs) == 1 and width <= 0.6 and height <= 0.6:
        return "「" if opening else "」"
    return ""


def _is_even(ink: Mask) -> bool:
    """Whether left and right halves hold about as much ink: an arc, not a corner."""
    half = ink.shape[1] // 2
    left, right = int(ink[:, :half].sum()), int(ink[:, -half:].sum())
    return min(left, right) > 0.7 * max(left, right)


def _is_ring(picture: Any) -> bool:
    """Whether rays from the middle meet darker ink on (almost) all sides."""
    height, width = picture.shape
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    core = float(picture[round(middle_y), round(middle_x)])
    hits = 0
    for step in range(12):
        angle = step * math.pi / 6
        reach = range(1, max(height, width))
        values = [
            float(picture[y, x])
            for distance in reach
            if 0 <= (y := round(middle_y + math.sin(angle) * distance)) < height
            and 0 <= (x := round(middle_x + math.cos(angle) * distance)) < width
        ]
        hits += bool(values) and min(values) < core - 25
    return hits >= 10


def _framed(strip: Any, top: int, bottom: int, left: int, right: int) -> Image:
    """A piece of the line alone on white ground, as a colour picture."""
    import numpy as np

    piece = strip[top:bottom, left:right]
    margin = max(4, strip.shape[1] // 3)
    framed = np.pad(piece, margin, constant_values=float(strip.max())).astype(np.uint8)
    return np.repeat(framed[:, :, None], 3, axis=2)
