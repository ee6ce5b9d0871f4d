"""Intervals over clusters hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from judges.clusters import cluster_weights, interval


def test_the_interval_of_a_mean_is_student_s() -> None:
    values = np.append(drawn := np.random.default_rng(1).normal(3, 2, 6), 6 - drawn)
    weights = cluster_weights(12, 40_000, 0)
    draws = (weights @ values) / weights.sum(axis=1)
    low, high = interval(values.mean(), draws, 12)
    wanted = scipy.stats.t.interval(0.95, 11, values.mean(), scipy.stats.sem(values))
    assert (float(low), float(high)) == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("clusters", [5, 20])
def test_intervals_cover_the_truth(clusters: int) -> None:
    rng = np.random.default_rng(4)
    weights = cluster_weights(clusters, 400, 0)
    shares = weights / weights.sum(axis=1, keepdims=True)
    values = rng.normal(0, 1, (1000, clusters))
    low, high = interval(values.mean(axis=1), shares @ values.T, clusters)
    assert 0.93 <= np.mean((low <= 0) & (high >= 0)) <= 0.975


def test_one_cluster_says_nothing() -> None:
    low, high = interval(np.array([0.5, 1.0]), np.ones((10, 2)), 1)
    assert np.isneginf(low).all()
    assert np.isposinf(high).all()


def test_weights_are_positive_of_mean_one_and_follow_the_seed() -> None:
    weights = cluster_weights(30, 1000, 3)
    assert weights.shape == (1000, 30)
    assert weights.min() > 0
    assert weights.mean() == pytest.approx(1, abs=0.02)
    assert (weights == cluster_weights(30, 1000, 3)).all()
    assert (weights != cluster_weights(30, 1000, 4)).all()
