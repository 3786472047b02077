"""Our search as a LlamaIndex retriever, for those who build with LlamaIndex.

Importing LlamaIndex takes seconds; nothing on the way of a search imports this module.
"""

from __future__ import annotations

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from app.core.book import Hit
from app.search.pipeline import NO_FILTERS, Filters, Searcher


class ShioriRetriever(BaseRetriever):
    """Retrieves the `k` best passages as nodes, with book, page and article in their metadata."""

    def __init__(self, searcher: Searcher, k: int = 10, filters: Filters = NO_FILTERS) -> None:
        super().__init__()
        self._searcher = searcher
        self._k = k
        self._filters = filters

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._searcher.search(query_bundle.query_str, self._k, self._filters)
        return [NodeWithScore(node=_node(hit), score=hit.score) for hit in found.hits]


def _node(hit: Hit) -> TextNode:
    passage, book = hit.passage, hit.book
    return TextNode(
        id_=passage.id,
        text=passage.text,
        metadata={
            "book_id": book.id,
            "book_title": book.title,
            "edition": book.edition,
            "page_label": passage.page_label,
            "page_index": passage.page_index,
            "section_path": list(passage.section_path),
            "article": passage.article,
        },
    )
