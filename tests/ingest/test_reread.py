from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.errors import NotFound, UnreadableFile
from app.core.settings import Settings
from app.main import Shiori


def test_a_book_is_read_again_and_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    file = tmp_path / "空き地.md"
    file.write_text("# 空き地の手引\n\n第1条　空き地の届出は、区長にする。\n", "utf-8")
    with Shiori(Settings(data_dir=tmp_path / "data")) as product:
        product.add([file])
        (book,) = product.ledger.books().values()
        product.shelf.revise(replace(book, title="空き地", shelf="別棚", as_of="2025-04"))
        before = product.ledger.live_generations()[book.id]
        passages = [passage for _, passage in product.ledger.passages_of(book.id)]
        file.unlink()

        events: list[str] = []
        made = product.reread(book.id, on_event=lambda event: events.append(event.state))
        assert (made.title, made.shelf, made.as_of) == ("空き地", "別棚", "2025-04")
        assert product.ledger.live_generations()[book.id] > before
        assert [passage for _, passage in product.ledger.passages_of(book.id)] == passages
        assert events[-1] == "added"
        assert product.ledger.jobs(1)[0].reason == "読み直しました。"
        assert product.searcher.search("空き地の届出").hits[0].book.shelf == "別棚"

        product.shelf.original(book.id).unlink()
        with pytest.raises(UnreadableFile, match="残っていません"):
            product.reread(book.id)
        with pytest.raises(NotFound):
            product.reread("nothing")
