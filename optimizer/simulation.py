"""What a search will ask, before it has: the same search over models that are imagined.

Baselines, proposers, Optuna's samplers, racing and confirmation are the real ones; what is
imagined is how good each model is and what a judge would say (`optimizer.imagined`), and what a
discoverer proposes. docs/design/night.md holds what it was measured against.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from data.digest import digest
from data.suites import Suite
from data.suites.item import Split
from moa.ensemble import Ensemble
from optimizer import asking
from optimizer.archive import Archive
from optimizer.baselines import shapes, singles
from optimizer.confirm import candidates
from optimizer.confirmation import leading
from optimizer.imagined import World
from optimizer.outcome import Outcome
from optimizer.proposers import Proposer
from optimizer.proposers.moves import crossed, mutated, shape_of
from optimizer.proposers.random import Inbox
from optimizer.search import DISCOVER_AFTER, IN_FULL, PROPOSALS
from optimizer.space import Space

FEWEST: Final = 10  # trials of the study itself from which it is not imagined again

_PARENTS = 4  # ensembles that a discoverer goes by


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search is to do, as far as it decides what is asked.

    Attributes:
        trials: New ensembles.
        confirm: Best ensembles confirmed.
        compared: Models scored for comparison.
        racing: Whether hopeless trials are stopped; not those evaluated in full by plan.
        discovery: Whether a model proposes, too.
        in_flight: Trials at the same time.
        seed: The study's: proposers draw by it.
        families: Model → its family, where known.
    """

    trials: int
    confirm: int
    compared: tuple[str, ...]
    racing: bool
    discovery: bool
    in_flight: int
    seed: int = 0
    families: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Crew:
    """Who proposes, fresh for each imagined search: proposers remember.

    Attributes:
        proposers: Asked one after the other for each trial until one proposes.
        recommend: Ensembles evaluated in full, best hope first: who is confirmed.
        sample: Optuna's sampler for a trial's number, where no proposer proposes.
        slow: Whether they take tens of milliseconds for each trial.
    """

    proposers: tuple[Proposer, ...]
    recommend: Callable[[Archive], list[Outcome]]
    sample: Callable[[int], BaseSampler] | None = None
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """An ensemble that answers the first `items` of a half's order.

    Attributes:
        again: Whether the search's judge reads the answers to held-out items, too.
        trial: Whether it is one of the trials.
    """

    ensemble: Ensemble
    half: Split
    items: int
    again: bool = False
    trial: bool = False


def asked(
    space: Space,
    suite: Suite,
    scope: Scope,
    crew: Crew,
    seed: int,
    known: Sequence[Outcome] = (),
) -> list[Asked]:
    """Return what one imagined search asks; call it where no event loop runs.

    Args:
        space: What may be tried.
        suite: Gives the halves.
        scope: What is to be done.
        crew: Who proposes.
        seed: Decides everything imagined.
        known: What the study has evaluated on the search items already, oldest first. From a few
            trials on it is not imagined again, and tells how good the models are; baselines
            alone tell too little.
    """
    tried = sum(outcome.origin != "baseline" for outcome in known)
    if tried < FEWEST or not _of(suite, known):
        known = ()
    world = World(suite, scope.seed, seed, known, scope.families)
    archive = Archive(known)
    for ensemble in singles(space, scope.compared):
        _evaluate(archive, world, ensemble)
    alone = [outcome for outcome in archive.best(len(archive)) if not outcome.ensemble.layers]
    for ensemble in shapes(space, alone):
        _evaluate(archive, world, ensemble)
    asyncio.run(_Trials(archive, world, space, scope, crew, seed).run())
    return _all(archive, space, suite, scope, crew)


def _all(archive: Archive, space: Space, suite: Suite, scope: Scope, crew: Crew) -> list[Asked]:
    held_out = len(suite.half("held_out"))
    members = {*space.proposers, *space.aggregators}
    best = crew.recommend(archive)
    confirmed = candidates(archive, best, scope.confirm, scope.compared, members)
    leaders = leading([outcome for outcome in best if outcome.ensemble in confirmed], members)
    return [
        *(
            Asked(o.ensemble, "search", o.items, trial=o.origin != "baseline")
            for o in archive.all()
        ),
        *(Asked(e, "held_out", held_out, again=e in leaders) for e in confirmed),
    ]


