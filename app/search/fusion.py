"""Several rankings of one question as one score: a weighted sum of scaled legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.core.store import DENSE, Scored

Key = tuple[int, str]  # generation, passage id

# A cosine is worth its distance from the cosine at this rank. Fixed, so that the first ten do not
# depend on how many were asked for.
_DENSE_DEPTH = 60


def fused(legs: Mapping[str, Sequence[Scored]], weights: Mapping[str, float]) -> dict[Key, float]:
    """A weighted sum of the legs (each best first), each scaled to a best score of 1.

    A sparse leg starts at 0, where no word is shared; cosines start at the 60th best (the
    worst where fewer were found), as they are never near 0. Bruch, Gai & Ingber (2023), An
    Analysis of Fusion Functions for Hybrid Retrieval, find such a convex combination above
    rank fusion once it is calibrated. A leg of weight 0 adds nothing.
    """
    total: dict[Key, float] = {}
    for name, scored in legs.items():
        if not scored or weights[name] <= 0:
            continue
        best = scored[0].score
        start = scored[:_DENSE_DEPTH][-1].score if name == DENSE else 0.0
        if best <= start:
            continue
        for hit in scored:
            if hit.score > start:
                key = (hit.generation, hit.passage_id)
                share = (hit.score - start) / (best - start)
                total[key] = total.get(key, 0.0) + weights[name] * share
    return total
