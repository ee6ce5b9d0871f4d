"""How sure an estimate is whose evidence comes in clusters: two turns, or all duels of a question.

Clusters are resampled by the Bayesian bootstrap (Rubin 1981): each draw weighs every cluster by
an exponential variate. Drawing whole clusters with replacement has the same spread to first
order, but leaves some out, and with them the only win of a model now and then; under positive
weights whatever could be estimated can be estimated in every draw.
"""

from __future__ import annotations

import numpy as np

from judges.resampling import Z_975, Floats, t_975

RESAMPLES = 1000


def cluster_weights(clusters: int, resamples: int, seed: int) -> Floats:
    """Return positive weights of mean one, [resamples, clusters]."""
    return np.random.default_rng(seed).standard_exponential((resamples, clusters))


def interval(value: Floats, draws: Floats, clusters: int) -> tuple[Floats, Floats]:
    """Return the ends of 95 % intervals, [...]; everything where there is a single cluster.

    Quantiles of the draws, their distance from the value stretched to Student's t and by what
    such weights vary less than means of as many clusters do.

    Args:
        value: Estimates, [...].
        draws: The same under each draw's weights, [resamples, ...].
        clusters: Number of clusters behind them.
    """
    if clusters < 2:
        return np.full(value.shape, -np.inf), np.full(value.shape, np.inf)
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    stretch = t_975(np.array(clusters - 1.0)) / Z_975 * ((clusters + 1) / (clusters - 1)) ** 0.5
    return value + stretch * (low - value), value + stretch * (high - value)
