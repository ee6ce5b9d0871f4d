"""What an item tells about those who answered it: classical test theory over ensembles.

Discrimination is the corrected item-total correlation (Henrysson 1963): an item's scores against
those of the rest of the suite, the item itself left out, over the ensembles that have both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

CEILING, FLOOR = 0.95, 0.05
"""From the one on an answer counts as perfect, up to the other as worth nothing; 0 to 1."""

FEWEST = 3
"""Ensembles a correlation needs."""

_STILL = 1e-9

_Floats = NDArray[np.float64]


def discrimination(scores: Mapping[str, Mapping[int, float]]) -> dict[str, float | None]:
    """Return each item's correlation with the rest of the suite, -1 to 1.

    Ensembles that were stopped early have seen some items only, so the rest is the mean of what
    they are above or below each item's mean: no ensemble gains by having met the easy ones. None
    where fewer than three ensembles have both, or where all of them scored alike.

    Args:
        scores: Item → ensemble → score 0 to 1; what is unscored is left out.
    """
    items = list(scores)
    columns = {key: n for n, key in enumerate(sorted({e for own in scores.values() for e in own}))}
    table = np.full((len(items), len(columns)), np.nan)
    for number, item in enumerate(items):
        for ensemble, value in scores[item].items():
            table[number, columns[ensemble]] = value
    return {item: correlation(*row) for item, row in zip(items, _rows(table), strict=True)}


def disagreement(verdicts: Sequence[Mapping[str, float]]) -> float | None:
    """Return how far two judges of the same answer are apart, 0 to 1, on average.

    Args:
        verdicts: For each answer judge → score 0 to 1.

    Returns:
        The mean over answers of the mean distance of two judges; None where no answer was
        scored by two.
    """
    gaps = [
        fmean(abs(a - b) for a, b in combinations(by_judge.values(), 2))
        for by_judge in verdicts
        if len(by_judge) > 1
    ]
    return fmean(gaps) if gaps else None


def _rows(table: _Floats) -> list[tuple[_Floats, _Floats]]:
    """Return each item's scores and the ensembles' means over the rest, where both are known."""
    seen = ~np.isnan(table)
    counts = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    means = np.where(seen, table, 0.0).sum(axis=1, keepdims=True) / counts
    above = np.where(seen, table - means, 0.0)
    others = seen.sum(axis=0) - seen
    rest = (above.sum(axis=0) - above) / np.maximum(others, 1)
    both = seen & (others > 0)
    return [(table[n, both[n]], rest[n, both[n]]) for n in range(len(table))]


def correlation(a: _Floats, b: _Floats) -> float | None:
    """Return Pearson's, -1 to 1; None for fewer than three pairs or where one side is still."""
    if len(a) < FEWEST or np.ptp(a) < _STILL or np.ptp(b) < _STILL:
        return None
    return float(np.corrcoef(a, b)[0, 1])
