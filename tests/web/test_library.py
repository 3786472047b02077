from __future__ import annotations

import io
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.core.errors import BadRequest, Forbidden
from app.core.settings import Settings
from app.main import Shiori, application
from app.web.admin import MAX_TRIES_OF_ALL, Admission
from app.web.uploads import safe_name
from tests.ingest.test_supplement import third_supplement, write_book

TEXT = "第1章　試験\n\n第1条　空き地の届出は、区長にする。\n".encode()


@pytest.fixture
def shelf(data_dir: Path) -> Iterator[Shiori]:
    with Shiori(Settings(data_dir=data_dir, upload_max_mb=1)) as product:
        yield product


def local(product: Shiori) -> TestClient:
    return TestClient(
        application(product, "token"), base_url="http://localhost:8000", client=("127.0.0.1", 1)
    )


def wait(client: TestClient) -> list[dict[str, object]]:
    for _ in range(300):
        state = client.get("/library/progress").json()
        if not state["running"]:
            files: list[dict[str, object]] = state["files"]
            return files
        time.sleep(0.1)
    raise AssertionError("the upload never ended")


def test_a_book_is_uploaded_described_found_and_removed(shelf: Shiori) -> None:
    client = local(shelf)
    sent = client.post(
        "/library/upload", files=[("files", ("空き地.md", TEXT))], data={"shelf": "試験棚"}
    )
    assert sent.status_code == 200
    assert [file["state"] for file in wait(client)] == ["added"]
    book = next(book for book in shelf.ledger.books().values() if book.shelf == "試験棚")
    assert not list((shelf.datadir.path / "uploads").iterdir())

    fields = {"title": "空き地の手引", "edition": "第9版", "shelf": "別棚", "as_of": "2025-04"}
    client.post(f"/library/{book.id}/describe", data=fields)
    assert shelf.ledger.book(book.id).title == "空き地の手引"
    found = client.get("/", params={"q": "空き地の届出", "shelf": "別棚", "edition": "第9版"})
    assert "空き地の手引" in found.text
    old = html.fromstring(client.get("/", params={"q": "空き地", "shelf": "試験棚"}).text)
    assert not old.xpath("//article")
    bad = client.post(f"/library/{book.id}/describe", data=fields | {"as_of": "去年"})
    assert bad.status_code == 422

    again = client.post("/library/upload", files=[("files", ("空き地.md", TEXT + b"\n"))])
    assert again.status_code == 200
    wait(client)
    assert len(shelf.ledger.books()) == 4, "the same name is a new version of the same book"

    client.post(f"/library/{book.id}/remove")
    assert book.id not in shelf.ledger.books()
    assert f"/library/{book.id}/put-back" in client.get("/library").text
    question = {"q": "空き地の届出"}
    assert f"/books/{book.id}" not in client.get("/", params=question).text
    client.post(f"/library/{book.id}/put-back")
    assert f"/books/{book.id}" in client.get("/", params=question).text
    client.post(f"/library/{book.id}/remove")
    client.post(f"/library/{book.id}/discard")
    assert not shelf.ledger.set_aside()
    assert client.post(f"/library/{book.id}/put-back").status_code == 404
    assert [deed.action for deed in shelf.ledger.deeds()][:2] == ["完全に消す", "書棚から外す"]


def test_the_books_of_an_archive_are_followed_one_by_one(shelf: Shiori) -> None:
    client = local(shelf)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("甲.md", "# 甲\n\n甲の届出をする。\n")
        out.writestr("乙.md", "# 乙\n\n乙の届出をする。\n")
    client.post("/library/upload", files=[("files", ("本.zip", archive.getvalue()))])
    assert {file["name"]: file["state"] for file in wait(client)} == {
        "甲.md": "added",
        "乙.md": "added",
    }


def test_a_description_without_its_book_is_refused(shelf: Shiori) -> None:
    sent = local(shelf).post("/library/upload", files=[("files", ("a.pdf.toml", b"title = 'a'"))])
    assert sent.status_code == 422


