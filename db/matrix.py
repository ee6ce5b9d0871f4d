"""Many ensembles on the same items as one matrix: what would be slow item by item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Items:
    """The columns: items by category, then name.

    Attributes:
        starts, sizes: (categories,): the first column of each and how many it has.
        shares: (categories,): what each weighs, together one.
    """

    names: tuple[str, ...]
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]
    shares: Floats

    @classmethod
    def of(cls, strata: Mapping[str, str], weights: Mapping[str, float]) -> Items:
        """Return the columns of items.

        Args:
            strata: Item → category, at least one.
            weights: Category → its share; empty for equal shares.
        """
        names = sorted(strata, key=lambda item: (strata[item], item))
        found = np.unique([strata[n] for n in names], return_index=True, return_counts=True)
        categories, starts, sizes = found
        shares = np.array([weights[str(c)] if weights else 1.0 for c in categories])
        return cls(tuple(names), starts, sizes, shares / shares.sum())

    @property
    def coefficients(self) -> Floats:
        """(items,): what each weighs in a mean over all of them."""
        return np.repeat(self.shares / self.sizes, self.sizes)

    def table(self, rows: Sequence[Mapping[str, float]]) -> Floats:
        """Return (rows, items): the values, NaN where a row has none."""
        return np.array([[row.get(name, np.nan) for name in self.names] for row in rows])

    def means(self, values: Floats) -> Floats:
        """Return (rows,): weighted means over the categories that a row has, as `mean` does."""
        means, known = self._by_category(values)
        parts = self.shares * known
        found: Floats = (parts * means).sum(axis=1) / parts.sum(axis=1)
        return found

    def filled(self, values: Floats) -> Floats:
        """Return the values without a gap, and every row's mean as it was.

        An item that a row lacks gets the mean of its category, a category the row's mean.
        """
        lacking = np.isnan(values)
        if not lacking.any():
            return values
        means, known = self._by_category(values)
        filling = np.where(known, means, self.means(values)[:, None])
        return np.where(lacking, np.repeat(filling, self.sizes, axis=1), values)

    def _by_category(self, values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return (rows, categories): means over the items a row has, and where it has any."""
        lacking = np.isnan(values)
        known = np.add.reduceat(~lacking, self.starts, axis=1, dtype=np.intp)
        sums = np.add.reduceat(np.where(lacking, 0.0, values), self.starts, axis=1)
        return sums / np.maximum(known, 1), known > 0
