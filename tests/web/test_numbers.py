from __future__ import annotations

import csv
import io
import time

from fastapi.testclient import TestClient
from lxml import html

from app.core.ledger import Lookup, Verdict
from app.web.charts import bars
from app.web.numbers import (
    HEAD,
    Baseline,
    as_rows,
    baseline_of,
    by_day,
    by_month,
    most_asked,
    saved_hours,
)
from app.web.spreadsheet import as_csv

NOW = time.time()
LOOKUPS = [
    Lookup(3, NOW, None, ("車庫証明",), False),
    Lookup(2, NOW, NOW + 600, ("離婚", "離婚の届出"), True),
    Lookup(1, NOW - 86400, NOW - 86400 + 120, ("離婚",), True),
]


def test_look_ups_count_on_the_day_they_began() -> None:
    verdicts = [Verdict(1, NOW, "離婚", "b-1", True, "", "")]
    yesterday, today = by_day(LOOKUPS, verdicts, 2)
    assert (yesterday.lookups, yesterday.minutes, yesterday.likes) == (1, 2.0, 0)
    assert (today.lookups, today.questions, today.answered, today.unanswered) == (2, 3, 1, 1)
    assert (today.solved, today.minutes, today.likes) == (1, 10.0, 1)


def test_spellings_that_fold_alike_are_one_question() -> None:
    assert most_asked(["戸籍法77条", "戸籍法７７条", "離婚"]) == [("戸籍法77条", 2), ("離婚", 1)]


def test_the_table_is_read_by_a_spreadsheet() -> None:
    data = as_csv(HEAD, as_rows(by_day(LOOKUPS, [], 2)))
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
    client.get("/", params={"q": "自動車の車庫証明の手数料"})
    page = html.fromstring(client.get("/numbers").text)
    assert "自動車の車庫証明の手数料" in page.xpath("string(//section[@aria-labelledby='silent'])")
    assert page.xpath("//figure//*[name()='rect']")
    file = client.get("/numbers.csv", params={"days": "7"})
    assert file.headers["content-type"].startswith("text/csv")
    assert len(file.text.strip().splitlines()) == 8
