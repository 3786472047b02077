"""The numbers of the desk: look-ups, time to the answer, what was asked and what was not answered.

Everything here was measured; nothing is projected.
"""

from __future__ import annotations

import csv
import datetime
import io
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from fastapi import APIRouter, Request, Response

from app.core.japanese import fold
from app.core.ledger import Lookup, Verdict
from app.web.charts import bars
from app.web.view import Product, View

DAYS = 30
MAX_DAYS = 400
_TOP = 10
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Day:
    """One day. `minutes` is the median time of its solved look-ups, None where there is none."""

    date: datetime.date
    lookups: int
    questions: int
    answered: int
    unanswered: int
    solved: int
    minutes: float | None
    likes: int
    dislikes: int


def router(product: Product, view: View) -> APIRouter:
    """The page /numbers and its table as a file."""
    routes = APIRouter(include_in_schema=False)
    ledger = product.ledger

    def of(span: int) -> tuple[list[Lookup], list[Verdict]]:
        since = time.time() - span * 86400
        return ledger.lookups(since=since, limit=_MOST), ledger.verdicts(since=since, limit=_MOST)

    @routes.get("/numbers")
    def numbers(request: Request, days: int = DAYS) -> Response:
        span = min(max(days, 1), MAX_DAYS)
        lookups, verdicts = of(span)
        table = by_day(lookups, verdicts, span)
        seconds = [one.solved_at - one.started_at for one in lookups if one.solved_at is not None]
        return view.page(
            request,
            "numbers.html",
            span=span,
            table=table,
            total=len(lookups),
            median_seconds=median(seconds) if seconds else None,
            solved=len(seconds),
            answered=sum(one.answered is True for one in lookups),
            unanswered=sum(one.answered is False for one in lookups),
            likes=sum(one.helpful for one in verdicts),
            dislikes=sum(not one.helpful for one in verdicts),
            lookups_chart=bars(
                [(f"{day.date.month}/{day.date.day}", day.lookups) for day in table], "件"
            ),
            minutes_chart=bars(
                [(f"{day.date.month}/{day.date.day}", day.minutes or 0) for day in table], "分"
            ),
            asked=most_asked(query for one in lookups for query in one.queries),
            silent=most_asked(one.queries[-1] for one in lookups if one.answered is False),
            disliked=[one for one in verdicts if not one.helpful][:_TOP],
        )

    @routes.get("/numbers.csv")
    def as_file(days: int = MAX_DAYS) -> Response:
        span = min(max(days, 1), MAX_DAYS)
        return Response(
            as_csv(by_day(*of(span), span)),
            media_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="shiori-numbers.csv"',
                "Cache-Control": "no-store",
            },
        )

    return routes


def by_day(lookups: Sequence[Lookup], verdicts: Sequence[Verdict], span: int) -> list[Day]:
    """The last `span` days up to today, oldest first; a look-up counts on the day it began."""
    today = datetime.date.today()
    dates = [today - datetime.timedelta(days=back) for back in range(span - 1, -1, -1)]
    begun: dict[datetime.date, list[Lookup]] = {date: [] for date in dates}
    said: dict[datetime.date, list[Verdict]] = {date: [] for date in dates}
    for lookup in lookups:
        begun.setdefault(_date(lookup.started_at), []).append(lookup)
    for verdict in verdicts:
        said.setdefault(_date(verdict.given_at), []).append(verdict)
    return [_day(date, begun[date], said[date]) for date in dates]


def _day(date: datetime.date, lookups: Sequence[Lookup], verdicts: Sequence[Verdict]) -> Day:
    minutes = [
        (one.solved_at - one.started_at) / 60 for one in lookups if one.solved_at is not None
    ]
    return Day(
        date=date,
        lookups=len(lookups),
        questions=sum(len(one.queries) for one in lookups),
        answered=sum(one.answered is True for one in lookups),
        unanswered=sum(one.answered is False for one in lookups),
        solved=len(minutes),
        minutes=round(median(minutes), 1) if minutes else None,
        likes=sum(one.helpful for one in verdicts),
        dislikes=sum(not one.helpful for one in verdicts),
    )


def _date(seconds: float) -> datetime.date:
    return datetime.datetime.fromtimestamp(seconds).date()


def most_asked(queries: Iterable[str]) -> list[tuple[str, int]]:
    """Questions and how often they were asked, oftenest first; spellings that fold alike are one."""
    counts: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    for query in queries:
        folded = " ".join(fold(query).split())
        counts[folded] += 1
        spelling.setdefault(folded, query)
    return [(spelling[folded], count) for folded, count in counts.most_common(_TOP)]


def as_csv(days: Sequence[Day]) -> bytes:
    """The table for a spreadsheet; the mark at its start tells Excel that it is UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        [
            "日付",
            "調べもの",
            "質問",
            "回答あり",
            "答えなし",
            "解決",
            "中央値(分)",
            "役に立った",
            "違う",
        ]
    )
    for day in days:
        writer.writerow(
            [
                day.date.isoformat(),
                day.lookups,
                day.questions,
                day.answered,
                day.unanswered,
                day.solved,
                "" if day.minutes is None else day.minutes,
                day.likes,
                day.dislikes,
            ]
        )
    return out.getvalue().encode("utf-8-sig")
