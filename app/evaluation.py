"""Joins the evaluation rooms to the product: a judged corpus is indexed and searched as books are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.answer.compose import Answerer
from app.core.book import Book, Document, Line, Page, content_id
from app.core.errors import BadRequest
from app.core.glossary import Glossary
from app.core.ledger import Ledger
from app.core.models import Kind
from app.core.settings import Settings
from app.main import Shiori
from app.search import pipeline, weights
from app.search.retrieve import Weights
from eval.abstain import Outcome, answerable_auroc, aurc, threshold_at_refusal
from eval.answers import Answerable
from eval.baselines import BASELINES, bm25_searcher
from eval.datasets import CorpusDocument, Dataset
from eval.measures import mean, per_query
from eval.questions import Like, LoggedQuestion, build_questions, passage_document, question_id
from eval.report import TARGET_REFUSAL
from eval.runs import Progress, Searcher
from eval.tune import Tuning, tune

PRODUCT_CONFIGS = ("default", "lexical", "words")
CONFIGS = (*PRODUCT_CONFIGS, *BASELINES)
"""default: as the site searches; lexical: without models; words: the words leg alone, no glossary."""

NO_MODELS = {"embed_model": "", "rerank_model": ""}

WORDS_ALONE = Weights(grams=0.0, topic=0.0, link=0.0, mention=0.0, supplement=1.0)

# Passages of one document share its place, so more are asked for than documents are wanted.
_PASSAGES_PER_DOCUMENT = 2
_PER_BOOK = 500
_LEGS_OF: Mapping[Kind, tuple[str, ...]] = {"embed": ("dense", "grams"), "rerank": ("rerank",)}
_DRAWN_FROM = 3
_SHOWN = 10
_LOGGED = 100_000


@contextmanager
def configured(
    config: str, dataset: Dataset, settings: Settings, progress: Progress
) -> Iterator[Searcher]:
    """The searcher of a named configuration over a dataset's corpus.

    Raises BadRequest for a name not in `CONFIGS`.
    """
    check_config(config)
    if config in BASELINES:
        yield bm25_searcher(dataset.corpus.values(), BASELINES[config])
        return
    with indexed(config, dataset, settings, progress) as (_, searcher):
        yield documents(searcher)


def check_config(config: str) -> None:
    """Raises BadRequest, listing what there is, for a configuration nobody knows."""
    if config not in CONFIGS:
        raise BadRequest(
            f"構成 {config} はありません。",
            hint=f"使える構成: {', '.join(CONFIGS)}",
            field="config",
        )


@contextmanager
def indexed(
    config: str, dataset: Dataset, settings: Settings, progress: Progress
) -> Iterator[tuple[Shiori, pipeline.Searcher]]:
    """A product that holds a dataset's corpus in a temporary data directory, and its searcher.

    The corpus is published like any book, each of its documents on a page of its own
    whose label is the document's id. Weights are those of the site's own data directory.
    `progress` gets documents indexed and all.
    """
    if config != "default":
        settings = settings.model_copy(update=NO_MODELS)
    legs = WORDS_ALONE if config == "words" else site_weights(settings)
    with (
        tempfile.TemporaryDirectory(prefix="shiori-eval-") as folder,
        Shiori(apart(settings, Path(folder))) as product,
    ):
        product.require_models()
        _publish(product, dataset, progress)
        words = Glossary(()) if config == "words" else product.glossary
        yield product, product.searcher_with(legs, words)


def apart(settings: Settings, folder: Path) -> Settings:
    """The settings of a product to measure: data of its own, no server, no language model."""
    return settings.model_copy(
        update={"data_dir": folder, "qdrant_url": "", "llm_url": "", "llm_factory": ""}
    )


def site_weights(settings: Settings) -> Weights:
    """The weights the site's service searches with, whether or not it is running."""
    path = settings.data_dir / "ledger.sqlite"
    if not path.is_file():
        return weights.chosen(settings, None)
    ledger = Ledger(path)
    try:
        return weights.chosen(settings, ledger)
    finally:
        ledger.close()


def documents(searcher: pipeline.Searcher) -> Searcher:
    """Ranks documents by their best passage."""

    def search(question: str, k: int) -> Sequence[tuple[str, float]]:
        hits = searcher.search(question, k * _PASSAGES_PER_DOCUMENT).hits
        best: dict[str, float] = {}
        for hit in hits:
            best.setdefault(hit.passage.page_label, hit.score)
        return list(best.items())[:k]

    return search


def tune_weights(
    dataset: Dataset, settings: Settings, indexing: Progress, trying: Progress
) -> Tuning:
    """Chooses the weights of the legs the site's models bring, on a judged question set.

    Starts from search by words alone, so that what comes out is not below it.
    """
    with indexed("default", dataset, settings, indexing) as (product, searcher):
        safe = {"grams": Weights().grams}
        if settings.embed_model:
            safe = {"dense": 0.0, **safe}
        if settings.rerank_model:
            safe = {**safe, "rerank": 0.0}
        qrels = {query.id: dataset.qrels[query.id] for query in dataset.judged}

        def measure(tried: Mapping[str, float]) -> list[float]:
            legs = replace(searcher.weights, **tried)
            ask = documents(product.searcher_with(legs, product.glossary))
            run = {query.id: ask(query.text, _SHOWN) for query in dataset.judged}
            return list(per_query(qrels, run, ["ndcg@10"])["ndcg@10"].values())

        return tune(measure, safe, progress=trying)


