"""Scores as a discoverer reads them: points of ten, each with its standard error and items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import mean, stdev
from typing import Any

from judges.statistics import Estimate
from optimizer.outcome import Outcome
from optimizer.roles import Worth

_ENDS = 2 * 1.96  # standard errors from one end of a 95 % interval to the other
OF = 10


def scored(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome's `score`, `se` and `items`; empty where it has none."""
    if outcome.estimate is None:
        return {}
    return {**_told("score", outcome.estimate), "items": len(outcome.scores)}


def effect(worth: Worth) -> dict[str, Any]:
    """Return a worth's `effect` and `se`, and how many ensembles it rests on."""
    return {**_told("effect", worth), "ensembles": worth.ensembles}


def by_category(scores: Mapping[str, float], strata: Mapping[str, str]) -> dict[str, list[float]]:
    """Return the scores of each category."""
    found: dict[str, list[float]] = {}
    for item, score in scores.items():
        if item in strata:
            found.setdefault(strata[item], []).append(score)
    return found


def averaged(category: str, values: Sequence[float]) -> dict[str, Any]:
    """Return a category's line: `score`, `se` (None for a single item) and `items`."""
    error = OF * stdev(values) / sqrt(len(values)) if len(values) > 1 else None
    return {
        "category": category,
        "score": round(OF * mean(values), 2),
        "se": None if error is None else round(error, 2),
        "items": len(values),
    }


def _told(name: str, found: Estimate | Worth) -> dict[str, float]:
    error = (found.high - found.low) / _ENDS
    return {name: round(OF * found.value, 2), "se": round(OF * error, 2)}
