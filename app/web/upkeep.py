"""The upkeep of the library: the index built anew, what was added, what administrators did."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from app.core.errors import ShioriError
from app.web.admin import Admission, Managed
from app.web.spreadsheet import csv_file
from app.web.uploads import Busy
from app.web.view import View, day_and_time

_LISTED = 50
_MOST = 100_000


@dataclass(slots=True)
class Rebuild:
    """The building of a new index: books done and books in all, and the error that ended it."""

    running: bool = False
    done: int = 0
    total: int = 0
    error: str = ""

    @property
    def words(self) -> str:
        """How far it is, in a sentence; empty where none was asked for."""
        if self.running:
            counted = f" {self.done}/{self.total}冊" if self.total else ""
            return f"索引を作り直しています…{counted}"
        if self.error:
            return f"索引を作り直せませんでした。{self.error}"
        return f"索引を作り直しました（{self.total}冊）。" if self.total else ""


class Rebuilder:
    """Builds the index anew in the background, one at a time; searches go on meanwhile."""

    def __init__(self, product: Managed) -> None:
        self._product = product
        self._starting = threading.Lock()
        self.state = Rebuild()

    def start(self) -> None:
        """Begins; raises Busy while one is going on."""
        with self._starting:
            if self.state.running:
                raise Busy(
                    "索引はいま作り直しているところです。", hint="終わるまでお待ちください。"
                )
            self.state = Rebuild(running=True)
            threading.Thread(target=self._run, args=(self.state,), daemon=True).start()

    def _run(self, state: Rebuild) -> None:
        def on_progress(done: int, total: int) -> None:
            state.done, state.total = done, total

        state.error = "途中で止まりました。"
        try:
            self._product.rebuild(on_progress)
            state.error = ""
        except ShioriError as error:
            state.error = error.in_full
        finally:
            state.running = False


def router(product: Managed, view: View, admission: Admission) -> APIRouter:
    """The page /library/upkeep."""
    routes = APIRouter(include_in_schema=False)
    ledger = product.ledger
    rebuilder = Rebuilder(product)
    guard = [Depends(admission.check)]

    @routes.get("/library/upkeep")
    def upkeep(request: Request) -> Response:
        if away := admission.turned_away(request):
            return away
        return view.page(
            request,
            "library_upkeep.html",
            rebuild=rebuilder.state,
            jobs=ledger.jobs(_LISTED),
            deeds=ledger.deeds(_LISTED),
            admitted=True,
        )

    @routes.get("/library/upkeep/progress")
    def progress(request: Request) -> Response:
        admission.check(request)
        state = rebuilder.state
        return JSONResponse(
            {
                "running": state.running,
                "done": state.done,
                "total": state.total,
                "words": state.words,
            },
            headers={"Cache-Control": "no-store"},
        )

    @routes.post("/library/upkeep/rebuild", dependencies=guard)
    def rebuild(request: Request) -> Response:
        rebuilder.start()
        admission.note(request, "索引を作り直す")
        return RedirectResponse("/library/upkeep#index", 303)

    @routes.get("/library/upkeep/deeds.csv")
    def deeds(request: Request) -> Response:
        if away := admission.turned_away(request):
            return away
        return csv_file(
            "shiori-deeds.csv",
            ("日時", "機械", "操作", "対象", "内容"),
            (
                (day_and_time(deed.done_at), deed.who, deed.action, deed.subject, deed.detail)
                for deed in ledger.deeds(_MOST)
            ),
        )

    return routes
