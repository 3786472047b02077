"""How much each leg counts: what a setting says, else what tuning found for the site's models,
else what is safe without having measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from app.core import models
from app.core.ledger import Ledger
from app.core.models import Kind
from app.core.settings import Settings
from app.search.retrieve import Weights

NO_MODEL = "lexical"

# Published evaluations find the preset models helpful on Japanese; of any other model nobody has
# measured, nothing is trusted: search is then as good as by words alone.
_UNMEASURED: dict[Kind, float] = {"embed": 0.3, "rerank": 0.5}


def chosen(settings: Settings, ledger: Ledger | None) -> Weights:
    """The weights to search with. Without a model its leg is off; `ledger` holds what was tuned."""
    weights = Weights()
    found = tuned(ledger, model_of(settings, "embed"))
    weights = replace(weights, grams=found.get("grams", weights.grams))
    if settings.embed_model:
        dense = _first(
            settings.dense_weight, found.get("dense"), _untuned(settings.embed_model, "embed")
        )
        weights = replace(weights, dense=dense)
    if settings.rerank_model:
        found = tuned(ledger, model_of(settings, "rerank"))
        rerank = _first(
            settings.rerank_weight, found.get("rerank"), _untuned(settings.rerank_model, "rerank")
        )
        weights = replace(weights, rerank=rerank)
    return weights


def model_of(settings: Settings, kind: Kind) -> str:
    """The name weights are remembered by: the configured model's, or `lexical` without one."""
    setting = settings.embed_model if kind == "embed" else settings.rerank_model
    return models.place(setting, kind).name if setting else NO_MODEL


def tuned(ledger: Ledger | None, model: str) -> dict[str, float]:
    """The weights tuning found for a model, by the names of `Weights`; empty where it never ran."""
    fact = ledger.fact(_key(model)) if ledger is not None else ""
    return {name: float(value) for name, value in json.loads(fact or "{}").items()}


def remember(ledger: Ledger, model: str, weights: Mapping[str, float]) -> None:
    """Keeps the weights tuned for a model; they are used from the next start on."""
    ledger.set_fact(_key(model), json.dumps(dict(weights)))


def _key(model: str) -> str:
    return f"weights:{model}"


def _untuned(setting: str, kind: Kind) -> float:
    return _UNMEASURED[kind] if models.place(setting, kind).preset else 0.0


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
