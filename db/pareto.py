"""Quality against cost: what nothing beats in both, and the cheapest that is as good as the best.

Cost is USD an answer or, where nothing is paid, seconds an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from db.contender import Comparisons, Contender
from db.seen import Seen
from judges.statistics import Difference

Unit = Literal["usd", "seconds"]


class Point(NamedTuple):
    """An ensemble's cost and its score 0..1."""

    cost: float
    value: float
    digest: str


@dataclass(frozen=True, slots=True)
class Offer:
    """An ensemble and how much cheaper than others it is.

    Attributes:
        cheaper: Baseline → its cost over this one's; None where this one costs nothing.
    """

    digest: str
    cost: float
    cheaper: Mapping[str, float | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; costs and ratios rounded."""
        ratios = {m: None if r is None else round(r, 3) for m, r in self.cheaper.items()}
        return {"digest": self.digest, "cost": round(self.cost, 9), "times_cheaper": ratios}


@dataclass(frozen=True, slots=True)
class Trade:
    """What a study offers for how much.

    Attributes:
        front: Ensembles that none beats in both score and cost, cheapest first.
        best: The leaderboard's first.
        cheapest: The cheapest that the best is not proved to beat, the best itself included;
            `gap` is its paired difference to the best, None where it is the best.
        saving: The best's cost over the cheapest's; None where that one costs nothing.
    """

    unit: Unit
    front: tuple[Point, ...]
    best: Offer
    cheapest: Offer
    gap: Difference | None
    saving: float | None

    def holds(self, one: Contender) -> bool:
        """Tell whether an ensemble, as its study evaluated it, is on the front."""
        return _whole(one) and _point(one, self.unit) in self.front

    def to_json(self) -> dict[str, Any]:
        """Return the form of `leaderboard --json`'s `pareto`: scores 0-10, intervals 95 %."""
        points = [
            {"digest": p.digest, "cost": round(p.cost, 9), "score": round(10 * p.value, 4)}
            for p in self.front
        ]
        found = self.gap
        gap = None if found is None else round(10 * found.value, 4)
        ends = None if found is None else [round(10 * end, 4) for end in (found.low, found.high)]
        saving = None if self.saving is None else round(self.saving, 3)
        return {
            "unit": self.unit,
            "front": points,
            "best": self.best.to_json(),
            "cheapest": {
                **self.cheapest.to_json(),
                "difference": gap,
                "ci": ends,
                "times_cheaper_than_best": saving,
            },
        }


def front(points: Iterable[Point]) -> list[Point]:
    """Return the points that none beats in both score and cost, cheapest first; equals stay."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.value, p.digest)):
        if not found or point.value > found[-1].value or point[:2] == found[-1][:2]:
            found.append(point)
    return found


def cost(one: Seen, unit: Unit) -> float:
    """Return what an answer costs."""
    total = one.usd if unit == "usd" else sum(one.seconds)
    return total / max(len(one.seconds), 1)


def trade(
    field: Sequence[Contender], baselines: Mapping[str, Contender], compared: Comparisons
) -> Trade | None:
    """Return what a study offers, or None while nothing is ranked and evaluated in full.

    Args:
        field: In the order of the leaderboard.
        baselines: Whom costs are compared with, by name.
        compared: The field's comparisons.
    """
    full = [one for one in field if _whole(one)]
    if not full:
        return None
    unit: Unit = "usd" if any(one.main.usd > 0 for one in full) else "seconds"
    best = full[0]
    cheap = sorted(full, key=lambda one: (cost(one.main, unit), one.place))
    cheapest = cheap[compared.first(best, cheap, apart=False)]  # the best at the latest
    return Trade(
        unit=unit,
        front=tuple(front({_point(one, unit) for one in full})),
        best=_offer(best, baselines, unit),
        cheapest=_offer(cheapest, baselines, unit),
        gap=None if cheapest is best else cheapest.versus(best),
        saving=_ratio(best, cheapest, unit),
    )


def _whole(one: Contender) -> bool:
    return one.ranked and one.search is not None and one.search.evaluation.state == "COMPLETE"


def _point(one: Contender, unit: Unit) -> Point:
    return Point(cost(one.main, unit), one.value or 0.0, one.digest)


def _offer(one: Contender, baselines: Mapping[str, Contender], unit: Unit) -> Offer:
    ratios = {n: _ratio(other, one, unit) for n, other in baselines.items() if other is not one}
    return Offer(one.digest, cost(one.main, unit), ratios)


def _ratio(dear: Contender, cheap: Contender, unit: Unit) -> float | None:
    paid = cost(cheap.main, unit)
    return cost(dear.main, unit) / paid if paid else None
