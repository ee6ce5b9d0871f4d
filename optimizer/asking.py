"""Optuna's side of the search: every ask, suggest and tell, in one thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from db.studies import given_up, release
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.outcome import Outcome
from optimizer.proposers import Proposer
from optimizer.proposers.random import Random, nearest
from optimizer.sampler import EnsembleSampler, carry, suggest, tried, uniform
from optimizer.silence import OFFERED, Silence, without
from optimizer.space import Space

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A trial with its ensemble and who proposed it.

    Attributes:
        outcome: Set by whoever evaluates it; other trials of the same ensemble wait for it.
    """

    trial: optuna.Trial
    ensemble: Ensemble
    origin: str
    outcome: asyncio.Future[Outcome]


class Asker:
    """Gives out trials and takes back their outcomes.

    SQLite makes an ask with its suggests last tens of milliseconds: too long for the event loop.

    Args:
        study: Optuna's study; its sampler is set here.
        space: What may be tried.
        archive: What is known, and what is in flight.
        seed: Decides every draw among the unseen.
        proposers: Asked one after the other until one proposes.
        sample: Optuna's sampler for one trial's number, where no proposer proposes; None draws
            among the unseen at random.

    Attributes:
        exhausted: Whether no unseen ensemble could be found.
        waiting: Trials that a killed run left behind; they are asked first.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        archive: Archive,
        seed: int,
        proposers: Sequence[Proposer],
        sample: Callable[[int], BaseSampler] | None,
    ) -> None:
        self.exhausted = False
        self.waiting = 0
        self._study = study
        self._space = space
        self._archive = archive
        self._seed = seed
        self._proposers = proposers
        self._sampled = sample is not None
        self._random = Random(space, seed)
        self._numbers: dict[str, int] = {}  # digest → number of the first trial that had it
        self._told: dict[str, float] = {}  # digest → what the sampler was told of it
        self._repeated: Ensemble | None = None  # what the last trial had, if it was seen before
        self._picked: Ensemble | None = None  # for the trial that is being asked
        self._open: dict[int, optuna.Trial] = {}  # asked and not told
        self._silence = Silence()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="optuna")
        study.sampler = EnsembleSampler(space, self._proposed, sample or uniform(seed))

    async def open(self) -> None:
        """Read what earlier runs asked."""
        await self._in_thread(self._read)

    async def ask(self) -> Asked | None:
        """Return a trial and the ensemble it is to try, one evaluated before included.

        None where every ensemble of the space was asked. One at a time.
        """
        origin = "tpe" if self._sampled else self._random.name
        self._picked = None
        if not self.waiting:  # one that waits has its ensemble already
            self._picked, origin = await self._pick(origin)
            if self.exhausted:
                return None  # before a trial is made that nothing could be tried in
        outcome = asyncio.get_running_loop().create_future()
        asked = await self._in_thread(lambda: self._ask(origin, outcome))
        self._archive.begin(asked.ensemble)
        self._archive.asked = max(self._archive.asked, asked.trial.number + 1)
        return asked

    async def tell(self, trial: optuna.Trial, outcome: Outcome) -> None:
        """Close a trial: with its value, PRUNED where it is not to be trusted, else FAIL."""
        self._silence.tell(outcome)
        await self._in_thread(lambda: self._tell(trial, outcome))

    def close(self) -> None:
        """Wait for the thread to finish what it is at; trials that were not told wait, too."""
        self._thread.submit(lambda: release(self._study, self._open.values()))
        self._thread.shutdown()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _read(self) -> None:
        trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            self._archive.asked = trial.number + 1
            if trial.state == TrialState.FAIL and not given_up(trial):
                continue  # forgotten: its ensemble may be tried again
            digest = trial.user_attrs.get("digest", "")
            self._numbers.setdefault(digest, trial.number)
            if trial.value is not None:
                self._told.setdefault(digest, trial.value)
            if trial.state == TrialState.WAITING:
                self.waiting += 1
            if digest and trial.state in (TrialState.WAITING, TrialState.FAIL):
                self._archive.begin(tried(trial, self._space))  # nobody is to propose it
        last = trials[-1] if trials else None
        if last is not None and self._seen(last.user_attrs.get("digest", ""), last.number):
            self._repeated = tried(last, self._space)

    def _seen(self, digest: str, number: int) -> bool:
        """Tell whether a baseline or an earlier trial has an ensemble."""
        known = self._archive.get(digest)
        baseline = known is not None and known.origin == "baseline"
        return baseline or self._numbers.get(digest, number) != number

    def _proposed(self, _: int) -> Ensemble | None:
        return self._picked

    async def _pick(self, origin: str) -> tuple[Ensemble | None, str]:
        """Return what somebody proposes and its origin; nothing where Optuna's sampler draws."""
        archive = self._archive
        silent = self._silence.models(archive.asked)
        k = OFFERED if silent else 1
        if self._repeated is not None:
            near = nearest(self._repeated, archive, self._space, self._seed)
            if near is not None:
                return near, origin
        for proposer in self._proposers if self._repeated is None else ():
            for found in without(silent, await proposer.propose(archive, k)):
                return found, "discovery" if found.digest in archive.inbox else proposer.name
        if self._sampled and self._repeated is None:
            return None, origin
        drawn = await self._random.propose(archive, k)
        drawn = without(silent, drawn) or drawn  # where nobody answers, as ever
        self.exhausted = not drawn
        return (drawn[0] if drawn else None), self._random.name

    def _ask(self, origin: str, outcome: asyncio.Future[Outcome]) -> Asked:
        trial = self._study.ask()
        self._open[trial.number] = trial
        self.waiting = max(0, self.waiting - 1)
        suggest(trial, self._space)
        if self._picked is not None and "digest" not in trial.user_attrs:
            carry(trial, self._picked, self._space)
        ensemble = tried(trial, self._space)
        origin = str(trial.user_attrs.get("origin", origin))
        if "digest" not in trial.user_attrs:
            trial.set_user_attr("origin", origin)
            trial.set_user_attr("digest", ensemble.digest)
        self._numbers.setdefault(ensemble.digest, trial.number)
        self._repeated = ensemble if self._seen(ensemble.digest, trial.number) else None
        return Asked(trial, ensemble, origin, outcome)

    def _tell(self, trial: optuna.Trial, outcome: Outcome) -> None:
        del self._open[trial.number]
        if outcome.value is None or outcome.state == "FAILED":
            self._study.tell(trial, state=TrialState.FAIL)
            if self._numbers.get(outcome.ensemble.digest) == trial.number:
                del self._numbers[outcome.ensemble.digest]
            return
        value = self._told.setdefault(outcome.ensemble.digest, outcome.value)
        if outcome.ranked:
            self._study.tell(trial, value)
        else:
            trial.report(value, step=outcome.items)
            self._study.tell(trial, state=TrialState.PRUNED)
