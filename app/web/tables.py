"""The site's own glossary and law changes: edited row by row or pasted whole, tried before saving.

Nothing is saved without having been shown first: what changes in the table, and what
changes in the answers to questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, RedirectResponse

from app.core import glossary, lawchanges
from app.core.book import Book, Hit
from app.core.errors import BadRequest, Conflict, NotFound
from app.core.glossary import Expansion, Glossary, cells_of, read_table
from app.core.japanese import fold
from app.core.lawchanges import LawChanges
from app.core.tables import Row, SiteTable
from app.search.pipeline import Filters, Searcher
from app.web.admin import Admission, Managed
from app.web.view import View

Name = Literal["glossary", "law-changes"]

TITLES = {"glossary": "用語集", "law-changes": "法改正の表"}
HELP = {
    "topic": "事柄の分類。例: 離婚",
    "everyday": "質問に現れる言葉。言い方がいくつもあれば ｜ で区切る。＋ でつなぐと、全部あるときだけ当てはまる",
    "professional": "法令・専門書の言葉（｜ 区切り）。検索に加わる",
    "articles": "定める条文（｜ 区切り）。例: 民法767条2項｜戸籍法77条の2",
    "note": "検索には使わない",
    "effective": "例: 2024-04-01。この日より前の内容現在日の本に注意が付く",
    "subject": "例: 嫡出推定の見直し",
    "keywords": "条文を引いていなくても、改正前の内容と分かる言葉（｜ 区切り）",
    "summary": "一文で。注意としてそのまま画面に出る",
}
_ARTICLES_OF_CHANGE = "改められた条文（｜ 区切り）。例: 民法772条｜戸籍法77条の2"
# A first everyday word with this before it switches the shipped row off.
OFF = "!"
SHOWN_HITS = 5
_FOUND_ROWS = 30
# Questions of the past that a changed glossary is tried on, and how many of those it changes are shown.
_PAST = 150
_SHOWN_PAST = 10
_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class Compared:
    """One hit beside those of the other table. `was` is its rank there, None where it is not shown."""

    hit: Hit
    was: int | None
    warnings_changed: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """A question before and after: what the glossary adds, and the first hits.

    `older` is whether only books that state the law of before a change were asked.
    """

    question: str
    older: bool
    expansions_before: tuple[Expansion, ...]
    expansions_after: tuple[Expansion, ...]
    before: list[Compared]
    after: list[Compared]

    @property
    def changes(self) -> bool:
        """Whether anything of it is seen on the page."""
        ids = [[one.hit.passage.id for one in hits] for hits in (self.before, self.after)]
        return (
            self.expansions_before != self.expansions_after
            or ids[0] != ids[1]
            or any(one.warnings_changed for one in self.after)
        )


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows taken out of a table and rows put in, each with its number from 1."""

    out: list[tuple[int, Row]]
    put_in: list[tuple[int, Row]]

    @property
    def anything(self) -> bool:
        """Whether there is any difference at all."""
        return bool(self.out or self.put_in)


def router(product: Managed, view: View, admission: Admission) -> APIRouter:
    """The pages /library/glossary and /library/law-changes."""
    routes = APIRouter(include_in_schema=False)
    routes.include_router(_table(product, view, admission, "glossary", product.site_glossary))
    routes.include_router(_table(product, view, admission, "law-changes", product.site_changes))
    return routes


