"""Loose-leaf books: pages exchanged by printed label, seen in text, search, picture and report."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import PIL.Image
import pypdf
import pytest

from app.core.errors import BadRequest, Conflict, UnreadableFile
from app.core.settings import Settings
from app.core.store import Where
from app.main import Shiori
from ingest.merge import Leaf, merge
from ingest.render import draw_page
from ingest.sandbox import DEFAULT_LIMITS, read_book
from ingest.supplement import changes_of, next_edition, supplement
from tests.ingest.pdfs import Mark, across, write_pdf

LABELS = ("121", "122", "123", "124の1", "124の2", "124の3", "125", "126", "127", "128")


def page(label: str, *lines: str) -> list[Mark]:
    marks = across(label, 200, 30, 9.0) if label else []
    for number, line in enumerate(lines):
        marks += across(line, 50, 540 - 20 * number)
    return marks


def text_of(label: str) -> tuple[str, str]:
    return (
        f"第{LABELS.index(label) + 1}章　{label}頁の題",
        f"旧い{label}頁の届出の扱いを述べる文である。",
    )


def write_book(path: Path) -> Path:
    pages = [page(label, *text_of(label)) for label in LABELS]
    return write_pdf(path, pages)


def write_supplement(path: Path, pages: Sequence[list[Mark]]) -> Path:
    return write_pdf(path, pages)


def third_supplement(path: Path) -> Path:
    """A cover with a table that takes out 124の3; two pages replaced, one put in."""
    return write_supplement(
        path,
        [
            page("", "届出の手引　追録第3号", "内容現在　令和8年4月1日", "差替表", "除去　124の3"),
            page("124の1", "第4章　124の1頁の題", "新しい124の1頁の振り仮名の文である。"),
            page("124の2", "第5章　124の2頁の題", "新しい124の2頁の親権の文である。"),
            page("126の2", "第11章　126の2頁の題", "新しい126の2頁の監護の文である。"),
        ],
    )


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A closed data directory that holds the book, and the book's id."""
    folder = tmp_path_factory.mktemp("loose")
    path = write_book(folder / "手引.pdf")
    path.with_name("手引.pdf.toml").write_text('title = "届出の手引"\nedition = "第2版"\n', "utf-8")
    with Shiori(Settings(data_dir=folder / "data", workers=1)) as product:
        (result,) = product.add([path]).results
        assert [page.label for page in product.ledger.pages(result.book_id)] == list(LABELS)
    return folder / "data", result.book_id


@pytest.fixture
def book_id(shelf: tuple[Path, str]) -> str:
    return shelf[1]


@pytest.fixture
def product(shelf: tuple[Path, str], tmp_path: Path) -> Iterator[Shiori]:
    folder = shutil.copytree(shelf[0], tmp_path / "data")
    with Shiori(Settings(data_dir=folder, workers=1)) as made:
        yield made


def picture(file: Path, index: int) -> bytes:
    return PIL.Image.open(io.BytesIO(draw_page(file, index, 300))).tobytes()


def test_pages_are_exchanged_by_label(product: Shiori, book_id: str, tmp_path: Path) -> None:
    extra = third_supplement(tmp_path / "追録.pdf")
    done = product.supplement(book_id, [extra])
    assert done.state == "added"
    assert done.changes.replaced == ("124の1", "124の2")
    assert done.changes.added == ("126の2",)
    assert done.changes.removed == ("124の3",)
    assert done.changes.left_out == (("追録.pdf", 0),)
    assert (done.book.edition, done.book.as_of) == ("第2版 追録第3号", "2026-04-01")
    labels = [page.label for page in product.ledger.pages(done.book.id)]
    assert labels == ["121", "122", "123", "124の1", "124の2", "125", "126", "126の2", "127", "128"]
    assert changes_of(product.ledger, done.book.id) == done.changes
    assert done.changes.passages_same == 7
    assert (done.changes.passages_new, done.changes.passages_gone) == (3, 3)

    # Both editions stay, the one before marked as superseded.
    before = product.ledger.book(book_id)
    assert (before.superseded_by, done.book.superseded_by) == (done.book.id, "")
    (hit, *_) = product.searcher.search("親権").hits
    assert (hit.book.id, hit.passage.page_label) == (done.book.id, "124の2")
    assert any("旧い124の2頁" in p.text for _, p in product.ledger.passages_of(book_id))
    assert product.shelf.store.count(Where()) == before.passages + done.book.passages

    # The viewer draws the kept file: the new page is the supplement's, the others the book's.
    new, old = product.shelf.original(done.book.id), product.shelf.original(book_id)
    assert picture(new, 3) == picture(extra, 1) != picture(old, 3)
    assert picture(new, 7) == picture(extra, 3)
    assert picture(new, 5) == picture(old, 6)
    assert list(pypdf.PdfReader(new).page_labels) == labels

    # The same once more changes nothing, and says what it had changed.
    generations = product.ledger.live_generations()
    again = product.supplement(book_id, [extra])
    assert (again.state, again.book, again.changes) == ("unchanged", done.book, done.changes)
    assert product.ledger.live_generations() == generations


