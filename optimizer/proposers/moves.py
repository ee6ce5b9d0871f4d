"""Moves over sets: each layer of an ensemble is a set of models that differ in nothing else.

Searching over sets finds more than searching over vectors of flags (measured: docs/design/
search.md). Shapes are what moves work on: plain tuples, a hundred times cheaper than ensembles.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from moa.ensemble import Agent, Ensemble
from optimizer.space import Space


class Layer(NamedTuple):
    """A set of models, sorted, with what they share; `prompt` is None in the first layer."""

    models: tuple[str, ...]
    n: int
    temperature: float
    prompt: str | None

    @property
    def draws(self) -> int:
        """References it makes."""
        return len(self.models) * self.n


class Shape(NamedTuple):
    """An ensemble of the space as sets; equal shapes are equal ensembles."""

    layers: tuple[Layer, ...]
    aggregator: str
    temperature: float
    prompt: str | None

    @property
    def calls(self) -> int:
        """Requests one answer takes."""
        return sum(layer.draws for layer in self.layers) + 1

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble."""
        layers = tuple(
            tuple(Agent(m, layer.temperature, layer.n, layer.prompt) for m in layer.models)
            for layer in self.layers
        )
        return Ensemble(layers, Agent(self.aggregator, self.temperature, prompt=self.prompt))


def shape_of(ensemble: Ensemble) -> Shape:
    """Return the shape of an ensemble that the space contains."""
    layers = tuple(
        Layer(tuple(a.model for a in layer), layer[0].n, layer[0].temperature, layer[0].prompt)
        for layer in ensemble.layers
    )
    last = ensemble.aggregator
    return Shape(layers, last.model, last.temperature, last.prompt)


def neighbours(shape: Shape, space: Space) -> Iterator[Shape]:
    """Yield every shape one move away, some of them more than once."""
    layers = shape.layers
    for model, temperature, prompt in _aggregators(shape, space):
        yield shape._replace(aggregator=model, temperature=temperature, prompt=prompt)
    for depth, layer in enumerate(layers):
        for changed in _changed(layer, space):
            yield shape._replace(layers=(*layers[:depth], changed, *layers[depth + 1 :]))
        yield _fitted(shape, (*layers[:depth], *layers[depth + 1 :]), space)
    if len(layers) < space.layers:
        for depth in range(len(layers) + 1):
            for layer in (*_alone(space), *layers):
                yield _fitted(shape, (*layers[:depth], layer, *layers[depth:]), space)


def mutated(shape: Shape, space: Space, rng: random.Random) -> Shape:
    """Return a shape one move away; kinds of moves are drawn before moves."""
    kind, layers = rng.random(), list(shape.layers)
    if not layers or kind < 0.17:
        options = [s for s in _aggregators(shape, space) if s != shape[1:]]
        if options and (layers or rng.random() < 0.5):
            return Shape(shape.layers, *rng.choice(options))
    if layers and kind < 0.84:
        depth = rng.randrange(len(layers))
        kinds = [list(found) for found in _by_kind(layers[depth], space)]
        options_ = [found for found in kinds if found]
        if options_:
            layers[depth] = rng.choice(rng.choice(options_))
        return _fitted(shape, tuple(layers), space)
    if kind < 0.92 and len(layers) < space.layers:
        layers.insert(rng.randint(0, len(layers)), _drawn(space, rng))
    elif len(layers) > 1:
        layers.pop(rng.randrange(len(layers)))
    return _fitted(shape, tuple(layers), space)


def crossed(one: Shape, other: Shape, space: Space, rng: random.Random) -> Shape:
    """Return a child: each layer one parent's or a mix of both, the aggregator of either."""
    layers = []
    for depth in range(len(rng.choice((one, other)).layers)):
        given = [s.layers[depth] for s in (one, other) if depth < len(s.layers)]
        layer = rng.choice(given)
        if len(given) == 2 and rng.random() < 0.5:
            both = {*given[0].models} & {*given[1].models}
            union = sorted({*given[0].models, *given[1].models})
            chosen = [m for m in union if m in both or rng.random() < 0.5] or union[:1]
            chosen = rng.sample(chosen, min(len(chosen), space.width))
            layer = layer._replace(models=tuple(sorted(chosen)))
        layers.append(layer)
    return _fitted(rng.choice((one, other)), tuple(layers), space)


def layers_of(space: Space, models: tuple[str, ...], *, reads: bool) -> Iterator[Layer]:
    """Yield the set with every `n` and temperature there is."""
    prompt = space.prompts[0] if reads else None
    for temperature in space.temperatures:
        for n in range(1, (space.n if temperature else 1) + 1):
            yield Layer(models, n, temperature, prompt)


def _aggregators(shape: Shape, space: Space) -> Iterator[tuple[str, float, str | None]]:
    prompts: tuple[str | None, ...] = space.prompts if shape.layers else (None,)
    for prompt in prompts:
        for model in space.aggregators:
            for temperature in space.answering:
                if prompt == shape.prompt or model == shape.aggregator:
                    yield model, temperature, prompt


def _changed(layer: Layer, space: Space) -> Iterator[Layer]:
    for found in _by_kind(layer, space):
        yield from found


def _by_kind(layer: Layer, space: Space) -> tuple[Iterator[Layer], ...]:
    return _toggled(layer, space), _swapped(layer, space), _tuned(layer, space)


def _toggled(layer: Layer, space: Space) -> Iterator[Layer]:
    models = layer.models
    if len(models) > 1:
        yield from (layer._replace(models=tuple(x for x in models if x != m)) for m in models)
    if len(models) < space.width:
        outside = (m for m in space.proposers if m not in models)
        yield from (layer._replace(models=tuple(sorted((*models, m)))) for m in outside)


def _swapped(layer: Layer, space: Space) -> Iterator[Layer]:
    for gone in layer.models:
        rest = [m for m in layer.models if m != gone]
        for new in space.proposers:
            if new not in layer.models:
                yield layer._replace(models=tuple(sorted((*rest, new))))


def _tuned(layer: Layer, space: Space) -> Iterator[Layer]:
    for other in layers_of(space, layer.models, reads=layer.prompt is not None):
        tuned = other._replace(prompt=layer.prompt)
        if tuned != layer:
            yield tuned
    if layer.prompt is not None:
        yield from (layer._replace(prompt=p) for p in space.prompts if p != layer.prompt)


def _alone(space: Space) -> Iterator[Layer]:
    hottest = max(space.temperatures)
    for model in space.proposers:
        yield Layer((model,), space.n if hottest else 1, hottest, None)


def _drawn(space: Space, rng: random.Random) -> Layer:
    temperature = rng.choice(space.temperatures)
    size = rng.randint(1, min(4, space.width, len(space.proposers)))
    n = rng.randint(1, space.n) if temperature else 1
    return Layer(tuple(sorted(rng.sample(space.proposers, size))), n, temperature, None)


def _fitted(shape: Shape, layers: tuple[Layer, ...], space: Space) -> Shape:
    """Return the shape with other layers, prompts given and taken where depth changed."""
    kept = tuple(
        layer._replace(prompt=(layer.prompt or space.prompts[0]) if depth else None)
        for depth, layer in enumerate(layers)
    )
    prompt = (shape.prompt or space.prompts[0]) if layers else None
    return Shape(kept, shape.aggregator, shape.temperature, prompt)
