"""Optuna's side of the search: every ask, suggest and tell, in one thread of their own."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.evaluation import Outcome
from optimizer.sampler import EnsembleSampler, seed_of, suggest, uniform
from optimizer.space import Space

T = TypeVar("T")

REPEATS = 5  # duplicates in a row before a trial is drawn among the unseen
DRAWS = 1000  # draws without an unseen ensemble that mean the space is exhausted


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
        archive: What is known; baselines are never asked again.
        seed: Decides every draw among the unseen.
        sample: Optuna's sampler for one trial's number; None draws among the unseen at random.

    Attributes:
        sampled: Whether a sampler of Optuna's takes part.
        exhausted: Whether no unseen ensemble could be found.
        waiting: Trials that a killed run left behind; they are asked first.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        archive: Archive,
        seed: int,
        sample: Callable[[int], BaseSampler] | None,
    ) -> None:
        self.sampled = sample is not None
        self.exhausted = False
        self.waiting = 0
        self._study = study
        self._space = space
        self._archive = archive
        self._seed = seed
        self._inbox: deque[Ensemble] = deque()  # filled in the loop, emptied in the thread
        self._numbers: dict[str, int] = {}  # digest → number of the first trial that had it
        self._told: dict[str, float] = {}  # digest → what the sampler was told of it
        self._count = 0  # number of the next trial
        self._origin = ""
        self._repeats = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="optuna")
        study.sampler = EnsembleSampler(space, self._pick, sample or uniform(seed))

    async def open(self) -> None:
        """Read what earlier runs asked."""
        await self._in_thread(self._read)

    async def ask(self) -> Asked | None:
        """Return a trial and the ensemble it is to try, one evaluated before included.

        None where every ensemble of the space was asked.
        """
        outcome = asyncio.get_running_loop().create_future()
        return await self._in_thread(lambda: self._ask(outcome))

    async def tell(self, trial: optuna.Trial, outcome: Outcome) -> None:
        """Close a trial: with its value, PRUNED where it is not to be trusted, else FAIL."""
        await self._in_thread(lambda: self._tell(trial, outcome))

    def propose(self, ensembles: Iterable[Ensemble]) -> None:
        """Put ensembles into the inbox; where a sampler takes part they get every other trial."""
        self._inbox.extend(ensembles)

    @property
    def proposals(self) -> int:
        """Ensembles in the inbox."""
        return len(self._inbox)

    def close(self) -> None:
        """Wait for the thread to finish what it is at."""
        self._thread.shutdown()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _read(self) -> None:
        for trial in self._study.get_trials(deepcopy=False):
            self._count = trial.number + 1
            if trial.state == TrialState.FAIL:
                continue  # forgotten: its ensemble may be tried again
            digest = trial.user_attrs.get("digest", "")
            self._numbers.setdefault(digest, trial.number)
            if trial.value is not None:
                self._told.setdefault(digest, trial.value)
            self.waiting += trial.state == TrialState.WAITING

    def _ask(self, outcome: asyncio.Future[Outcome]) -> Asked | None:
        if not (self.waiting or self.sampled or self._inbox) and self._unseen(self._count) is None:
            return None  # before a trial is made that nothing could be tried in
        trial = self._study.ask()
        self._count = trial.number + 1
        self.waiting = max(0, self.waiting - 1)
        ensemble = suggest(trial, self._space)
        origin = str(trial.user_attrs.get("origin", self._origin))
        if "digest" not in trial.user_attrs:
            trial.set_user_attr("origin", origin)
            trial.set_user_attr("digest", ensemble.digest)
        first = self._numbers.setdefault(ensemble.digest, trial.number)
        self._repeats = 0 if first == trial.number else self._repeats + 1
        return Asked(trial, ensemble, origin, outcome)

    def _tell(self, trial: optuna.Trial, outcome: Outcome) -> None:
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

    def _pick(self, number: int) -> Ensemble | None:
        """Say what a trial shall try: a proposal, an unseen draw, or what the sampler draws."""
        if number % 2 or not self.sampled:
            while self._inbox:
                ensemble = self._inbox.popleft()
                if not self._seen(ensemble, number):
                    self._origin = "discovery"
                    return ensemble
        if self.sampled and self._repeats < REPEATS:
            self._origin = "tpe"
            return None
        self._origin = "random"
        return self._unseen(number)

    def _unseen(self, number: int) -> Ensemble | None:
        rng = random.Random(seed_of(self._seed, number))
        for _ in range(DRAWS):
            ensemble = self._space.sample(rng)
            if not self._seen(ensemble, number):
                return ensemble
        self.exhausted = True
        return None

    def _seen(self, ensemble: Ensemble, number: int) -> bool:
        """Tell whether a baseline or an earlier trial has it; later trials decide nothing."""
        known = self._archive.get(ensemble.digest)
        if known is not None and known.origin == "baseline":
            return True
        return self._numbers.get(ensemble.digest, number) < number
