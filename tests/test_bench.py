"""`shiori bench` and `shiori eval peers` at sizes that take seconds; no time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import bench
from app.cli import cli
from app.core.errors import BadRequest
from app.core.settings import Settings
from app.main import Shiori
from eval import peers
from eval.datasets import CorpusDocument, Dataset, Query, write_dataset

CORPUS = {
    "d1": CorpusDocument("d1", "出生の届出は、十四日以内にしなければならない。", "第四十九条"),
    "d2": CorpusDocument("d2", "埋葬、火葬又は改葬を行おうとする者は、許可を受ける。", "第五条"),
}
DATASET = Dataset(
    "tiny",
    CORPUS,
    {f"q{n}": Query(f"q{n}", text) for n, text in enumerate(("出生の届出", "火葬の許可", "改葬"))},
    {"q0": {"d1": 3}, "q1": {"d2": 3}, "q2": {"d2": 1}},
)


@pytest.fixture(scope="module")
def made(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("made") / "data")
    done: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.made, "PER_BOOK", 100)
        bench.build(settings, sample_data, 110, lambda *progress: done.append(progress))
    assert done == [(100, 110), (110, 110)]
    return settings


def test_a_made_up_shelf_is_searched_like_any_other(made: Settings) -> None:
    with Shiori(made) as product:
        assert [book.passages for book in product.ledger.books().values()] == [100, 10]
        result = product.searcher.search("離婚後の氏")
        assert len(result.hits) == 10
        found = [hit.passage for hit in result.hits]
        assert {passage.page_index for passage in found} >= {
            page.page_index for passage in found for page in passage.boxes
        }


def test_a_made_up_passage_joins_two_halves_with_their_words(made: Settings) -> None:
    with Shiori(made) as product:
        book = next(iter(product.ledger.books()))
        _, passage = next(product.ledger.passages_of(book))
        middle = len(passage.text) // 2
        for part in (passage.text[:middle], passage.text[middle:]):
            found = product.searcher.search(part[:40], 200).hits
            assert passage.id in [hit.passage.id for hit in found]


def test_every_kind_of_call_is_timed(made: Settings) -> None:
    speed = bench.speed("合成", made, 1.0, rounds=1)
    assert (speed.books, speed.passages, speed.dense) == (2, 110, 0)
    assert set(speed.everything) == {"engine", "encoding", "store", "search", "http"}
    assert set(speed.one_book) == {"engine", "store", "search", "http"}
    assert all(timing.calls == len(bench.QUESTIONS) for timing in speed.everything.values())
    assert all(0 < timing.p50 <= timing.p95 for timing in speed.everything.values())
    assert speed.ratio("engine", speed.everything) == 1
    assert speed.memory > 0


def test_a_stand_in_model_makes_the_search_hybrid(sample_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers がありません")
    settings = bench.with_stand_in(Settings(data_dir=tmp_path / "data"), tmp_path / "model", 8)
    bench.build(settings, sample_data, 20, lambda done, total: None)
    with Shiori(settings) as product:
        assert product.health()["search"] == "hybrid"
        assert product.spec.dense_size == 8
        assert product.searcher.search("離婚後の氏").hits


def test_a_shelf_too_small_to_compare_is_refused() -> None:
    with pytest.raises(BadRequest, match="9,999"):
        bench.run(9_999, 0, None, lambda name: lambda done, total: None)


def test_a_service_that_does_not_start_is_named(tmp_path: Path) -> None:
    (tmp_path / "shiori.toml").write_text("unknown_key = 1\n", "utf-8")
    with (
        pytest.raises(bench.NotReady, match="起動しません") as failure,
        bench.service(Settings(data_dir=tmp_path)),
    ):
        pass
    assert "unknown_key" in failure.value.hint


def test_an_engine_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "haystack", None)
    with pytest.raises(peers.PeerMissing, match="haystack") as failure:
        peers.haystack(CORPUS.values())
    assert "pip install haystack-ai" in failure.value.hint


@pytest.mark.parametrize("name", peers.PEERS)
def test_another_engine_finds_by_its_own_words(name: str) -> None:
    try:
        peers.required(name)
    except peers.PeerMissing as missing:
        pytest.skip(missing.message)
    row = peers.measured(
        name,
        DATASET,
        lambda: peers.indexed(peers.PEERS[name], DATASET, None),
        lambda done, total: None,
    )
    assert 0 <= row.ndcg <= 1
    assert row.indexed_per_second > 0


def test_peers_are_measured_beside_the_product(tmp_path: Path) -> None:
    write_dataset(tmp_path / "tiny", CORPUS.values(), DATASET.queries.values(), DATASET.qrels)
    result = CliRunner().invoke(
        cli,
        ["eval", "peers", str(tmp_path / "tiny"), "--limit", "2", "--json", str(tmp_path / "j")],
        env={"SHIORI_DATA_DIR": str(tmp_path / "data")},
    )
    assert result.exit_code == 0, result.output
    (found,) = json.loads((tmp_path / "j").read_text("utf-8"))
    systems = {row["system"]: row for row in found["systems"]}
    assert found["queries"] == 2
    assert systems["lexical"]["ndcg"] == 1
    assert systems["lexical"]["interval"] == [1, 1]
    assert {"words", "bm25-whitespace", "bm25-bigrams", "bm25-sudachi"} <= set(systems)


def test_a_large_book_is_measured_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", "--book-pages", "3", "--json", str(tmp_path / "j")])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "j").read_text("utf-8"))
    assert found["pages"] == 3
    assert min(found["passages"], found["writer"], found["reader"]) > 0
