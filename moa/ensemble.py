"""Agents and ensembles, their canonical form and their digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from data.digest import digest
from data.errors import ConfigError
from moa import prompts


@dataclass(frozen=True, slots=True)
class Agent:
    """A model with its temperature, its prompt and the number of its draws.

    Attributes:
        model: The model's name in kumiawase.yaml.
        temperature: Sampling temperature; at 0 every draw is the same, so `n` is 1.
        n: Draws of this agent that the layer holds.
        prompt: Digest of the aggregate-and-synthesize prompt under which it reads references;
            None where it reads none (first layer, single model).
    """

    model: str
    temperature: float
    n: int = 1
    prompt: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the agent as JSON, fields at their default left out."""
        out: dict[str, Any] = {"model": self.model, "temperature": self.temperature}
        if self.n != 1:
            out["n"] = self.n
        if self.prompt is not None:
            out["prompt"] = self.prompt
        return out


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Proposer layers and one aggregating agent; without layers, a single model.

    Instances are canonical: agents sorted, equal agents merged into `n`, temperature 0 drawn
    once. The order of the agents is the order of the references, so it is part of the identity.
    """

    layers: tuple[tuple[Agent, ...], ...]
    aggregator: Agent

    def __post_init__(self) -> None:
        for agent in (*self.agents, self.aggregator):
            _check(agent)
        if not all(self.layers):
            raise ConfigError("a layer without agents", place="ensemble", remedy="leave it out")
        object.__setattr__(self, "layers", tuple(_merged(layer) for layer in self.layers))
        temperature = float(self.aggregator.temperature) + 0.0
        aggregator = replace(self.aggregator, n=1, temperature=temperature)
        object.__setattr__(self, "aggregator", aggregator)

    @property
    def agents(self) -> tuple[Agent, ...]:
        """The proposing agents of all layers."""
        return tuple(agent for layer in self.layers for agent in layer)

    @property
    def models(self) -> frozenset[str]:
        """The names of all models that take part."""
        return frozenset(agent.model for agent in (*self.agents, self.aggregator))

    @property
    def calls(self) -> int:
        """Requests one answer to one turn takes."""
        return sum(agent.n for agent in self.agents) + 1

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return digest(self.to_json())

    @property
    def label(self) -> str:
        """The ensemble in one line: `2*a@0.7 + b → c` has two draws of a at temperature 0.7."""
        return self.told(frozenset())

    @property
    def prompts(self) -> tuple[str | None, ...]:
        """The prompt of each agent, layer by layer, the aggregator's last."""
        return tuple(agent.prompt for agent in (*self.agents, self.aggregator))

    def told(self, places: Container[int]) -> str:
        """Return the label, with the prompts of the agents at these places in `prompts`."""
        numbers = count()
        groups = (*self.layers, (self.aggregator,))
        told = (
            " + ".join(_short(agent, prompt=next(numbers) in places) for agent in group)
            for group in groups
        )
        return " → ".join(told)

    def to_json(self) -> dict[str, Any]:
        """Return the form of CONTRACT `ensemble`."""
        return {
            "layers": [[agent.to_json() for agent in layer] for layer in self.layers],
            "aggregator": self.aggregator.to_json(),
        }

    @classmethod
    def from_json(cls, value: object, *, prompt: str, place: str = "ensemble") -> Ensemble:
        """Read an ensemble that a person, a file or a model wrote.

        Args:
            value: The form of CONTRACT `ensemble`; unknown keys are refused.
            prompt: Digest of the prompt for agents that read references and name none.
            place: What to blame in an error.

        Raises:
            ConfigError: The value is no ensemble.
        """
        return _read(value, prompt, place)


def single(model: str, temperature: float) -> Ensemble:
    """Return the ensemble that is one model alone."""
    return Ensemble((), Agent(model, temperature))


def told_apart(ensembles: Sequence[Ensemble]) -> list[str]:
    """Return the label of each; where several look alike, with the prompts in which they differ.

    A prompt of ours is named (`a + b → c[aggregate_en]`), any other told by its digest.
    """
    looks = [(one.label, len(one.prompts)) for one in ensembles]  # a model may be called "a + b"
    alike: dict[tuple[str, int], list[Ensemble]] = {}
    for look, ensemble in zip(looks, ensembles, strict=True):
        alike.setdefault(look, []).append(ensemble)
    return [one.told(_differing(alike[look])) for look, one in zip(looks, ensembles, strict=True)]


