from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.baselines import BASELINES, bigrams, bm25_searcher, product, sudachi, whitespace
from eval.datasets import CorpusDocument, Dataset
from eval.runs import evaluate


def test_bigrams_stay_within_words() -> None:
    assert bigrams("届出、ＩＤ 7") == ["届出", "id", "7"]
    assert bigrams("婚姻届") == ["婚姻", "姻届"]


def test_whitespace_leaves_japanese_whole() -> None:
    assert whitespace("婚姻届の 提出 ID") == ["婚姻届の", "提出", "id"]


def test_sudachi_joins_spellings_and_drops_particles() -> None:
    assert sudachi("届け出の期間") == sudachi("届出期間")


def test_product_words_include_resolved_articles() -> None:
    assert product("第七十七条の二") == product("77条の2")


@pytest.mark.parametrize("name", BASELINES)
@given(st.text(max_size=40))
def test_every_baseline_takes_any_text(name: str, text: str) -> None:
    assert all(isinstance(term, str) for term in BASELINES[name](text))


def test_bm25_by_hand() -> None:
    corpus = [CorpusDocument("a", "x x y"), CorpusDocument("b", "x"), CorpusDocument("c", "y y")]
    found = dict(bm25_searcher(corpus, whitespace)("x", 10))
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    assert found["a"] == pytest.approx(idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2)))
    assert found["b"] == pytest.approx(idf * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 1 / 2)))
    assert "c" not in found


def test_bm25_cuts_at_k_and_knows_unknown_words() -> None:
    search = bm25_searcher([CorpusDocument("a", "x"), CorpusDocument("b", "x")], whitespace)
    assert [doc for doc, _ in search("x", 1)] == ["a"]
    assert search("z", 5) == []
    assert bm25_searcher([], whitespace)("x", 5) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bm25-whitespace", 0.0), ("bm25-bigrams", 0.318), ("bm25-sudachi", 0.366)],
)
def test_counter_questions_give_the_known_values(
    counter: Dataset, name: str, expected: float
) -> None:
    search = bm25_searcher(counter.corpus.values(), BASELINES[name])
    result = evaluate(counter, search, config=name)
    assert result.mean("ndcg@10") == pytest.approx(expected, abs=0.003)
