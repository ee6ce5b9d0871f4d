"""How scores are shown: kept 0..1, printed and written 0..10."""

from __future__ import annotations

from typing import Any

from judges.statistics import Difference, Estimate

OF = 10


def of_ten(value: float) -> float:
    """Return a score of 0..1 as JSON shows it."""
    return round(value * OF, 4)


def estimate_json(estimate: Estimate | None) -> dict[str, Any]:
    """Return `score` and `ci`; both None where nothing was scored."""
    if estimate is None:
        return {"score": None, "ci": None}
    return {"score": of_ten(estimate.value), "ci": [of_ten(estimate.low), of_ten(estimate.high)]}


def difference_json(found: Difference) -> dict[str, Any]:
    """Return the form of an entry of CONTRACT `vs`."""
    return {
        "difference": of_ten(found.value),
        "ci": [of_ten(found.low), of_ten(found.high)],
        "wins": found.wins,
        "losses": found.losses,
        "ties": found.ties,
    }
