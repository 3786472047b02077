from __future__ import annotations

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("cv2")

from ingest.readers.margins import lost_numbers  # noqa: E402

LINES = [(100.0, 100.0 + 40 * n, 500.0, 120.0 + 40 * n) for n in range(5)]


def picture(*inked: tuple[int, int, int, int]) -> np.ndarray:
    image = np.full((500, 600, 3), 255, np.uint8)
    for x0, y0, x1, y1 in inked:
        image[y0:y1, x0:x1] = 0
    return image


def test_a_number_below_the_text_is_found():
    image = picture((290, 400, 298, 415), (110, 100, 480, 120))
    assert list(lost_numbers(image, LINES, 20, lambda piece: ("7", 0.99))) == [
        ((pytest.approx(290, abs=6), 400, pytest.approx(298, abs=6), 415), "7", 0.99)
    ]


@pytest.mark.parametrize(("text", "score"), [("7", 0.5), ("あ", 0.99), ("", 0.0)])
def test_what_is_no_sure_number_is_left(text: str, score: float):
    image = picture((290, 400, 298, 415))
    assert list(lost_numbers(image, LINES, 20, lambda piece: (text, score))) == []


def test_ink_between_the_lines_or_within_one_is_left():
    image = picture((290, 103, 298, 118), (50, 180, 58, 195))
    assert list(lost_numbers(image, LINES, 20, lambda piece: ("7", 0.99))) == []
