from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from app.cli import cli
from app.core.book import Document, Line, Page
from app.cutting import STRUCTURE, WINDOWS, windows

ARTICLES = {
    "a_1": "出生の届出は、十四日以内にこれをしなければならない。",
    "a_2": "婚姻をしようとする者は、夫婦が称する氏を届書に記載して、その旨を届け出なければならない。",
    "a_3": "離婚をしようとする者は、親権者と定められる当事者の氏名を届書に記載しなければならない。",
}


def write_dataset(folder: Path) -> Path:
    folder.mkdir()
    rows = [
        {"_id": id_, "title": f"法 第{number}条", "text": text, "metadata": {}}
        for number, (id_, text) in enumerate(ARTICLES.items(), start=1)
    ]
    corpus = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "corpus.jsonl").write_text(corpus, "utf-8")
    asked = {"_id": "q", "text": "離婚の届書に親権者の氏名を書くか", "metadata": {}}
    (folder / "queries.jsonl").write_text(json.dumps(asked, ensure_ascii=False) + "\n", "utf-8")
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta_3\t2\n", "utf-8")
    return folder


def test_both_ways_of_cutting_are_asked_the_same(tmp_path: Path) -> None:
    book = tmp_path / "本" / "法.md"
    book.parent.mkdir()
    text = "\n\n".join(f"## 第{n}条\n\n{text}" for n, text in enumerate(ARTICLES.values(), start=1))
    book.write_text(f"# 法\n\n{text}\n", "utf-8")
    out = tmp_path / "out.json"
    arguments = [str(write_dataset(tmp_path / "評価")), str(book.parent), "--json", str(out)]
    done = CliRunner().invoke(
        cli, ["eval", "cutting", *arguments, "--data-dir", str(tmp_path / "data")]
    )
    assert done.exit_code == 0, done.exception
    blind, cut = json.loads(out.read_text("utf-8"))
    assert (blind["way"], cut["way"]) == (WINDOWS, STRUCTURE)
    assert cut["ndcg"] == cut["recall"] == 1.0
    assert (blind["passages"], cut["passages"]) == (1, 3)


def test_windows_cover_the_text_once() -> None:
    document = Document("本", (Page(0, (Line("あ" * 250), Line("い" * 100))),))
    cut = windows(document, "b", 100)
    assert "".join(passage.text for passage in cut) == "あ" * 250 + "\n" + "い" * 100
    assert [len(passage.text) for passage in cut] == [100, 100, 100, 51]
    assert len({passage.id for passage in cut}) == 4
