"""Document → passages with sparse vectors, run by LlamaIndex's IngestionPipeline.

Our cutting is a LlamaIndex node parser, so any LlamaIndex reader can stand before it
and any transformation beside it. Importing LlamaIndex takes seconds: this module is
imported where books are added, never on the way of a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import (
    BaseNode,
    MediaResource,
    NodeRelationship,
    TextNode,
    TransformComponent,
)
from llama_index.core.schema import Document as LlamaDocument

from app.core import lexical
from app.core.book import Box, Document, Line, Page, PageBoxes, Passage, passage_ids
from app.core.store import Sparse
from ingest.chunks import passages

_VECTORS = "sparse_vectors"
_KEPT = [field.name for field in fields(Passage) if field.name not in ("id", "text")]


class BookDocument(LlamaDocument):
    """A LlamaIndex document that still knows its pages and lines."""

    book: Any = None


class PassageParser(NodeParser):
    """Cuts documents into passages along their structure; one node a passage.

    A document from another reader, with text alone, is read as one page of paragraphs.
    """

    book_id: str
    passage_chars: int = 600

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex stores with a serialised pipeline."""
        return "PassageParser"

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        found: list[BaseNode] = []
        for node in nodes:
            book = node.book if isinstance(node, BookDocument) else _plain(node)
            for passage in passages(book, self.book_id, self.passage_chars):
                found.append(
                    TextNode(
                        id_=passage.id,
                        text=passage.text,
                        metadata={**_metadata(passage), "title": book.title},
                        excluded_embed_metadata_keys=["boxes"],
                        relationships={NodeRelationship.SOURCE: node.as_related_node_info()},
                    )
                )
        return found


class SparseVectors(TransformComponent):
    """Adds the sparse vectors to every node; must stand last, when the text is final."""

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The same nodes, each with its vectors in the metadata."""
        for node in nodes:
            vectors = lexical.encode_passage(as_passage(node), str(node.metadata["title"]))
            node.metadata[_VECTORS] = {
                name: [vector.indices, vector.values] for name, vector in vectors.items()
            }
        return nodes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A book ready to be published: its pages, passages and their sparse vectors, in order."""

    document: Document
    passages: tuple[Passage, ...]
    vectors: tuple[dict[str, Sparse], ...]


def prepare(
    document: Document,
    book_id: str,
    *,
    passage_chars: int = 600,
    transformations: Sequence[TransformComponent] = (),
) -> Prepared:
    """Runs the ingestion pipeline over one document.

    `transformations` run between the cutting and the vectors; what they change of a
    node's text is what is indexed, and the ids follow it. They may add, split and drop
    nodes, and add metadata of their own, which is not kept.
    """
    pipeline = IngestionPipeline(
        transformations=[
            PassageParser(book_id=book_id, passage_chars=passage_chars),
            *transformations,
            SparseVectors(),
        ],
        disable_cache=True,
    )
    nodes = pipeline.run(
        documents=[BookDocument(text_resource=MediaResource(text=document.title), book=document)]
    )
    found = [as_passage(node) for node in nodes]
    ids = passage_ids(book_id, [(passage.section_path, passage.text) for passage in found])
    return Prepared(
        document,
        tuple(
            replace(passage, id=passage_id, ordinal=ordinal)
            for ordinal, (passage_id, passage) in enumerate(zip(ids, found, strict=True))
        ),
        tuple(
            {name: Sparse(*vector) for name, vector in node.metadata[_VECTORS].items()}
            for node in nodes
        ),
    )


def as_passage(node: BaseNode) -> Passage:
    """The passage a node of `PassageParser` stands for, with the node's present text."""
    values = {name: node.metadata[name] for name in _KEPT}
    values["boxes"] = tuple(
        PageBoxes(page, tuple(Box(*sides) for sides in boxes)) for page, boxes in values["boxes"]
    )
    for name in ("section_path", "about", "cites"):
        values[name] = tuple(values[name])
    return Passage(id=node.node_id, text=node.get_content(), **values)


def _metadata(passage: Passage) -> dict[str, Any]:
    values = asdict(passage)
    del values["id"], values["text"]
    values["boxes"] = [
        [page.page_index, [[box.x0, box.y0, box.x1, box.y1] for box in page.boxes]]
        for page in passage.boxes
    ]
    for name in ("section_path", "about", "cites"):
        values[name] = list(values[name])
    return values


def _plain(node: BaseNode) -> Document:
    lines = tuple(Line(line) for line in node.get_content().splitlines() if line.strip())
    title = node.metadata.get("title") or node.metadata.get("file_name") or ""
    return Document(str(title), (Page(0, lines),))
