"""What a search will ask, before it has: the same search over models that are imagined.

Baselines, racing and confirmation are the real ones; what is imagined is how good each model is,
what the sampler then draws, and what a judge would say. `drawn` stands for the sampler, and is
the one place to mend when the sampler changes: docs/design/night.md holds what it was measured
against.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from data.digest import digest
from data.suites import Suite
from data.suites.item import Split
from judges.statistics import Estimate, mean
from moa.ensemble import Agent, Ensemble
from optimizer import racing
from optimizer.archive import Archive
from optimizer.baselines import shapes, singles
from optimizer.confirm import candidates
from optimizer.confirmation import leading
from optimizer.evaluation import Outcome, stratified
from optimizer.seeds import seed_of
from optimizer.space import Space

Worths = NDArray[np.float64]

# Of real verdicts, scale 0-1: docs/design/rehearsal.md says of which.
MODEL_SD: Final = 0.038
INTERACTION_SD: Final = 0.172
VERDICT_SD: Final = 0.119

_STARTUP = 10  # trials that Optuna's TPE draws uniformly before it looks at any
_KEPT = 0.6  # chance that it then takes a part from a good trial
_GOOD = 5  # trials that count as good
_MEAN, _DRAW = 0.74, 0.07
# How a synthesis comes about, after docs/design/rehearsal.md: part of the way to the best
# reference, some of its own opinion, and a loss for each reference above those it can weigh.
_FOUND, _OWN, _WEIGHED, _BREADTH = 0.45, 0.15, 4, 0.015
_DEPTH_SD = 0.02  # whether another layer pays differs from pool to pool


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search is to do, as far as it decides what is asked.

    Attributes:
        trials: New ensembles.
        confirm: Best ensembles confirmed.
        compared: Models scored for comparison.
        racing: Whether hopeless trials are stopped; not those evaluated in full by plan.
        sampled: Whether a sampler learns from the trials.
        discovery: Whether a model proposes, too.
        in_flight: Trials at the same time.
        seed: The study's: the random sampler draws exactly so.
    """

    trials: int
    confirm: int
    compared: tuple[str, ...]
    racing: bool
    sampled: bool
    discovery: bool
    in_flight: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """An ensemble that answers the first `items` of a half's order.

    Attributes:
        again: Whether the search's judge reads the answers to held-out items, too.
    """

    ensemble: Ensemble
    half: Split
    items: int
    again: bool = False


def asked(
    space: Space, suite: Suite, scope: Scope, seed: int, known: Sequence[Outcome] = ()
) -> list[Asked]:
    """Return what one imagined search asks.

    Args:
        space: What may be tried.
        suite: Gives the halves.
        scope: What is to be done.
        seed: Decides everything imagined.
        known: What the study has evaluated on the search items already, oldest first. From a few
            trials on it is not imagined again, and tells how good the models are; baselines
            alone tell too little.
    """
    if sum(outcome.origin != "baseline" for outcome in known) < _STARTUP:
        known = ()
    world = _World(suite, scope.seed, seed, known)
    archive = Archive(known)
    for ensemble in singles(space, scope.compared):
        _evaluate(archive, world, ensemble)
    alone = [outcome for outcome in archive.best(len(archive)) if not outcome.ensemble.layers]
    for ensemble in shapes(space, alone):
        _evaluate(archive, world, ensemble)
    _imagine_trials(archive, world, space, scope, random.Random(digest(["estimate", seed])))
    held_out = len(suite.half("held_out"))
    members = {*space.proposers, *space.aggregators}
    best = archive.best(len(archive))
    confirmed = candidates(archive, best, scope.confirm, scope.compared, members)
    leaders = leading([outcome for outcome in best if outcome.ensemble in confirmed], members)
    return [
        *(Asked(outcome.ensemble, "search", outcome.items) for outcome in archive.all()),
        *(Asked(e, "held_out", held_out, again=e in leaders) for e in confirmed),
    ]


def _evaluate(archive: Archive, world: _World, ensemble: Ensemble) -> None:
    if ensemble.digest not in archive:
        archive.add(world.outcome(ensemble, "baseline", None))


def _imagine_trials(
    archive: Archive, world: _World, space: Space, scope: Scope, rng: random.Random
) -> None:
    seen = {outcome.ensemble.digest for outcome in archive.all()}
    pending: list[Outcome] = []  # trials in flight: nobody knows of them yet
    for number in range(archive.tried, scope.trials):
        learns = scope.sampled or scope.discovery
        chance = rng if learns else random.Random(seed_of(scope.seed, number))
        trial = _unseen(partial(drawn, space, archive, scope, number, chance), seen)
        if trial is None:
            break
        incumbent = archive.incumbent if scope.racing else None
        pending.append(world.outcome(trial, "sampler", incumbent))
        if len(pending) >= scope.in_flight:
            archive.add(pending.pop(0))
    for outcome in pending:
        archive.add(outcome)


