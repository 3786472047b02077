"""The product as a whole: opening, sharing, rebuilding and mending a data directory."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core import embed
from app.core.book import Book, Document, Line, Page
from app.core.errors import DataDirLocked, ModelUnavailable, StoreUnavailable
from app.core.settings import Settings
from app.core.store import Where
from app.main import SAMPLES, Shiori
from ingest.pipeline import prepare

QUESTION = "離婚しても今の名字を使い続けたい"


def add_book(product: Shiori, book_id: str = "book") -> None:
    """Publishes a small book without the processes that read files."""
    lines = [Line(text) for number in range(1, 4) for text in (f"第{number}条", "転籍の届出。")]
    made = prepare(Document("本", (Page(0, tuple(lines)),)), book_id)
    product.shelf.publish(Book(book_id, "本", f"{book_id}.md"), Path("無い"), book_id, made)


def test_the_sample_shelf_is_searched_and_answered_from(sample_product: Shiori) -> None:
    books = sample_product.ledger.books()
    files = {path.name for path in SAMPLES.iterdir() if path.suffix in (".pdf", ".epub")}
    assert {Path(book.source_file).name for book in books.values()} == files
    result = sample_product.searcher.search(QUESTION)
    assert any("戸籍法:77_2" in hit.passage.about + hit.passage.cites for hit in result.hits)
    assert sample_product.answerer.ask(QUESTION).answer.answered
    for book_id in books:
        assert sample_product.shelf.original(book_id).is_file()


def test_a_second_opener_is_told_that_the_folder_is_held(tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path)), pytest.raises(DataDirLocked, match=str(tmp_path)):
        Shiori(Settings(data_dir=tmp_path))
    Shiori(Settings(data_dir=tmp_path)).close()


def test_a_failed_start_gives_the_folder_free(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Shiori(Settings(data_dir=tmp_path, qdrant_url="http://127.0.0.1:1"))
    Shiori(Settings(data_dir=tmp_path)).close()


def test_an_empty_shelf_answers_too(tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path)) as product:
        assert product.searcher.search(QUESTION).hits == ()
        answer = product.answerer.ask(QUESTION).answer
        assert not answer.answered
        assert answer.reason
        health = product.health()
        assert (health["status"], health["books"], health["search"]) == ("ready", 0, "lexical")


def lose(index: Path) -> None:
    shutil.rmtree(index)


def lose_schema(index: Path) -> None:
    next(index.glob("*/schema.json")).write_text("{", "utf-8")


def lose_segments(index: Path) -> None:
    for file in index.rglob("*"):
        if file.is_file() and file.name != "schema.json":
            file.write_bytes(b"\x00" * 100)


@pytest.mark.parametrize("damage", [lose, lose_schema, lose_segments])
def test_an_index_that_is_lost_or_damaged_is_built_anew(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    with Shiori(Settings(data_dir=tmp_path)) as product:
        add_book(product)
        before = [hit.passage.id for hit in product.searcher.search("転籍").hits]
    damage(tmp_path / "index")
    told: list[tuple[int, int]] = []
    with Shiori(
        Settings(data_dir=tmp_path), on_progress=lambda *done: told.append(done)
    ) as product:
        assert told == [(0, 1), (1, 1)]
        assert [hit.passage.id for hit in product.searcher.search("転籍").hits] == before
        assert product.shelf.store.count(Where()) == 3
    with Shiori(Settings(data_dir=tmp_path)):
        assert len(list((tmp_path / "index").iterdir())) == 1


def test_a_rebuild_that_was_cut_short_is_left_behind(tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path)) as product:
        add_book(product)
    shutil.copytree(tmp_path / "index" / "1", tmp_path / "index" / "2")
    with Shiori(Settings(data_dir=tmp_path)) as product:
        assert product.spec.name == "1"
        assert [path.name for path in (tmp_path / "index").iterdir()] == ["1"]


class CountingModel:
    """Stands for a loaded model: a vector tells how often a text holds three characters."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def encode_query(self, text: str) -> tuple[float, ...]:
        return tuple(self.encode_documents([text])[0].tolist())

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        counts = np.ones((len(texts), self.size), dtype=np.float32)
        for row, text in enumerate(texts):
            for column, char in enumerate("転籍届"):
                counts[row, column] += text.count(char)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, CountingModel]:
    """Models by folder, as if they lay there; real ones are loaded in tests/core/test_embed.py."""
    known = {
        str(tmp_path / name): CountingModel(name, size) for name, size in (("甲", 4), ("乙", 6))
    }

    def load(setting: str, **more: object) -> CountingModel:
        if setting not in known:
            raise ModelUnavailable(f"{setting} がありません。")
        return known[setting]

    monkeypatch.setattr(embed, "load", load)
    return known


