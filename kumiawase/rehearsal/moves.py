"""Moves in the space of ensembles, over sets: what the noiseless search and the discoverer share.

Each layer is a set of models with one `n` and one temperature, as in `optimizer.space`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from moa.ensemble import Agent, Ensemble


@dataclass(frozen=True, slots=True)
class Limits:
    """Which ensembles there are; `prompt` is the digest agents with references read under."""

    proposers: tuple[str, ...]
    aggregators: tuple[str, ...]
    layers: int
    width: int
    n: int
    temperatures: tuple[float, ...]
    prompt: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A set of models that differ in nothing else."""

    models: frozenset[str]
    n: int
    temperature: float


@dataclass(frozen=True, slots=True)
class Shape:
    """An ensemble as sets; equal shapes may still be one ensemble (`n` at temperature 0)."""

    layers: tuple[Layer, ...]
    aggregator: str
    temperature: float

    @classmethod
    def of(cls, ensemble: Ensemble) -> Shape:
        """Read an ensemble; of agents that differ within a layer the first one counts."""
        layers = tuple(
            Layer(frozenset(a.model for a in layer), layer[0].n, layer[0].temperature)
            for layer in ensemble.layers
        )
        return cls(layers, ensemble.aggregator.model, ensemble.aggregator.temperature)

    def ensemble(self, prompt: str) -> Ensemble:
        """Return the canonical ensemble."""
        layers = tuple(
            tuple(
                Agent(model, layer.temperature, layer.n, prompt if depth else None)
                for model in layer.models
            )
            for depth, layer in enumerate(self.layers)
        )
        reads = prompt if layers else None
        return Ensemble(layers, Agent(self.aggregator, self.temperature, prompt=reads))


def sample(limits: Limits, rng: random.Random) -> Shape:
    """Draw a shape: depth, sizes and members uniformly."""
    depth = rng.randint(0, limits.layers if limits.proposers else 0)
    layers = tuple(_layer(limits, rng) for _ in range(depth))
    return Shape(layers, rng.choice(limits.aggregators), rng.choice(limits.temperatures))


def neighbours(shape: Shape, limits: Limits) -> Iterator[Shape]:
    """Yield every shape one move away, in a fixed order."""
    for model in limits.aggregators:
        for temperature in limits.temperatures:
            yield replace(shape, aggregator=model, temperature=temperature)
    for depth, layer in enumerate(shape.layers):
        for changed in _changed(layer, limits):
            yield replace(shape, layers=_spliced(shape.layers, depth, depth + 1, changed))
        yield replace(shape, layers=_spliced(shape.layers, depth, depth + 1))
    if len(shape.layers) < limits.layers:
        for depth in range(len(shape.layers) + 1):
            for layer in (*_alone(limits), *shape.layers):
                yield replace(shape, layers=_spliced(shape.layers, depth, depth, layer))


def mutated(shape: Shape, limits: Limits, rng: random.Random) -> Shape:
    """Return a shape one random move away; the same where there is no other."""
    return rng.choice([near for near in neighbours(shape, limits) if near != shape] or [shape])


def crossed(one: Shape, other: Shape, limits: Limits, rng: random.Random) -> Shape:
    """Return a child: each layer a mix of the parents' layers, the rest from either."""
    layers = []
    for depth in range(len(rng.choice((one, other)).layers)):
        given = [s.layers[depth] for s in (one, other) if depth < len(s.layers)]
        layers.append(_mixed(given, limits, rng))
    end = rng.choice((one, other))
    return Shape(tuple(layers), end.aggregator, end.temperature)


def _layer(limits: Limits, rng: random.Random) -> Layer:
    size = rng.randint(1, min(limits.width, len(limits.proposers)))
    models = frozenset(rng.sample(limits.proposers, size))
    return Layer(models, rng.randint(1, limits.n), rng.choice(limits.temperatures))


def _changed(layer: Layer, limits: Limits) -> Iterator[Layer]:
    inside = [m for m in limits.proposers if m in layer.models]
    outside = [m for m in limits.proposers if m not in layer.models]
    if len(inside) > 1:
        yield from (replace(layer, models=layer.models - {m}) for m in inside)
    if len(inside) < limits.width:
        yield from (replace(layer, models=layer.models | {m}) for m in outside)
    for gone in inside:
        for new in outside:
            yield replace(layer, models=layer.models - {gone} | {new})
    for n in range(1, limits.n + 1):
        for temperature in limits.temperatures:
            yield replace(layer, n=n, temperature=temperature)


def _alone(limits: Limits) -> Iterator[Layer]:
    for model in limits.proposers:
        yield Layer(frozenset({model}), limits.n, max(limits.temperatures))


def _mixed(given: list[Layer], limits: Limits, rng: random.Random) -> Layer:
    base = rng.choice(given)
    union = sorted(frozenset().union(*(layer.models for layer in given)))
    common = [m for m in union if all(m in layer.models for layer in given)]
    chosen = [m for m in union if m in common or rng.random() < 0.5] or sorted(base.models)
    return replace(base, models=frozenset(rng.sample(chosen, min(len(chosen), limits.width))))


def _spliced(layers: tuple[Layer, ...], start: int, stop: int, *new: Layer) -> tuple[Layer, ...]:
    return (*layers[:start], *new, *layers[stop:])