def test_the_next_supplement_goes_to_the_latest_edition(
    product: Shiori, book_id: str, tmp_path: Path
) -> None:
    third = product.supplement(book_id, [third_supplement(tmp_path / "追録3.pdf")])
    fourth = write_supplement(tmp_path / "次.pdf", [page("128", "新しい128頁の文である。")])
    with pytest.raises(Conflict, match="後の版 第2版 追録第3号") as refused:
        product.supplement(book_id, [fourth])
    assert third.book.id in refused.value.hint
    done = product.supplement(third.book.id, [fourth], remove=["121"])
    assert done.book.edition == "第2版 追録第4号"
    assert (done.changes.replaced, done.changes.removed) == (("128",), ("121",))
    chain = product.ledger.books()
    assert chain[book_id].superseded_by == third.book.id
    assert chain[third.book.id].superseded_by == done.book.id


def test_what_cannot_be_placed_is_refused_and_the_book_stays(
    product: Shiori, book_id: str, tmp_path: Path
) -> None:
    bare = write_supplement(tmp_path / "番号なし.pdf", [page("", "番号のない頁の文である。")])
    twice = write_supplement(
        tmp_path / "二重.pdf", [page("124の1", "文である。"), page("124の1", "別の文である。")]
    )
    good = third_supplement(tmp_path / "追録.pdf")
    broken = tmp_path / "壊れた.pdf"
    broken.write_bytes(good.read_bytes()[:300])
    before = product.ledger.live_generations()
    with pytest.raises(
        BadRequest, match=r"番号なし\.pdf に、印刷された頁番号のあるページがありません"
    ):
        product.supplement(book_id, [bare])
    with pytest.raises(BadRequest, match="124の1 が何ページもあり"):
        product.supplement(book_id, [twice])
    with pytest.raises(BadRequest, match="999 頁はありません"):
        product.supplement(book_id, [good], remove=["999"])
    with pytest.raises(UnreadableFile, match=r"壊れた\.pdf"):
        product.supplement(book_id, [good, broken])
    assert product.ledger.live_generations() == before
    assert [job.state for job in product.ledger.jobs()][:4] == ["failed"] * 4


def test_outline_and_title_go_with_the_pages(tmp_path: Path) -> None:
    path = write_book(tmp_path / "元.pdf")
    writer = pypdf.PdfWriter(clone_from=path)
    above = writer.add_outline_item(title="第一編", page_number=0)
    for index in (3, 5, 9):
        writer.add_outline_item(title=f"節{index}", page_number=index, parent=above)
    writer.add_metadata({"/Title": "加除式の手引"})
    writer.write(path)
    extra = third_supplement(tmp_path / "追録.pdf")
    leaves = [Leaf(0, index, label) for index, label in enumerate(LABELS) if index != 5]
    leaves[3] = Leaf(1, 1, "124の1", stands_for=3)
    merge([path, extra], leaves, tmp_path / "新.pdf", DEFAULT_LIMITS)
    document = read_book(tmp_path / "新.pdf")
    assert document.title == "加除式の手引"
    assert "新しい124の1頁" in document.pages[3].text
    assert [(item.title, item.level, item.page_index) for item in document.outline] == [
        ("第一編", 1, 0),
        ("節3", 2, 3),
        ("節5", 2, 5),
        ("節9", 2, 8),
    ]


COMMAND = """
import sys
from pathlib import Path
from app.core.settings import Settings
from app.main import Shiori
if __name__ == "__main__":
    with Shiori(Settings(data_dir=Path(sys.argv[1]), workers=1)) as product:
        print("ready", flush=True)
        product.supplement(sys.argv[2], [Path(sys.argv[3])], on_event=lambda e: print(e.state, flush=True))
        print("published", flush=True)
"""


@pytest.mark.parametrize("moment", ["reading", "added"])
def test_a_kill_leaves_the_book_as_it_was_or_as_it_will_be(
    product: Shiori, book_id: str, tmp_path: Path, moment: str
) -> None:
    product.close()
    extra = third_supplement(tmp_path / "追録.pdf")
    script = tmp_path / "run.py"
    script.write_text(COMMAND, "utf-8")
    data = tmp_path / "data"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.Popen(
        [sys.executable, str(script), str(data), book_id, str(extra)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == moment:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    time.sleep(0.3)  # its children end with it
    with Shiori(Settings(data_dir=data, workers=1)) as opened:
        books = opened.ledger.books()
        assert len(books) in (1, 2)
        total = sum(book.passages for book in books.values())
        assert opened.shelf.store.count(Where(hidden=opened.ledger.hidden())) == total
        done = opened.supplement(book_id, [extra])
        assert done.changes.replaced == ("124の1", "124の2")
        assert len(opened.ledger.books()) == 2
        assert opened.ledger.book(book_id).superseded_by == done.book.id


def test_editions_are_counted_on() -> None:
    assert next_edition("第5版", 0) == "第5版 追録第1号"
    assert next_edition("第5版 追録第1号", 0) == "第5版 追録第2号"
    assert next_edition("第5版 追録第9号", 12) == "第5版 追録第12号"
    assert next_edition("", 3) == "追録第3号"


def test_only_pdf_books_have_pages_to_exchange(product: Shiori, tmp_path: Path) -> None:
    path = tmp_path / "本.md"
    path.write_text("# 手引\n\n届出の文である。\n", "utf-8")
    (result,) = product.add([path]).results
    with pytest.raises(BadRequest, match="PDFの本ではない"):
        supplement(
            product.shelf, result.book_id, [third_supplement(tmp_path / "a.pdf")], product.settings
        )
