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
    """The characters that stand in one free cell, a wide space where there is no ink."""
    if not blobs:
        return "\u3000" if before and cell[1] - cell[0] > 0.8 * pitch else ""
    groups = _stacked(blobs, pitch)
    marks = [_mark(group[0], pitch, strip.shape[1]) if len(group) == 1 else "" for group in groups]
    if len(blobs) == 1 and "ァ" <= before[-1:] <= "ヺ" and _is_upright(blobs[0], pitch):
        return "ー"
    if len(groups) == 1 and marks[0]:
        return marks[0]
    top = min(blob.top for blob in blobs)
    bottom = max(blob.top + blob.ink.shape[0] for blob in blobs)
    left = min(blob.left for blob in blobs)
    right = max(blob.left + blob.ink.shape[1] for blob in blobs)
    height, width = (bottom - top) / pitch, (right - left) / pitch
    if max(height, width) < 0.1:
        return ""
    char, score = recognise(_framed(strip, top, bottom, left, right))
    is_sure = len(char) == 1 and char.isalnum() and not char.isascii()
    if is_sure and score >= (0.9 if all(marks) else 0.5):
        return char.translate(_SMALL) if max(height, width) < 0.74 else char
    # two marks may share the room of one character: ）、
    return "".join(marks) if all(marks) else ""


def _is_upright(blob: _Blob, pitch: float) -> bool:
    """Whether a blob is a single stroke downwards."""
    height, width = blob.ink.shape
    return bool(height > 0.5 * pitch and width < 0.3 * pitch)


def _stacked(blobs: list[_Blob], pitch: float) -> list[list[_Blob]]:
    """Blobs by what stands one below the other, with free space between."""
    groups: list[list[_Blob]] = []
    end = 0
    for blob in sorted(blobs, key=lambda blob: blob.top):
        if groups and blob.top < end + 0.08 * pitch:
            groups[-1].append(blob)
        else:
            groups.append([blob])
        end = max(end, blob.top + blob.ink.shape[0])
    return groups


def _mark(blob: _Blob, pitch: float, breadth: int) -> str:
    """The punctuation mark or bracket that a single blob is by its place and shape; empty if none."""
    height, width = blob.ink.shape[0] / pitch, blob.ink.shape[1] / pitch
    across = (blob.left + blob.ink.shape[1] / 2) / breadth
    if 0.1 <= max(height, width) <= 0.47 and min(height, width) > 0.3 * max(height, width):
        if 0.35 < across < 0.62:
            return "・"
        return ("。" if _is_ring(blob.picture) else "、") if across >= 0.62 else ""
    if not (0.5 <= width <= 0.95 and 0.12 <= height <= 0.5):
        return ""
    return _bracket(blob.ink)


def _bracket(ink: Mask) -> str:
    """A bracket set for vertical text, by its shape; empty for other strokes.

    A round one is an arc whose ends hang down (（) or rise; a square one is a bar with a
    tail down at its right (「) or up at its left; a double one has a hole in it.
    """
    import numpy as np

    height, width = ink.shape
    edge = max(1, width // 5)
    left, middle, right = ink[:, :edge], ink[:, 2 * edge : -2 * edge], ink[:, -edge:]
    if not (left.any() and middle.any() and right.any()):
        return ""
    level = [float(np.nonzero(part)[0].mean()) / height for part in (left, middle, right)]
    if min(level[0], level[2]) > level[1] + 0.2:
        return "（"
    if max(level[0], level[2]) < level[1] - 0.2:
        return "）"
    reach = [_reach(part) / height for part in (left, middle, right)]
    double = _has_hole(ink)
    if reach[2] > 0.75 and reach[0] < 0.75 and level[0] < 0.5:
        return "『" if double else "「"
    if reach[0] > 0.75 and reach[2] < 0.75 and level[2] > 0.5:
        return "』" if double else "」"
    return ""


def _reach(part: Mask) -> int:
    """From the highest to the lowest ink of a part of a blob."""
    import numpy as np

    rows = np.flatnonzero(part.any(axis=1))
    return int(rows[-1] - rows[0] + 1) if len(rows) else 0


def _has_hole(ink: Mask) -> bool:
    import cv2
    import numpy as np

    ground = np.pad(~ink, 1, constant_values=True).astype(np.uint8)
    count, _ = cv2.connectedComponents(ground, connectivity=4)
    return int(count) > 2


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
