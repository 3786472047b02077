"""Rerankers through the real loading code, with a cross-encoder small enough to make here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.book import Passage
from app.core.errors import ModelUnavailable
from app.core.settings import Settings
from app.main import Shiori
from app.search.rerank import load, read_text, reranked
from app.search.retrieve import Candidate

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"届出婚姻離氏死亡火葬許可"]
MakeModel = Callable[..., Path]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Writes a random two-layer BERT that scores pairs; `labels` outputs."""

    def make(labels: int = 1) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

            folder = tmp_path_factory.mktemp("models") / f"tiny-{labels}"
            folder.mkdir()
            (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
            torch.manual_seed(7)
            config = BertConfig(
                vocab_size=len(WORDS),
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=64,
                num_labels=labels,
                initializer_range=0.5,
            )
            BertForSequenceClassification(config).save_pretrained(folder)
            tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64)
            tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def model(make_model: MakeModel) -> Path:
    return make_model()


def candidates(*scores: float) -> list[Candidate]:
    texts = ["婚姻届出", "離婚届出", "死亡届出", "火葬許可", "氏"]
    return [
        Candidate((1, f"p{n}"), Passage(f"b-{n}", "b", n, text), score)
        for n, (text, score) in enumerate(zip(texts, scores, strict=False))
    ]


def test_scores_lie_between_0_and_1_whatever_the_batch(model: Path) -> None:
    texts = ["婚姻届出", "火葬許可" * 40, "氏", "婚姻届出"]
    one, many = load(str(model), batch=1), load(str(model), batch=8)
    scores = one.scores("婚姻", texts)
    assert scores == pytest.approx(many.scores("婚姻", texts), abs=1e-5)
    assert ((scores > 0) & (scores < 1)).all()
    assert scores[0] == scores[3]
    assert len({round(float(score), 6) for score in scores}) == 3


def test_pairs_seen_before_score_the_same(model: Path) -> None:
    reranker = load(str(model))
    first = reranker.scores("婚姻", ["氏", "離婚届出"])
    assert list(reranker.scores("婚姻", ["離婚届出", "氏"])) == list(first[::-1])
    assert list(reranker.scores("死亡", ["氏"])) != [first[0]]
    assert reranker.scores("婚姻", []).shape == (0,)


def test_a_share_of_1_is_the_rerankers_order(model: Path) -> None:
    reranker = load(str(model))
    before = candidates(4.0, 3.0, 2.0, 1.0)
    judged = dict(
        zip("0123", reranker.scores("婚姻", [read_text(c.passage) for c in before]), strict=True)
    )
    after = reranked("婚姻", before, reranker, share=1.0, top=4)
    assert [c.key[1][1:] for c in after] == sorted(judged, key=lambda n: -judged[n])
    assert [c.score for c in after] == pytest.approx(sorted(judged.values(), reverse=True))


def test_a_share_of_0_changes_nothing(model: Path) -> None:
    after = reranked("婚姻", candidates(4.0, 3.0, 1.0), load(str(model)), share=0.0, top=3)
    assert [(c.key[1], c.score) for c in after] == [("p0", 1.0), ("p1", 0.75), ("p2", 0.25)]


def test_only_the_first_are_read(model: Path) -> None:
    after = reranked("婚姻", candidates(4.0, 3.9, 3.8), load(str(model)), share=0.5, top=1)
    scores = {c.key[1]: c.score for c in after}
    assert scores["p0"] > 0.5
    assert scores["p1"] == pytest.approx(0.5 * 3.9 / 4)


@pytest.mark.parametrize("place", range(4))
def test_a_named_reference_stays_on_top(model: Path, place: int) -> None:
    before = candidates(1.0, 1.0, 1.0, 1.0)
    before[place].passage = replace(before[place].passage, about=("戸籍法:77_2",))
    named = frozenset({"戸籍法:77_2"})
    after = reranked("婚姻", before, load(str(model)), share=1.0, top=4, named=named)
    assert after[0].key[1] == f"p{place}"


def test_nothing_found_stays_nothing(model: Path) -> None:
    assert reranked("婚姻", [], load(str(model)), share=0.5, top=30) == []


def test_a_model_that_is_no_reranker_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(ModelUnavailable, match="出力が3個") as caught:
        load(str(make_model(labels=3)))
    assert caught.value.field == "rerank_model"


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"config\.json") as caught:
        load(str(tmp_path))
    assert "SHIORI_RERANK_MODEL" in caught.value.hint


def test_a_preset_names_the_model(model: Path) -> None:
    assert load(f"japanese-reranker-xsmall-v2={model}").name == "japanese-reranker-xsmall-v2"
    assert load(str(model)).name == "tiny-1"
    with pytest.raises(ModelUnavailable, match="ruri-v3-30m"):
        load(f"ruri-v3-30m={model}")  # an embedding model's preset


def test_the_product_searches_with_it(model: Path, tmp_path: Path) -> None:
    book = tmp_path / "手引.md"
    book.write_text(
        "# 手引\n\n## 婚姻届\n\n婚姻の届出をする。\n\n## 離婚届\n\n離婚の届出をする。\n\n"
        "## 死亡届\n\n死亡の届出をする。\n",
        "utf-8",
    )
    settings = Settings(data_dir=tmp_path / "site", rerank_model=str(model), rerank_weight=1.0)
    with Shiori(settings) as product:
        product.add([book])
        health = product.health()
        assert (health["reranker"], health["reranker_state"]) == (model.name, "ready")
        hits = product.searcher.search("届出").hits
        judged = load(str(model)).scores("届出", [read_text(hit.passage) for hit in hits])
        assert [hit.score for hit in hits] == pytest.approx(sorted(judged, reverse=True), abs=1e-5)
    with Shiori(settings.model_copy(update={"rerank_weight": None})) as product:
        assert "eval tune" in product.health()["message"]  # unmeasured: loaded, but not used
        assert product.searcher.weights.rerank == 0.0
