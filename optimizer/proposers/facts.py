"""What single models and auditions tell of every set: mean, coverage, complementarity.

A model's scores alone, item by item, say how good the best answer in a set of models will be
(coverage) and how differently its members err (complementarity); as proposers of a second layer
models are known by what they made of one common first layer, the audition's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.outcome import Outcome
from optimizer.proposers.moves import Layer, Shape

Floats = NDArray[np.float64]

KNOWN = 0.5  # of the items at least that a model's row in a table needs
AUDITIONED = 3  # aggregators over one set from which they are compared
_SPREAD = 0.01  # least spread of models that differ at all


class Items:
    """The search items in a fixed order, each with its share of an ensemble's score.

    Args:
        shares: Item id → its share; they sum to one.
    """

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._column = {item: number for number, item in enumerate(shares)}
        self.shares: Floats = np.array(list(shares.values()), dtype=np.float64)
        self.count = len(shares)

    def row(self, scores: Mapping[str, float]) -> Floats:
        """Return scores in the items' order, NaN where there is none."""
        row = np.full(len(self._column), np.nan)
        for item, score in scores.items():
            if item in self._column:
                row[self._column[item]] = score
        return row


class Known(NamedTuple):
    """An ensemble that was scored.

    Attributes:
        row: Its scores in the items' order, NaN where there is none.
    """

    shape: Shape
    outcome: Outcome
    row: Floats


class Table:
    """Models x items, item difficulties removed and noise drawn in.

    Attributes:
        means: Model → how much better than the average model it is, 0..1 scale.
        spread: Standard deviation of the means.
    """

    def __init__(self, rows: Mapping[str, Floats], shares: Floats) -> None:
        kept = {m: r for m, r in rows.items() if np.isfinite(r).mean() >= KNOWN}
        self.models = {model: number for number, model in enumerate(kept)}
        self._shares = shares
        self.means: dict[str, float] = {}
        self.spread = 1.0
        if not kept:
            return
        values = np.stack(list(kept.values()))
        seen = np.isfinite(values)
        difficulty = np.where(seen, values, 0.0).sum(0) / np.maximum(seen.sum(0), 1)
        centred = np.where(seen, values - difficulty, 0.0)
        means = centred @ shares
        self.means = dict(zip(kept, means.tolist(), strict=True))
        self._residuals = centred - means[:, None]
        self._centred = centred
        self.spread = max(float(means.std()), _SPREAD)

    def __bool__(self) -> bool:
        return len(self.models) > 1

    def summary(self, models: Iterable[str]) -> tuple[float, float, float]:
        """Return mean, coverage and complementarity of a set; all 0 where it is unknown."""
        rows = [self.models[m] for m in models if m in self.models]
        if not rows:
            return 0.0, 0.0, 0.0
        chosen = self._centred[rows]
        coverage = float(chosen.max(axis=0) @ self._shares)
        residuals = self._residuals[rows]
        spread = residuals.std(axis=0) @ self._shares if len(rows) > 1 else 0.0
        return float(chosen.mean(axis=0) @ self._shares), coverage, float(spread)


class Facts:
    """Tables of the models alone and, for deeper layers, of the models as aggregators.

    Args:
        items: The search items.
        known: What was scored; of what tells the same, the oldest counts.

    Attributes:
        told_by: The ensembles the tables are made of; the same ones tell the same.
    """

    def __init__(self, items: Items, known: Sequence[Known]) -> None:
        alone, common = told_by(known)
        self.told_by = frozenset(one.shape for one in (*alone, *common))
        self.alone = Table({one.shape.aggregator: one.row for one in alone}, items.shares)
        self.auditioned = Table({one.shape.aggregator: one.row for one in common}, items.shares)
        self._summaries: dict[tuple[bool, tuple[str, ...]], tuple[float, float, float]] = {}

    def summary(self, models: tuple[str, ...], *, deep: bool) -> tuple[float, float, float]:
        """Return mean, coverage and complementarity of a layer's set."""
        key = (deep, models)
        if key not in self._summaries:
            table = self.auditioned if deep else self.alone
            self._summaries[key] = table.summary(models)
        return self._summaries[key]


def told_by(known: Sequence[Known]) -> tuple[list[Known], list[Known]]:
    """Return the single models, and the aggregators over the set that most were tried over."""
    over: dict[tuple[Layer, ...], dict[str, Known]] = {(): {}}
    for one in known:
        over.setdefault(one.shape.layers, {}).setdefault(one.shape.aggregator, one)
    alone = list(over.pop(()).values())
    common = list(max(over.values(), key=len, default={}).values())
    return alone, common if len(common) >= AUDITIONED else []
