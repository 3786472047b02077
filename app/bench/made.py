"""A made-up shelf of any size, and a model that means nothing, to measure with."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.bench.service import environment, tail
from app.core import lexical
from app.core.book import Book, Document, Line, Page, PageBoxes, Passage, content_id, passage_ids
from app.core.errors import NotReady
from app.core.ledger import Ledger
from app.core.settings import Settings
from app.core.store import Sparse
from app.main import Shiori

PER_BOOK = 1000
_SEED = 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Half:
    passage: Passage
    text: str
    vectors: Mapping[str, Sparse]


def build(settings: Settings, samples: Path, size: int, progress: Progress) -> float:
    """Publishes `size` made-up passages as books of 1,000; returns the seconds publishing took.

    Each passage is the first half of a real one, with its headings, and the second half of
    another: words keep their frequencies and meet in new company. No word is new, so the
    rare ones of a real shelf of this size are missing, and every article is treated in
    many books. Dense vectors, where the settings name a model, are random.
    """
    from ingest.pipeline import Prepared

    firsts, seconds = _halves(samples)
    random = np.random.default_rng(_SEED)
    spent = 0.0
    with Shiori(settings) as product:
        if product.spec.dense_size:
            product.shelf.encode = _random_vectors(random, product.spec.dense_size)
        for start in range(0, size, PER_BOOK):
            count = min(PER_BOOK, size - start)
            pairs = zip(
                random.integers(len(firsts), size=count),
                random.integers(len(seconds), size=count),
                strict=True,
            )
            joined = [(firsts[one], seconds[other]) for one, other in pairs]
            book = Book(content_id(str(start)), f"合成 {start // PER_BOOK + 1}", f"made/{start}")
            passages = _passages(book.id, joined)
            pages = tuple(
                Page(passage.page_index, (Line(passage.text),), label=passage.page_label)
                for passage in passages
            )
            vectors = tuple(_joined(one.vectors, other.vectors) for one, other in joined)
            prepared = Prepared(Document(book.title, pages), passages, vectors)
            before = time.perf_counter()
            product.shelf.publish(book, Path(book.source_file), book.id, prepared)
            spent += time.perf_counter() - before
            progress(start + count, size)
    return round(spent, 3)


def _halves(data_dir: Path) -> tuple[list[_Half], list[_Half]]:
    """Every passage of a data directory cut in two, with the vectors of either part."""
    firsts, seconds = [], []
    ledger = Ledger(data_dir / "ledger.sqlite")
    try:
        for book in ledger.books().values():
            for _, passage in ledger.passages_of(book.id):
                middle = len(passage.text) // 2
                first = replace(passage, text=passage.text[:middle])
                second = replace(passage, text=passage.text[middle:], section_path=(), context="")
                firsts.append(_half(first, book.title))
                seconds.append(_half(second, ""))
    finally:
        ledger.close()
    return firsts, seconds


def _half(passage: Passage, title: str) -> _Half:
    return _Half(passage, passage.text, lexical.encode_passage(passage, title))


def _passages(book_id: str, joined: Sequence[tuple[_Half, _Half]]) -> tuple[Passage, ...]:
    texts = [first.text + second.text for first, second in joined]
    paths = [first.passage.section_path for first, _ in joined]
    ids = passage_ids(book_id, list(zip(paths, texts, strict=True)))
    return tuple(
        replace(
            first.passage,
            id=ids[number],
            book_id=book_id,
            ordinal=number,
            text=texts[number],
            page_index=number,
            page_index_end=number,
            page_label=str(number + 1),
            boxes=tuple(PageBoxes(number, page.boxes) for page in first.passage.boxes),
            cites=tuple(dict.fromkeys(first.passage.cites + second.passage.cites)),
        )
        for number, (first, second) in enumerate(joined)
    )


def _joined(one: Mapping[str, Sparse], other: Mapping[str, Sparse]) -> dict[str, Sparse]:
    """Both halves as one passage; a term of both counts as much as where it counts most."""
    found = {}
    for name, vector in one.items():
        values = dict(zip(vector.indices, vector.values, strict=True))
        for index, value in zip(other[name].indices, other[name].values, strict=True):
            values[index] = max(value, values.get(index, 0.0))
        indices = sorted(values)
        found[name] = Sparse(indices, [values[index] for index in indices])
    return found


def _random_vectors(
    random: np.random.Generator, size: int
) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = random.standard_normal((len(texts), size), dtype=np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    return encode


def with_stand_in(settings: Settings, folder: Path, size: int) -> Settings:
    """The settings with an untrained model of one layer, made in `folder`, so that the whole path runs.

    It gives vectors of `size` numbers that mean nothing. Made in a process of its own, as
    saving a model changes switches of the libraries.
    """
    if not folder.exists():
        made = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _STAND_IN, str(folder), str(size)],
            env=environment(),
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise NotReady("計測用の埋め込みモデルを作れません。", hint=tail(made.stderr))
    return settings.model_copy(
        update={"embed_model": str(folder), "embed_device": "cpu", "dense_weight": 0.3}
    )


_STAND_IN = """
import sys, tempfile, torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer

folder, size = sys.argv[1], int(sys.argv[2])
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
letters = [chr(code) for first, last in ((0x20, 0x7F), (0x3000, 0x3100), (0x4E00, 0x9FA0))
           for code in range(first, last)]
vocabulary = {word: number for number, word in enumerate(special + letters)}
tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]",
    cls_token="[CLS]", sep_token="[SEP]",
)
torch.manual_seed(0)
model = BertModel(BertConfig(
    vocab_size=len(vocabulary), hidden_size=size, num_hidden_layers=1, num_attention_heads=1,
    intermediate_size=size, max_position_embeddings=512,
))
with tempfile.TemporaryDirectory() as bare:
    model.save_pretrained(bare)
    fast.save_pretrained(bare)
    whole = Transformer(bare, max_seq_length=512)
    SentenceTransformer(modules=[whole, Pooling(size, "mean")]).save(folder)
"""