def test_another_model_builds_the_index_beside_the_old_one_and_switches(
    tmp_path: Path, models: dict[str, CountingModel]
) -> None:
    data = tmp_path / "data"
    first, second = models
    with Shiori(Settings(data_dir=data)) as product:
        add_book(product)
        assert product.spec.dense_size == 0
    for setting, size in ((first, 4), (second, 6)):
        with Shiori(Settings(data_dir=data, embed_model=setting, dense_weight=0.5)) as product:
            assert product.spec.dense_size == size
            assert product.health()["search"] == "hybrid"
            assert product.shelf.store.count(Where()) == 3
            assert len(product.shelf.store.search_dense([1.0] * size, 10)) == 3
            assert product.searcher.search("転籍の届出").hits
    with Shiori(Settings(data_dir=data)) as product:
        assert product.spec.dense_size == 6, "vectors stay for when their model is back"
        assert product.health()["search"] == "lexical"
        assert product.searcher.search("転籍の届出").hits


def test_a_model_out_of_reach_leaves_search_by_words_and_no_book_without_vectors(
    tmp_path: Path, models: dict[str, CountingModel]
) -> None:
    setting = next(iter(models))
    settings = Settings(data_dir=tmp_path / "data", embed_model=setting, dense_weight=0.5)
    with Shiori(settings) as product:
        add_book(product)
    model = models.pop(setting)
    (tmp_path / "届出.md").write_text("# 届出\n\n転籍の届出をする。\n", "utf-8")
    with Shiori(settings) as product:
        health = product.health()
        assert (health["status"], health["model_state"]) == ("ready", "failed")
        assert "語による検索だけ" in health["message"]
        assert product.searcher.search("転籍").hits
        assert not product.add([tmp_path / "届出.md"]).failed
    models[setting] = model
    with Shiori(settings) as product:
        assert product.health()["search"] == "hybrid"
        points = product.shelf.store.count(Where())
        assert points == 4
        assert len(product.shelf.store.search_dense([1.0] * 4, 10)) == points


def test_a_model_is_loaded_while_words_are_searched(
    tmp_path: Path, models: dict[str, CountingModel]
) -> None:
    with Shiori(Settings(data_dir=tmp_path / "data")) as product:
        add_book(product)
    settings = Settings(
        data_dir=tmp_path / "data", embed_model=next(iter(models)), dense_weight=0.5
    )
    with Shiori(settings, wait_for_model=False) as product:
        assert product.searcher.search("転籍").hits
        assert product._background is not None
        product._background.join()
        assert product.health()["status"] == "ready"
        assert product.health()["search"] == "hybrid"


def test_samples_come_once_and_only_to_an_empty_shelf(tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path)) as product:
        add_book(product)
        assert product.add_samples() is None


def test_removed_samples_do_not_come_back(data_dir: Path) -> None:
    with Shiori(Settings(data_dir=data_dir)) as product:
        for book_id in product.ledger.books():
            product.remove(book_id)
        assert product.shelf.store.count(Where()) == 0
        assert product.add_samples() is None


SEARCH = """
import sys
import threading
import time
from pathlib import Path
from app.core.settings import Settings
from app.main import Shiori
with Shiori(Settings(data_dir=Path(sys.argv[1]))) as product:
    assert product.answerer.ask("離婚").result.hits
heavy = ("llama_index", "torch", "transformers", "sentence_transformers", "pypdfium2", "pypdf", "lxml", "fastapi")
print([name for name in heavy if name in sys.modules])
"""


def test_a_search_imports_nothing_heavy(data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, str(data_dir)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_a_search_during_a_replacement_finds_the_old_book_or_the_new_one(tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path)) as product:
        made = []
        for text in ("転籍の届出。", "転籍と分籍の届出。"):
            lines = [Line(part) for number in range(1, 4) for part in (f"第{number}条", text)]
            made.append(prepare(Document("本", (Page(0, tuple(lines)),)), "book"))
        counts: list[int] = []
        done = threading.Event()

        def publish(number: int) -> None:
            book = Book("book", "本", "本.md")
            product.shelf.publish(book, Path("無い"), str(number), made[number % 2])

        def search() -> None:
            while not done.is_set():
                counts.append(len(product.searcher.search("転籍の届出").hits))

        publish(0)
        searching = threading.Thread(target=search)
        searching.start()
        for number in range(1, 30):
            publish(number)
            time.sleep(0.1)  # a real book takes longer to read than this
        done.set()
        searching.join()
    assert counts
    assert set(counts) == {3}
