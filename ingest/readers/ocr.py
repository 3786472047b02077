"""Pictures of pages → rows, with the optional `rapidocr` (its models come in the wheel).

The engine finds and reads lines; their order, direction and ruby are decided by
`ingest.layout`, as for text PDFs. Lengths here are pixels unless said otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from app.core.book import Document
from ingest.layout.page import arrange
from ingest.layout.shapes import Arrangement, Glyph, Rule, is_wide
from ingest.readers import second
from ingest.readers.faults import broken, empty, pictures_only, too_many_pages
from ingest.readers.margins import lost_numbers
from ingest.readers.pages import PageDraft, finish_pages
from ingest.readers.strokes import Word, repaired

if TYPE_CHECKING:
    import numpy as np

    Image = np.ndarray[Any, np.dtype[np.uint8]]
    Box = tuple[int, int, int, int]

DPI = 200
"""Resolution at which pages are read; more does not read better."""

MAX_SIDE = 5000
"""Pixels; larger pages are read at a lower resolution."""

REVIEW = 0.95
NOT_EVIDENCE = 0.85
# forms no Japanese book prints, read in place of the kanji they resemble
_LOOKALIKES = str.maketrans(
    {"腾": "謄", "户": "戸", "团": "団", "录": "録", "证": "証", "揭": "掲", "·": "・"}
)
# what the engine cannot tell apart but by its neighbours
_LONG_VOWEL = re.compile("(?<=[ァ-ヺ])[一1―](?=[ァ-ヺ、。，．・」』）)])")
_ONE = re.compile("(?<![ァ-ヿぁ-ゖ])ー(?=[一-龠])")
_FULL_STOP = re.compile("(?<=[ぁ-んァ-ヶ一-龠])°")
_LETTER_O = re.compile("(?<=[A-Za-z])0+(?=[a-z]{2})")
_FILLED = 0.85  # share of a box's breadth that characters fill at most
_RUBY_RATIO = 0.78  # the engine's boxes are padded, which makes ruby look larger
_MAX_PIXELS = 60_000_000

_MOST_RULES = 400

OnPage = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """One line as the engine read it: corner points, text and how sure it is (0 to 1)."""

    corners: tuple[tuple[float, float], ...]
    text: str
    score: float

    @property
    def upright(self) -> bool:
        """Whether the line runs downwards."""
        left, top, right, bottom = self.bounds
        return bottom - top > 1.5 * (right - left) and len(self.text) > 1

    @property
    def lies(self) -> bool:
        """Whether the line surely runs from left to right."""
        left, top, right, bottom = self.bounds
        return right - left > 1.5 * (bottom - top) and len(self.text) > 1

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1."""
        xs = [x for x, _ in self.corners]
        ys = [y for _, y in self.corners]
        return (min(xs), min(ys), max(xs), max(ys))


def available() -> bool:
    """Whether the optional packages are installed."""
    return all(find_spec(name) is not None for name in ("rapidocr", "onnxruntime", "cv2"))


def read_image(path: Path, *, on_page: OnPage | None = None, max_pages: int = 10_000) -> Document:
    """A picture file (PNG, JPEG, TIFF with one or more pages). Raises UnreadableFile and NoText."""
    if not available():
        raise pictures_only(path)
    drafts = []
    for index, count, image, dpi in _frames(path):
        if count > max_pages:
            raise too_many_pages(path, count, max_pages)
        drafts.append(recognised(image, index, dpi))
        if on_page is not None:
            on_page(index + 1, count)
    pages = finish_pages(drafts)
    if not any(page.lines for page in pages):
        raise empty(path)
    return Document(path.stem, pages, media_type="image/*")


def _frames(path: Path) -> Iterator[tuple[int, int, Image, float]]:
    """Index, number of pages, picture and resolution of each page of a picture file."""
    import numpy as np
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    try:
        with PIL.Image.open(path) as picture:
            count = getattr(picture, "n_frames", 1)
            for index in range(count):
                picture.seek(index)
                stated = picture.info.get("dpi", (DPI, DPI))[0]
                dpi = float(stated) if 50 <= float(stated) <= 1200 else float(DPI)
                colours = picture.convert("RGB")
                if dpi > 1.3 * DPI:
                    scale = DPI / dpi
                    size = (round(colours.width * scale), round(colours.height * scale))
                    colours = colours.resize(size)
                    dpi = DPI
                yield index, count, np.asarray(colours), dpi
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise broken(path, "画像") from error


