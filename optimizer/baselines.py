"""What every search is compared with, evaluated before its first trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moa.ensemble import Ensemble, single
from moa.shapes import SHAPES, build
from optimizer.outcome import Outcome
from optimizer.space import Space


def singles(space: Space, others: Sequence[str]) -> list[Ensemble]:
    """Return each model alone: the pool's members, then the models named under `baselines`."""
    members = dict.fromkeys((*space.aggregators, *space.proposers, *others))
    return [single(model, min(space.temperatures)) for model in members]


def shapes(space: Space, ranked: Sequence[Outcome]) -> list[Ensemble]:
    """Return Self-MoA of the best single model, MoA-Lite and MoA, as far as the space allows.

    Args:
        space: Bounds; what it does not contain is left out.
        ranked: Single models evaluated, best first.
    """
    models = [o.ensemble.aggregator.model for o in ranked]
    proposers = [m for m in models if m in space.proposers]
    best = next((m for m in models if m in space.aggregators), None)
    if best is None or not proposers:
        return []
    found = (
        _shape(space, "self-moa", [best], best),
        _shape(space, "moa-lite", proposers, best),
        _shape(space, "moa", proposers, best),
    )
    kept = [e for e in found if space.contains(e)]
    return list({e.digest: e for e in kept}.values())


def _shape(space: Space, name: str, models: Sequence[str], best: str) -> Ensemble:
    shape = SHAPES[name]
    return build(
        replace(shape, width=min(shape.width, space.width), n=min(shape.n, space.n)),
        models,
        best,
        prompt=space.prompts[0],
        temperature=max(space.temperatures),
        aggregator_temperature=min(space.temperatures),
    )
