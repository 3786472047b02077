from llama_index.core.postprocessor import SimilarityPostprocessor

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


def test_a_postprocessor_of_llama_index_takes_the_nodes(sample_product: Shiori) -> None:
    nodes = ShioriRetriever(sample_product.searcher, 5).retrieve(QUESTION)
    best = SimilarityPostprocessor(similarity_cutoff=nodes[0].score).postprocess_nodes(nodes)
    assert best[0].node_id == nodes[0].node_id
    assert len(best) < len(nodes)
