from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.core.book import Book, Passage
from app.core.errors import UnreadableFile
from app.main import Shiori
from app.web.books import Pictures
from app.web.view import page_name
from ingest.render import draw_page


def book_named(product: Shiori, part: str) -> Book:
    return next(book for book in product.ledger.books().values() if part in book.title)


@pytest.fixture(scope="module")
def printed(product: Shiori) -> Passage:
    """A passage of the vertically set sample book that goes on overleaf."""
    book = book_named(product, "手引")
    return next(
        passage
        for _, passage in product.ledger.passages_of(book.id)
        if passage.boxes and passage.page_index_end > passage.page_index
    )


def test_the_lines_of_a_passage_are_marked_on_its_page(
    client: TestClient, printed: Passage
) -> None:
    address = f"/books/{printed.book_id}/pages/{printed.page_index}"
    found = html.fromstring(client.get(address, params={"passage": printed.id}).text)
    assert len(found.xpath("//rect[contains(@class, 'cited')]")) == len(printed.boxes[0].boxes)
    assert f"{printed.page_label}頁" in found.xpath("string(//h1)")
    overleaf = client.get(
        f"/books/{printed.book_id}/pages/{printed.page_index_end}", params={"passage": printed.id}
    )
    assert len(html.fromstring(overleaf.text).xpath("//rect[contains(@class, 'cited')]")) == len(
        printed.boxes[-1].boxes
    )


def test_the_quoted_lines_stand_out_from_their_passage(
    client: TestClient, product: Shiori, printed: Passage
) -> None:
    lines = product.ledger.lines(printed.book_id, printed.page_index)
    second = lines[[line.box for line in lines].index(printed.boxes[0].boxes[1])]
    start = printed.text.index(second.text)
    address = f"/books/{printed.book_id}/pages/{printed.page_index}"
    given = {"passage": printed.id, "quote": f"{start + 1}-{start + 2}"}
    found = html.fromstring(client.get(address, params=given).text)
    assert len(found.xpath("//rect[contains(@class, 'quoted')]")) == 1
    assert client.get(address, params=given | {"quote": "all"}).status_code == 422


def test_the_text_over_the_picture_is_the_pages_own(
    client: TestClient, product: Shiori, printed: Passage
) -> None:
    address = f"/books/{printed.book_id}/pages/{printed.page_index}"
    found = html.fromstring(client.get(address).text)
    laid = "".join(found.xpath("//svg[@class='words']//text()")).replace("\n", "")
    page_text = product.ledger.page_text(printed.book_id, printed.page_index)
    assert "".join(laid.split()) == "".join(page_text.split())


def test_turning_goes_no_further_than_the_book(client: TestClient, product: Shiori) -> None:
    book = book_named(product, "問答集")
    first = html.fromstring(client.get(f"/books/{book.id}/pages/0").text)
    assert not first.xpath("//a[@rel='prev']")
    assert first.xpath("//a[@rel='next']/@href") == [f"/books/{book.id}/pages/1?"]
    assert client.get(f"/books/{book.id}/pages/{book.pages}").status_code == 404
    assert client.get("/books/unknown/pages/0").status_code == 404
    assert client.get(f"/books/{book.id}/pages/x").status_code == 422


def test_a_vertical_page_is_shown_whole_and_any_other_as_wide_as_can_be(
    client: TestClient, product: Shiori, printed: Passage
) -> None:
    vertical = f"/books/{printed.book_id}/pages/{printed.page_index}"
    horizontal = f"/books/{book_named(product, '問答集').id}/pages/9"
    for address, shown, other in (
        (vertical, "page", "100"),
        (horizontal, "100", "page"),
        (f"{vertical}?zoom=110", "100", "page"),
        (f"{horizontal}?zoom=page", "page", "100"),
    ):
        found = html.fromstring(client.get(address).text)
        assert f"zoom-{shown}" in found.xpath("//div[contains(@class, 'paper ')]/@class")[0]
        assert found.xpath("//a[@data-fit]/@data-zoom") == [other]
        # What was chosen stays for the next page; what was not is decided there.
        (on,) = found.xpath("//a[@rel='next']/@href")
        assert on.endswith(f"zoom={shown}") == ("zoom=" in address)
    assert client.get(f"{vertical}?zoom=huge").status_code == 422