def _table(
    product: Managed, view: View, admission: Admission, name: Name, table: SiteTable[Any]
) -> APIRouter:
    """The pages of one table."""
    routes = APIRouter(prefix=f"/library/{name}")
    ledger = product.ledger
    guard = [Depends(admission.check)]

    def shown(
        request: Request,
        *,
        given: Mapping[str, str] | None = None,
        number: int | None = None,
        pasted: str | None = None,
        question: str = "",
        find: str = "",
        error: BadRequest | Conflict | None = None,
    ) -> Response:
        rows = table.rows()
        return view.page(
            request,
            "library_table.html",
            error.status if error else 200,
            name=name,
            title=TITLES[name],
            table=table,
            rows=rows,
            help=HELP | ({"articles": _ARTICLES_OF_CHANGE} if name == "law-changes" else {}),
            given=given or dict.fromkeys(table.columns, ""),
            number=number,
            pasted=tsv(rows) if pasted is None else pasted,
            question=question,
            find=find,
            found=shipped_rows(name, find),
            others=others_of(product, name),
            versions=[
                (version, len(table.parse(version.content)))
                for version in ledger.table_versions(table.name, _VERSIONS)
            ],
            topics=sorted({entry.topic for entry in product.glossary.entries} | {glossary.ASKED}),
            error=error,
            admitted=True,
        )

    @routes.get("")
    def table_page(
        request: Request,
        row: Annotated[int | None, Query()] = None,
        find: str = "",
        topic: str = "",
        everyday: str = "",
    ) -> Response:
        if away := admission.turned_away(request):
            return away
        rows, columns = table.rows(), table.columns
        if row is not None and 1 <= row <= len(rows):
            given = dict(zip(columns, rows[row - 1], strict=True))
            return shown(request, given=given, number=row, find=find)
        given = dict.fromkeys(columns, "")
        if name == "glossary":
            given |= {"topic": topic, "everyday": everyday}
        return shown(request, given=given, find=find)

    @routes.get(".tsv")
    def as_file(request: Request) -> Response:
        if away := admission.turned_away(request):
            return away
        return PlainTextResponse(
            table.text(),
            media_type="text/tab-separated-values; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{table.path.name}"',
                "Cache-Control": "no-store",
            },
        )

    @routes.post("/preview", dependencies=guard)
    async def preview(request: Request) -> Response:
        async with request.form(max_part_size=4 << 20) as form:
            sent = {key: value for key, value in form.items() if isinstance(value, str)}
        return await run_in_threadpool(tried, request, sent)

    def tried(request: Request, sent: Mapping[str, str]) -> Response:
        before = table.rows()
        question = sent.get("question", "").strip()
        number = int(sent["number"]) if sent.get("number", "").isdigit() else None
        mark = sent.get("mark", "")
        try:
            after = wanted(table, before, sent, number, versions=ledger.table_versions)
            if mark and mark != table.mark():
                raise Conflict(
                    "ほかの人が先にこの表を直しました。何も保存していません。",
                    hint="下の新しい内容の上で直してください。",
                )
            made = table.checked(after)
        except (BadRequest, Conflict) as error:
            return shown(
                request,
                given={column: sent.get(column, "") for column in table.columns},
                number=number,
                pasted=sent.get("text"),
                question=question,
                error=error,
            )
        changed = difference(before, after)
        return view.page(
            request,
            "library_preview.html",
            name=name,
            title=TITLES[name],
            table=table,
            changed=changed,
            text=tsv(after),
            mark=table.mark(),
            question=question,
            trials=trials(product, name, made, changed, question),
            past=past_changed(product, made) if isinstance(made, Glossary) else [],
            books=older_books(product, changed) if name == "law-changes" else [],
            undated=sum(not (book.as_of or book.published) for book in ledger.books().values()),
            off=OFF,
            admitted=True,
        )

    @routes.post("/save", dependencies=guard)
    async def save(request: Request) -> Response:
        async with request.form(max_part_size=4 << 20) as form:
            text, mark = str(form.get("text", "")), str(form.get("mark", ""))
        return await run_in_threadpool(saved, request, text, mark)

    def saved(request: Request, text: str, mark: str) -> Response:
        before = table.rows()
        old_text = table.text()
        try:
            after = table.parse(text)
            made = table.save(after, mark)
        except (BadRequest, Conflict) as error:
            return shown(request, pasted=text, error=error)
        if name == "glossary":
            product.use_tables(words=made, changes=None)
        else:
            product.use_tables(words=None, changes=made)
        # What was there before the first save, or was written by hand, can be gone back to as well.
        kept = ledger.table_versions(table.name, 1)
        if old_text and (not kept or kept[0].content != old_text):
            ledger.keep_table(table.name, old_text)
        ledger.keep_table(table.name, table.text())
        changed = difference(before, after)
        admission.note(request, f"{TITLES[name]}を直す", "", told(changed))
        return RedirectResponse(f"/library/{name}#saved", 303)

    return routes


def wanted(
    table: SiteTable[Any],
    rows: Sequence[Row],
    sent: Mapping[str, str],
    number: int | None,
    *,
    versions: Callable[[str, int], Sequence[Any]],
) -> list[Row]:
    """The rows a form asks for: a version of before, a pasted table, or one row put in, changed, out."""
    if sent.get("version"):
        found = [one for one in versions(table.name, 1000) if str(one.id) == sent["version"]]
        if not found:
            raise NotFound("その版は残っていません。", hint="画面を開き直してください。")
        return table.parse(found[0].content)
    if "text" in sent:
        return table.parse(sent["text"])
    if number is not None and not 1 <= number <= len(rows):
        raise Conflict(
            f"{number}行目はもうありません。", hint="下の新しい内容の上で直してください。"
        )
    result = list(rows)
    if sent.get("drop"):
        if number is not None:
            del result[number - 1]
        return result
    cells = {column: " ".join(sent.get(column, "").split()) for column in table.columns}
    if sent.get("off") and not cells["everyday"].startswith(OFF):
        cells["everyday"] = OFF + cells["everyday"]
    row = tuple(cells.values())
    if number is None:
        return [*result, row]
    result[number - 1] = row
    return result