def test_a_file_that_cannot_be_read_is_reported(shelf: Shiori) -> None:
    client = local(shelf)
    client.post("/library/upload", files=[("files", ("bad.pdf", b"%PDF-nothing"))])
    files = wait(client)
    assert files[0]["state"] == "failed"
    assert files[0]["reason"]
    assert "bad.pdf" in client.get("/library").text


def test_an_upload_has_a_limit(shelf: Shiori) -> None:
    client = local(shelf)
    for size in (2 << 20, 9 << 20):
        sent = client.post("/library/upload", files=[("files", ("big.txt", b"a" * size))])
        assert sent.status_code == 413
    assert client.post("/library/upload", files=[("files", ("", b""))]).status_code == 422
    assert client.get("/library/progress").json() == {"running": False, "summary": "", "files": []}
    assert not list((shelf.datadir.path / "uploads").iterdir())


def test_without_a_password_only_this_machine_changes_the_shelf(
    client: TestClient, stranger: TestClient, product: Shiori
) -> None:
    book_id = next(iter(product.ledger.books()))
    assert "本を登録する" in client.get("/library").text
    listed = stranger.get("/library")
    assert listed.status_code == 200
    assert "本を登録する" not in listed.text
    for address in (
        "/library/upload",
        f"/library/{book_id}/remove",
        f"/library/{book_id}/describe",
    ):
        assert stranger.post(address).status_code == 403
    assert stranger.get("/library/progress").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"x-forwarded-for": "10.0.0.9"}, {"forwarded": "for=10.0.0.9"}, {"host": "evil.example"}],
)
def test_a_proxy_on_this_machine_is_not_this_machine(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.get("/library/progress", headers=headers).status_code == 403


def test_with_a_password_one_logs_in_from_anywhere(product: Shiori) -> None:
    settings = product.settings
    product.settings = settings.model_copy(update={"admin_password": "合言葉"})
    try:
        client = TestClient(
            application(product, "token"), base_url="http://shiori.lan", client=("10.1.2.3", 1)
        )
    finally:
        product.settings = settings
    assert client.get("/library/progress").status_code == 403
    wrong = client.post("/login", data={"password": "違う"})
    assert wrong.status_code == 403
    assert "合言葉が違います" in wrong.text
    assert "ログアウト" in client.post("/login", data={"password": "合言葉"}).text
    assert client.get("/library/progress").status_code == 200
    client.post("/logout")
    assert client.get("/library/progress").status_code == 403
    for _ in range(5):
        client.post("/login", data={"password": "違う"})
    assert "止めています" in client.post("/login", data={"password": "合言葉"}).text
    # Somebody's wrong tries shut nobody else out.
    other = TestClient(client.app, base_url="http://shiori.lan", client=("10.1.2.4", 1))
    assert "ログアウト" in other.post("/login", data={"password": "合言葉"}).text


def test_wrong_passwords_from_many_machines_are_bounded_too(product: Shiori) -> None:
    admission = Admission("合言葉", product.ledger)
    for number in range(MAX_TRIES_OF_ALL):
        with pytest.raises(Forbidden, match="違います"):
            admission.log_in("違う", f"10.0.0.{number}")
    with pytest.raises(Forbidden, match="止めています"):
        admission.log_in("合言葉", "10.1.2.3")


def test_the_page_of_a_book_shows_its_quality_report(client: TestClient, product: Shiori) -> None:
    book_id = next(iter(product.ledger.books()))
    found = html.fromstring(client.get(f"/library/{book_id}").text)
    assert "読み取りの質" in found.text_content()


@pytest.mark.parametrize("name", ["", ".", "..", "/", ".hidden", "a" * 300, "\n"])
def test_bad_file_names_are_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        safe_name(name)


def test_only_the_last_part_of_a_name_counts() -> None:
    assert safe_name("C:\\本\\手引.pdf") == "手引.pdf"
    assert safe_name("../../etc/手引.pdf") == "手引.pdf"


def test_nothing_is_left_where_the_upload_fails(shelf: Shiori) -> None:
    client = local(shelf)
    client.post("/library/upload", files=[("files", ("big.txt", b"a" * (2 << 20)))])
    folder = shelf.datadir.path / "uploads"
    assert not list(folder.iterdir())
    shutil.rmtree(folder)


def test_two_files_of_one_name_are_refused(shelf: Shiori) -> None:
    client = local(shelf)
    sent = client.post(
        "/library/upload", files=[("files", ("a.md", TEXT)), ("files", ("a.md", TEXT))]
    )
    assert sent.status_code == 422
    assert "二つあります" in sent.text
    assert not list((shelf.datadir.path / "uploads").iterdir())


def test_a_supplement_makes_the_next_edition(shelf: Shiori, tmp_path: Path) -> None:
    client = local(shelf)
    book = write_book(tmp_path / "加除式.pdf")
    client.post("/library/upload", files=[("files", (book.name, book.read_bytes()))])
    assert [file["state"] for file in wait(client)] == ["added"]
    old = next(one for one in shelf.ledger.books().values() if one.source_file.endswith(book.name))
    pages = third_supplement(tmp_path / "追録3.pdf")
    sent = {"files": (pages.name, pages.read_bytes())}
    address = f"/library/{old.id}/supplement"
    assert client.post(address, files=sent, data={"as_of": "去年"}).status_code == 422
    assert client.post(address, files=sent).status_code == 200
    assert [file["state"] for file in wait(client)] == ["added"]
    new = shelf.ledger.book(shelf.ledger.book(old.id).superseded_by)
    assert new.edition == "追録第3号"
    assert "これより前の版" in client.get(f"/library/{new.id}").text
    assert client.get(f"/library/{old.id}").text.count("追録を加える") == 0

    client.post(address, files=sent)
    assert [file["state"] for file in wait(client)] == ["added"], "it was there already"
    other = {"files": ("追録4.pdf", b"%PDF-nothing")}
    client.post(address, files=other)
    (failed,) = wait(client)
    assert failed["state"] == "failed"
    assert "後の版" in str(failed["reason"])
    assert shelf.ledger.deeds()[0].action == "追録を加える"


def test_a_book_is_read_again_on_the_desk(shelf: Shiori) -> None:
    client = local(shelf)
    book = next(book for book in shelf.ledger.books().values() if book.source_file.endswith("epub"))
    before = shelf.ledger.live_generations()[book.id]
    assert client.post(f"/library/{book.id}/reread").status_code == 200
    assert [file["state"] for file in wait(client)] == ["added"]
    assert shelf.ledger.live_generations()[book.id] > before
    assert shelf.ledger.book(book.id) == book


def test_which_edition_supersedes_which_is_stated_by_hand(shelf: Shiori) -> None:
    client = local(shelf)
    first, second, *_ = shelf.ledger.books()
    client.post(f"/library/{first}/editions", data={"superseded_by": second})
    assert shelf.ledger.book(first).superseded_by == second
    page = html.fromstring(client.get(f"/library/{first}").text)
    chosen = page.xpath("//select[@id='superseded_by']/option[@selected]/@value")
    assert chosen == [second]
    circle = client.post(f"/library/{second}/editions", data={"superseded_by": first})
    assert circle.status_code == 422
    client.post(f"/library/{first}/editions", data={"superseded_by": "auto"})
    assert shelf.ledger.book(first).superseded_by == ""


def test_a_bad_description_is_told_beside_what_was_typed(shelf: Shiori) -> None:
    client = local(shelf)
    book_id = next(iter(shelf.ledger.books()))
    fields = {"title": "手引", "published": "2026-13", "isbn": "", "authors": "編集委員会"}
    page = html.fromstring(client.post(f"/library/{book_id}/describe", data=fields).text)
    assert "2026-13" in page.xpath("string(//*[@role='alert'])")
    assert page.xpath("//input[@aria-invalid]/@name") == ["published"]
    assert page.xpath("//input[@name='authors']/@value") == ["編集委員会"]
    short = client.post(f"/library/{book_id}/describe", data={"title": "手引", "isbn": "123"})
    assert short.status_code == 422
    assert shelf.ledger.book(book_id).title != "手引"
