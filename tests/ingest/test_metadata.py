from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.book import Document, Line, Page
from app.core.errors import UnreadableFile
from ingest.metadata import book_metadata, parse_date


def book(*pages: list[str], title: str = "戸籍の手引", **metadata: str) -> Document:
    made = tuple(Page(number, tuple(map(Line, lines))) for number, lines in enumerate(pages))
    return Document(title, made, metadata=metadata)


def found(*lines: str, path: Path = Path("本.pdf")) -> dict[str, str]:
    return book_metadata(book(list(lines)), path)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("令和7年10月1日", "2025-10-01"),
        ("令和元年5月", "2019-05"),
        ("平成三十年四月一日 発行", "2018-04-01"),
        ("昭和６３年", "1988"),
        ("2024年3月1日", "2024-03-01"),
        ("二〇二四年三月", "2024-03"),
        ("令和 七 年 十 月", "2025-10"),
        ("第3版", ""),
        ("", ""),
    ],
)
def test_dates(text: str, date: str) -> None:
    assert parse_date(text) == date


@given(st.text(max_size=30))
def test_any_text_gives_an_iso_date_or_nothing(text: str) -> None:
    parts = [part for part in parse_date(text).split("-") if part]
    assert len(parts) <= 3
    assert all(part.isdecimal() for part in parts)


def test_a_colophon_is_read() -> None:
    assert found(
        "戸籍実務の手引　第３版",
        "令和7年4月1日　第3版発行",
        "内容現在：令和7年1月1日",
        "編著　渡邉﨑子",
        "発行所　Nihon加除出版株式会社",
        "ＩＳＢＮ９７８－４－００－０００００１－２",
    ) == {
        "title": "戸籍の手引",
        "edition": "第3版",
        "published": "2025-04-01",
        "as_of": "2025-01-01",
        "authors": "渡邉﨑子",
        "publisher": "Nihon加除出版株式会社",
        "isbn": "9784000000012",
    }


def test_of_the_editions_a_colophon_lists_the_latest_is_the_book() -> None:
    stated = found(
        "平成22年4月1日　初版発行", "平成28年6月10日　改訂版発行", "令和6年3月1日　第3版発行"
    )
    assert (stated["edition"], stated["published"]) == ("第3版", "2024-03-01")
    newest_first = found("令和6年3月1日　第3版発行", "平成22年4月1日　初版発行")
    assert (newest_first["edition"], newest_first["published"]) == ("第3版", "2024-03-01")


def test_an_article_of_a_book_is_no_colophon() -> None:
    stated = found("民法第3版による。", "昭和23年1月1日から施行する。", "第七百六十七条")
    assert "published" not in stated
    assert "edition" not in stated


def test_only_the_first_and_last_pages_are_read() -> None:
    pages = [["本文"]] * 10
    pages[5] = ["初版発行 平成22年4月1日"]
    assert "edition" not in book_metadata(book(*pages), Path("本.pdf"))
    pages[9] = ["第2版発行 令和4年4月1日"]
    assert book_metadata(book(*pages), Path("本.pdf"))["edition"] == "第2版"


def test_the_sidecar_wins_over_the_colophon_and_that_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "本.pdf"
    (tmp_path / "本.pdf.toml").write_text(
        'title = "正しい書名"\nshelf = "窓口"\nas_of = 2025-10-01\npublished = "令和7年4月"\n',
        "utf-8",
    )
    document = book(
        ["第2版発行 令和4年4月1日"], edition="初版", publisher="ある出版社", strange="x", isbn=""
    )
    assert book_metadata(document, path) == {
        "title": "正しい書名",
        "shelf": "窓口",
        "as_of": "2025-10-01",
        "published": "2025-04",
        "edition": "第2版",
        "publisher": "ある出版社",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "読めません"),
        ('titel = "x"', "titel"),
        ('as_of = "いつか"', "as_of"),
        ('published = "2025-13-40"', "2025-13-40"),
        ('as_of = ""', "as_of"),
    ],
)
def test_a_bad_sidecar_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "本.pdf.toml").write_text(text, "utf-8")
    with pytest.raises(UnreadableFile, match=said) as caught:
        book_metadata(book(["本文"]), tmp_path / "本.pdf")
    assert "本.pdf.toml" in caught.value.message
    assert caught.value.hint


def test_a_sidecar_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "本.pdf.toml").write_bytes('title = "戸籍"'.encode("shift_jis"))
    with pytest.raises(UnreadableFile, match=r"本\.pdf\.toml"):
        book_metadata(book(["本文"]), tmp_path / "本.pdf")


def test_a_file_without_a_title_takes_the_one_its_colophon_repeats() -> None:
    document = book(
        ["詳解　戸籍届書の審査", "戸籍実務研究会　編著"],
        ["はしがき"],
        ["本文"],
        ["第一章"],
        [
            "詳解　戸籍届書の審査　第3版",
            "令和6年5月20日　第3版発行",
            "編　著　戸籍実務研究会",
            "発行者　山田太郎",
            "発 行 所　株式会社戸籍出版",
            "ISBN978-4-00-000000-2",
        ],
        title="scan0001",
    )
    stated = book_metadata(document, Path("scan0001.pdf"))
    assert stated["title"] == "詳解 戸籍届書の審査"
    assert stated["authors"] == "戸籍実務研究会"
    assert stated["publisher"] == "株式会社戸籍出版"
    assert book_metadata(document, Path("other.pdf"))["title"] == "scan0001"


def test_an_issuer_publishes_where_no_house_is_named() -> None:
    assert found("発行者　山田太郎")["publisher"] == "山田太郎"
