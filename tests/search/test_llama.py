from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode

from app.main import Shiori
from app.search.llama import ShioriRetriever
from app.search.pipeline import Filters

QUESTION = "離婚しても今の名字を使い続けたい"


def test_nodes_are_the_hits_of_the_search(sample_product: Shiori) -> None:
    hits = sample_product.searcher.search(QUESTION, 3).hits
    nodes = ShioriRetriever(sample_product.searcher, 3).retrieve(QUESTION)
    assert [node.node_id for node in nodes] == [hit.passage.id for hit in hits]
    assert [node.score for node in nodes] == [hit.score for hit in hits]
    assert nodes[0].metadata["book_title"] == hits[0].book.title
    assert nodes[0].metadata["page_label"] == hits[0].passage.page_label


def test_filters_hold(sample_product: Shiori) -> None:
    book_id = next(iter(sample_product.ledger.books()))
    nodes = ShioriRetriever(sample_product.searcher, 5, Filters(books=(book_id,))).retrieve("届出")
    assert nodes
    assert {node.metadata["book_id"] for node in nodes} == {book_id}


def test_a_query_engine_of_llama_index_takes_it(sample_product: Shiori) -> None:
    retriever = ShioriRetriever(sample_product.searcher, 2)
    engine = RetrieverQueryEngine.from_args(
        retriever, llm=MockLLM(), response_mode=ResponseMode.NO_TEXT
    )
    assert len(engine.query(QUESTION).source_nodes) == 2
