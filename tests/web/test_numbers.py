from __future__ import annotations

import csv
import datetime
import io

import pytest
from fastapi.testclient import TestClient
from lxml import html

from app.core.errors import BadRequest
from app.core.ledger import Lookup, Verdict
from app.main import Shiori
from app.web.charts import bars
from app.web.numbers import (
    HEAD,
    Baseline,
    Topics,
    as_rows,
    baseline_of,
    by_day,
    by_month,
    most_asked,
    saved_hours,
)
from app.web.spreadsheet import as_csv

# Noon of a fixed day: nothing here may depend on when it runs.
TODAY = datetime.date(2026, 11, 27)
NOW = datetime.datetime.combine(TODAY, datetime.time(12)).timestamp()
LOOKUPS = [
    Lookup(3, NOW, None, ("車庫証明",), False, ("車庫証明",)),
    Lookup(2, NOW, NOW + 600, ("離婚", "離婚の届出"), True, ("離婚",)),
    Lookup(1, NOW - 86400, NOW - 86400 + 120, ("離婚",), True),
]


def test_look_ups_count_on_the_day_they_began() -> None:
    verdicts = [Verdict(1, NOW, "離婚", "b-1", True, "", "")]
    yesterday, today = by_day(LOOKUPS, verdicts, 2, today=TODAY)
    assert (yesterday.lookups, yesterday.minutes, yesterday.likes) == (1, 2.0, 0)
    assert (today.lookups, today.questions, today.answered, today.unanswered) == (2, 3, 1, 2)
    assert (today.solved, today.minutes, today.likes) == (1, 10.0, 1)


def test_spellings_that_fold_alike_are_one_question() -> None:
    assert most_asked(["戸籍法77条", "戸籍法７７条", "離婚"]) == [("戸籍法77条", 2), ("離婚", 1)]


def test_the_table_is_read_by_a_spreadsheet() -> None:
    data = as_csv(HEAD, as_rows(by_day(LOOKUPS, [], 2, today=TODAY)))
    assert data.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row["調べもの"] for row in rows] == ["1", "2"]
    assert rows[0]["中央値(分)"] == "2.0"


def test_every_bar_tells_its_value() -> None:
    chart = html.fromstring(str(bars([("11/1", 3), ("11/2", 0), ("11/3", 7.5)], "件")))
    assert [title.text for title in chart.xpath(".//rect/title")] == [
        "11/1: 3件",
        "11/2: 0件",
        "11/3: 7.5件",
    ]
    heights = [float(bar.get("height")) for bar in chart.xpath(".//rect")]
    assert heights[0] / heights[2] == 3 / 7.5 or abs(heights[0] / heights[2] - 0.4) < 0.01
    assert bars([], "件")


def test_the_page_and_its_file(client: TestClient) -> None:
    first = html.fromstring(client.get("/", params={"q": "自動車の車庫証明の手数料"}).text)
    # Answered in other words, the first question stays unanswered.
    lookup = first.xpath("//input[@name='lookup']/@value")[0]
    client.get("/", params={"q": "死亡届の期間", "lookup": lookup})
    page = html.fromstring(client.get("/numbers").text)
    assert "自動車の車庫証明の手数料" in page.xpath("string(//section[@aria-labelledby='silent'])")
    assert page.xpath("//figure//*[name()='rect']")
    file = client.get("/numbers.csv", params={"days": "7"})
    assert file.headers["content-type"].startswith("text/csv")
    assert len(file.text.strip().splitlines()) == 8


def test_months_add_up_their_look_ups() -> None:
    months = by_month(LOOKUPS, [Verdict(1, NOW, "離婚", "b-1", False, "", "")])
    assert sum(month.lookups for month in months) == 3
    assert months[-1].dislikes == 1
    assert all(month.date.day == 1 for month in months)


def test_hours_saved_follow_from_the_stated_baseline() -> None:
    baseline = baseline_of("３０．８", "2026年2月に計った中央値")
    assert baseline is not None
    assert (baseline.minutes, baseline.basis) == (30.8, "2026年2月に計った中央値")
    assert saved_hours(Baseline(30.0, "計測", ""), 12, 600) == 4.0
    assert saved_hours(Baseline(5.0, "計測", ""), 12, 600) == -1.0
    assert saved_hours(None, 12, 600) is None
    assert saved_hours(baseline, 0, None) is None
    assert baseline_of("", "") is None


@pytest.mark.parametrize(
    ("minutes", "basis", "field"),
    [
        ("30", "", "basis"),
        ("たくさん", "計測", "minutes"),
        ("0", "計測", "minutes"),
        ("nan", "計測", "minutes"),
    ],
)
def test_a_baseline_without_figure_or_origin_is_refused(
    minutes: str, basis: str, field: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        baseline_of(minutes, basis)
    assert caught.value.field == field


def test_the_estimate_stands_apart_and_names_its_baseline(
    client: TestClient, stranger: TestClient, product: Shiori
) -> None:
    assert "基準を決めると" in client.get("/numbers").text
    given = {"minutes": "30", "basis": "窓口で20件を計った中央値"}
    assert stranger.post("/numbers/baseline", data=given).status_code == 403
    assert client.post("/numbers/baseline", data=given | {"basis": ""}).status_code == 422
    lookup = product.ledger.log_lookup("分籍届の書き方", [], 1.0, True)
    product.ledger.solve(lookup)
    page = html.fromstring(client.post("/numbers/baseline", data=given).text)
    (estimate,) = page.xpath("//section[@aria-labelledby='estimate']")
    assert "実測ではありません" in estimate.text_content()
    assert "窓口で20件を計った中央値" in estimate.text_content()
    assert "時間" in estimate.xpath("string(.//strong)")
    assert "試算" not in page.xpath("string(//dl[@class='tiles'])")
    client.post("/numbers/baseline", data={"minutes": "", "basis": ""})
    assert "基準を決めると" in client.get("/numbers").text


def test_topics_are_those_of_the_glossary(client: TestClient, product: Shiori) -> None:
    question = "離婚しても今の名字を使い続けたい"
    topics = Topics(product).most([Lookup(1, NOW, None, (question, question), False)])
    assert ("離婚", 1) in topics
    client.get("/", params={"q": question})
    page = html.fromstring(client.get("/numbers").text)
    assert page.xpath("//section[@aria-labelledby='topics']//li")


def test_unanswered_questions_and_months_are_files_too(client: TestClient) -> None:
    client.get("/", params={"q": "自動車の車庫証明の手数料"})
    file = client.get("/numbers/unanswered.csv").text
    assert "自動車の車庫証明の手数料" in file
    months = client.get("/numbers.csv", params={"by": "month"}).text.strip().splitlines()
    assert len(months) == 2