def _of(suite: Suite, known: Sequence[Outcome]) -> bool:
    """Tell whether outcomes are of a suite's very search items, not of what it was before."""
    names = {item.id for item in suite.half("search")}
    return all(
        o.scores.keys() <= names and (o.state == "PRUNED" or o.items == len(names)) for o in known
    )


def _evaluate(archive: Archive, world: World, ensemble: Ensemble) -> None:
    if ensemble.digest not in archive:
        archive.add(world.outcome(ensemble, "baseline", None))


class _Trials:
    """The trials of one imagined search, so many in flight."""

    def __init__(
        self,
        archive: Archive,
        world: World,
        space: Space,
        scope: Scope,
        crew: Crew,
        seed: int,
    ) -> None:
        self._archive, self._world, self._space, self._scope = archive, world, space, scope
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize")
        known = [o for o in archive.all() if o.origin != "baseline"]
        study.add_trials([_trial(o, space) for o in known if space.contains(o.ensemble)])
        self._asker = asking.Asker(study, space, archive, scope.seed, crew.proposers, crew.sample)
        self._alone = any(isinstance(one, Inbox) for one in crew.proposers)
        self._rng = random.Random(digest(["discovery", seed]))
        self._flying: dict[str, tuple[asking.Asked, Outcome]] = {}  # nobody knows of them yet
        self._closed = 0

    async def run(self) -> None:
        """Go on until the archive holds all trials or nobody proposes."""
        try:
            await self._search()
        finally:
            self._asker.close()

    async def _search(self) -> None:
        archive = self._archive
        await self._asker.open()
        while archive.tried + len(self._flying) < self._scope.trials:
            if self._scope.discovery and self._alone and not archive.inbox:
                self._discover()
            asked = await self._asker.ask()
            if asked is None:
                break
            await self._begin(asked)
            if len(self._flying) >= self._scope.in_flight:
                await self._close()
        while self._flying:
            await self._close()

    async def _begin(self, asked: asking.Asked) -> None:
        while asked.ensemble.digest in self._flying:
            await self._close()
        known = self._archive.get(asked.ensemble.digest)
        if known is not None:
            await self._asker.tell(asked.trial, known)
            return
        raced = self._scope.racing and asked.origin not in IN_FULL
        incumbent = self._archive.incumbent if raced else None
        outcome = self._world.outcome(asked.ensemble, asked.origin, incumbent)
        self._flying[asked.ensemble.digest] = asked, outcome

    async def _close(self) -> None:
        asked, outcome = self._flying.pop(next(iter(self._flying)))
        self._archive.add(outcome)
        await self._asker.tell(asked.trial, outcome)
        self._closed += 1
        if self._scope.discovery and not self._alone and not self._closed % DISCOVER_AFTER:
            self._discover()

    def _discover(self) -> None:
        """Put into the inbox what one who reads the best might propose."""
        archive, space = self._archive, self._space
        best = [o.ensemble for o in archive.best(len(archive)) if space.contains(o.ensemble)]
        parents = [shape_of(ensemble) for ensemble in best[:_PARENTS]]
        for number in range(PROPOSALS if parents else 0):
            child = self._rng.choice(parents)
            if number % 2:
                child = crossed(child, self._rng.choice(parents), space, self._rng)
            else:
                child = mutated(child, space, self._rng)
            if not archive.taken(child.ensemble.digest):
                archive.inbox[child.ensemble.digest] = child.ensemble


def _trial(outcome: Outcome, space: Space) -> FrozenTrial:
    """Return the trial that an outcome of the study came of."""
    ensemble, pruned = outcome.ensemble, not outcome.ranked
    return create_trial(
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        params=dict(space.encode(ensemble)),
        distributions=space.distributions(len(ensemble.layers)),
        value=None if pruned else outcome.value,
        intermediate_values={outcome.items: outcome.value or 0.0} if pruned else {},
        user_attrs={"digest": ensemble.digest},
    )
