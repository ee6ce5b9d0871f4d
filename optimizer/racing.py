"""When to stop evaluating an ensemble that cannot win.

The candidate is compared with the incumbent on the items both have answered, after every look.
Looking repeatedly would inflate the error of a plain test, so each look uses Pocock's constant
for the number of looks planned (Pocock 1977, Biometrika 64; one-sided 5 %). The constants are
the normal's; a few pairs follow Student's t, whose tails are heavier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.suites import Item
from judges.statistics import Deviation, deviation, mean

# Critical value by number of planned looks.
_POCOCK = (1.645, 1.875, 1.992, 2.067, 2.122, 2.164, 2.197, 2.225, 2.249, 2.270)

MOST_LOOKS = len(_POCOCK)
_ALIKE = 1e-9  # what differs by less differs by rounding
FEWEST = 8  # pairs; of fewer, all may differ by the same whole point of a rating by chance


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate against the incumbent, on the items both have.

    Attributes:
        difference: Mean of candidate minus incumbent, 0..1 scale.
        hopeless: Whether the candidate is worse beyond what the looks' chance explains.
    """

    difference: float
    hopeless: bool


def looks(items: Sequence[Item]) -> list[int]:
    """Return after how many items of the stratified order to look, the last look at the end.

    The first comes when every category was seen twice and there may be enough pairs, the others
    after whole rounds over the categories, `MOST_LOOKS` in all.
    """
    categories = len({item.category for item in items}) or 1
    first = categories * max(2, -(-FEWEST // categories))
    rounds = range(first, len(items), categories)
    step = -(-len(rounds) // (MOST_LOOKS - 1)) or 1
    return [*rounds[::step], len(items)]


def compare(
    candidate: Mapping[str, float],
    incumbent: Mapping[str, float],
    planned: int,
    strata: Mapping[str, str],
    weights: Mapping[str, float],
) -> Standing:
    """Compare paired scores as the study weighs them; of fewer than `FEWEST` pairs none is lost.

    Args:
        candidate: Item id → score, 0..1.
        incumbent: The same of the ensemble to beat.
        planned: Looks planned over the whole evaluation, this one included.
        strata: Item id → category.
        weights: Category → its share of the score.
    """
    gaps = {i: candidate[i] - incumbent[i] for i in candidate if i in incumbent}
    if len(gaps) < FEWEST:
        return Standing(mean(gaps, strata, weights) if gaps else 0.0, hopeless=False)
    found = deviation(candidate, incumbent, strata, weights)
    critical = _POCOCK[min(planned, MOST_LOOKS) - 1]
    return Standing(found.value, _deviate(found) < -critical)


def _deviate(found: Deviation) -> float:
    """Return the normal deviate as likely as the pairs' t (Wallace 1959, Ann. Math. Stat. 30)."""
    if found.error < _ALIKE:
        return math.copysign(math.inf, found.value) if abs(found.value) > _ALIKE else 0.0
    v, t = found.freedom, found.value / found.error
    size = math.sqrt(v * math.log1p(t * t / v)) * (8 * v + 1) / (8 * v + 3)
    return math.copysign(size, t)
