from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html

from eval.abstain import Outcome
from eval.answers import check_answers
from eval.compare import compare
from eval.datasets import Dataset, Query
from eval.report import render_report, verdict, write_report
from eval.runs import Result, evaluate


def measured(dataset: Dataset, documents: str, config: str = "標準") -> Result:
    return evaluate(
        dataset, lambda question, k: [(doc, 1.0) for doc in documents.split()], config=config
    )


def headings(page: str) -> list[str]:
    return [str(h.text) for h in html.fromstring(page).iter("h2")]


@pytest.fixture
def full(tiny: Dataset) -> str:
    gold = replace(tiny, answers={"q1": ("事務",)}, unanswerable={"u1": Query("u1", "天気")})
    return render_report(
        tiny,
        measured(tiny, "d1 d4 d3", "新"),
        before=measured(tiny, "d4 d1", "旧"),
        outcomes=[Outcome(0.9, True), Outcome(0.2, False)],
        answers=check_answers(gold, lambda question: ["戸籍の事務"]),
        created="2026-11-23",
    )


def test_a_plain_report_has_only_what_was_measured(tiny: Dataset) -> None:
    page = render_report(tiny, measured(tiny, "d1"))
    assert headings(page) == ["要約", "応答時間", "質問の種類ごと", "本ごと", "質問ごと"]


def test_a_full_report_has_every_section(full: str) -> None:
    assert headings(full) == [
        "要約", "応答時間", "質問の種類ごと", "本ごと", "前回との比較", "正解の文字列",
        "回答を控える判断", "質問ごと",
    ]  # fmt: skip
    assert "2026-11-23" in full
    assert len(html.fromstring(full).xpath("//*[local-name()='svg']")) == 2


def test_the_report_loads_and_runs_nothing(full: str) -> None:
    page = html.fromstring(full)
    assert not page.xpath("//script | //link | //img | //iframe | //@src | //@href | //@onclick")
    assert not re.search(r"https?:|url\(|@import", full)
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert "default-src 'none'" in policy


def test_the_worst_question_comes_first_with_its_ranks(tiny: Dataset) -> None:
    page = html.fromstring(render_report(tiny, measured(tiny, "d1 d2")))
    rows = page.xpath("//table[caption='nDCG@10 の低い順']/tbody/tr")
    assert [row[0].text for row in rows] == ["q2", "q1"]
    assert "民法 第一条（圏外）" in rows[0].text_content()
    assert "戸籍法 第二条（2 位）" in rows[1].text_content()


def test_questions_and_names_are_escaped(tiny: Dataset) -> None:
    queries = dict(tiny.queries) | {"q1": Query("q1", "<script>alert(1)</script>")}
    hostile = replace(tiny, queries=queries)
    page = render_report(
        hostile, measured(hostile, "d1", "<b>"), before=measured(hostile, "d2", "<i>&")
    )
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_the_verdict_says_chance_where_it_is_chance(tiny: Dataset) -> None:
    comparison = compare(tiny, measured(tiny, "d1"), measured(tiny, "d4 d1"))
    assert "偶然の範囲" in verdict(comparison)


def test_written_as_one_file(tiny: Dataset, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", tiny, measured(tiny, "d1"))
    text = (tmp_path / "report.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
