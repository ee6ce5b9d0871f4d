"""A Gaussian process over ensembles (Rasmussen and Williams 2006), with numpy alone.

The kernel is a sum: nearness of membership, a linear part, nearness of what is known of the sets,
and a product "same aggregator x similar sets" that learns each aggregator's taste. Weights and
ranges maximise the marginal likelihood, one after the other over a few values each; noise is
given for each point up to a common factor, which is never small: a kernel that believes scores
finds structure in luck.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.proposers.facts import Floats
from optimizer.proposers.features import Points

_JITTER = 1e-6
_CORNER = 1e12  # more than y' K^-1 y can be


class Theta(NamedTuple):
    """Weights and ranges of the kernel's parts; `noise` multiplies what is known of it."""

    near: float = 0.6
    reach: float = 1.5
    linear: float = 0.3
    known: float = 0.3
    breadth: float = 2.0
    taste: float = 0.3
    noise: float = 1.0


_GRID: dict[str, tuple[float, ...]] = {
    "near": (0.1, 0.3, 0.6, 1.0),
    "reach": (0.7, 1.0, 1.5, 2.2, 3.2),
    "linear": (0.03, 0.1, 0.3, 1.0),
    "known": (0.0, 0.1, 0.3, 1.0),
    "breadth": (1.0, 2.0, 4.0),
    "taste": (0.0, 0.1, 0.3, 1.0),
    "noise": (0.6, 1.0, 2.0),
}
_SWEEPS = 2


class _Parts(NamedTuple):
    """What the kernel is made of between two lots of points."""

    apart: Floats
    linear: Floats
    unlike: Floats
    same: NDArray[np.bool_]

    def kernel(self, theta: Theta) -> Floats:
        total = theta.near * np.exp(self.apart / (-2 * theta.reach**2))
        total += theta.linear * self.linear
        if theta.known or theta.taste:
            alike = np.exp(self.unlike / (-2 * theta.breadth**2))
            total += alike * (theta.known + theta.taste * self.same)
        found: Floats = total
        return found


def _parts(a: Points, b: Points) -> _Parts:
    members, sets = a.members @ b.members.T, a.sets @ b.sets.T
    return _Parts(
        _squares(a.members, b.members, members),
        members / 4 + sets / 16,
        _squares(a.sets, b.sets, sets),
        a.aggregators[:, None] == b.aggregators[None],
    )


def _squares(a: Floats, b: Floats, product: Floats) -> Floats:
    found: Floats = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * product, 0.0)
    return found


class Process:
    """A Gaussian process given some points.

    Args:
        points: Where.
        values: What was seen there, on any scale.
        noises: Variance of each value, on that scale squared.
        theta: The kernel; None chooses it by likelihood, starting from `start`.
        start: Where to start.
    """

    def __init__(
        self,
        points: Points,
        values: Floats,
        noises: Floats,
        theta: Theta | None = None,
        start: Theta | None = None,
    ) -> None:
        self._points = points
        self._mean, self._scale = float(values.mean()), max(float(values.std()), 1e-6)
        self._targets = (values - self._mean) / self._scale
        self._noises = noises / self._scale**2
        parts = _parts(points, points)
        self.theta = theta or self._fitted(parts, start or Theta())
        covariance = self._noisy(parts, self.theta)
        self._inverse = np.linalg.inv(covariance).astype(np.float64)
        self._weights = self._inverse @ self._targets

    def given(self, points: Points) -> Process:
        """Return the process as if its own mean had been seen at some points."""
        if not len(points.aggregators):
            return self
        means, _ = self.predict(points)
        values = np.concatenate([self._targets * self._scale + self._mean, means])
        seen = float(np.median(self._noises)) * self._scale**2
        noises = np.concatenate([self._noises * self._scale**2, np.full(len(means), seen)])
        return Process(self._points.plus(points), values, noises, self.theta)

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the noiseless value at each point."""
        cross = _parts(points, self._points).kernel(self.theta)
        prior = (
            self.theta.near
            + self.theta.known
            + self.theta.taste
            + self.theta.linear * ((points.members**2).sum(1) / 4 + (points.sets**2).sum(1) / 16)
        )
        left = prior - np.einsum("ij,ij->i", cross @ self._inverse, cross)
        means: Floats = cross @ self._weights * self._scale + self._mean
        errors: Floats = np.sqrt(np.maximum(left, 1e-9)) * self._scale
        return means, errors

    def _noisy(self, parts: _Parts, theta: Theta) -> Floats:
        covariance = parts.kernel(theta)
        covariance[np.diag_indices_from(covariance)] += theta.noise * self._noises + _JITTER
        return covariance

    def _fitted(self, parts: _Parts, start: Theta) -> Theta:
        best, worth = start, self._likelihood(parts, start)
        for _ in range(_SWEEPS):
            before = best
            for name, options in _GRID.items():
                for option in options:
                    other = best._replace(**{name: option})
                    if other == best:
                        continue
                    found = self._likelihood(parts, other)
                    if found > worth:
                        best, worth = other, found
            if best == before:
                break
        return best

    def _likelihood(self, parts: _Parts, theta: Theta) -> float:
        count = len(self._targets)
        bordered = np.empty((count + 1, count + 1))
        bordered[:count, :count] = self._noisy(parts, theta)
        bordered[count, :count] = bordered[:count, count] = self._targets
        bordered[count, count] = _CORNER
        try:
            lower = np.linalg.cholesky(bordered)
        except np.linalg.LinAlgError:
            return -np.inf
        white = lower[count, :count]  # L^-1 y, without a triangular solve, which numpy lacks
        return float(-0.5 * white @ white - np.log(np.diag(lower)[:count]).sum())