def recognised(image: Image, index: int, dpi: float = DPI) -> PageDraft:
    """Read one page's picture (RGB, height × width × 3); one that lies on its side is set upright."""
    import numpy as np

    found = _recognised(image, index, dpi)
    if found.confidence is not None and found.confidence < NOT_EVIDENCE:
        for turns in (1, 3, 2):
            turned = np.ascontiguousarray(np.rot90(image, turns))
            other = _recognised(turned, index, dpi)
            if other.confidence is not None and other.confidence >= NOT_EVIDENCE:
                return replace(other, turn=turns)
    return found


def _recognised(image: Image, index: int, dpi: float) -> PageDraft:
    height, width = image.shape[:2]
    readings = read_lines(image)
    arrangement = order(readings, 72 / dpi, ruled(image, dpi))
    warnings = []
    confidence = None
    if readings:
        characters = sum(len(reading.text) for reading in readings) or 1
        confidence = sum(r.score * len(r.text) for r in readings) / characters
        if confidence < NOT_EVIDENCE:
            warnings.append(f"文字認識が不確かで根拠に使えません({confidence:.2f})")
        elif confidence < REVIEW:
            warnings.append(f"文字認識の確認が必要です({confidence:.2f})")
        if confidence < REVIEW:
            warnings += _compared(image, arrangement, dpi)
    return PageDraft(
        index,
        arrangement.rows,
        width * 72 / dpi,
        height * 72 / dpi,
        vertical=arrangement.vertical,
        extractor="rapidocr",
        confidence=None if confidence is None else round(confidence, 3),
        warnings=tuple(warnings),
    )


def _compared(image: Image, arrangement: Arrangement, dpi: float) -> list[str]:
    """How far another program agrees with a doubtful reading; nothing where there is none."""
    other = second.opinion(image, vertical=arrangement.vertical, dpi=dpi)
    if other is None:
        return []
    ours = "".join("".join(row.text.split()) for row in arrangement.rows)
    alike = SequenceMatcher(None, ours, other, autojunk=False).ratio()
    return [f"別の文字認識(Tesseract)の読みとの一致({alike:.0%})"]


def read_lines(image: Image) -> list[Reading]:
    """The lines the engine finds, in no particular order, with punctuation put back."""
    found = _engine()(
        image,
        use_det=True,
        use_cls=False,
        use_rec=True,
        return_word_box=True,
        return_single_char_box=True,
    )
    if found.boxes is None:
        return []
    readings = []
    for corners, text, score, places in zip(
        found.boxes, found.txts, found.scores, found.word_results, strict=True
    ):
        points = tuple((float(x), float(y)) for x, y in corners)
        reading = Reading(points, _mended(text), float(score))
        words = [
            Word(char, min(y for _, y in box), max(y for _, y in box)) for char, _, box in places
        ]
        if reading.upright and "".join(word.char for word in words) == text:
            text = repaired(image, points, words, _read_single)
            reading = Reading(points, _mended(text), float(score))
        readings.append(reading)
    bounds = [reading.bounds for reading in readings]
    sizes = [
        max(x1 - x0, y1 - y0) / len(reading.text)
        for reading, (x0, y0, x1, y1) in zip(readings, bounds, strict=True)
        if len(reading.text) >= 8
    ]
    if sizes:
        for box, text, score in lost_numbers(image, bounds, median(sizes), _read_single):
            x0, y0, x1, y1 = box
            readings.append(Reading(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), text, score))
    return readings


def _mended(text: str) -> str:
    """The text with look-alikes put right: 登録ユーザ一 → 登録ユーザー, ー般 → 一般, G00gle → Google."""
    text = _LONG_VOWEL.sub("ー", text.translate(_LOOKALIKES))
    text = _FULL_STOP.sub("。", _ONE.sub("一", text))
    return _LETTER_O.sub(lambda zeros: "o" * len(zeros[0]), text)


def _read_single(image: Image) -> tuple[str, float]:
    """What the engine makes of one character's picture, and how sure it is."""
    # the engine remembers its switches from call to call, so each call sets them all
    found = _engine()(image, use_det=False, use_cls=False, use_rec=True, return_word_box=False)
    if not found.txts:
        return "", 0.0
    return found.txts[0], float(found.scores[0])


