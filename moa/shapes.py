"""The shapes of ensembles that have a name, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moa.ensemble import Agent, Ensemble


@dataclass(frozen=True, slots=True)
class Shape:
    """How many of what stand where.

    Attributes:
        layers: Proposer layers; the paper's "3 layers" are two of them and the aggregator.
        width: Different models in each layer.
        n: Draws of each.
    """

    layers: int
    width: int
    n: int


# Wang et al. 2024 (arXiv:2406.04692) for the two MoA: six proposers, in MoA two layers of them.
# Li et al. 2025 (arXiv:2502.00674) for Self-MoA: six draws of the best model, read by itself.
SHAPES = {
    "single": Shape(layers=0, width=0, n=0),
    "self-moa": Shape(layers=1, width=1, n=6),
    "moa-lite": Shape(layers=1, width=6, n=1),
    "moa": Shape(layers=2, width=6, n=1),
}


def build(
    shape: Shape,
    proposers: Sequence[str],
    aggregator: str,
    *,
    prompt: str,
    temperature: float = 0.7,
    aggregator_temperature: float = 0.0,
) -> Ensemble:
    """Return an ensemble of a shape.

    Args:
        shape: One of `SHAPES`, or like them.
        proposers: Models, best first; as many are taken as the shape is wide.
        aggregator: The model that writes the answer.
        prompt: Digest of the prompt under which references are read.
        temperature: Of the proposers.
        aggregator_temperature: Of the aggregator.
    """
    layers = tuple(
        tuple(
            Agent(model, temperature, shape.n, prompt if depth else None)
            for model in proposers[: shape.width]
        )
        for depth in range(shape.layers)
    )
    return Ensemble(
        layers, Agent(aggregator, aggregator_temperature, prompt=prompt if layers else None)
    )
