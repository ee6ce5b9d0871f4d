"""Which model proposes well and which aggregates well, from the ensembles a study evaluated.

The score of an ensemble is regressed on who proposes, which two propose together, how many layers
there are and who aggregates (ridge, its strength by leave-one-out). A model's worth as proposer is
the mean difference it makes to the rest of the ensembles tried, every size of the rest weighing
the same, as in Shapley's value (1953); its worth as aggregator is against the mean aggregator.
Intervals resample ensembles and items together: what was tried and what was asked are both chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from moa.ensemble import Ensemble

_Floats = NDArray[np.float64]

FEWEST = 8  # ensembles with proposers below which nothing can be told apart
RESAMPLES = 400
_STRENGTHS: tuple[float, ...] = tuple(10.0 ** (power / 2) for power in range(-4, 7))
_NOTHING = 1e-12  # a variance below it is rounding
_PAIRS = 2.0  # how much harder the effect of a pair is shrunk than that of a model


@dataclass(frozen=True, slots=True)
class Worth:
    """What something adds to a score of 0..1, with its 95 % interval.

    Attributes:
        ensembles: Those tried that have it.
    """

    value: float
    low: float
    high: float
    ensembles: int

    @property
    def proved(self) -> bool:
        """Whether the interval leaves 0 out."""
        return not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Pair:
    """Two proposers, and what the one adds to the other beyond the sum of both."""

    models: tuple[str, str]
    worth: Worth


@dataclass(frozen=True, slots=True)
class Roles:
    """What each model is worth in each role; models sorted, pairs best first.

    Attributes:
        ensembles: Ensembles with proposers that this rests on.
        explained: Share of the variance of their scores that the regression explains for
            ensembles it has not seen (leave-one-out); at or below 0 it tells nothing.
    """

    proposers: Mapping[str, Worth]
    aggregators: Mapping[str, Worth]
    pairs: tuple[Pair, ...]
    ensembles: int
    explained: float


@dataclass(frozen=True, slots=True)
class Tried:
    """An ensemble with its scores, item → 0..1; unscored and unasked items are left out."""

    ensemble: Ensemble
    scores: Mapping[str, float]


def roles(
    tried: Sequence[Tried],
    strata: Mapping[str, str],
    weights: Mapping[str, float],
    *,
    seed: int = 0,
) -> Roles | None:
    """Return what each model is worth in each role, or None where too little was tried.

    Args:
        tried: Ensembles on the search items; single models say nothing of roles and are left out,
            pruned ones count by the items they saw.
        strata: Item → category.
        weights: Category → its share; empty for equal shares.
        seed: Decides what is resampled.
    """
    combined = sorted(
        (one for one in tried if one.ensemble.layers and one.scores),
        key=lambda one: one.ensemble.digest,
    )
    if len(combined) < FEWEST:
        return None
    design = _Design.of([one.ensemble for one in combined])
    scores = _Scores.of(combined, strata, weights)
    values, mass = scores.of_ensembles(np.ones(scores.matrix.shape[1]))
    strength = _strength(design, values, mass)
    effects = design.effects(_ridge(design, values, mass, strength))
    drawn = _resampled(design, scores, strength, np.random.default_rng(seed))
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    found = [
        Worth(float(value), float(below), float(above), int(number))
        for value, below, above, number in zip(effects, low, high, design.counts, strict=True)
    ]
    explained = _explained(design, values, mass, strength)
    return design.told(found, len(combined), explained)


@dataclass(frozen=True, slots=True)
class _Design:
    """The regression's features, ensembles x (models, pairs, layers, aggregators, 1).

    Attributes:
        counts: Ensembles with each proposer, pair and aggregator, in this order.
    """

    models: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    aggregators: tuple[str, ...]
    members: _Floats
    features: _Floats
    penalty: _Floats
    counts: _Floats

    @classmethod
    def of(cls, ensembles: Sequence[Ensemble]) -> _Design:
        models = tuple(sorted({agent.model for e in ensembles for agent in e.agents}))
        aggregators = tuple(sorted({e.aggregator.model for e in ensembles}))
        members = np.array(
            [[float(m in {a.model for a in e.agents}) for m in models] for e in ensembles]
        )
        together = [
            (i, j) for i, j in combinations(range(len(models)), 2) if members[:, i] @ members[:, j]
        ]
        shared = np.array([members[:, i] * members[:, j] for i, j in together])
        shared = shared.reshape(len(together), len(ensembles)).T
        layers = np.array([[float(len(e.layers))] for e in ensembles])
        last = np.array([[float(e.aggregator.model == m) for m in aggregators] for e in ensembles])
        one = np.ones((len(ensembles), 1))
        penalty = [1.0] * len(models) + [_PAIRS] * len(together) + [1.0] * (1 + len(aggregators))
        return cls(
            models=models,
            pairs=tuple(together),
            aggregators=aggregators,
            members=members,
            features=np.hstack((members, shared, layers, last, one)),
            penalty=np.array([*penalty, 1e-9]),  # the mean is not shrunk
            counts=np.concatenate((members.sum(0), shared.sum(0), last.sum(0))),
        )

    def effects(self, coefficients: _Floats) -> _Floats:
        """Return the worth of proposers, pairs and aggregators from the coefficients."""
        n, k = len(self.models), len(self.pairs)
        joint = np.zeros((n, n))
        for (i, j), value in zip(self.pairs, coefficients[n : n + k], strict=True):
            joint[i, j] = joint[j, i] = value
        alone, last = coefficients[:n], coefficients[n + k + 1 : -1]
        proposing = [alone[i] + joint[i] @ self._company(i) for i in range(n)]
        return np.concatenate((proposing, coefficients[n : n + k], last - last.mean()))

    def told(self, found: Sequence[Worth], ensembles: int, explained: float) -> Roles:
        n, k = len(self.models), len(self.pairs)
        pairs = (
            Pair((self.models[i], self.models[j]), worth)
            for (i, j), worth in zip(self.pairs, found[n : n + k], strict=True)
        )
        return Roles(
            proposers=dict(zip(self.models, found[:n], strict=True)),
            aggregators=dict(zip(self.aggregators, found[n + k :], strict=True)),
            pairs=tuple(sorted(pairs, key=lambda pair: -pair.worth.low)),
            ensembles=ensembles,
            explained=explained,
        )

    def _company(self, model: int) -> _Floats:
        """Return how often each other model is in the rest, every size of it weighing the same."""
        rest = self.members.copy()
        rest[:, model] = 0
        sizes = rest.sum(axis=1)
        means = [rest[sizes == size].mean(axis=0) for size in np.unique(sizes)]
        company: _Floats = np.mean(means, axis=0)
        return company


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores as a matrix of ensembles x items, NaN where there is none.

    Attributes:
        weights: What each item weighs in a mean over all of them; they sum to one.
        strata: For each category the columns of its items.
    """

    matrix: _Floats
    weights: _Floats
    strata: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(
        cls, tried: Sequence[Tried], strata: Mapping[str, str], weights: Mapping[str, float]
    ) -> _Scores:
        items = sorted({item for one in tried for item in one.scores})
        column = {item: place for place, item in enumerate(items)}
        matrix = np.full((len(tried), len(items)), np.nan)
        for row, one in enumerate(tried):
            for item, score in one.scores.items():
                matrix[row, column[item]] = score
        names = sorted({strata[item] for item in items})
        places = tuple(
            np.array([column[i] for i in items if strata[i] == name], dtype=np.intp)
            for name in names
        )
        shares = np.array([weights.get(name, 1.0) if weights else 1.0 for name in names])
        out = np.zeros(len(items))
        for share, place in zip(shares / shares.sum(), places, strict=True):
            out[place] = share / len(place)
        return cls(matrix, out, places)

    def of_ensembles(self, drawn: _Floats) -> tuple[_Floats, _Floats]:
        """Return each ensemble's mean and the weight of what it saw, for items drawn so often.

        An ensemble that saw some items only is corrected for how hard they are.
        """
        weights = self.weights * drawn
        seen = ~np.isnan(self.matrix)
        filled = np.where(seen, self.matrix, 0.0)
        level = filled.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        mass = seen @ weights
        gaps = (filled - level * seen) @ weights / np.maximum(mass, 1e-12)
        return gaps + float(level @ weights) / max(float(weights.sum()), 1e-12), mass

    def draw(self, rng: np.random.Generator) -> _Floats:
        """Return how often each item is drawn when the items of each category are resampled."""
        out = np.zeros(len(self.weights))
        for place in self.strata:
            out[place] = np.bincount(rng.integers(len(place), size=len(place)), None, len(place))
        return out


