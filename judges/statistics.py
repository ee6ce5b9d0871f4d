"""Means over a suite, and how sure they are.

A suite's value is the weighted mean over categories of the mean over items. Intervals are
percentile bootstraps over items within categories; `judges.resampling` says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from judges.resampling import Floats, Sample, freedom, intervals, shares, variances

RESAMPLES = 2000

COVERAGE = 0.95
"""Share of what was asked that must be scored for a mean to be ranked: what is missing is seldom
missing at random."""

_TIE = 1e-9


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
    means = (sum(group) / len(group) for group in groups.values())
    weighed = zip(shares(list(groups), weights), means, strict=True)
    return float(sum(share * value for share, value in weighed))


def estimate(
    scores: Mapping[str, float],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean of `scores` with its interval, which is everything for a single item.

    Raises:
        ValueError: There are no scores.
    """
    if not scores:
        raise ValueError("no scores")
    items = _sorted(scores, strata)
    means, sample = Sample.of(_row(scores, items), [strata[item] for item in items], weights)
    (low,), (high,) = intervals(means, sample, resamples, seed, 0.0)
    return Estimate(float(means[0]), float(low), float(high), len(items))


def difference(
    a: Mapping[str, float],
    b: Mapping[str, float],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Return the paired difference a - b over the items both have scores for.

    Raises:
        ValueError: They share no item.
    """
    found = Paired([a, b], strata, weights, resamples=resamples, seed=seed).differences([(0, 1)])
    if found[0] is None:
        raise ValueError("no scores")
    return found[0]


class Paired:
    """Many rows of scores, to be compared pair by pair as `difference` does.

    Pairs that share the same items share the resamples, which are most of the work.

    Args:
        rows: Each item → score.
        strata: Item → category, of all items there are.
        weights: Category → its share; empty for equal shares.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, float]],
        strata: Mapping[str, str],
        weights: Mapping[str, float],
        *,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> None:
        items = _sorted(strata, strata)
        self._categories = np.array([strata[item] for item in items])
        self._scores = np.concatenate([_row(row, items) for row in rows])
        self._weights = weights
        self._resamples, self._seed = resamples, seed

    def differences(self, pairs: Sequence[tuple[int, int]]) -> list[Difference | None]:
        """Return how much better the first of each pair is; None where no item is shared.

        Args:
            pairs: Places in `rows`.
        """
        found: list[Difference | None] = [None] * len(pairs)
        if not pairs:
            return found
        ones, others = np.array(pairs).T
        gaps = self._scores[ones] - self._scores[others]
        shared = ~np.isnan(gaps)
        alike: dict[bytes, list[int]] = {}
        for place, mask in enumerate(shared):
            alike.setdefault(mask.tobytes(), []).append(place)
        for like in alike.values():
            mask = shared[like[0]]
            if mask.any():
                made = self._made(gaps[like][:, mask], self._categories[mask].tolist())
                for place, one in zip(like, made, strict=True):
                    found[place] = one
        return found

    def _made(self, gaps: Floats, categories: Sequence[str]) -> list[Difference]:
        means, sample = Sample.of(gaps, categories, self._weights)
        low, high = intervals(means, sample, self._resamples, self._seed, -1.0)
        wins, losses = (gaps > _TIE).sum(axis=1), (gaps < -_TIE).sum(axis=1)
        items = len(categories)
        columns = (means.tolist(), low.tolist(), high.tolist(), wins.tolist(), losses.tolist())
        return [
            Difference(mean, below, above, items, won, lost, items - won - lost)
            for mean, below, above, won, lost in zip(*columns, strict=True)
        ]


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
    if not gaps:
        raise ValueError("no scores")
    items = _sorted(gaps, strata)
    means, sample = Sample.of(_row(gaps, items), [strata[item] for item in items], weights)
    error = float(np.sqrt(variances(sample).sum()))
    return Deviation(float(means[0]), error, float(freedom(sample)[0]), len(items))


def _sorted(items: Mapping[str, object], strata: Mapping[str, str]) -> list[str]:
    """Return items by category, then name, so that the order given changes nothing."""
    return sorted(items, key=lambda item: (strata[item], item))


def _row(scores: Mapping[str, float], items: Sequence[str]) -> Floats:
    """Return (1, items): the scores, NaN where there is none."""
    return np.array([[scores.get(item, np.nan) for item in items]])
