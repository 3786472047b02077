"""PDF → Document. pdfium tells which character stands where; the order is ours.

What the file says of itself, its outline and labels, comes by `ingest.readers.structure`.

Runs in a child process (`ingest.sandbox`): pdfium may abort on a hostile file.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from app.core.book import Document, Page
from ingest.layout.page import arrange
from ingest.layout.shapes import Glyph, Row, Rule
from ingest.readers import ocr
from ingest.readers.faults import broken, locked, pictures_only, too_many_pages
from ingest.readers.pages import PageDraft, finish_pages
from ingest.readers.structure import structure, structure_by_pdfium, usable_title

MIN_READABLE = 0.9
"""Below this share of Japanese and Latin characters a page's text counts as garbage."""

PICTURE_ONLY = "画像のみ"
"""The warning of a page that shows pictures and holds no text."""

_TINY = 1.5  # points; smaller text is not meant to be read
_MAX_RULES = 1000
_MANY_PATHS = 50  # characters turned into outlines are at least a path each
_MAX_NESTING = 6
_ODD = 0.3  # share of letters as wide as kanji that no page with true letters reaches (most: .08)
_INVISIBLE = re.compile("[\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_JOINED = re.compile("[\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_READABLE = re.compile(
    "[\u0020-\u024f\u0370-\u03ff\u2000-\u206f\u2070-\u27ff\u2900-\u2aff\u2e80-\u30ff\u3190-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U0001f100-\U0001f2ff\U00020000-\U000323af]"
)

OnPage = Callable[[int, int], None]


def read_pdf(
    path: Path,
    *,
    password: str | None = None,
    on_page: OnPage | None = None,
    max_pages: int = 10_000,
) -> Document:
    """Read a PDF's text layer; pages without one carry the warning 画像のみ.

    Raises UnreadableFile (damaged, password missing or wrong, too many pages) and
    NoText where no page has any text.
    """
    stated = structure(path, password)
    pdf = _open(path, password)
    try:
        count = len(pdf)
        if stated is None or stated.pages != count:
            stated = structure_by_pdfium(pdf)
        if count > max_pages:
            raise too_many_pages(path, count, max_pages)
        drafts = []
        for index in range(count):
            draft = _draft(pdf, index)
            if not _has_good_text(draft) and ocr.available():
                draft = _recognised(pdf, draft)
            drafts.append(draft)
            if on_page is not None:
                on_page(index + 1, count)
        pages = finish_pages(drafts, file_labels=stated.labels)
        if not any(page.lines for page in pages):
            raise pictures_only(path)
        return Document(
            title=usable_title(stated.title) or path.stem,
            pages=pages,
            outline=stated.outline,
            metadata={"authors": stated.author} if stated.author else {},
            media_type="application/pdf",
            warnings=_document_warnings(pages),
        )
    finally:
        pdf.close()


def _has_good_text(draft: PageDraft) -> bool:
    """False for pictures without text and for text that is garbage; true for a blank page."""
    return PICTURE_ONLY not in draft.warnings and draft.confidence is None


def _recognised(pdf: pdfium.PdfDocument, draft: PageDraft) -> PageDraft:
    """The page read from its picture, or as it was where that finds nothing."""
    page = pdf[draft.index]
    try:
        scale = min(ocr.DPI / 72, ocr.MAX_SIDE / max(page.get_size()))
        image = page.render(scale=scale, rev_byteorder=True).to_numpy().copy()
    finally:
        page.close()
    found = ocr.recognised(image[:, :, :3], draft.index, 72 * scale)
    return found if found.rows else draft


def _open(path: Path, password: str | None) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(path, password=password)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise locked(path, password) from error
        raise broken(path, "PDF") from error


# --- one page ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Frame:
    """From PDF page space to points from the top left of the page as shown."""

    left: float
    bottom: float
    right: float
    top: float
    turns: int

    @property
    def width(self) -> float:
        size = self.top - self.bottom if self.turns % 2 else self.right - self.left
        return max(size, 1.0)

    @property
    def height(self) -> float:
        size = self.right - self.left if self.turns % 2 else self.top - self.bottom
        return max(size, 1.0)

    def point(self, x: float, y: float) -> tuple[float, float]:
        if self.turns == 1:
            return (y - self.bottom, x - self.left)
        if self.turns == 2:
            return (self.right - x, y - self.bottom)
        if self.turns == 3:
            return (self.top - y, self.right - x)
        return (x - self.left, self.top - y)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        ax, ay = self.point(x0, y0)
        bx, by = self.point(x1, y1)
        return (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))


@dataclass(slots=True)
class _Objects:
    """What a page draws besides characters, and which texts nobody can see.

    `moved` is true where a form is set elsewhere than where it was drawn.
    """

    rules: list[Rule]
    grounds: list[tuple[float, float, float, float]]
    images: list[tuple[float, float, float, float]]
    invisible: set[int]
    white: set[int]
    paths: int = 0
    moved: bool = False


def _draft(pdf: pdfium.PdfDocument, index: int) -> PageDraft:
    """One page's rows; a page pdfium cannot load becomes an empty one with a warning."""
    try:
        page = pdf[index]
        frame = _frame(page)
        objects = _objects(page, frame)
        text = _text(page, frame, objects)
        turn = (frame.turns - text.upright(frame.turns)) % 4
        if turn:
            # A page printed sideways is read with its text upright.
            frame = replace(frame, turns=text.upright(frame.turns))
            objects = _objects(page, frame)
            text = _text(page, frame, objects)
        page.close()
    except pdfium.PdfiumError:
        return PageDraft(index, (), 0.0, 0.0, vertical=False, warnings=("ページを開けません",))
    arrangement = arrange(text.glyphs, objects.rules)
    warnings = []
    confidence = None
    if text.hidden:
        warnings.append(f"見えない文字を{text.hidden}字除きました")
    if _is_picture(arrangement.rows, objects, frame):
        warnings.append(PICTURE_ONLY)
    if text.layer and arrangement.rows:
        warnings.append("OCRによる透明な文字の層を読みました")
    share = text.trusted * readable_share("".join(row.text for row in arrangement.rows))
    if share < MIN_READABLE:
        warnings.append(f"文字化けの疑い(読める文字の割合 {share:.0%})")
        confidence = round(share, 3)
    return PageDraft(
        index,
        arrangement.rows,
        frame.width,
        frame.height,
        vertical=arrangement.vertical,
        extractor="pdfium",
        confidence=confidence,
        warnings=tuple(warnings),
        turn=turn,
    )


def _is_picture(rows: Sequence[Row], objects: _Objects, frame: _Frame) -> bool:
    """A page whose words are in a picture or drawn as outlines; a stamp on a scan is no text."""
    if not rows:
        return bool(objects.images) or objects.paths >= _MANY_PATHS
    cover = max(((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in objects.images), default=0.0) / (
        frame.width * frame.height
    )
    return cover > 0.6 and sum(len(row.text) for row in rows) < 30


def readable_share(text: str) -> float:
    """Share of characters in Japanese, Latin and symbol blocks; 1.0 for no text."""
    inked = [char for char in text if not char.isspace()]
    if not inked:
        return 1.0
    return sum(1 for char in inked if _READABLE.match(char)) / len(inked)


def _frame(page: pdfium.PdfPage) -> _Frame:
    left, bottom, right, top = page.get_bbox()
    return _Frame(left, bottom, right, top, (page.get_rotation() // 90) % 4)


@dataclass(frozen=True, slots=True)
class _Text:
    """A page's visible characters, and what its text layer is like.

    `hidden` counts characters nobody can see, `unmapped` those the file gives no meaning;
    `layer` is true for the invisible text of an OCR program. `ways` counts full-width
    characters by the quarter turn that sets them upright.
    """

    glyphs: list[Glyph]
    hidden: int
    unmapped: int
    layer: bool
    ways: Counter[int]

    @property
    def trusted(self) -> float:
        """The share of characters that can be what the file says they are.

        A font without a table of its characters' meanings gives Latin letters as wide as kanji.
        """
        count = len(self.glyphs)
        wide = sum(
            1
            for glyph in self.glyphs
            if glyph.char < "\u0250"
            and glyph.char.isalnum()
            and (glyph.y1 - glyph.y0 if glyph.turned else glyph.x1 - glyph.x0) > 0.93 * glyph.em
        )
        odd = wide if wide > _ODD * count else 0
        return (count - odd) / (count + self.unmapped) if count else 1.0

    def upright(self, shown: int) -> int:
        """The quarter turns that set most characters upright; those `shown` where few tell."""
        total = sum(self.ways.values())
        way, count = max(self.ways.items(), key=lambda item: item[1], default=(shown, 0))
        return way if total >= 20 and count > 0.6 * total else shown


def _text(page: pdfium.PdfPage, frame: _Frame, objects: _Objects) -> _Text:
    textpage = page.get_textpage()
    handle = textpage.raw
    matrix = raw.FS_MATRIX()
    loose = raw.FS_RECTF()
    origin_x, origin_y = ctypes.c_double(), ctypes.c_double()
    watch = bool(objects.invisible or objects.white)
    glyphs: list[Glyph] = []
    hidden = unmapped = layered = high = 0
    ways: Counter[int] = Counter()
    last: tuple[float, float] | None = None
    last_owner = 0
    for number in range(textpage.count_chars()):
        code = raw.FPDFText_GetUnicode(handle, number)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000 and high:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
        high = 0
        if code in (0x02, 0xAD, 0xFFFE):
            code = 0x2D  # a hyphen at a line's end, as pdfium or the font calls it
        if code <= 0x20 or code == 0xA0 or raw.FPDFText_IsGenerated(handle, number) == 1:
            unmapped += code < 0x20 and code not in (0x09, 0x0A, 0x0D)
            continue
        char = chr(code)
        raw.FPDFText_GetCharOrigin(handle, number, origin_x, origin_y)
        place = (origin_x.value, origin_y.value)
        if _JOINED.match(char):
            if glyphs and last == place:
                glyphs[-1] = _joined(glyphs[-1], char)
            continue
        if _INVISIBLE.match(char) or 0x7F <= code < 0xA0:
            hidden += 1
            continue
        raw.FPDFText_GetMatrix(handle, number, matrix)
        if objects.moved:
            place = _moved(handle, number, place, matrix)
        em = raw.FPDFText_GetFontSize(handle, number) * math.sqrt(
            abs(matrix.a * matrix.d - matrix.b * matrix.c)
        )
        if watch:
            seen = _seen(handle, number, objects, frame.point(*place))
            if seen == "layer":
                layered += 1
            elif not seen:
                hidden += 1
                continue
        if not _TINY <= em < 1000:
            hidden += 1
            continue
        raw.FPDFText_GetLooseCharBox(handle, number, loose)
        glyph = _glyph(char, frame, place, em, matrix, loose)
        if not (-em < glyph.x0 < frame.width + em and -em < glyph.y0 < frame.height + em):
            hidden += 1
            continue
        if _is_full(char):
            ways[_way(matrix)] += 1
        if last == place and glyphs and glyphs[-1].x0 == glyph.x0:
            # one glyph that stands for several characters (ﬀ, ㍻); one printed twice is another's
            owner = _owner(handle, number)
            if char != glyphs[-1].char[-1] or owner == last_owner:
                glyphs[-1] = _joined(glyphs[-1], char)
        else:
            glyphs.append(glyph)
        last = place
        last_owner = _owner(handle, number) if char.isascii() else 0
    return _Text(glyphs, hidden, unmapped, layered > len(glyphs) / 2, ways)


def _moved(
    handle: raw.FPDF_TEXTPAGE, number: int, place: tuple[float, float], matrix: raw.FS_MATRIX
) -> tuple[float, float]:
    """The origin of a character inside a form that is set elsewhere on the page.

    For a character that stands for others (/ActualText) pdfium gives its place inside the
    form; its matrix is right.
    """
    inner = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(raw.FPDFText_GetTextObject(handle, number), inner):
        return place
    stated = (matrix.e, matrix.f)
    if math.dist(place, (inner.e, inner.f)) < 0.1 < math.dist(stated, (inner.e, inner.f)):
        return stated
    return place


def _way(matrix: raw.FS_MATRIX) -> int:
    """Quarter turns clockwise that set a character upright."""
    if abs(matrix.b) > abs(matrix.a):
        return 1 if matrix.b > 0 else 3
    return 0 if matrix.a > 0 else 2


def _owner(handle: raw.FPDF_TEXTPAGE, number: int) -> int:
    """The address of the text object a character belongs to."""
    return ctypes.cast(raw.FPDFText_GetTextObject(handle, number), ctypes.c_void_p).value or 0


def _joined(glyph: Glyph, char: str) -> Glyph:
    return Glyph(glyph.char + char, glyph.x0, glyph.y0, glyph.x1, glyph.y1, glyph.em, glyph.turned)


def _glyph(
    char: str,
    frame: _Frame,
    origin: tuple[float, float],
    em: float,
    matrix: raw.FS_MATRIX,
    loose: raw.FS_RECTF,
) -> Glyph:
    """The em cell, built from the origin on the baseline: fonts' own boxes differ too much."""
    scale = math.hypot(matrix.a, matrix.b) or 1.0
    ax, ay = matrix.a / scale, matrix.b / scale
    wide = _is_full(char)
    if wide:
        advance = em
    elif abs(ay) > abs(ax):
        advance = loose.top - loose.bottom
    else:
        advance = loose.right - loose.left
    advance = min(max(advance, 0.1 * em), 2 * em)
    x, y = origin
    if not frame.turns and matrix.b == 0 and matrix.c == 0 and matrix.a > 0 and matrix.d > 0:
        left, base = x - frame.left, frame.top - y
        return Glyph(char, left, base - 0.88 * em, left + advance, base + 0.12 * em, em)
    # y grows upwards here: the cell reaches from .12 em below the baseline to .88 above
    ux, uy = -ay, ax
    if matrix.a * matrix.d - matrix.b * matrix.c < 0:
        ux, uy = -ux, -uy
    corners = [
        frame.point(x + ax * along + ux * up, y + ay * along + uy * up)
        for along in (0.0, advance)
        for up in (-0.12 * em, 0.88 * em)
    ]
    xs = [corner[0] for corner in corners]
    ys = [corner[1] for corner in corners]
    turned = abs(ay) > abs(ax) if frame.turns % 2 == 0 else abs(ax) > abs(ay)
    return Glyph(char, min(xs), min(ys), max(xs), max(ys), em, turned)


def _is_full(char: str) -> bool:
    return (
        "\u2e80" <= char <= "\u9fff"
        or "\uf900" <= char <= "\ufaff"
        or ("\uff01" <= char <= "\uff60" or char >= "\U00020000")
    )


def _seen(
    handle: raw.FPDF_TEXTPAGE, number: int, objects: _Objects, place: tuple[float, float]
) -> str:
    """'yes', 'layer' for an invisible text over a picture, '' for text nobody can see."""
    address = _owner(handle, number)
    if address in objects.invisible:
        return "layer" if _inside(place, objects.images) else ""
    if address in objects.white and not _inside(place, objects.grounds + objects.images):
        return ""
    return "yes"


def _inside(place: tuple[float, float], boxes: list[tuple[float, float, float, float]]) -> bool:
    x, y = place
    return any(x0 - 1 <= x <= x1 + 1 and y0 - 1 <= y <= y1 + 1 for x0, y0, x1, y1 in boxes)


def _objects(page: pdfium.PdfPage, frame: _Frame) -> _Objects:
    """Rules, coloured grounds, pictures and hidden texts of a page, forms included."""
    found = _Objects([], [], [], set(), set())
    count = raw.FPDFPage_CountObjects(page.raw)
    for number in range(min(count, 200_000)):
        _collect(raw.FPDFPage_GetObject(page.raw, number), frame, found, 0)
    return found


def _collect(item: raw.FPDF_PAGEOBJECT, frame: _Frame, found: _Objects, depth: int) -> None:
    kind = raw.FPDFPageObj_GetType(item)
    if kind == raw.FPDF_PAGEOBJ_TEXT:
        _collect_text(item, found)
    elif kind == raw.FPDF_PAGEOBJ_IMAGE:
        found.images.append(_bounds(item, frame))
    elif kind == raw.FPDF_PAGEOBJ_SHADING:
        found.grounds.append(_bounds(item, frame))
    elif kind == raw.FPDF_PAGEOBJ_PATH:
        _collect_path(item, frame, found)
    elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _MAX_NESTING:
        set_at = raw.FS_MATRIX()
        raw.FPDFPageObj_GetMatrix(item, set_at)
        parts = (set_at.a, set_at.b, set_at.c, set_at.d, set_at.e, set_at.f)
        found.moved |= parts != (1, 0, 0, 1, 0, 0)
        for number in range(min(raw.FPDFFormObj_CountObjects(item), 50_000)):
            _collect(raw.FPDFFormObj_GetObject(item, number), frame, found, depth + 1)


def _collect_text(item: raw.FPDF_PAGEOBJECT, found: _Objects) -> None:
    address = ctypes.cast(item, ctypes.c_void_p).value or 0
    mode = raw.FPDFTextObj_GetTextRenderMode(item)
    if mode in (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP):
        found.invisible.add(address)
    elif mode in (raw.FPDF_TEXTRENDERMODE_FILL, raw.FPDF_TEXTRENDERMODE_FILL_CLIP):
        red, green, blue, alpha = _fill(item)
        if alpha < 8:
            found.invisible.add(address)
        elif min(red, green, blue) > 248:
            found.white.add(address)


def _collect_path(item: raw.FPDF_PAGEOBJECT, frame: _Frame, found: _Objects) -> None:
    found.paths += 1
    x0, y0, x1, y1 = _bounds(item, frame)
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(item, fill, stroke)
    flat, thin = y1 - y0 < 2.5, x1 - x0 < 2.5
    if len(found.rules) < _MAX_RULES:
        if flat and not thin:
            middle = (y0 + y1) / 2
            found.rules.append(Rule(x0, middle, x1, middle))
        elif thin and not flat:
            middle = (x0 + x1) / 2
            found.rules.append(Rule(middle, y0, middle, y1))
        elif stroke.value and not flat and raw.FPDFPath_CountSegments(item) <= 6:
            found.rules += [Rule(x0, y0, x1, y0), Rule(x0, y1, x1, y1)]
            found.rules += [Rule(x0, y0, x0, y1), Rule(x1, y0, x1, y1)]
    if fill.value and not flat and not thin and min(_fill(item)[:3]) < 248:
        found.grounds.append((x0, y0, x1, y1))


def _fill(item: raw.FPDF_PAGEOBJECT) -> tuple[int, int, int, int]:
    """Red, green, blue and opacity, 0 to 255."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not raw.FPDFPageObj_GetFillColor(item, red, green, blue, alpha):
        return (0, 0, 0, 255)
    return (red.value, green.value, blue.value, alpha.value)


def _bounds(item: raw.FPDF_PAGEOBJECT, frame: _Frame) -> tuple[float, float, float, float]:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    raw.FPDFPageObj_GetBounds(item, left, bottom, right, top)
    return frame.box(left.value, bottom.value, right.value, top.value)


# --- the file as a whole -------------------------------------------------------------------


def _document_warnings(pages: tuple[Page, ...]) -> tuple[str, ...]:
    """The pages' warnings, counted by kind."""
    kinds = Counter(
        re.sub(r"\d+字|\(.*\)", "", warning) for page in pages for warning in page.warnings
    )
    return tuple(f"{kind}: {count}ページ" for kind, count in kinds.items())
