"""How much of the best search score is luck.

The best of many noisy scores is too high on average (winner's curse). How much is estimated by
the bootstrap of the selection itself (Efron and Tibshirani 1993, chapter 17): items are drawn
anew within their categories, for all ensembles at once, the best is chosen by its score on them,
and that score is compared with the ensemble's score on all items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.contender import Contender
from judges.statistics import Estimate

RESAMPLES = 2000
FEWEST = 2  # ensembles among which something was chosen


@dataclass(frozen=True, slots=True)
class Chosen:
    """The ensemble that led the search, with what its score is expected to lose; 0..1 scale.

    Attributes:
        digest: Of the best search score among those evaluated in full.
        search: That score.
        held_out: Its score on held-out items, if it was confirmed.
        inflation: What the best of `among` scores is expected to be too high by.
    """

    digest: str
    search: float
    held_out: Estimate | None
    inflation: float
    among: int

    def to_json(self, of: int) -> dict[str, Any]:
        """Return the form of `leaderboard --json`, scores up to `of`."""
        held_out = None if self.held_out is None else round(self.held_out.value * of, 4)
        return {
            "digest": self.digest,
            "search": round(self.search * of, 4),
            "held_out": held_out,
            "expected_inflation": round(self.inflation * of, 4),
            "among": self.among,
        }


def chosen(field: Sequence[Contender]) -> Chosen | None:
    """Return the best by search score with its expected inflation; None without a choice."""
    full = [c for c in field if c.ranked and c.search and c.estimate]
    full = [c for c in full if c.search and c.search.evaluation.state == "COMPLETE"]
    if len(full) < FEWEST:
        return None
    best = max(full, key=lambda c: (c.estimate.value if c.estimate else 0.0, c.digest))
    assert best.search is not None
    assert best.estimate is not None
    rows = [c.search.scores for c in full if c.search]
    luck = inflation(rows, best.search.strata, best.weights)
    return Chosen(best.digest, best.estimate.value, best.confirmation, luck, len(full))


def inflation(
    rows: Sequence[Mapping[str, float]],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
    resamples: int = RESAMPLES,
) -> float:
    """Return how much too high the best of some ensembles' scores is expected to be.

    Args:
        rows: Item → score 0..1, an ensemble each; only items that all have count.
        strata: Item → category.
        weights: Category → its share; empty for equal shares.
        resamples: Times the items are drawn.
    """
    items = sorted(set.intersection(*(set(row) for row in rows)), key=lambda i: (strata[i], i))
    if not items:
        return 0.0
    values = np.array([[row[item] for item in items] for row in rows])
    names, starts, sizes = np.unique(
        [strata[item] for item in items], return_index=True, return_counts=True
    )
    shares = np.array([weights.get(str(n), 1.0) if weights else 1.0 for n in names])
    coefficients = np.repeat(shares / shares.sum() / sizes, sizes)
    counts = _drawn(starts, sizes, resamples)
    means = values @ coefficients
    again = values @ (counts * coefficients).T  # ensembles x resamples
    best = again.argmax(0)
    return float(max(0.0, (again[best, np.arange(resamples)] - means[best]).mean()))


def _drawn(
    starts: NDArray[np.intp], sizes: NDArray[np.intp], resamples: int
) -> NDArray[np.float64]:
    """Return how often each item is drawn, resamples x items, within its category."""
    rng = np.random.default_rng(0)
    out = np.zeros((resamples, int(sizes.sum())))
    for start, size in zip(starts, sizes, strict=True):
        out[:, start : start + size] = rng.multinomial(size, np.full(size, 1 / size), resamples)
    return out
