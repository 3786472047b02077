"""The numbers of the desk: look-ups, time to the answer, what was asked and what was not answered.

All of them were measured but one: the hours saved, which rest on a baseline that an
administrator states with where it comes from, and are shown apart.
"""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from app.core.errors import BadRequest
from app.core.glossary import SAME, Glossary
from app.core.japanese import fold
from app.core.ledger import Lookup, Verdict
from app.web.admin import Admission
from app.web.charts import bars
from app.web.spreadsheet import csv_file
from app.web.view import Product, View

DAYS = 30
MAX_DAYS = 400
MAX_BASELINE = 24 * 60
MAX_BASIS = 200
_TOP = 10
_MOST = 100_000
# Distinct questions whose topics are told, the latest first; each takes some milliseconds once.
_MOST_TOPICS = 2000
# Rows of these say how words are written, not what a question is about.
_NOT_TOPICS = {SAME, "言葉"}
_BASELINE = "baseline"

HEAD = (
    "日付",
    "調べもの",
    "質問",
    "回答あり",
    "答えなし",
    "解決",
    "中央値(分)",
    "役に立った",
    "違う",
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """How many minutes a look-up took before, as stated, and where that figure comes from."""

    minutes: float
    basis: str
    stated_on: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day, or the month that begins on it. `answered` and `unanswered` count questions; `minutes` is the median time of its solved look-ups, None where there is none."""

    date: datetime.date
    lookups: int
    questions: int
    answered: int
    unanswered: int
    solved: int
    minutes: float | None
    likes: int
    dislikes: int


class Topics:
    """Counts the topics of questions by the glossary's rows that they call up."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._read: tuple[Glossary | None, dict[str, frozenset[str]]] = (None, {})

    def most(self, lookups: Sequence[Lookup]) -> list[tuple[str, int]]:
        """Topics and how many look-ups were about them, oftenest first; several each are counted."""
        words = self._product.glossary
        if self._read[0] is not words:
            self._read = (words, {})
        known = self._read[1]
        counts: Counter[str] = Counter()
        for lookup in lookups:
            topics: set[str] = set()
            for query in lookup.queries:
                if query not in known and len(known) < _MOST_TOPICS:
                    known[query] = frozenset(found.topic for found in words.expand(query))
                topics |= known.get(query, frozenset())
            counts.update(topics - _NOT_TOPICS)
        return counts.most_common(_TOP)


def router(product: Product, view: View, admission: Admission) -> APIRouter:
    """The page /numbers, its tables as files, and the baseline."""
    routes = APIRouter(include_in_schema=False)
    ledger = product.ledger
    topics = Topics(product)

    def of(span: int) -> tuple[list[Lookup], list[Verdict]]:
        first = datetime.date.today() - datetime.timedelta(days=span - 1)
        since = datetime.datetime.combine(first, datetime.time()).timestamp()
        return ledger.lookups(since=since, limit=_MOST), ledger.verdicts(since=since, limit=_MOST)

    def shown(
        request: Request,
        span: int,
        *,
        given: dict[str, str] | None = None,
        error: BadRequest | None = None,
    ) -> Response:
        lookups, verdicts = of(span)
        table = by_day(lookups, verdicts, span)
        seconds = [one.solved_at - one.started_at for one in lookups if one.solved_at is not None]
        median_seconds = median(seconds) if seconds else None
        baseline = stated_baseline(ledger.fact(_BASELINE))
        silent = [query for one in lookups for query in one.unanswered]
        return view.page(
            request,
            "numbers.html",
            error.status if error else 200,
            span=span,
            table=table,
            months=by_month(lookups, verdicts),
            total=len(lookups),
            median_seconds=median_seconds,
            solved=len(seconds),
            answered=sum(day.answered for day in table),
            unanswered=len(silent),
            likes=sum(one.helpful for one in verdicts),
            dislikes=sum(not one.helpful for one in verdicts),
            lookups_chart=bars(
                [(f"{day.date.month}/{day.date.day}", day.lookups) for day in table], "件"
            ),
            minutes_chart=bars(
                [(f"{day.date.month}/{day.date.day}", day.minutes or 0) for day in table], "分"
            ),
            topics=topics.most(lookups),
            asked=most_asked(query for one in lookups for query in one.queries),
            silent=most_asked(silent),
            disliked=[one for one in verdicts if not one.helpful][:_TOP],
            baseline=baseline,
            saved_hours=saved_hours(baseline, len(seconds), median_seconds),
            given=given or ({"minutes": "", "basis": ""} if baseline is None else _given(baseline)),
            error=error,
            admitted=admission.admits(request),
        )

    @routes.get("/numbers")
    def numbers(request: Request, days: int = DAYS) -> Response:
        return shown(request, _span(days))

    @routes.post("/numbers/baseline", dependencies=[Depends(admission.check)])
    def state_baseline(
        request: Request,
        minutes: Annotated[str, Form()] = "",
        basis: Annotated[str, Form()] = "",
        days: Annotated[int, Form()] = DAYS,
    ) -> Response:
        given = {"minutes": minutes.strip(), "basis": basis.strip()}
        try:
            baseline = baseline_of(**given)
        except BadRequest as error:
            return shown(request, _span(days), given=given, error=error)
        ledger.set_fact(_BASELINE, json.dumps(asdict(baseline)) if baseline else "")
        admission.note(
            request,
            "試算の基準を決める",
            "",
            f"1件{baseline.minutes:g}分（{baseline.basis}）" if baseline else "取り消し",
        )
        return RedirectResponse(f"/numbers?days={_span(days)}#estimate", 303)

    @routes.get("/numbers.csv")
    def as_file(days: int = MAX_DAYS, by: str = "day") -> Response:
        span = _span(days)
        table = by_month(*of(span)) if by == "month" else by_day(*of(span), span)
        return csv_file("shiori-numbers.csv", HEAD, as_rows(table))

    @routes.get("/numbers/unanswered.csv")
    def unanswered(days: int = MAX_DAYS) -> Response:
        lookups, _ = of(_span(days))
        silent = (query for one in lookups for query in one.unanswered)
        return csv_file("shiori-unanswered.csv", ("質問", "回数"), most_asked(silent, _MOST))

    return routes


def _span(days: int) -> int:
    return min(max(days, 1), MAX_DAYS)


def _given(baseline: Baseline) -> dict[str, str]:
    return {"minutes": f"{baseline.minutes:g}", "basis": baseline.basis}


def stated_baseline(fact: str) -> Baseline | None:
    """The baseline as it was kept, None where none is stated."""
    return Baseline(**json.loads(fact)) if fact else None


def baseline_of(minutes: str, basis: str) -> Baseline | None:
    """A baseline from a form, None where it is taken back; raises BadRequest naming the field.

    A figure without its origin is refused: nobody could judge the estimate made of it.
    """
    if not minutes and not basis:
        return None
    try:
        value = float(fold(minutes))
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_BASELINE:
        raise BadRequest(
            f"基準の分数「{minutes}」が使えません。",
            hint="1件にかかっていた分数を、30 や 30.8 のように書いてください。",
            field="minutes",
        )
    if not basis or len(basis) > MAX_BASIS:
        raise BadRequest(
            "基準の根拠がありません。" if not basis else f"根拠は{MAX_BASIS}文字までです。",
            hint="いつ、どう計った数字かを書いてください。例: 2026年2月に窓口で20件を計った中央値",
            field="basis",
        )
    return Baseline(value, basis, datetime.date.today().isoformat())


def saved_hours(
    baseline: Baseline | None, solved: int, median_seconds: float | None
) -> float | None:
    """Solved look-ups · (baseline − median of the measured times), in hours; below 0 where it took longer."""
    if baseline is None or median_seconds is None:
        return None
    return solved * (baseline.minutes - median_seconds / 60) / 60


def by_day(
    lookups: Sequence[Lookup],
    verdicts: Sequence[Verdict],
    span: int,
    *,
    today: datetime.date | None = None,
) -> list[Day]:
    """The last `span` days up to today, oldest first; a look-up counts on the day it began."""
    today = today or datetime.date.today()
    dates = [today - datetime.timedelta(days=back) for back in range(span - 1, -1, -1)]
    begun: dict[datetime.date, list[Lookup]] = {date: [] for date in dates}
    said: dict[datetime.date, list[Verdict]] = {date: [] for date in dates}
    for lookup in lookups:
        begun.setdefault(_date(lookup.started_at), []).append(lookup)
    for verdict in verdicts:
        said.setdefault(_date(verdict.given_at), []).append(verdict)
    return [_day(date, begun[date], said[date]) for date in dates]


def by_month(lookups: Sequence[Lookup], verdicts: Sequence[Verdict]) -> list[Day]:
    """The months in which there was anything, oldest first."""
    begun: dict[datetime.date, list[Lookup]] = {}
    said: dict[datetime.date, list[Verdict]] = {}
    for lookup in lookups:
        begun.setdefault(_date(lookup.started_at).replace(day=1), []).append(lookup)
    for verdict in verdicts:
        said.setdefault(_date(verdict.given_at).replace(day=1), []).append(verdict)
    return [
        _day(month, begun.get(month, []), said.get(month, []))
        for month in sorted(begun.keys() | said.keys())
    ]


def _day(date: datetime.date, lookups: Sequence[Lookup], verdicts: Sequence[Verdict]) -> Day:
    minutes = [
        (one.solved_at - one.started_at) / 60 for one in lookups if one.solved_at is not None
    ]
    asked = sum(len(one.queries) for one in lookups)
    # Each question counts, not only the last of a look-up: what was answered in other words
    # is still missing from the books under the first ones.
    silent = sum(len(one.unanswered) for one in lookups)
    return Day(
        date=date,
        lookups=len(lookups),
        questions=asked,
        answered=asked - silent,
        unanswered=silent,
        solved=len(minutes),
        minutes=round(median(minutes), 1) if minutes else None,
        likes=sum(one.helpful for one in verdicts),
        dislikes=sum(not one.helpful for one in verdicts),
    )


def _date(seconds: float) -> datetime.date:
    return datetime.datetime.fromtimestamp(seconds).date()


def most_asked(queries: Iterable[str], limit: int = _TOP) -> list[tuple[str, int]]:
    """Questions and how often they were asked, oftenest first; spellings that fold alike are one."""
    counts: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    for query in queries:
        folded = " ".join(fold(query).split())
        counts[folded] += 1
        spelling.setdefault(folded, query)
    return [(spelling[folded], count) for folded, count in counts.most_common(limit)]


def as_rows(days: Sequence[Day]) -> list[tuple[str | int | float, ...]]:
    """The table's rows under `HEAD`."""
    return [
        (
            day.date.isoformat(),
            day.lookups,
            day.questions,
            day.answered,
            day.unanswered,
            day.solved,
            "" if day.minutes is None else day.minutes,
            day.likes,
            day.dislikes,
        )
        for day in days
    ]
