"""How much better the best ensemble is than the best single model, as two judges see it.

A judge that was searched by likes what was found more than others do: 29 to 64 % of an apparent
gain were judge fitting on seven Japanese models. So both gains are shown, and their gap.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from data.suites.item import Split
from db.contender import Contender, paired
from db.of_ten import difference_json, of_ten
from db.seen import Seen
from judges.statistics import Difference, difference


@dataclass(frozen=True, slots=True)
class Span:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Gain:
    """The gain of an ensemble over the best single model of the pool, on a scale of 0..1.

    Attributes:
        ensemble: Its label; `digest` the ensemble's.
        half: The items on which the search's judge is heard: held-out ones, so that the two
            judges read the same answers; the search items where it has not read those.
        search, report: As the search's judge and as the report judge see it.
        gap: What the search's judge sees more. Item by item where both read the same answers.
    """

    ensemble: str
    digest: str
    single: str
    half: Split
    search: Difference
    report: Difference
    gap: Span

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, of ten."""
        return {
            "ensemble": self.ensemble,
            "digest": self.digest,
            "single": self.single,
            "judge": {"half": self.half, **difference_json(self.search)},
            "report_judge": {"half": "held_out", **difference_json(self.report)},
            "gap": {
                "difference": of_ten(self.gap.value),
                "ci": [of_ten(self.gap.low), of_ten(self.gap.high)],
            },
        }


def gain(field: Sequence[Contender], outsiders: Collection[str]) -> Gain | None:
    """Return the gain of the best combination; None before it and a single model are confirmed.

    Args:
        field: Ensembles in the order of the leaderboard, scored by two judges.
        outsiders: Compared models that are no members of the pool.
    """
    confirmed = [one for one in field if one.confirmed and one.single not in outsiders]
    top = next((one for one in confirmed if one.single is None), None)
    single = next((one for one in confirmed if one.single is not None), None)
    if top is None or single is None or single.single is None:
        return None
    report = top.versus(single)
    both = paired(top.second, single.second, top.weights)
    search = both or paired(top.search, single.search, top.weights)
    if report is None or search is None:
        return None
    gap = _same_items(top, single) if both else None
    return Gain(
        ensemble=top.ensemble.label,
        digest=top.digest,
        single=single.single,
        half="held_out" if both else "search",
        search=search,
        report=report,
        gap=gap or _apart(search, report),
    )


def _same_items(top: Contender, single: Contender) -> Span | None:
    """Return the gap where both judges read the same answers: noise of the items falls out."""
    seen, reported = _halves(top.second, single.second), _halves(top.held_out, single.held_out)
    if top.held_out is None or not seen.keys() & reported.keys():
        return None
    found = difference(seen, reported, top.held_out.strata, top.weights)
    return Span(2 * found.value, 2 * found.low, 2 * found.high)


def _halves(a: Seen | None, b: Seen | None) -> Mapping[str, float]:
    """Return half the gain on each item: so that a difference of two gains is -1..1."""
    if a is None or b is None:
        return {}
    return {item: (a.scores[item] - b.scores[item]) / 2 for item in a.scores if item in b.scores}


def _apart(search: Difference, report: Difference) -> Span:
    """Return the gap of gains on different items: errors add as squares."""
    value = search.value - report.value
    down = hypot(search.value - search.low, report.high - report.value)
    up = hypot(search.high - search.value, report.value - report.low)
    return Span(value, value - down, value + up)
