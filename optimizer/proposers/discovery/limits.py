"""Where an ensemble leaves the space, said so that its author can mend it."""

from __future__ import annotations

from collections.abc import Iterator

from moa.ensemble import Agent, Ensemble
from optimizer.proposers.discovery.faults import Fault
from optimizer.proposers.discovery.names import Names
from optimizer.space import Space


def outside(ensemble: Ensemble, space: Space) -> Fault | None:
    """Return the first limit that an ensemble of known models does not keep, or None."""
    fault = next(_faults(ensemble, space), None)
    if fault is None and not space.contains(ensemble):
        return Fault("limits", "outside the limits")
    return fault


def _faults(ensemble: Ensemble, space: Space) -> Iterator[Fault]:
    if len(ensemble.layers) > space.layers:
        yield _limit(f"{len(ensemble.layers)} layers", "layers", space.layers)
    for number, layer in enumerate(ensemble.layers, 1):
        where = f"layer {number}"
        if len({agent.model for agent in layer}) > space.width:
            yield _limit(f"{where} has {len(layer)} agents", "width", space.width)
        if max(agent.n for agent in layer) > space.n:
            yield _limit(f"{where} draws more often", "n", space.n)
        for agent in layer:
            yield from _agent(agent, space.proposers, where, space)
        if len({(agent.n, agent.temperature, agent.prompt) for agent in layer}) > 1:
            yield Fault("limits", f"the agents of {where} differ in n, temperature or prompt")
    yield from _agent(ensemble.aggregator, space.aggregators, "aggregator", space)


def _agent(agent: Agent, models: tuple[str, ...], where: str, space: Space) -> Iterator[Fault]:
    if agent.model not in models:
        yield Fault("role", f"{where}: {agent.model!r} does not play this role", list(models))
    if agent.temperature not in space.temperatures:
        legal = list(space.temperatures)
        yield _limit(f"{where} has temperature {agent.temperature:g}", "temperatures", legal)
    if agent.prompt is not None and agent.prompt not in space.prompts:
        legal_ = list(Names(space.prompts).short.values())
        yield Fault("prompt", f"{where}: no such prompt", legal_)


def _limit(what: str, name: str, legal: object) -> Fault:
    return Fault("limits", f"outside the limits: {what}", {name: legal})
