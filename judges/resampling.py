"""Percentile bootstraps of weighted means: many rows of scores over the same items at once.

Efron and Tibshirani 1993, chapters 6 and 13, corrected for small suites, where plain percentiles
would be far too narrow: residuals are inflated by sqrt(n / (n - 1)), small categories share one
pool of residuals, and quantiles are stretched from the normal's to Student's t with
Satterthwaite's degrees of freedom.

Which items a resample draws depends on the sizes of the categories alone. So the resamples are
one matrix of what each item weighs in each, and a thousand intervals are one product with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ENOUGH = 8
"""Items of a category from which its own residuals are resampled, not the pool's."""

_T_975 = (12.706, 4.303, 3.182, 2.776)
Z_975 = 1.959964
_ROUNDING = 0.1 / 12**0.5
"""Standard deviation of what rounding to tenths hides: equal scores prove no more than that."""
_DIGITS = 12  # kept: the last ones depend on how the processor sums, and ties would show it
_PRODUCT = 1_000_000  # multiplications from which BLAS wakes threads, which costs more than it
_REMEMBERED = 1000  # most items of a matrix that is kept for the next call


class Sample(NamedTuple):
    """Rows of scores over items that are sorted by category, then name.

    Attributes:
        residuals: (rows, items): score less its category's mean, inflated; 0 where a category
            has one item.
        coefficients: (items,): what each weighs in the mean; they sum to one.
        sizes: (categories,): items of each.
    """

    residuals: Floats
    coefficients: Floats
    sizes: NDArray[np.intp]

    @classmethod
    def of(
        cls, values: Floats, categories: Sequence[str], weights: Mapping[str, float]
    ) -> tuple[Floats, Sample]:
        """Return the means of the rows of `values`, and the sample.

        Args:
            values: (rows, items), no NaN.
            categories: Of each item, sorted.
            weights: Category → its share; empty for equal shares.
        """
        names, sizes = np.unique(categories, return_counts=True)
        coefficients = np.repeat(shares(names.tolist(), weights) / sizes, sizes)
        if len(categories) == len(names):
            # One item each says nothing of the spread within: take the spread between.
            sizes = np.array([len(categories)])
        within = np.add.reduceat(values, np.cumsum(sizes) - sizes, axis=1) / sizes
        inflation = np.repeat(np.sqrt(sizes / np.maximum(sizes - 1, 1)), sizes)
        residuals = (values - np.repeat(within, sizes, axis=1)) * inflation
        means: Floats = (values @ coefficients).round(_DIGITS)
        return means, cls(residuals.round(_DIGITS), coefficients, sizes)


def shares(names: Sequence[str], weights: Mapping[str, float]) -> Floats:
    """Return what the categories weigh, renormalised to one; all the same without weights."""
    found = np.array([weights[name] if weights else 1.0 for name in names], dtype=np.float64)
    return found / float(found.sum())


def intervals(
    means: Floats, sample: Sample, resamples: int, seed: int, floor: float
) -> tuple[Floats, Floats]:
    """Return both ends of the 95 % interval of each row's mean, from `floor` to 1.

    A single item leaves everything open.
    """
    if len(sample.coefficients) == 1:
        return np.full_like(means, floor), np.ones_like(means)
    matrix = _resampled(sample, resamples, seed)
    some = max(1, _PRODUCT // matrix.size)
    rows = range(0, len(means), some)
    ends = [_tails(sample.residuals[row : row + some] @ matrix) for row in rows]
    low, high = np.concatenate(ends).T
    t = t_975(freedom(sample))
    rounding = t * _ROUNDING * float(np.sqrt(np.sum(sample.coefficients**2)))
    below, above = (np.maximum(t / Z_975 * end, rounding) for end in (-low, high))
    lows, highs = np.maximum(floor, means - below), np.minimum(1.0, means + above)
    return lows.round(_DIGITS), highs.round(_DIGITS)


def variances(sample: Sample) -> Floats:
    """Return (rows, categories): what each adds to the variance of the mean.

    Small categories share a pool.
    """
    starts = np.cumsum(sample.sizes) - sample.sizes
    squares = np.add.reduceat(sample.residuals**2, starts, axis=1)
    factors = np.add.reduceat(sample.coefficients**2, starts)
    own, seen = sample.sizes >= ENOUGH, sample.sizes > 1
    parts: Floats = np.where(own, factors * squares / sample.sizes, 0.0)
    together: Floats = parts + factors[~own].sum() * squares / max(sample.sizes[seen].sum(), 1)
    return together


def freedom(sample: Sample) -> Floats:
    """Return (rows,): Satterthwaite's degrees of freedom of the mean's variance.

    Categories that share the pool count as unlike: a single wide one leaves few degrees.
    """
    parts = variances(sample)
    spent = (parts**2 / np.maximum(sample.sizes - 1, 1)).sum(axis=1)
    found: Floats = np.full_like(spent, (sample.sizes - 1).sum())
    np.divide(parts.sum(axis=1) ** 2, spent, out=found, where=spent > 0)
    return found


def _resampled(sample: Sample, resamples: int, seed: int) -> Floats:
    """Return (items, resamples): what each item weighs in each resample."""
    small = len(sample.coefficients) <= _REMEMBERED
    made = _matrix if small else _matrix.__wrapped__
    sizes = tuple(sample.sizes.tolist())
    return made(sizes, sample.coefficients.tobytes(), resamples, seed)


@lru_cache(maxsize=4)
def _matrix(widths: tuple[int, ...], weighed: bytes, resamples: int, seed: int) -> Floats:
    sizes, coefficients = np.array(widths), np.frombuffer(weighed)
    items = len(coefficients)
    pooled = np.flatnonzero(np.repeat(sizes > 1, sizes))
    pool = np.concatenate([pooled, np.arange(items)])
    own = sizes >= ENOUGH
    starts = np.where(own, len(pooled) + np.cumsum(sizes) - sizes, 0)
    reach = np.where(own, sizes, len(pooled))
    draws = np.random.default_rng(seed).random((resamples, items))
    drawn = (draws * np.repeat(reach, sizes)).astype(np.intp) + np.repeat(starts, sizes)
    cells = pool[drawn] * resamples + np.arange(resamples)[:, None]
    weights = np.tile(coefficients, resamples)
    flat: Floats = np.bincount(cells.ravel(), weights, items * resamples).astype(np.float64)
    return flat.reshape(items, resamples)


def _tails(deviations: Floats) -> Floats:
    """Return (rows, 2): the 2.5 and 97.5 % quantiles of each row, which is put out of order.

    `numpy.quantile` would turn the rows into columns and take three times as long.
    """
    last = deviations.shape[1] - 1
    places = [0.025 * last, 0.975 * last]
    below = [int(place) for place in places]
    above = [min(place + 1, last) for place in below]
    deviations.partition(sorted({*below, *above}), axis=1)
    parts = np.array(places) - below
    found: Floats = deviations[:, below] * (1 - parts) + deviations[:, above] * parts
    return found


def t_975(degrees: Floats) -> Floats:
    """Return the 97.5 % quantile of Student's t: exact to 0.3 % (Abramowitz, Stegun 26.7.5)."""
    table = np.interp(degrees, np.arange(1, len(_T_975) + 1), _T_975)
    z, v = Z_975, np.maximum(degrees, len(_T_975))
    series = z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    found: Floats = np.where(degrees < len(_T_975), table, series)
    return found