def keep_weights(settings: Settings, found: Mapping[str, float]) -> None:
    """Writes tuned weights into the site's ledger, under the names of its models."""
    ledger = Ledger(settings.data_dir / "ledger.sqlite")
    try:
        for kind, legs in _LEGS_OF.items():
            own = {leg: weight for leg, weight in found.items() if leg in legs}
            if own:
                weights.remember(ledger, weights.model_of(settings, kind), own)
    finally:
        ledger.close()


@dataclass(frozen=True, slots=True)
class Withholding:
    """What became of every question: one outcome each, and what the product's own threshold did.

    `kept` is the share of answerable questions that were answered, `refused` the share of
    unanswerable ones that were not.
    """

    outcomes: tuple[Outcome, ...]
    kept: float
    refused: float

    def as_json(self) -> dict[str, object]:
        """Counts, shares and areas to four decimals (see `eval.abstain`)."""
        at_refusal = threshold_at_refusal(self.outcomes, TARGET_REFUSAL)
        unanswerable = sum(not outcome.answerable for outcome in self.outcomes)
        return {
            "questions": len(self.outcomes),
            "unanswerable": unanswerable,
            "auroc": round(answerable_auroc(self.outcomes), 4),
            "aurc": round(aurc(self.outcomes), 4),
            "kept": round(self.kept, 4),
            "refused": round(self.refused, 4),
            f"kept_at_{TARGET_REFUSAL}_refused": round(at_refusal.kept, 4) if at_refusal else None,
            "threshold_there": round(at_refusal.value, 4) if at_refusal else None,
        }


def withholding(dataset: Dataset, searcher: pipeline.Searcher, progress: Progress) -> Withholding:
    """Asks every judged and every unanswerable question for an answer without a language model.

    An answer counts as right where one of the first three passages, which it is drawn from,
    is of a relevant document.
    """
    answerer = Answerer(searcher)
    asked = [*dataset.judged, *dataset.unanswerable.values()]
    outcomes: list[Outcome] = []
    answered: dict[bool, list[bool]] = {True: [], False: []}
    for done, query in enumerate(asked, start=1):
        found = answerer.ask(query.text)
        answerable = query.id not in dataset.unanswerable
        grades = dataset.qrels.get(query.id, {})
        shown = [hit.passage.page_label for hit in found.result.hits[:_DRAWN_FROM]]
        right = any(grades.get(document, 0) > 0 for document in shown)
        outcomes.append(Outcome(found.answer.confidence, answerable, right))
        answered[answerable].append(found.answer.answered)
        progress(done, len(asked))
    return Withholding(tuple(outcomes), mean(answered[True]), 1 - mean(answered[False]))


def shown_sentences(searcher: pipeline.Searcher) -> Answerable:
    """The blocks of the answer without a language model; none where it is withheld."""
    answerer = Answerer(searcher)
    return lambda question: [block.text for block in answerer.ask(question).answer.blocks]


def site_questions(folder: Path, settings: Settings) -> Dataset:
    """Writes the questions the site has logged, judged by its verdicts, as a set over its passages.

    `shown.tsv` beside it holds the passages each question was shown: a pool to judge. Works
    whether or not the service runs. Raises BadRequest where nothing was logged.
    """
    path = settings.data_dir / "ledger.sqlite"
    if not path.is_file():
        raise BadRequest(
            f"データフォルダー {settings.data_dir} がありません。",
            hint="--data-dir または SHIORI_DATA_DIR を確かめてください。",
            field="data_dir",
        )
    ledger = Ledger(path)
    try:
        books = ledger.books()
        corpus = [
            passage_document(passage, book)
            for book in books.values()
            for _, passage in ledger.passages_of(book.id)
        ]
        logged = ledger.questions(limit=_LOGGED)
        verdicts = ledger.verdicts(limit=_LOGGED)
    finally:
        ledger.close()
    asked = [LoggedQuestion(question.query) for question in reversed(logged)]
    likes = [Like(given.query, given.passage_id, given.helpful) for given in verdicts]
    dataset = build_questions(folder, corpus, asked, likes)
    rows = dict.fromkeys(
        (question_id(question.query), passage_id)
        for question in logged
        for passage_id in question.hits
        if passage_id in dataset.corpus
    )
    text = "".join(f"{question}\t{passage}\n" for question, passage in rows)
    (folder / "shown.tsv").write_text(text, encoding="utf-8")
    return dataset


def _publish(product: Shiori, dataset: Dataset, progress: Callable[[int, int], None]) -> None:
    from ingest.pipeline import prepare

    documents = list(dataset.corpus.values())
    for start in range(0, len(documents), _PER_BOOK):
        part = documents[start : start + _PER_BOOK]
        book_id = content_id(dataset.name, str(start))
        pages = tuple(_page(number, document) for number, document in enumerate(part))
        prepared = prepare(
            Document("", pages), book_id, passage_chars=product.settings.passage_chars
        )
        book = Book(id=book_id, title=dataset.name, source_file=f"{dataset.name}/{start}")
        product.shelf.publish(book, Path(book.source_file), book_id, prepared)
        progress(start + len(part), len(documents))


def _page(number: int, document: CorpusDocument) -> Page:
    path = str(document.metadata.get("path") or "")
    # Without a heading of its own a short document would share a passage with its neighbour.
    headings = [heading for heading in (path, document.title or document.id) if heading]
    lines = [Line(text, level=level) for level, text in enumerate(headings, start=1)]
    body = [Line(line) for line in document.text.splitlines() if line.strip()]
    return Page(number, (*lines, *body), label=document.id)