def _ridge(design: _Design, values: _Floats, mass: _Floats, strength: float) -> _Floats:
    """Return the coefficients; `values` and `mass` may hold a row for each of many resamples."""
    outer = design.features[:, :, None] * design.features[:, None, :]
    gram = np.tensordot(mass, outer, axes=1) + np.diag(strength * design.penalty)
    right = (mass * values) @ design.features
    return np.asarray(np.linalg.solve(gram, right[..., None])[..., 0], dtype=np.float64)


def _left_out(design: _Design, values: _Floats, mass: _Floats, strength: float) -> _Floats:
    """Return what each ensemble's score differs by from its prediction by all the others."""
    root = np.sqrt(mass)[:, None] * design.features
    gram = root.T @ root + np.diag(strength * design.penalty)
    leverage = np.einsum("ij,ji->i", root, np.linalg.solve(gram, root.T))
    gaps: _Floats = values - design.features @ _ridge(design, values, mass, strength)
    return np.asarray(gaps / np.maximum(1 - leverage, 1e-6), dtype=np.float64)


def _strength(design: _Design, values: _Floats, mass: _Floats) -> float:
    errors = [float(mass @ np.square(_left_out(design, values, mass, s))) for s in _STRENGTHS]
    return _STRENGTHS[int(np.argmin(errors))]


def _explained(design: _Design, values: _Floats, mass: _Floats, strength: float) -> float:
    middle = float(mass @ values) / float(mass.sum())
    spread = float(mass @ np.square(values - middle))
    error = float(mass @ np.square(_left_out(design, values, mass, strength)))
    return 1 - error / spread if spread > _NOTHING * float(mass.sum()) else 0.0


def _resampled(
    design: _Design, scores: _Scores, strength: float, rng: np.random.Generator
) -> _Floats:
    """Return the effects of each resample of ensembles and items."""
    number = len(design.features)
    values, mass = np.empty((2, RESAMPLES, number))
    for row in range(RESAMPLES):
        often = np.bincount(rng.integers(number, size=number), minlength=number)
        values[row], seen = scores.of_ensembles(scores.draw(rng))
        mass[row] = seen * often
    coefficients = _ridge(design, values, mass, strength)
    return np.array([design.effects(row) for row in coefficients])