def _differing(alike: Sequence[Ensemble]) -> frozenset[int]:
    """Return the places of the agents that read under several prompts."""
    columns = zip(*(ensemble.prompts for ensemble in alike), strict=True)
    return frozenset(n for n, prompts in enumerate(columns) if len(set(prompts)) > 1)


def _check(agent: Agent) -> None:
    if not agent.model:
        raise ConfigError("an agent without a model", place="ensemble", remedy="name one")
    if not 0 <= agent.temperature <= 2:
        raise ConfigError(
            f"temperature {agent.temperature} of {agent.model}",
            place="ensemble",
            remedy="give 0 to 2",
        )
    if agent.n < 1:
        raise ConfigError(
            f"n {agent.n} of {agent.model}", place="ensemble", remedy="give 1 or more"
        )


def _merged(layer: Iterable[Agent]) -> tuple[Agent, ...]:
    draws: Counter[Agent] = Counter()
    for agent in layer:
        draws[replace(agent, n=1, temperature=float(agent.temperature) + 0.0)] += (
            agent.n
        )  # no -0.0
    agents = (replace(agent, n=1 if agent.temperature == 0 else n) for agent, n in draws.items())
    return tuple(sorted(agents, key=lambda a: (a.model, a.temperature, a.prompt or "", a.n)))


def _short(agent: Agent, *, prompt: bool) -> str:
    draws = "" if agent.n == 1 else f"{agent.n}*"
    told = draws + agent.model + (f"@{agent.temperature:g}" if agent.temperature else "")
    return f"{told}[{prompts.called(agent.prompt)}]" if prompt and agent.prompt else told


_AGENT_KEYS = {"model", "temperature", "n", "prompt"}


def _read(value: object, prompt: str, place: str) -> Ensemble:
    if not isinstance(value, Mapping) or set(value) - {"layers", "aggregator"}:
        fault = "not of the form {layers, aggregator}"
        raise ConfigError(fault, place=place, remedy="write it so")
    layers: object = value.get("layers") or []
    if not isinstance(layers, list) or not all(isinstance(layer, list) for layer in layers):
        fault = "`layers` is not a list of lists of agents"
        raise ConfigError(fault, place=place, remedy="write [[agent, …], …]")
    read = tuple(
        tuple(_agent(a, prompt if depth else None, f"{place}: layer {depth + 1}") for a in layer)
        for depth, layer in enumerate(layers)
    )
    aggregator = _agent(
        value.get("aggregator"), prompt if layers else None, f"{place}: aggregator"
    )
    return Ensemble(read, aggregator)


def _agent(value: object, prompt: str | None, place: str) -> Agent:
    if not isinstance(value, Mapping):
        fault = "an agent is missing or no mapping"
        raise ConfigError(fault, place=place, remedy="give it a `model`")
    unknown = set(value) - _AGENT_KEYS
    if unknown:
        fault = f"unknown key {min(map(str, unknown))!r}"
        raise ConfigError(fault, place=place, remedy="remove it")
    model, temperature, n = value.get("model"), value.get("temperature", 0.7), value.get("n", 1)
    if not isinstance(model, str):
        raise ConfigError("`model` is missing", place=place, remedy="name one of the pool")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise ConfigError(f"`temperature` is {temperature!r}", place=place, remedy="give a number")
    if isinstance(n, bool) or not isinstance(n, int):
        raise ConfigError(f"`n` is {n!r}", place=place, remedy="give a whole number")
    given = value.get("prompt")
    if given is not None and not isinstance(given, str):
        raise ConfigError("`prompt` is not a digest", place=place, remedy="give one of `prompts`")
    if abs(temperature) > 1e6:  # before float(), which knows no whole number of 400 digits
        raise ConfigError("`temperature` is beyond all bounds", place=place, remedy="give 0 to 2")
    return Agent(model, float(temperature), n, None if prompt is None else given or prompt)
