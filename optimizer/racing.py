"""When to stop evaluating an ensemble that cannot win.

The candidate is compared with the incumbent on the items both have answered, after every look.
Looking repeatedly would inflate the error of a plain test, so each look uses Pocock's constant
for the number of looks planned (Pocock 1977, Biometrika 64; one-sided 5 %).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.suites import Item

# Critical value by number of planned looks; beyond the table it grows by less than 0.02 a look.
_POCOCK = (1.645, 1.875, 1.992, 2.067, 2.122, 2.164, 2.197, 2.225, 2.249, 2.270)


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

    The first comes when every category was seen twice, the others one round later each.
    """
    categories = len({item.category for item in items})
    return [*range(2 * categories, len(items), categories), len(items)]


def compare(
    candidate: Mapping[str, float], incumbent: Mapping[str, float], planned: int
) -> Standing:
    """Compare paired scores; with fewer than two pairs nothing is hopeless.

    Args:
        candidate: Item id → score, 0..1.
        incumbent: The same of the ensemble to beat.
        planned: Looks planned over the whole evaluation, this one included.
    """
    shared = sorted(candidate.keys() & incumbent.keys())
    if len(shared) < 2:
        return Standing(0.0, hopeless=False)
    pairs = np.array([candidate[i] - incumbent[i] for i in shared])
    error = float(pairs.std(ddof=1)) / len(pairs) ** 0.5
    mean = float(pairs.mean())
    critical = _POCOCK[min(planned, len(_POCOCK)) - 1]
    return Standing(mean, hopeless=mean < -critical * error)
