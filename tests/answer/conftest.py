"""A shelf of two small books, published as any book is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.book import Book, Document, Line, Page, content_id
from app.core.settings import Settings
from app.main import Shiori

MONDO = """\
# 第1章　離婚と氏
## 問1　離婚後も結婚していたときの名字を名乗りたい。できるか。
答　離婚の日から3か月以内に、離婚の際に称していた氏を称する旨を届け出ればよい。ただし、期間を過ぎたときは、家庭裁判所の許可が要る。
【解説】これを婚氏続称という。相手方の同意も証人も要らない。
【根拠】民法767条2項、戸籍法77条の2
## 問2　離縁しても今の名字を使い続けたい。できるか。
答　縁組の日から7年を経過した後に離縁した者は、離縁の日から3か月以内に届け出ることによって、離縁の際の氏を称することができる。
【解説】これを縁氏続称という。
【根拠】民法816条2項
## 問3　死亡届は誰がいつまでに出すのか。
答　届出義務者が、死亡の事実を知った日から7日以内に届け出る。
【解説】国外で死亡したときは3か月以内である。
# 第2章　証明書
## 問4　戸籍謄本の手数料はいくらか。
答　1通につき450円である。郵便で請求するときは定額小為替で納める。
"""

TEBIKI = """\
# 第一章　出生
## 第一節　出生の届出
出生の届出は、出生の日から十四日以内にする（戸籍法第四十九条第一項）。国外で出生があったときは、三箇月以内である。届書には出生証明書を添えなければならない。ただし、やむを得ない事由があるときは、この限りでない。
## 第二節　届出のできる場所
次に掲げる地で届け出ることができる。
・届出事件の本人の本籍地
・届出人の所在地
・出生地
## 第三節　反致
反致とは、外国の国際私法が日本法を指すときに日本法を適用することをいう。本国法によるべき場合に問題となる。
"""


def document(title: str, text: str) -> Document:
    """A text whose headings are marked by #, one page a chapter."""
    pages: list[list[Line]] = []
    for line in text.splitlines():
        level = len(line) - len(line.lstrip("#"))
        if level == 1 or not pages:
            pages.append([])
        pages[-1].append(Line(line.lstrip("# "), level=level))
    numbered = (Page(n, tuple(lines), label=str(n + 1)) for n, lines in enumerate(pages))
    return Document(title, tuple(numbered))


@pytest.fixture(scope="session")
def publish() -> Callable[..., str]:
    """Publishes a text as a book; returns the book's id."""
    from ingest.pipeline import prepare

    def publish(product: Shiori, title: str, text: str, edition: str = "初版") -> str:
        book_id = content_id(title)
        prepared = prepare(document(title, text), book_id)
        book = Book(id=book_id, title=title, edition=edition, source_file=f"{title}.md")
        product.shelf.publish(book, Path(book.source_file), book_id, prepared)
        return book_id

    return publish


@pytest.fixture(scope="session")
def product(
    tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., str]
) -> Iterator[Shiori]:
    with Shiori(Settings(data_dir=tmp_path_factory.mktemp("shelf"))) as product:
        publish(product, "窓口問答集", MONDO)
        publish(product, "届出の手引", TEBIKI)
        yield product
