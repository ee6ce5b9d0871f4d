"""Means over a suite, and how sure they are.

A suite's value is the weighted mean over categories of the mean over items. Intervals are
percentile bootstraps over items within categories (Efron and Tibshirani 1993, chapters 6 and 13),
corrected for small suites, where they would be far too narrow: residuals are inflated by
sqrt(n / (n - 1)), small categories share one pool of residuals, and quantiles are stretched from
the normal's to Student's t with Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

ENOUGH = 8
"""Items of a category from which its own residuals are resampled, not the pool's."""

_T_975 = (12.706, 4.303, 3.182, 2.776)
Z_975 = 1.959964
_TIE = 1e-9
_ROUNDING = 0.1 / 12**0.5
"""Standard deviation of what rounding to tenths hides: equal scores prove no more than that."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean score, 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float
    items: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a is than b on the items both have, -1 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float
    items: int
    wins: int
    losses: int
    ties: int


class Deviation(NamedTuple):
    """A paired difference, -1 to 1, its standard error and that error's degrees of freedom."""

    value: float
    error: float
    freedom: float
    items: int


def mean(
    scores: Mapping[str, float], strata: Mapping[str, str], weights: Mapping[str, float]
) -> float:
    """Return the weighted mean over categories of the mean over items.

    Args:
        scores: Item → its score; unscored items are left out.
        strata: Item → its category.
        weights: Category → its share, renormalised over those present; empty for equal shares.

    Raises:
        ValueError: There are no scores.
    """
    groups: dict[str, list[float]] = {}
    for item, score in scores.items():
        groups.setdefault(strata[item], []).append(score)
    if not groups:
        raise ValueError("no scores")
    shares = _shares(list(groups), weights)
    means = (sum(group) / len(group) for group in groups.values())
    return float(sum(share * value for share, value in zip(shares, means, strict=True)))


def estimate(
    scores: Mapping[str, float],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return the mean of `scores` with its interval, which is everything for a single item.

    Raises:
        ValueError: There are no scores.
    """
    value = mean(scores, strata, weights)
    low, high = _interval(value, _Sample.of(scores, strata, weights), resamples, seed, 0.0)
    return Estimate(value, low, high, len(scores))


def difference(
    a: Mapping[str, float],
    b: Mapping[str, float],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Return the paired difference a - b over the items both have scores for.

    Raises:
        ValueError: They share no item.
    """
    gaps = {item: a[item] - b[item] for item in a if item in b}
    value = mean(gaps, strata, weights)
    low, high = _interval(value, _Sample.of(gaps, strata, weights), resamples, seed, -1.0)
    wins = sum(gap > _TIE for gap in gaps.values())
    losses = sum(gap < -_TIE for gap in gaps.values())
    return Difference(value, low, high, len(gaps), wins, losses, len(gaps) - wins - losses)


def deviation(
    a: Mapping[str, float],
    b: Mapping[str, float],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
) -> Deviation:
    """Return the paired difference a - b with its standard error, without resampling.

    Raises:
        ValueError: They share no item.
    """
    gaps = {item: a[item] - b[item] for item in a if item in b}
    sample = _Sample.of(gaps, strata, weights)
    error = float(np.sqrt(_parts(sample).sum()))
    return Deviation(mean(gaps, strata, weights), error, _freedom(sample), len(gaps))


class _Sample(NamedTuple):
    """Scores sorted by category, then item, so that the order given changes nothing.

    Attributes:
        residuals: Score less its category's mean, inflated; 0 where a category has one item.
        coefficients: What each item weighs in the mean; they sum to one.
        sizes: Items of each category.
    """

    residuals: _Floats
    coefficients: _Floats
    sizes: NDArray[np.intp]

    @classmethod
    def of(
        cls, scores: Mapping[str, float], strata: Mapping[str, str], weights: Mapping[str, float]
    ) -> _Sample:
        rows = sorted((strata[item], item, score) for item, score in scores.items())
        names, sizes = np.unique([row[0] for row in rows], return_counts=True)
        coefficients = np.repeat(_shares(names.tolist(), weights) / sizes, sizes)
        if len(rows) == len(names):
            # One item each says nothing of the spread within: take the spread between.
            sizes = np.array([len(rows)])
        values = np.array([row[2] for row in rows])
        means = np.add.reduceat(values, np.cumsum(sizes) - sizes) / sizes
        inflation = np.sqrt(sizes / np.maximum(sizes - 1, 1))
        residuals = (values - np.repeat(means, sizes)) * np.repeat(inflation, sizes)
        return cls(residuals.round(12), coefficients, sizes)


def _shares(names: Collection[str], weights: Mapping[str, float]) -> _Floats:
    shares = np.array([weights[name] if weights else 1.0 for name in names], dtype=np.float64)
    return shares / float(shares.sum())


def _interval(
    value: float, sample: _Sample, resamples: int, seed: int, floor: float
) -> tuple[float, float]:
    if len(sample.residuals) == 1:
        return floor, 1.0
    low, high = np.quantile(_deviations(sample, resamples, seed), (0.025, 0.975))
    t = t_975(_freedom(sample))
    rounding = t * _ROUNDING * float(np.sqrt(np.sum(sample.coefficients**2)))
    below, above = (max(t / Z_975 * float(end), rounding) for end in (-low, high))
    return max(floor, value - below), min(1.0, value + above)


def _deviations(sample: _Sample, resamples: int, seed: int) -> _Floats:
    """Return resampled deviations of the mean, one each resample."""
    pooled = np.repeat(sample.sizes > 1, sample.sizes)
    pool = np.concatenate([sample.residuals[pooled], sample.residuals])
    own = sample.sizes >= ENOUGH
    starts = np.where(own, pooled.sum() + np.cumsum(sample.sizes) - sample.sizes, 0)
    reach = np.where(own, sample.sizes, pooled.sum())
    draws = np.random.default_rng(seed).random((resamples, len(sample.residuals)))
    rows = (draws * np.repeat(reach, sample.sizes)).astype(np.intp)
    rows += np.repeat(starts, sample.sizes)
    deviations: _Floats = pool[rows] @ sample.coefficients
    return deviations


def _parts(sample: _Sample) -> _Floats:
    """Return what each category adds to the variance of the mean; small ones share a pool."""
    starts = np.cumsum(sample.sizes) - sample.sizes
    squares = np.add.reduceat(sample.residuals**2, starts)
    factors = np.add.reduceat(sample.coefficients**2, starts)
    own, seen = sample.sizes >= ENOUGH, sample.sizes > 1
    parts = np.where(own, factors * squares / sample.sizes, 0.0)
    parts += factors[~own].sum() * squares / sample.sizes[seen].sum()
    return parts


def _freedom(sample: _Sample) -> float:
    """Return Satterthwaite's degrees of freedom of the mean's variance.

    Categories that share the pool count as unlike: a single wide one leaves few degrees.
    """
    parts = _parts(sample)
    spent = float((parts**2 / np.maximum(sample.sizes - 1, 1)).sum())
    return float(parts.sum()) ** 2 / spent if spent else float((sample.sizes - 1).sum())


def t_975(freedom: float) -> float:
    """Return the 97.5 % quantile of Student's t: exact to 0.3 % (Abramowitz, Stegun 26.7.5)."""
    if freedom < len(_T_975):
        whole = np.arange(1, len(_T_975) + 1)
        return float(np.interp(freedom, whole, _T_975))
    z, v = Z_975, freedom
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