def difference(before: Sequence[Row], after: Sequence[Row]) -> Changed:
    """Which rows go and which come; rows that only change places do neither."""
    return Changed(_only_in(before, after), _only_in(after, before))


def _only_in(rows: Sequence[Row], others: Sequence[Row]) -> list[tuple[int, Row]]:
    left = Counter(others)
    found: list[tuple[int, Row]] = []
    for number, row in enumerate(rows, start=1):
        if left[row]:
            left[row] -= 1
        else:
            found.append((number, row))
    return found


def told(changed: Changed) -> str:
    """A change of a table for the record of deeds."""
    parts = [f"消した行 {row[0]}／{row[1]}" for _, row in changed.out]
    parts += [f"入れた行 {row[0]}／{row[1]}" for _, row in changed.put_in]
    return "、".join(parts)[:1000] or "変わりなし"


def tsv(rows: Iterable[Row]) -> str:
    """Rows as they are pasted from and to a spreadsheet."""
    return "\n".join("\t".join(row) for row in rows)


def shipped_rows(name: Name, find: str) -> list[Row]:
    """Rows of the product's own table that hold some characters; none while nothing is looked for."""
    shipped, columns = (
        (glossary.SHIPPED, glossary.COLUMNS)
        if name == "glossary"
        else ((lawchanges.SHIPPED,), lawchanges.COLUMNS)
    )
    needle = fold(find.strip())
    if not needle:
        return []
    found = (
        tuple(row)
        for path in shipped
        for _, row in read_table(path, columns)
        if needle in fold("｜".join(row))
    )
    return [row for row, _ in zip(found, range(_FOUND_ROWS), strict=False)]


def others_of(product: Managed, name: Name) -> list[str]:
    """The files of the settings that stand below the site's table."""
    settings = product.settings
    return [
        str(path) for path in (settings.glossary if name == "glossary" else settings.law_changes)
    ]


def trials(
    product: Managed,
    name: Name,
    made: Glossary | LawChanges,
    changed: Changed,
    question: str,
) -> list[Trial]:
    """A question before and after; without one given, what the first changed rows speak of."""
    questions = [question] if question else suggested(name, changed)
    weights = product.searcher.weights
    after = (
        product.searcher_with(weights, made, None)
        if isinstance(made, Glossary)
        else product.searcher_with(weights, product.glossary, made)
    )
    # A change is seen in the books it makes old; they may be far down among all the others.
    narrow = name == "law-changes" and not question
    older = older_books(product, changed) if narrow else []
    filters = Filters(books=tuple(book.id for book in older))
    return [trial(product.searcher, after, asked, filters) for asked in questions]


def suggested(name: Name, changed: Changed) -> list[str]:
    """Questions that the changed rows speak of: their everyday words, or a changed article."""
    for _, row in (*changed.put_in, *changed.out):
        cell = row[1].lstrip(OFF + "！") if name == "glossary" else row[2] or row[3]
        for way in cells_of(cell):
            return [way.replace("＋", " ").replace("+", " ")]
    return []


def trial(searcher: Searcher, changed: Searcher, question: str, filters: Filters) -> Trial:
    """One question asked of two searchers."""
    old = searcher.search(question, SHOWN_HITS, filters)
    new = changed.search(question, SHOWN_HITS, filters)
    return Trial(
        question=question,
        older=bool(filters.books),
        expansions_before=old.readings,
        expansions_after=new.readings,
        before=_beside(old.hits, new.hits),
        after=_beside(new.hits, old.hits),
    )


def _beside(hits: Sequence[Hit], others: Sequence[Hit]) -> list[Compared]:
    ranks = {hit.passage.id: hit for hit in others}
    return [
        Compared(
            hit,
            ranks[hit.passage.id].rank if hit.passage.id in ranks else None,
            hit.passage.id in ranks and ranks[hit.passage.id].warnings != hit.warnings,
        )
        for hit in hits
    ]


def past_changed(product: Managed, made: Glossary) -> list[str]:
    """Questions asked lately that another glossary would read differently."""
    asked = dict.fromkeys(question.query for question in product.ledger.questions(_PAST))
    found = (query for query in asked if product.glossary.expand(query) != made.expand(query))
    return [query for query, _ in zip(found, range(_SHOWN_PAST), strict=False)]


def older_books(product: Managed, changed: Changed) -> list[Book]:
    """The books that state the law of before a change that is put in."""
    latest = max((row[0] for _, row in changed.put_in), default="")
    dated = ((book, book.as_of or book.published) for book in product.ledger.books().values())
    return [book for book, date in dated if date and date < latest]
