"""Judged question sets in the BEIR layout, and TREC qrels in and out.

A folder holds `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv`; `answers.jsonl`
(gold answer strings) and `unanswerable.jsonl` (questions the corpus cannot answer)
may stand beside them. Layout: Thakur et al., "BEIR", NeurIPS Datasets 2021.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from app.core.errors import BadRequest, UnreadableFile

Qrels = Mapping[str, Mapping[str, int]]
"""query id → corpus id → grade; 0 is judged not relevant, an absent pair is unjudged."""

_BEIR_HEADER = ["query-id", "corpus-id", "score"]


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """One unit that is searched for and judged: an article, a paragraph, a passage."""

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def book(self) -> str:
        """The book (or statute) the document stands in, empty where the metadata names none."""
        return str(self.metadata.get("book") or self.metadata.get("law") or "")


@dataclass(frozen=True, slots=True)
class Query:
    """One question as a person types it."""

    id: str
    text: str
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The kind of question (situational, reference, …), empty where none is given."""
        return str(self.metadata.get("type") or "")


@dataclass(frozen=True)
class Dataset:
    """Questions, the corpus they are asked of, and which documents answer them.

    `answers` maps a query id to the strings that would each be a right answer;
    `unanswerable` holds questions that no document of the corpus answers.
    """

    name: str
    corpus: Mapping[str, CorpusDocument]
    queries: Mapping[str, Query]
    qrels: Qrels
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unanswerable: Mapping[str, Query] = field(default_factory=dict)

    @property
    def judged(self) -> list[Query]:
        """The questions that have at least one judgement, in the order of the file."""
        return [query for query in self.queries.values() if self.qrels.get(query.id)]


def load_dataset(folder: Path, *, split: str = "test", corpus: Path | None = None) -> Dataset:
    """Read a BEIR folder; its name becomes the dataset's name.

    `corpus` is the file to read instead of the folder's own corpus.jsonl: several sets of
    questions may be asked of one corpus. Every qrel must name a query and a document of the folder. Raises `UnreadableFile`
    naming file and line.
    """
    documents = {
        key: CorpusDocument(
            key, _text(path, line, row), _optional_text(row, "title"), _metadata(path, line, row)
        )
        for path, line, key, row in _records(corpus or folder / "corpus.jsonl")
    }
    queries = _read_queries(folder / "queries.jsonl")
    qrels_path = folder / "qrels" / f"{split}.tsv"
    qrels = read_qrels(qrels_path)
    _check_ids(qrels_path, qrels, queries, documents)
    answers_path, unanswerable_path = folder / "answers.jsonl", folder / "unanswerable.jsonl"
    return Dataset(
        name=folder.resolve().name,
        corpus=documents,
        queries=queries,
        qrels=qrels,
        answers=_read_answers(answers_path) if answers_path.exists() else {},
        unanswerable=_read_queries(unanswerable_path) if unanswerable_path.exists() else {},
    )


def limited(dataset: Dataset, questions: int) -> Dataset:
    """The dataset with that many of its judged questions (0: all), evenly spread; the corpus stays.

    Raises BadRequest for a negative number.
    """
    if questions < 0:
        raise BadRequest(
            f"質問の数 {questions} は使えません。", hint="0以上にしてください。", field="limit"
        )
    judged = dataset.judged
    if not questions or questions >= len(judged):
        return dataset
    places = np.linspace(0, len(judged) - 1, questions).astype(int)
    return replace(dataset, queries={judged[place].id: judged[place] for place in places})


def write_dataset(
    folder: Path,
    corpus: Iterable[CorpusDocument],
    queries: Iterable[Query],
    qrels: Qrels,
    *,
    split: str = "test",
) -> None:
    """Write a BEIR folder, creating it; files already there are replaced."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    _write_jsonl(
        folder / "corpus.jsonl",
        (
            {"_id": d.id, "title": d.title, "text": d.text, "metadata": dict(d.metadata)}
            for d in corpus
        ),
    )
    _write_jsonl(
        folder / "queries.jsonl",
        ({"_id": q.id, "text": q.text, "metadata": dict(q.metadata)} for q in queries),
    )
    write_qrels(folder / "qrels" / f"{split}.tsv", qrels)


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read BEIR judgements: a header line, then query-id, corpus-id and score, tab-separated."""
    lines = _lines(path)
    number, header = next(lines, (1, ""))
    if header.split("\t") != _BEIR_HEADER:
        raise _bad_line(
            path, number, "見出し行が query-id・corpus-id・score（タブ区切り）ではありません"
        )
    return _qrels(path, ((number, line.split("\t")) for number, line in lines))


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write judgements in the BEIR form."""
    rows = ["\t".join(_BEIR_HEADER)]
    rows += [f"{query}\t{doc}\t{grade}" for query, doc, grade in _flat(qrels)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def read_trec_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read TREC judgements: query, iteration (ignored), document, grade, white-space separated."""
    rows = []
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) != 4:
            raise _bad_line(path, number, f"4 列のはずが {len(fields)} 列です")
        rows.append((number, [fields[0], fields[2], fields[3]]))
    return _qrels(path, rows)


