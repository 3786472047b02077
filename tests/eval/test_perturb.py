from __future__ import annotations

from pathlib import Path

import pytest

from app.answer.verify import Verifier
from app.core import glossary
from app.core.book import Passage
from eval.perturb import BENIGN, HARMFUL, changes, provisos, table

LAWS = Path(__file__).parents[2].parent / "shared" / "data" / "laws" / "md"


def statute(name: str) -> list[Passage]:
    files = list(LAWS.glob(f"*_{name}.md"))
    if not files:
        pytest.skip("../shared/data/laws/md がありません")
    articles = files[0].read_text(encoding="utf-8").split("\n##### ")[1:]
    return [
        Passage(id=f"p{n}", book_id="b", ordinal=n, text=text, section_path=(name,))
        for n, text in enumerate(articles)
    ]


def test_every_change_differs_from_its_original() -> None:
    text = (
        "届出は、出生の日から十四日以内にすることができる。ただし、父がする届出は、この限りでない。"
    )
    found = list(changes([Passage(id="p", book_id="b", ordinal=0, text=text)], 5))
    assert {each.kind for each in found} >= {"number", "negation", "term", "benign", "unchanged"}
    assert all(each.claim != each.original for each in found if each.kind != "unchanged")


def test_sentences_before_a_proviso_are_shown_with_it() -> None:
    verifier = Verifier(glossary.load())
    found = list(provisos(statute("戸籍法"), 20))
    assert found
    for each in found:
        [passage] = each.evidence
        assert "ただし" not in each.claim
        verdict = verifier.verify(each.claim, each.evidence)
        assert verdict.limits, each.claim
        assert verdict.limits[0].text in passage.text


def test_statute_sentences_survive_harmless_changes_only() -> None:
    verifier = Verifier(glossary.load())
    found = list(changes(statute("戸籍法"), 60))
    rows = {
        row.kind: row
        for row in table(found, lambda claim, passages: verifier.verify(claim, passages).status)
    }
    assert rows["unchanged"].kept == 1.0
    for kind in BENIGN:
        assert rows[kind].caught <= 0.03, rows[kind]
    for kind in HARMFUL:
        # Who does it to whom, and whose sentence it is, cannot always be told by words alone.
        least = 0.5 if kind in ("role", "merged") else 0.95
        assert rows[kind].caught >= least, rows[kind]
