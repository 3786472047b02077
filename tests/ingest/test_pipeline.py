"""Our cutting as a LlamaIndex component: others' readers before it, others' steps beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, TextNode, TransformComponent
from llama_index.core.schema import Document as LlamaDocument

from app.core import lexical
from app.core.book import Box, Document, Line, Page
from ingest.chunks import passages
from ingest.pipeline import PassageParser, SparseVectors, as_passage, prepare

BOOK = Document(
    "戸籍法",
    (
        Page(0, (Line("第一条　届出は市役所でする。", Box(0.1, 0.2, 0.8, 0.3)),), "ⅰ"),
        Page(1, (Line("第二条　前条の届出は書面でする。"), Line("２　口頭でもよい。")), "1"),
    ),
)


class Redacted(TransformComponent):
    """A site's own step: words that must not be indexed."""

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        for node in nodes:
            assert isinstance(node, TextNode)
            node.text = node.text.replace("市役所", "●●●")
            node.metadata["reviewed_by"] = "係長"
        return nodes


def test_the_pipeline_changes_nothing_of_the_passages() -> None:
    prepared = prepare(BOOK, "b")
    assert list(prepared.passages) == passages(BOOK, "b")
    for passage, vectors in zip(prepared.passages, prepared.vectors, strict=True):
        assert vectors == lexical.encode_passage(passage, "戸籍法")


def test_a_custom_step_is_indexed_as_it_left_the_text() -> None:
    prepared = prepare(BOOK, "b", transformations=[Redacted()])
    first = prepared.passages[0]
    assert "●●●" in first.text
    assert first.about == ("戸籍法:1", "戸籍法:1:1")
    assert first.id != passages(BOOK, "b")[0].id
    assert prepared.passages[1].id == passages(BOOK, "b")[1].id
    city = lexical.term_id("市役所")
    assert not any(city in vectors[lexical.WORDS].indices for vectors in prepared.vectors)


def test_a_step_that_splits_nodes_gives_passages_with_ids_of_their_own() -> None:
    long = Document("手引", (Page(0, (Line("届出をする。" * 80),)),))
    splitter = SentenceSplitter(
        chunk_size=200, chunk_overlap=0, secondary_chunking_regex="[^。]+。"
    )
    prepared = prepare(long, "b", transformations=[splitter])
    assert len(prepared.passages) > 1
    ids = [passage.id for passage in prepared.passages]
    assert len(set(ids)) == len(ids)
    assert all(id_.startswith("b-") for id_ in ids)
    assert [passage.ordinal for passage in prepared.passages] == list(range(len(ids)))


def test_another_readers_document_plugs_in() -> None:
    document = LlamaDocument(
        text="第1章　届出\n\n第1条　出生の届出は十四日以内にする。\n第2条　死亡の届出は七日以内にする。",
        metadata={"file_name": "届出.txt", "author": "x"},
    )
    pipeline = IngestionPipeline(
        transformations=[PassageParser(book_id="b"), SparseVectors()], disable_cache=True
    )
    nodes = pipeline.run(documents=[document])
    found = [as_passage(node) for node in nodes]
    assert [passage.article for passage in found] == ["第1条", "第2条"]
    assert found[0].section_path == ("第1章　届出", "第1条")
    assert all(node.ref_doc_id == document.doc_id for node in nodes)
    assert {node.metadata["title"] for node in nodes} == {"届出.txt"}


def test_an_empty_document_has_no_passages() -> None:
    prepared = prepare(Document("空", (Page(0, ()),)), "b")
    assert (prepared.passages, prepared.vectors) == ((), ())