def test_a_page_is_drawn_once_and_then_kept(
    client: TestClient, product: Shiori, printed: Passage
) -> None:
    address = f"/books/{printed.book_id}/pages/{printed.page_index}/image"
    response = client.get(address)
    assert response.status_code == 200
    assert response.content.startswith(b"\x89PNG")
    kept = list(product.datadir.rendered.glob("*.png"))
    assert len(kept) == 1
    assert client.get(address).content == kept[0].read_bytes()


def test_a_book_without_pages_is_read_as_text(client: TestClient, product: Shiori) -> None:
    book = book_named(product, "渉外")
    passage = next(
        passage for _, passage in product.ledger.passages_of(book.id) if passage.page_index == 5
    )
    address = f"/books/{book.id}/pages/5"
    found = html.fromstring(client.get(address, params={"passage": passage.id}).text)
    assert found.xpath("//*[contains(@class, 'reading-text')]//p[contains(@class, 'cited')]")
    assert not found.xpath("//main//img")
    assert client.get(f"{address}/image").status_code == 404


def test_a_passage_of_another_book_is_refused(
    client: TestClient, product: Shiori, printed: Passage
) -> None:
    other = book_named(product, "渉外")
    response = client.get(f"/books/{other.id}/pages/0", params={"passage": printed.id})
    assert response.status_code == 404


def test_a_file_that_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing more")
    with pytest.raises(UnreadableFile, match="1枚目"):
        draw_page(broken, 0, 400)


def test_old_pictures_make_room_for_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.books.KEPT_PICTURES", 10)
    pictures = Pictures(tmp_path, lambda path, index, width: b"picture")
    for index in range(15):
        pictures.picture(tmp_path / "book.pdf", index)
    assert len(list(tmp_path.glob("*.png"))) <= 10


def test_the_service_never_loads_pdfium() -> None:
    script = (
        "import sys, app.main, app.web.pages, app.api.service; print('pypdfium2' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize(
    ("label", "last", "first_index", "last_index", "printed", "name"),
    [
        ("36", "37", 42, 43, True, "36〜37頁"),
        ("124の1", "124の1", 5, 5, True, "124の1頁"),
        ("", "", 2, 2, True, "3枚目（頁番号なし）"),
        ("", "", 4, 5, False, "本文5〜6"),
    ],
)
def test_pages_are_named_as_readers_name_them(
    label: str, last: str, first_index: int, last_index: int, printed: bool, name: str
) -> None:
    assert page_name(label, last, first_index, last_index, printed=printed) == name


def test_what_is_copied_from_a_book_without_pages_names_its_heading(
    client: TestClient, product: Shiori
) -> None:
    book = book_named(product, "渉外")
    found = html.fromstring(client.get(f"/books/{book.id}/pages/5").text)
    cited = found.xpath("//*[@class='reading-text']//@data-cite")
    headings = [line.text for line in product.ledger.lines(book.id, 5) if line.level]
    assert headings
    assert [each.partition("年12月 ")[2] for each in cited] == headings


def test_a_page_leads_back_to_the_results_it_was_opened_from(
    client: TestClient, printed: Passage
) -> None:
    address = f"/books/{printed.book_id}/pages/{printed.page_index}"

    def back(referer: str) -> list[str]:
        page = client.get(address, headers={"referer": referer})
        return html.fromstring(page.text).xpath("//p[@class='back']/a/@href")

    assert back("http://127.0.0.1:8000/?q=a&act=b") == ["/?q=a&act=b"]
    assert back("http://elsewhere.example/?q=a") == []
    assert back("http://127.0.0.1:8000/library") == []
