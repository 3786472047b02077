"""A small shelf of made-up statutes and a manual, published like real books."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.book import Book, Document, Line, Page
from app.core.settings import Settings
from app.main import Shiori
from ingest.pipeline import prepare

Publish = Callable[..., Book]

LAW = """
# 戸籍法
### 第一章　総則
##### 第一条
戸籍に関する事務は、市町村長がこれを管掌する。
##### 第七十七条の二
離婚の際に称していた氏を称しようとする者は、その旨を届け出なければならない。
##### 第七十八条
前条の届出には、第一条の規定を準用する。
２　届出は、離婚の日から三箇月以内にしなければならない。
"""


def document(title: str, markdown: str) -> Document:
    lines = []
    for line in filter(None, (line.strip() for line in markdown.splitlines())):
        level = len(line) - len(line.lstrip("#"))
        lines.append(Line(line.lstrip("# "), level=level))
    return Document(title, (Page(0, tuple(lines), label="1"),))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shiori]:
    with Shiori(Settings(data_dir=tmp_path_factory.mktemp("small"))) as product:
        yield product


@pytest.fixture(scope="module")
def publish(shelf: Shiori) -> Publish:
    def add(book_id: str, title: str, markdown: str, **about: str) -> Book:
        prepared = prepare(document(title, markdown), book_id)
        book = Book(id=book_id, title=title, source_file=f"{book_id}.md", **about)
        return shelf.shelf.publish(book, Path(book.source_file), book_id, prepared)

    return add


@pytest.fixture(scope="module")
def law(publish: Publish) -> Book:
    return publish("law1", "戸籍法", LAW)