@cache
def _engine() -> Any:
    import resource

    # models need more room than reading text does: up to the hard limit
    _, ceiling = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "error",
            "EngineConfig.onnxruntime.intra_op_num_threads": 2,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def ruled(image: Image, dpi: float) -> list[Box]:
    """The straight lines a page is ruled with: x0, y0, x1, y1 in pixels."""
    import cv2
    import numpy as np

    grey = image.mean(axis=2)
    ink = (grey < 0.75 * float(np.median(grey))).astype(np.uint8)
    long = max(3, round(dpi / 3))
    found: list[Box] = []
    for along, across in (((long, 1), (1, 3)), ((1, long), (3, 1))):
        # thickened first: a line scanned askew climbs by a pixel or two
        thick = cv2.dilate(ink, np.ones((across[1], across[0]), np.uint8))
        lines = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((along[1], along[0]), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
        for left, top, width, height, _ in stats[1 : min(count, _MOST_RULES)].tolist():
            if min(width, height) < dpi / 10 and max(width, height) > 5 * min(width, height):
                found.append((left, top, left + width, top + height))
    return found


def order(readings: list[Reading], scale: float, lines: Sequence[Box] = ()) -> Arrangement:
    """Rows in reading order; `scale` is points a pixel. A page scanned askew is set straight.

    `lines` are those the page is `ruled` with.
    """
    tilt = _tilt(readings)
    upright = sum(len(reading.text) for reading in readings if reading.upright)
    vertical = 2 * upright > sum(len(reading.text) for reading in readings)
    glyphs: list[Glyph] = []
    heads = []
    straight = [_straight(reading, tilt) for reading in readings]
    filled = _filled(straight)
    for reading in straight:
        line = list(_glyphs(reading, scale, filled))
        if vertical and reading.lies:
            heads.append(line)
        else:
            glyphs += line
    rules = [_rule(line, tilt, scale) for line in lines]
    return arrange(glyphs, rules, ruby_ratio=_RUBY_RATIO, vertical=vertical, apart=heads)


def _rule(line: Box, tilt: float, scale: float) -> Rule:
    x0, y0, x1, y1 = line
    flat = x1 - x0 > y1 - y0
    cos, sin = math.cos(-tilt), math.sin(-tilt)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    x, y = (x * cos - y * sin) * scale, (x * sin + y * cos) * scale
    half = max(x1 - x0, y1 - y0) / 2 * scale
    return Rule(x - half, y, x + half, y) if flat else Rule(x, y - half, x, y + half)


def _tilt(readings: list[Reading]) -> float:
    """The angle by which the page's lines run off, in radians; the median of the long ones."""
    angles = []
    for reading in readings:
        corners = reading.corners
        (ax, ay), (bx, by) = (
            (corners[0], corners[3]) if reading.upright else (corners[0], corners[1])
        )
        length = math.hypot(bx - ax, by - ay)
        if len(reading.text) >= 8 and length > 0:
            off = (ax - bx) / length if reading.upright else (by - ay) / length
            angles.append(math.asin(max(-1.0, min(1.0, off))))
    return median(angles) if len(angles) >= 3 else 0.0


def _straight(reading: Reading, tilt: float) -> Reading:
    if abs(tilt) < 0.001:
        return reading
    cos, sin = math.cos(-tilt), math.sin(-tilt)
    corners = tuple((x * cos - y * sin, x * sin + y * cos) for x, y in reading.corners)
    return Reading(corners, reading.text, reading.score)


def _filled(readings: list[Reading]) -> float:
    """The share of a box's breadth that its characters fill: boxes are padded across the line."""
    shares = []
    for reading in readings:
        x0, y0, x1, y1 = reading.bounds
        length, breadth = (y1 - y0, x1 - x0) if reading.upright else (x1 - x0, y1 - y0)
        cells = sum(map(_advance, reading.text))
        if cells >= 8 and breadth > 0:
            shares.append(length / cells / breadth)
    return min(median(shares), _FILLED) if len(shares) >= 3 else _FILLED


def _advance(char: str) -> float:
    return 1.0 if is_wide(char) or not char.isascii() else 0.5


def _glyphs(reading: Reading, scale: float, filled: float) -> Iterator[Glyph]:
    """The line's characters spread evenly over its box: enough to order lines by.

    The size is taken along the line where it is long enough to tell, else across it, where
    characters fill the share `filled`.
    """
    x0, y0, x1, y1 = (value * scale for value in reading.bounds)
    upright = reading.upright
    em = filled * (x1 - x0 if upright else y1 - y0)
    weights = [_advance(char) for char in reading.text]
    place = y0 if upright else x0
    step = ((y1 - y0) if upright else (x1 - x0)) / (sum(weights) or 1.0)
    if sum(weights) >= 5:
        em = min(_FILLED * (x1 - x0 if upright else y1 - y0), step)
    middle = (x0 + x1) / 2 if upright else (y0 + y1) / 2
    low, high = middle - em / 2, middle + em / 2
    for char, weight in zip(reading.text, weights, strict=True):
        after = place + weight * step
        if upright:
            yield Glyph(char, low, place, high, after, em, turned=weight < 1)
        else:
            yield Glyph(char, place, low, after, high, em)
        place = after
