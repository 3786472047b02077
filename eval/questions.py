"""A judged question set of the site's own, from questions that were logged and likes that were given.

People like what they were shown, so a set built this way favours the search that was in use:
good for watching a shelf over time, weak for choosing between two searches. Logged questions may
name residents; look through `queries.jsonl` before passing the folder on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.core.book import Book, Passage, content_id
from app.core.errors import BadRequest
from app.core.japanese import fold
from eval.datasets import CorpusDocument, Dataset, Query, load_dataset, write_dataset

HIGHEST_GRADE = 3


@dataclass(frozen=True, slots=True)
class LoggedQuestion:
    """A question someone asked; `type` where the site sorts its questions."""

    text: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Like:
    """One person's verdict on one passage for one question."""

    question: str
    passage_id: str
    liked: bool = True


def passage_document(passage: Passage, book: Book) -> CorpusDocument:
    """A passage of the shelf as a document to judge; its title is the book and the headings above."""
    headings = [book.title, *passage.section_path, passage.article]
    return CorpusDocument(
        id=passage.id,
        title=" ".join(dict.fromkeys(heading for heading in headings if heading)),
        text=passage.text,
        metadata={"book": book.title, "edition": book.edition, "page": passage.page_label},
    )


def build_questions(
    folder: Path,
    corpus: Iterable[CorpusDocument],
    questions: Iterable[LoggedQuestion],
    likes: Iterable[Like],
) -> Dataset:
    """Write a BEIR folder and return it as a dataset.

    Questions that fold to the same text are one, in the wording first seen. The grade of a passage
    is its likes minus its dislikes, from 0 to 3. Likes of passages no longer in the corpus are left
    out. A question without a like has no judgement: it is written for people to judge, and not
    measured. Raises `BadRequest` when the folder already holds something or nobody asked anything.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadRequest(
            f"{folder} は空ではありません",
            hint="新しいフォルダを指定してください",
            field=str(folder),
        )
    documents = {document.id: document for document in corpus}
    balance: Counter[tuple[str, str]] = Counter()
    asked: dict[str, LoggedQuestion] = {}
    for question in questions:
        if question.text.strip():
            _add(asked, question)
    for like in likes:
        if like.passage_id in documents and like.question.strip():
            key = _add(asked, LoggedQuestion(like.question))
            balance[key, like.passage_id] += 1 if like.liked else -1
    qrels: dict[str, dict[str, int]] = {}
    for (key, passage), votes in balance.items():
        qrels.setdefault(key, {})[passage] = min(max(votes, 0), HIGHEST_GRADE)
    liked = {key: grades for key, grades in qrels.items() if any(grades.values())}
    if not asked:
        raise BadRequest(
            "記録された質問がありません",
            hint="検索や質問の記録がたまってから実行してください",
        )
    queries = [
        Query(key, question.text, {"type": question.type} if question.type else {})
        for key, question in asked.items()
    ]
    write_dataset(folder, documents.values(), queries, liked)
    return load_dataset(folder)


def question_id(text: str) -> str:
    """The id of a question, the same for spellings that fold to the same text."""
    return content_id("".join(fold(text).split()))


def _add(asked: dict[str, LoggedQuestion], question: LoggedQuestion) -> str:
    """Keep the first wording of a question; returns its id."""
    key = question_id(question.text)
    asked.setdefault(key, question)
    return key