def drawn(
    space: Space, archive: Archive, scope: Scope, number: int, rng: random.Random
) -> Ensemble:
    """Return what the sampler might draw for a trial."""
    if not scope.sampled and not scope.discovery:
        return space.sample(rng)
    good = [outcome.ensemble for outcome in archive.best(_GOOD)]
    if scope.discovery and number % 2 and number >= _GOOD:
        return _moved(space, rng.choice(good), rng)
    if not scope.sampled:
        return space.sample(rng)
    model = space.encode(rng.choice(good)) if number >= _STARTUP else {}
    return _mixed(space, model, rng)


def _mixed(
    space: Space, good: dict[str, bool | int | float | str], rng: random.Random
) -> Ensemble:
    """Return an ensemble whose parts are a good one's or drawn, each by itself."""

    def part(name: str, choices: Sequence[bool | int | float | str]) -> bool | int | float | str:
        kept = name in good and rng.random() < _KEPT
        return good[name] if kept else rng.choice(choices)

    depth = int(part("layers", range(space.layers + 1)))
    values: dict[str, bool | int | float | str] = {"layers": depth}
    for name, distribution in space.distributions(depth).items():
        if name == "layers":
            continue
        choices = getattr(distribution, "choices", None)
        values[name] = part(name, choices or range(1, space.n + 1))
    return space.decode(values)


def _moved(space: Space, good: Ensemble, rng: random.Random) -> Ensemble:
    """Return a good ensemble with one part changed, as one who reasons about it would."""
    values = space.encode(good)
    depth = len(good.layers)
    if not depth:
        return space.sample(rng)
    names = [name for name in space.distributions(depth) if name != "layers"]
    name = rng.choice(names)
    distribution = space.distributions(depth)[name]
    choices = getattr(distribution, "choices", None) or range(1, space.n + 1)
    others = [choice for choice in choices if choice != values.get(name)]
    return space.decode({**values, "layers": depth, name: rng.choice(others)})


def _unseen(draw: Callable[[], Ensemble], seen: set[str]) -> Ensemble | None:
    for _ in range(200):
        ensemble = draw()
        if ensemble.digest not in seen:
            seen.add(ensemble.digest)
            return ensemble
    return None


class _World:
    """Imagined models, judged."""

    def __init__(self, suite: Suite, order: int, seed: int, known: Sequence[Outcome]) -> None:
        self._seed = seed
        self._items = stratified(suite.half("search"), order)
        self._names = [item.id for item in self._items]
        self._strata = {item.id: item.category for item in self._items}
        self._weights = suite.weights
        self._looks = racing.looks(self._items)
        self._own_worths: dict[tuple[str, float, int], Worths] = {}
        self._deeper = _DEPTH_SD * float(self._noise("depth")[0])
        alone = (o for o in known if not o.ensemble.layers and len(o.scores) == len(self._names))
        self._known = {
            o.ensemble.aggregator.model: np.array([o.scores[name] for name in self._names])
            for o in alone
        }

    def outcome(self, ensemble: Ensemble, origin: str, incumbent: Outcome | None) -> Outcome:
        """Return how an ensemble fares, raced against an incumbent."""
        noise = VERDICT_SD * self._noise("verdict", ensemble.digest)
        worth = np.clip(self._final(ensemble) + noise, 0.0, 1.0)
        scores = dict(zip(self._names, worth.tolist(), strict=True))
        seen = len(scores)
        for look in self._looks[:-1] if incumbent else ():
            some = {name: scores[name] for name in self._names[:look]}
            assert incumbent is not None
            if racing.compare(
                some, incumbent.scores, len(self._looks), self._strata, self._weights
            ).hopeless:
                scores, seen = some, look
                break
        value = mean(scores, self._strata, self._weights)
        return Outcome(
            ensemble,
            origin,
            "COMPLETE" if seen == len(self._names) else "PRUNED",
            Estimate(value, value, value, seen),
            scores,
            seen,
            marked=0,
            value=value,
        )

    def _final(self, ensemble: Ensemble) -> Worths:
        references: list[Worths] = []
        for layer in ensemble.layers:
            references = [
                self._reply(agent, draw, references) for agent in layer for draw in range(agent.n)
            ]
        return self._reply(ensemble.aggregator, 0, references)

    def _reply(self, agent: Agent, draw: int, references: Sequence[Worths]) -> Worths:
        key = agent.model, agent.temperature, draw
        own = self._own_worths.get(key)
        if own is None:
            own = self._own_worths[key] = self._own(agent, draw)
        if not references:
            return own
        middle = np.mean(references, axis=0)
        found = _FOUND * (np.max(references, axis=0) - middle)
        lost = _BREADTH * max(0, len(references) - _WEIGHED) - self._deeper * bool(agent.prompt)
        mixed: Worths = middle + found + _OWN * (own - middle) - lost
        return mixed

    def _own(self, agent: Agent, draw: int) -> Worths:
        chance = _DRAW * agent.temperature * self._noise("draw", agent.model, draw)
        known = self._known.get(agent.model)
        if known is None:
            skill = _MEAN + MODEL_SD * float(self._noise("skill", agent.model)[0])
            known = skill + INTERACTION_SD * self._noise("own", agent.model)
        worth: Worths = known + chance
        return worth

    def _noise(self, *parts: object) -> Worths:
        seed = int(digest([self._seed, *parts])[:12], 16)
        drawn: Worths = np.random.default_rng(seed).standard_normal(len(self._items))
        return drawn
