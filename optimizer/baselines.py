"""What every search is compared with, evaluated before its first trial."""

from __future__ import annotations

from collections.abc import Sequence

from moa.ensemble import Agent, Ensemble, single
from optimizer.evaluation import Outcome
from optimizer.space import Space

WIDTH = 6  # proposers of the paper's MoA and MoA-Lite


def singles(space: Space, others: Sequence[str]) -> list[Ensemble]:
    """Return each model alone: the pool's members, then the models named under `baselines`."""
    members = dict.fromkeys((*space.aggregators, *space.proposers, *others))
    return [single(model, min(space.temperatures)) for model in members]


def shapes(space: Space, ranked: Sequence[Outcome]) -> list[Ensemble]:
    """Return Self-MoA of the best single model, MoA-Lite and MoA, as far as the space allows.

    MoA and MoA-Lite are the shapes of Wang et al. 2024 (arXiv:2406.04692): six proposers, one
    layer of them (Lite) or two, and the best model as aggregator. Self-MoA is the one of
    Li et al. 2025 (arXiv:2502.00674): several draws of the best model, aggregated by itself.

    Args:
        space: Bounds; what it does not contain is left out.
        ranked: Single models evaluated, best first.
    """
    models = [o.ensemble.aggregator.model for o in ranked]
    proposers = [m for m in models if m in space.proposers][: min(WIDTH, space.width)]
    best = next((m for m in models if m in space.aggregators), None)
    if best is None or not proposers:
        return []
    found = (
        _shape(space, [best], 1, space.n, best),
        _shape(space, proposers, 1, 1, best),
        _shape(space, proposers, 2, 1, best),
    )
    kept = [e for e in found if space.contains(e)]
    return list({e.digest: e for e in kept}.values())


def _shape(space: Space, models: Sequence[str], layers: int, n: int, best: str) -> Ensemble:
    temperature, prompt = max(space.temperatures), space.prompts[0]
    rows = tuple(
        tuple(Agent(m, temperature, n, prompt if depth else None) for m in models)
        for depth in range(layers)
    )
    return Ensemble(rows, Agent(best, min(space.temperatures), prompt=prompt))
