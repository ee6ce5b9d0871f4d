"""Shapes as points: who is a member where, and what is known of the sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.proposers.facts import Facts, Floats
from optimizer.proposers.moves import Layer, Shape
from optimizer.space import Space

# How far apart a single difference puts two points; the kernel's ranges are in these units.
_MEMBER, _POOLED, _SETTING, _DEPTH, _SIZE = 3**-0.5, 0.5, 0.5, 1.0, 0.25
_FACTS = 6  # numbers that sum up a layer


class Points(NamedTuple):
    """Shapes as numbers.

    Attributes:
        members: n x d, membership per layer and pooled, settings, sizes, aggregator.
        sets: n x f, what is known of the first and the last layer, in units of their spread.
        aggregators: n, the aggregator's number.
    """

    members: Floats
    sets: Floats
    aggregators: NDArray[np.intp]

    def plus(self, other: Points) -> Points:
        """Return both, these first."""
        return Points(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


class Encoder:
    """Turns shapes of a space into points.

    Args:
        space: Fixes the length of a point.
        facts: What is known of the sets.
    """

    def __init__(self, space: Space, facts: Facts) -> None:
        self._space, self.facts = space, facts
        self._models = {m: i for i, m in enumerate(dict.fromkeys(space.proposers))}
        self._writers = {m: i for i, m in enumerate(space.aggregators)}
        self._warmth = {t: i for i, t in enumerate(space.temperatures)}
        self._prompts = {p: i for i, p in enumerate(space.prompts)}
        self._slot = len(self._models) + len(self._warmth) + len(self._prompts) + 1
        self._tail = len(self._writers) + len(self._warmth) + len(self._prompts)
        self._layers: dict[Layer, Floats] = {}
        self._sums: dict[tuple[bool, Layer], list[float]] = {}

    def points(self, shapes: Sequence[Shape]) -> Points:
        """Return one point a shape."""
        deepest, models = self._space.layers, len(self._models)
        pooled = deepest * self._slot
        sizes = pooled + models
        members = np.zeros((len(shapes), sizes + 2 + self._tail + deepest + 1))
        sets = np.zeros((len(shapes), 2 * _FACTS + 2))
        for row, shape in enumerate(shapes):
            for depth, layer in enumerate(shape.layers):
                vector = self._layer(layer)
                members[row, depth * self._slot : (depth + 1) * self._slot] = vector
                members[row, pooled:sizes] += vector[:models] * (_POOLED / _MEMBER)
            if shape.layers:
                members[row, sizes] = _SIZE * len(shape.layers[0].models)
                members[row, sizes + 1] = _SIZE * len(shape.layers[-1].models)
            tail = sizes + 2
            members[row, tail : tail + self._tail] = self._last(shape)
            members[row, tail + self._tail + len(shape.layers)] = _DEPTH
            sets[row] = self._sets(shape)
        writers = np.array([self._writers[s.aggregator] for s in shapes], dtype=np.intp)
        return Points(members, sets, writers)

    def _layer(self, layer: Layer) -> Floats:
        found = self._layers.get(layer)
        if found is None:
            found = np.zeros(self._slot)
            for model in layer.models:
                found[self._models[model]] = _MEMBER
            settings = len(self._models)
            found[settings + self._warmth[layer.temperature]] = _SETTING
            if layer.prompt is not None:
                prompts = settings + len(self._warmth)
                found[prompts + self._prompts[layer.prompt]] = _SETTING
            found[-1] = _SETTING * (layer.n - 1) / max(1, self._space.n - 1)
            self._layers[layer] = found
        return found

    def _last(self, shape: Shape) -> Floats:
        found = np.zeros(self._tail)
        found[self._writers[shape.aggregator]] = 1.0
        settings = len(self._writers)
        found[settings + self._warmth[shape.temperature]] = _SETTING
        if shape.prompt is not None:
            found[settings + len(self._warmth) + self._prompts[shape.prompt]] = _SETTING
        return found

    def _sets(self, shape: Shape) -> list[float]:
        first = self._summary(shape.layers[0], deep=False) if shape.layers else [0.0] * _FACTS
        deep = len(shape.layers) > 1
        last = self._summary(shape.layers[-1], deep=True) if deep else [0.0] * _FACTS
        scale = self._scale
        writer = shape.aggregator
        alone = self.facts.alone.means.get(writer, 0.0) / scale
        as_writer = self.facts.auditioned.means.get(writer, 0.0) / scale
        return [*first, *last, alone, as_writer if shape.layers else 0.0]

    def _summary(self, layer: Layer, *, deep: bool) -> list[float]:
        found = self._sums.get((deep, layer))
        if found is None:
            mean, coverage, spread = self.facts.summary(layer.models, deep=deep)
            known = [mean / self._scale, coverage / self._scale, spread / self._scale]
            sizes = [math.log(len(layer.models)), math.log(layer.draws)]
            found = [*known, *sizes, _SETTING * self._warmth[layer.temperature]]
            self._sums[deep, layer] = found
        return found

    @property
    def _scale(self) -> float:
        """The spread of the models alone: what a difference between sets is measured in."""
        return self.facts.alone.spread
