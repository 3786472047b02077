"""What a page is made of: glyphs and rules as printed, rows as read, and the steps between."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from app.core.book import Ruby

_KANJI = re.compile(
    "[\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af々〇〆ヶ]"
)


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character in its cell: `em` high and as wide as it advances.

    `char` may hold several code points (a base with its variation selector).
    `turned` is true where the character lies on its side.
    """

    char: str
    x0: float
    y0: float
    x1: float
    y1: float
    em: float
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A thin straight line of a table; horizontal when `y0 == y1`."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line that a wide gap sets apart."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Row:
    """A printed line on its page. `start`, `end`, `top` and `bottom` are reading coordinates.

    `column` is the extent along u of the column it stands in. `across` is true where
    the line runs against the page's direction (a horizontal head over vertical text).
    """

    text: str
    parts: tuple[Part, ...]
    em: float
    start: float
    end: float
    top: float
    bottom: float
    column: tuple[float, float]
    ruby: tuple[Ruby, ...] = ()
    table: bool = False
    across: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in points."""
        return (
            min(part.x0 for part in self.parts),
            min(part.y0 for part in self.parts),
            max(part.x1 for part in self.parts),
            max(part.y1 for part in self.parts),
        )


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A page's rows in reading order."""

    rows: tuple[Row, ...]
    vertical: bool
    em: float


@dataclass(slots=True)
class Cell:
    """A glyph in reading coordinates; `glyphs` are more than one for 縦中横."""

    text: str
    u0: float
    u1: float
    v0: float
    v1: float
    em: float
    glyphs: tuple[Glyph, ...]

    @property
    def middle(self) -> float:
        return (self.v0 + self.v1) / 2


@dataclass(slots=True)
class Run:
    """Cells that follow each other without a wide gap, or a finished block standing for one."""

    cells: list[Cell]
    u0: float
    u1: float
    v0: float
    v1: float
    em: float
    block: list[Row] = field(default_factory=list)
    readings: list[Cell] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return (self.v0 + self.v1) / 2


def body_size(glyphs: Iterable[Glyph]) -> float:
    """The commonest character size in points, to a tenth of a point."""
    sizes = Counter(round(glyph.em, 1) for glyph in glyphs if is_wide(glyph.char))
    if not sizes:
        sizes = Counter(round(glyph.em, 1) for glyph in glyphs)
    return sizes.most_common(1)[0][0] or 1.0


@cache
def is_wide(char: str) -> bool:
    """Whether a character fills a whole em (kanji, kana, full-width forms)."""
    return unicodedata.east_asian_width(char[0]) in "WF"


def is_kana(char: str) -> bool:
    """Hiragana, katakana and the marks that stand among them."""
    return "ぁ" <= char[0] <= "ヿ" or "ｦ" <= char[0] <= "ﾟ"


def is_kanji(char: str) -> bool:
    """Kanji, radicals standing for them, the iteration mark and 〇."""
    return _KANJI.match(char) is not None
