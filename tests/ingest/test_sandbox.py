from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from app.core.book import Document
from app.core.errors import NoText, UnreadableFile
from ingest.readers import read
from ingest.sandbox import Limits, read_book


def test_document_comes_back_whole(typeset: Path):
    path = typeset / "tex_h1.pdf"
    calls: list[tuple[int, int]] = []
    document = read_book(path, on_page=lambda done, total: calls.append((done, total)))
    assert document == read(path)
    assert calls == [(n, 12) for n in range(1, 13)]


def test_errors_keep_their_kind_message_and_hint(tmp_path: Path):
    path = tmp_path / "空.txt"
    path.write_text(" ", "utf-8")
    with pytest.raises(NoText) as caught:
        read_book(path)
    assert caught.value.message == "空.txtには文字がありません。"
    assert caught.value.hint
    assert caught.value.field == "空.txt"


def test_works_from_threads(tmp_path: Path):
    path = tmp_path / "a.md"
    path.write_text("# 戸籍法", "utf-8")
    found: list[Document] = []
    threads = [threading.Thread(target=lambda: found.append(read_book(path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [document.title for document in found] == ["戸籍法"] * 3


def test_a_file_that_never_ends_is_given_up(tmp_path: Path):
    path = tmp_path / "pipe.txt"
    os.mkfifo(path)
    began = time.monotonic()
    with pytest.raises(UnreadableFile):
        read_book(path, limits=Limits(wall=2, stall=1))
    assert time.monotonic() - began < 5


def test_too_much_output_is_given_up(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("戸籍\n" * 20_000, "utf-8")
    with pytest.raises(UnreadableFile, match="文字の量"):
        read_book(path, limits=Limits(output=10_000))


def test_memory_is_bounded(tmp_path: Path):
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.write(b"a" * 5000)
        file.truncate(400 << 20)
    with pytest.raises(UnreadableFile, match="メモリ"):
        read_book(path, limits=Limits(memory=300 << 20, ocr_memory=300 << 20))
