from app.core.book import Page
from app.core.quality import quality

PAGES = [
    Page(0, (), "1", extractor="pdfium"),
    Page(1, (), "2", extractor="ocr", confidence=0.9, warnings=("文字認識の確認が必要です(0.90)",)),
    Page(2, (), "", extractor="pdfium", warnings=("画像のみ",)),
    Page(3, (), "4", extractor="pdfium"),
]


def test_report_counts_and_names_the_pages_to_look_at() -> None:
    report = quality(PAGES, {0: 400, 1: 300, 2: 0, 3: 0})
    assert (report.pages, report.characters, report.without_text) == (4, 700, 2)
    assert (report.without_label, report.recognised) == (1, 1)
    assert report.extractors == {"pdfium": 3, "ocr": 1}
    assert [doubt.page.index for doubt in report.doubtful] == [1, 2, 3]


def test_every_doubt_says_what_to_do() -> None:
    report = quality(PAGES, {0: 400, 1: 300, 2: 0, 3: 0})
    assert "OCR" in report.doubtful[1].advice
    assert all(doubt.advice for doubt in report.doubtful)


def test_a_clean_book_has_no_doubtful_page() -> None:
    assert quality(PAGES[:1], {0: 400}).as_json()["bad_pages"] == []
