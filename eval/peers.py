"""Other engines on the same documents, each as it comes: what a site would get by installing one.

None of them is a dependency of the product; they are imported where they are asked for.
Both run without fetching models: txtai gets no model path, Haystack's telemetry is off.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ShioriError
from eval.datasets import CorpusDocument, Dataset
from eval.runs import Progress, Searcher, evaluate

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts → unit vectors, shape (texts, size)."""


class PeerMissing(ShioriError):
    """An engine to compare with is not installed."""

    code = "peer_missing"


@dataclass(frozen=True, slots=True)
class Vectors:
    """The same dense model for everybody: how it reads documents and how questions."""

    documents: Encode
    questions: Encode


@dataclass(frozen=True, slots=True)
class Row:
    """One system on one dataset: quality, search time in ms, documents indexed a second.

    `interval` is the 95 % bootstrap interval of nDCG@10's mean.
    """

    system: str
    ndcg: float
    interval: tuple[float, float]
    recall: float
    mrr: float
    p50: float
    p95: float
    indexed_per_second: float


Opened = Callable[[], AbstractContextManager[Searcher]]
"""Indexes a dataset's corpus and gives its searcher, for as long as it is open."""


def measured(system: str, dataset: Dataset, opened: Opened, progress: Progress) -> Row:
    """Indexes, asks every judged question once and measures; libraries should be loaded before."""
    before = time.perf_counter()
    with opened() as searcher:
        seconds = time.perf_counter() - before
        result = evaluate(dataset, searcher, config=system, progress=progress)
    low, high = result.intervals()["ndcg@10"]
    return Row(
        system=system,
        ndcg=round(result.mean("ndcg@10"), 4),
        interval=(round(low, 4), round(high, 4)),
        recall=round(result.mean("recall@100"), 4),
        mrr=round(result.mean("mrr@10"), 4),
        p50=round(result.latency(50), 2),
        p95=round(result.latency(95), 2),
        indexed_per_second=round(len(dataset.corpus) / seconds, 1),
    )


def txtai(corpus: Iterable[CorpusDocument], vectors: Vectors | None = None) -> Searcher:
    """The BM25 of txtai, or with vectors its hybrid of BM25 and faiss."""
    library = required("txtai")
    asking = False

    def transform(texts: Sequence[str]) -> NDArray[np.float32]:
        assert vectors is not None
        return (vectors.questions if asking else vectors.documents)(list(texts))

    config: dict[str, Any] = {"path": None, "keyword": True}
    if vectors is not None:
        config = {"method": "external", "transform": transform, "hybrid": True}
    embeddings = library.Embeddings(config)
    embeddings.index([(document.id, read_text(document), None) for document in corpus])
    asking = True

    def search(question: str, k: int) -> list[tuple[str, float]]:
        return [(str(id_), float(score)) for id_, score in embeddings.search(question, k)]

    return search


def haystack(corpus: Iterable[CorpusDocument], vectors: Vectors | None = None) -> Searcher:
    """The in-memory BM25 of Haystack, or with vectors its reciprocal rank fusion of both retrievers."""
    library = required("haystack")
    retrievers = importlib.import_module("haystack.components.retrievers.in_memory")
    stores = importlib.import_module("haystack.document_stores.in_memory")
    joiners = importlib.import_module("haystack.components.joiners")
    store = stores.InMemoryDocumentStore(embedding_similarity_function="dot_product")
    texts = {document.id: read_text(document) for document in corpus}
    dense: Sequence[Any] = [None] * len(texts)
    if vectors is not None:
        dense = vectors.documents(list(texts.values())).tolist()
    store.write_documents(
        [
            library.Document(id=id_, content=text, embedding=vector)
            for (id_, text), vector in zip(texts.items(), dense, strict=True)
        ]
    )
    words = retrievers.InMemoryBM25Retriever(store)
    near = retrievers.InMemoryEmbeddingRetriever(store)
    joiner = joiners.DocumentJoiner(join_mode="reciprocal_rank_fusion")

    def search(question: str, k: int) -> list[tuple[str, float]]:
        found = words.run(query=question, top_k=k)["documents"]
        if vectors is not None:
            vector = vectors.questions([question])[0].tolist()
            others = near.run(query_embedding=vector, top_k=k)["documents"]
            found = joiner.run(documents=[found, others], top_k=k)["documents"]
        return [(document.id, float(document.score or 0.0)) for document in found]

    return search


Engine = Callable[[Iterable[CorpusDocument], Vectors | None], Searcher]

PEERS: Mapping[str, Engine] = {"txtai": txtai, "haystack": haystack}


def indexed(
    engine: Engine, dataset: Dataset, vectors: Vectors | None
) -> AbstractContextManager[Searcher]:
    """A dataset's corpus in another engine, to be handed to `measured`."""
    return nullcontext(engine(dataset.corpus.values(), vectors))


_PACKAGES = {"txtai": "txtai", "haystack": "haystack-ai"}


def required(module: str) -> Any:
    """A peer's library with everything that calls out switched off.

    Raises PeerMissing naming the command that installs it.
    """
    os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    package = _PACKAGES[module]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise PeerMissing(
            f"{module} が入っていないので、比べられません ({error})。",
            hint=f"製品とは別の仮想環境に入れてください: pip install {package}",
        ) from error


def read_text(document: CorpusDocument) -> str:
    """What every peer reads of a document, words and vectors alike: its title and its text."""
    return f"{document.title}\n{document.text}".strip()
