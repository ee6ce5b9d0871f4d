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

from db.contender import Contender
from db.matrix import Floats, Items
from judges.statistics import Estimate

RESAMPLES = 1000
FEWEST = 2  # ensembles among which something was chosen
_PRODUCT = 500_000  # multiplications at once: more would wake threads, and fill the memory


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
    held_out = best.confirmation if best.confirmed else None
    return Chosen(best.digest, best.estimate.value, held_out, luck, len(full))


def inflation(
    rows: Sequence[Mapping[str, float]],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
    resamples: int = RESAMPLES,
) -> float:
    """Return how much too high the best of some ensembles' scores is expected to be.

    Args:
        rows: Item → score 0..1, an ensemble each. An item that one of them lacks counts as the
            mean of its category, a category as the mean of the others: no score changes by it.
        strata: Item → category.
        weights: Category → its share; empty for equal shares.
        resamples: Times the items are drawn.
    """
    seen = {item: name for item, name in strata.items() if any(item in row for row in rows)}
    if not seen:
        return 0.0
    items = Items.of(seen, weights)
    values, coefficients = items.filled(items.table(rows)), items.coefficients
    counts = _drawn(items, resamples)
    means = values @ coefficients
    luck, some = 0.0, max(1, _PRODUCT // values.size)
    for start in range(0, resamples, some):
        again = (counts[start : start + some] * coefficients) @ values.T
        best = again.argmax(1)
        luck += float((again[np.arange(len(again)), best] - means[best]).sum())
    return max(0.0, luck / resamples)


def _drawn(items: Items, resamples: int) -> Floats:
    """Return how often each item is drawn, resamples x items, within its category."""
    rng = np.random.default_rng(0)
    drawn = (rng.multinomial(n, np.full(n, 1 / n), resamples) for n in items.sizes)
    return np.concatenate(list(drawn), axis=1).astype(np.float64)
