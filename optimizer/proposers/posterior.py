"""What everything evaluated so far says of any ensemble of the space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.outcome import Outcome
from optimizer.proposers.facts import Facts, Floats, Items, Known, told_by
from optimizer.proposers.features import Encoder, Points
from optimizer.proposers.gp import Process, Theta
from optimizer.proposers.moves import Shape, shape_of
from optimizer.space import Space

MOST = 250  # outcomes the process is given: the best, and the latest
REFIT = 1.15  # growth of the archive after which the kernel is chosen anew


class Memory:
    """What need not be computed again at the next ask: shapes, rows of scores, the kernel.

    Args:
        space: Ensembles outside of it are left out.
        shares: Item id → its share of a score.
    """

    def __init__(self, space: Space, shares: Mapping[str, float]) -> None:
        self.space, self.items = space, Items(shares)
        self._shapes: dict[str, Shape | None] = {}
        self._rows: dict[str, Floats] = {}
        self._encoder: Encoder | None = None
        self._theta: Theta | None = None
        self._fitted = 0  # outcomes known when the kernel was chosen

    def shape(self, ensemble: Ensemble, digest: str = "") -> Shape | None:
        """Return the shape of an ensemble, None for one outside the space."""
        digest = digest or ensemble.digest
        if digest not in self._shapes:
            inside = self.space.contains(ensemble)
            self._shapes[digest] = shape_of(ensemble) if inside else None
        return self._shapes[digest]

    def known(self, archive: Archive) -> list[Known]:
        """Return what was scored, oldest first."""
        return [
            Known(shape, outcome, self._row(digest, outcome))
            for digest, outcome in archive.named()
            if outcome.scores and (shape := self.shape(outcome.ensemble, digest)) is not None
        ]

    def _row(self, digest: str, outcome: Outcome) -> Floats:
        if digest not in self._rows:
            self._rows[digest] = self.items.row(outcome.scores)
        return self._rows[digest]

    def encoder(self, known: Sequence[Known]) -> Encoder:
        """Return the encoder, the last one while nothing new is known of the models."""
        alone, common = told_by(known)
        shapes = frozenset(one.shape for one in (*alone, *common))
        if self._encoder is None or self._encoder.facts.told_by != shapes:
            self._encoder = Encoder(self.space, Facts(self.items, known))
        return self._encoder

    def process(self, known: int, points: Points, values: Floats, noises: Floats) -> Process:
        """Return the process, its kernel chosen anew once enough more is known."""
        if self._theta is not None and known < REFIT * self._fitted:
            return Process(points, values, noises, self._theta)
        process = Process(points, values, noises, start=self._theta)
        self._fitted, self._theta = known, process.theta
        return process


class Posterior:
    """What is expected of any shape after everything in an archive.

    Attributes:
        elite: Shapes known, best posterior mean first.
        best: Highest posterior mean of an ensemble evaluated in full.
    """

    def __init__(self, memory: Memory, archive: Archive) -> None:
        known = memory.known(archive)
        shapes = [one.shape for one in known]
        self._encoder = memory.encoder(known)
        values, noises = relative(np.stack([one.row for one in known]), memory.items.shares)
        kept = _subset(values, MOST)
        points = self._encoder.points([shapes[i] for i in kept])
        self._process = memory.process(len(known), points, values[kept], noises[kept])
        means = self.means(shapes)
        full = [i for i, one in enumerate(known) if one.outcome.ranked]
        self.best = float(means[full].max() if full else means.max())
        self.elite = [shapes[i] for i in np.argsort(-means, kind="stable")]
        pending = [s for e in archive.pending if (s := memory.shape(e))]
        if pending:
            self._process = self._process.given(self._encoder.points(pending))

    def means(self, shapes: Sequence[Shape]) -> Floats:
        """Return posterior means, relative to the average ensemble, 0..1 scale."""
        return self._process.predict(self._encoder.points(shapes))[0]

    def improvement(self, shapes: Sequence[Shape]) -> Floats:
        """Return the expected improvement over the best known (Jones et al. 1998)."""
        means, errors = self._process.predict(self._encoder.points(shapes))
        ahead = (means - self.best) / errors
        found: Floats = errors * (ahead * _cdf(ahead) + np.exp(-(ahead**2) / 2) / _ROOT)
        return found


def relative(rows: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return how much better each ensemble is than the average, and the variance of that.

    An ensemble that was stopped has seen some items only: what is easy about them is removed.

    Args:
        rows: Ensembles x items, NaN where an item has no score.
        shares: What each item counts.

    Returns:
        Values on the scale of the scores; variances from the scores' scatter that neither
        ensemble nor item explains: judge noise, and luck with these items.
    """
    seen = np.isfinite(rows)
    weights = seen * shares
    weights /= weights.sum(1, keepdims=True)
    whole = rows[seen.mean(1) >= 0.95]
    base = whole if len(whole) else rows
    known = np.isfinite(base)
    sums = np.where(known, base, 0.0).sum(axis=0)
    means = sums / np.maximum(known.sum(axis=0), 1)
    difficulty = np.where(known.any(axis=0), means, np.nanmean(rows))
    gaps = np.where(seen, rows - difficulty, 0.0)
    values: Floats = (gaps * weights).sum(1)
    residuals = np.where(seen, gaps - values[:, None], 0.0)
    scatter = float((residuals**2).sum() / max(1, seen.sum() - len(rows) - rows.shape[1]))
    variances: Floats = max(scatter, 1e-6) * (weights**2).sum(1)
    return values, variances


def _subset(values: Floats, most: int) -> NDArray[np.intp]:
    """Return the indices of all, or of the best and of the latest."""
    if len(values) <= most:
        return np.arange(len(values))
    best = np.argsort(-values, kind="stable")[: 2 * most // 3]
    rest = np.setdiff1d(np.arange(len(values)), best)
    return np.sort(np.concatenate([best, rest[-(most - len(best)) :]]))


_ROOT = math.sqrt(2 * math.pi)
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _cdf(x: Floats) -> Floats:
    found: Floats = 0.5 * (1 + _erf(x / math.sqrt(2)))
    return found
