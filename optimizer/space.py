"""Which ensembles may be tried, and their two-way translation to Optuna parameters.

A layer is a set: one flag a model, and one `n`, one temperature and one prompt for all of its
agents. Only the parameters of a layer depend on another one (`layers`); nothing depends on who
is a member, because conditional parameters shatter a multivariate sampler's joint groups
(measured: anchors of docs/design/search.md).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from data.digest import digest
from moa.ensemble import Agent, Ensemble

Value = bool | int | float | str
Parameters = Mapping[str, Value]


@dataclass(slots=True)
class Space:
    """The ensembles a search may try; all that ever changes is that `prompts` grows.

    Attributes:
        proposers, aggregators: Names of the models that may play the role.
        layers: Most proposer layers.
        width: Most agents in a layer.
        n: Most draws of one agent.
        temperatures: The temperatures an agent may have.
        prompts: Digests of the prompts for agents that read references, discovered ones last.
        ours: Those a study is pinned to. Optuna chooses among them alone: the choices of a
            parameter must not change within a study.
    """

    proposers: tuple[str, ...]
    aggregators: tuple[str, ...]
    layers: int
    width: int
    n: int
    temperatures: tuple[float, ...]
    prompts: tuple[str, ...]
    ours: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.ours = self.prompts

    def admit(self, ensemble: Ensemble) -> None:
        """Take up the prompts of a discovered ensemble; call it while nobody proposes."""
        agents = (*ensemble.agents, ensemble.aggregator)
        new = dict.fromkeys(a.prompt for a in agents if a.prompt not in (None, *self.prompts))
        self.prompts += tuple(prompt for prompt in new if prompt is not None)

    @property
    def answering(self) -> tuple[float, ...]:
        """The temperatures the aggregator may have."""
        return self.temperatures

    def to_json(self) -> dict[str, Any]:
        """Return what a study is pinned to."""
        return {
            "proposers": list(self.proposers),
            "aggregators": list(self.aggregators),
            "layers": self.layers,
            "width": self.width,
            "n": self.n,
            "temperatures": list(self.temperatures),
            "prompts": list(self.ours),
        }

    def contains(self, ensemble: Ensemble) -> bool:
        """Tell whether the ensemble may be tried."""
        return (
            len(ensemble.layers) <= self.layers
            and all(self._holds(layer, depth) for depth, layer in enumerate(ensemble.layers))
            and self._admits(ensemble.aggregator, self.aggregators, bool(ensemble.layers))
        )

    def distributions(self, layers: int) -> dict[str, BaseDistribution]:
        """Return the parameters of an ensemble with so many layers, in the order asked.

        A parameter with a single choice is none.
        """
        out: dict[str, BaseDistribution] = {"layers": IntDistribution(0, self.layers)}
        for depth in range(1, layers + 1):
            out |= {f"{depth}.{m}": CategoricalDistribution((False, True)) for m in self.proposers}
            out[f"{depth}.n"] = IntDistribution(1, self.n)
            out[f"{depth}.temperature"] = CategoricalDistribution(self.temperatures)
            if depth > 1:
                out[f"{depth}.prompt"] = CategoricalDistribution(self.ours)
        out["aggregator"] = CategoricalDistribution(self.aggregators)
        out["aggregator.temperature"] = CategoricalDistribution(self.answering)
        if layers:
            out["aggregator.prompt"] = CategoricalDistribution(self.ours)
        return {name: d for name, d in out.items() if not d.single()}

    def encode(self, ensemble: Ensemble) -> dict[str, Value]:
        """Return the parameters of an ensemble the space contains.

        A discovered prompt is written as the first of ours: its trial carries it beside them
        (`optimizer.sampler.carry`).
        """
        out: dict[str, Value] = {"layers": len(ensemble.layers)}
        for depth, layer in enumerate(ensemble.layers, 1):
            members = {agent.model for agent in layer}
            out |= {f"{depth}.{m}": m in members for m in self.proposers}
            out[f"{depth}.n"] = layer[0].n
            out[f"{depth}.temperature"] = layer[0].temperature
            out[f"{depth}.prompt"] = self._written(layer[0])
        out["aggregator"] = ensemble.aggregator.model
        out["aggregator.temperature"] = ensemble.aggregator.temperature
        out["aggregator.prompt"] = self._written(ensemble.aggregator)
        asked = self.distributions(len(ensemble.layers))
        return {name: value for name, value in out.items() if name in asked}

    def decode(self, parameters: Parameters) -> Ensemble:
        """Return the canonical ensemble of parameters, whoever drew them.

        A layer drawn empty becomes the aggregating model; one drawn too wide keeps `width` of
        its models, picked by a digest of the draw so that no model is favoured.
        """
        aggregator = str(parameters.get("aggregator", self.aggregators[0]))
        depth = int(parameters.get("layers", self.layers))
        layers = tuple(self._layer(parameters, d, aggregator) for d in range(1, depth + 1))
        temperature = float(parameters.get("aggregator.temperature", self.answering[0]))
        prompt = str(parameters.get("aggregator.prompt", self.prompts[0])) if depth else None
        return Ensemble(layers, Agent(aggregator, temperature, prompt=prompt))

    def sample(self, rng: random.Random) -> Ensemble:
        """Draw an ensemble: depth, sizes and members uniformly, none of them from another."""
        depth = rng.randint(0, self.layers)
        layers = []
        for number in range(depth):
            members = rng.sample(self.proposers, rng.randint(1, self._most))
            n, temperature = rng.randint(1, self.n), rng.choice(self.temperatures)
            prompt = rng.choice(self.prompts) if number else None
            layers.append(tuple(Agent(m, temperature, n, prompt) for m in members))
        prompt = rng.choice(self.prompts) if depth else None
        aggregator = Agent(rng.choice(self.aggregators), rng.choice(self.answering), prompt=prompt)
        return Ensemble(tuple(layers), aggregator)

    def _written(self, agent: Agent) -> str:
        return agent.prompt if agent.prompt in self.ours else self.ours[0]

    @property
    def _most(self) -> int:
        return min(self.width, len(self.proposers))

    def _layer(self, parameters: Parameters, depth: int, aggregator: str) -> tuple[Agent, ...]:
        members: Sequence[str] = [m for m in self.proposers if parameters.get(f"{depth}.{m}")]
        if len(members) > self.width:
            flags = "".join(members)
            members = sorted(members, key=lambda m: digest([flags, depth, m]))[: self.width]
        if not members:
            members = [aggregator if aggregator in self.proposers else self.proposers[0]]
        if len(self.proposers) == 1:
            members = self.proposers
        n = int(parameters.get(f"{depth}.n", 1))
        temperature = float(parameters.get(f"{depth}.temperature", self.temperatures[0]))
        prompt = str(parameters.get(f"{depth}.prompt", self.prompts[0])) if depth > 1 else None
        return tuple(Agent(m, temperature, n, prompt) for m in members)

    def _holds(self, layer: Sequence[Agent], depth: int) -> bool:
        """Tell whether the layer is a set of models that differ in nothing else."""
        alike = {(agent.n, agent.temperature, agent.prompt) for agent in layer}
        return (
            len(alike) == 1
            and len(layer) <= self.width
            and layer[0].n <= self.n
            and all(self._admits(agent, self.proposers, depth > 0) for agent in layer)
        )

    def _admits(self, agent: Agent, models: Sequence[str], reads: bool) -> bool:
        prompts: Sequence[str | None] = self.prompts if reads else (None,)
        return (
            agent.model in models
            and agent.temperature in self.temperatures
            and agent.prompt in prompts
        )