def write_trec_qrels(path: Path, qrels: Qrels) -> None:
    """Write judgements in the TREC form."""
    rows = [f"{query} 0 {doc} {grade}\n" for query, doc, grade in _flat(qrels)]
    path.write_text("".join(rows), encoding="utf-8")


def _qrels(path: Path, rows: Iterable[tuple[int, list[str]]]) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for number, fields in rows:
        if len(fields) != 3:
            raise _bad_line(path, number, f"3 列のはずが {len(fields)} 列です")
        query, doc, grade = fields
        if not (grade.isascii() and grade.isdigit()):
            raise _bad_line(path, number, f"評価「{grade}」が 0 以上の整数ではありません")
        if doc in qrels.setdefault(query, {}):
            raise _bad_line(path, number, f"質問 {query} と文書 {doc} の組が重複しています")
        qrels[query][doc] = int(grade)
    return qrels


def _flat(qrels: Qrels) -> Iterator[tuple[str, str, int]]:
    for query, grades in qrels.items():
        for doc, grade in grades.items():
            yield query, doc, grade


def _check_ids(
    path: Path,
    qrels: Qrels,
    queries: Mapping[str, Query],
    corpus: Mapping[str, CorpusDocument],
) -> None:
    for query, doc, _ in _flat(qrels):
        if query not in queries:
            raise UnreadableFile(
                f"{path} の質問 {query} が queries.jsonl にありません",
                hint="質問の ID をそろえるか、その行を削除してください",
                field=str(path),
            )
        if doc not in corpus:
            raise UnreadableFile(
                f"{path} の文書 {doc}（質問 {query}）が corpus.jsonl にありません",
                hint="文書の ID をそろえるか、その行を削除してください",
                field=str(path),
            )


def _read_queries(path: Path) -> dict[str, Query]:
    return {
        key: Query(key, _text(path, line, row), _metadata(path, line, row))
        for path, line, key, row in _records(path)
    }


def _read_answers(path: Path) -> dict[str, tuple[str, ...]]:
    answers: dict[str, tuple[str, ...]] = {}
    for _, line, key, row in _records(path):
        strings = row.get("answers")
        if not isinstance(strings, list) or not all(isinstance(s, str) and s for s in strings):
            raise _bad_line(path, line, "answers が文字列の並びではありません")
        answers[key] = tuple(strings)
    return answers


def _records(path: Path) -> Iterator[tuple[Path, int, str, dict[str, object]]]:
    """Yield path, line number, `_id` and the whole object of each line; ids must be unique."""
    seen: set[str] = set()
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise _bad_line(path, number, f"JSON として読めません（{error.msg}）") from error
        key = row.get("_id") if isinstance(row, dict) else None
        if not isinstance(key, str) or not key or key.split() != [key]:
            raise _bad_line(path, number, "_id が空白を含まない文字列ではありません")
        if key in seen:
            raise _bad_line(path, number, f"_id「{key}」が重複しています")
        seen.add(key)
        yield path, number, key, row


def _text(path: Path, line: int, row: Mapping[str, object]) -> str:
    text = row.get("text")
    if not isinstance(text, str):
        raise _bad_line(path, line, "text が文字列ではありません")
    return text


def _optional_text(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _metadata(path: Path, line: int, row: Mapping[str, object]) -> Mapping[str, object]:
    metadata = row.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise _bad_line(path, line, "metadata がオブジェクトではありません")
    return metadata


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the non-empty lines of a UTF-8 file with their numbers, counted from 1."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableFile(
            f"{path} がありません",
            hint="corpus.jsonl・queries.jsonl・qrels/test.tsv を含むフォルダを指定してください",
            field=str(path),
        ) from error
    except OSError as error:
        raise UnreadableFile(
            f"{path} を開けません（{error.strerror}）",
            hint="ファイルであることと、読み取り権限を確かめてください",
            field=str(path),
        ) from error
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            decoded = line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise _bad_line(path, number, "UTF-8 として読めません") from error
        if decoded.strip():
            yield number, decoded


def _bad_line(path: Path, number: int, why: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path} の {number} 行目：{why}",
        hint="その行を直してから、もう一度実行してください",
        field=str(path),
    )


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
