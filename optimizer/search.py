"""The search: baselines, trials, confirmation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import optuna
from optuna.samplers import BaseSampler

from data.errors import BudgetSpentError, KumiawaseError
from data.observer import Observer
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.asking import Asked, Asker
from optimizer.baselines import shapes, singles
from optimizer.budget import Budget
from optimizer.confirmation import Confirmation, StalledError
from optimizer.evaluation import Evaluator, all_of
from optimizer.events import (
    DiscoveryDone,
    EnsembleClosed,
    PhaseStarted,
    ScaleFrozen,
    TrialStarted,
)
from optimizer.outcome import Outcome
from optimizer.patience import Patience
from optimizer.proposers import Discoverer, Proposer
from optimizer.proposers.random import Inbox
from optimizer.scaling import Scaling
from optimizer.space import Space

End = Literal["done", "budget", "exhausted"]

DISCOVER_AFTER = 5  # trials closed between two discovery turns
PROPOSALS = 4  # ensembles asked of one turn
STALLED = 8  # evaluations in a row that failed without an answer between, and
IN_VAIN = 64  # with some answers, but never enough of them
IN_FULL = frozenset({"audition", "set-gp"})  # near the incumbent, few items cannot tell


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search is to do.

    Attributes:
        trials: New ensembles to evaluate in all, earlier runs included.
        in_flight: Trials evaluated at the same time.
        confirm: Best ensembles to confirm.
        racing: Whether trials are raced against the incumbent, but those of `in_full`.
        compared: Models scored for comparison that are no members.
        seed: Decides everything drawn.
        in_full: Origins whose proposals are evaluated in full.
        patience: Seconds that nothing may be answered before the search gives up.
    """

    trials: int
    in_flight: int
    confirm: int
    racing: bool
    compared: tuple[str, ...]
    seed: int
    in_full: frozenset[str] = IN_FULL
    patience: float = 0.0


class Search:
    """One study's search; small for ever.

    Args:
        study: Optuna's study; its sampler is set here.
        space: What may be tried.
        archive: What earlier runs found.
        evaluator: Evaluates on the search items.
        confirmer: Evaluates on the held-out items.
        budget: What it keeps back is released for the confirmation.
        plan: What to do.
        proposers: Asked one after the other for each trial until one proposes.
        sample: Optuna's sampler for one trial's number, where no proposer proposes; None draws
            among the unseen at random.
        discovery: Fills the archive's inbox, beside the trials or, where nobody else proposes
            from it, whenever it is empty; or None.
        recommend: Ensembles evaluated in full, best hope first; None goes by their scores.
        observer: Hears of everything.
        scaling: Of the judge, where it is a panel.
        report_scaling: Of the judge that confirms, where it is another one and a panel.
        second: Evaluates on the held-out items by the search's judge, where the confirmer has
            another one.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        archive: Archive,
        evaluator: Evaluator,
        confirmer: Evaluator,
        budget: Budget,
        plan: Plan,
        *,
        proposers: Sequence[Proposer] = (),
        sample: Callable[[int], BaseSampler] | None = None,
        discovery: Discoverer | None = None,
        recommend: Callable[[Archive], list[Outcome]] | None = None,
        observer: Observer,
        scaling: Scaling | None = None,
        report_scaling: Scaling | None = None,
        second: Evaluator | None = None,
    ) -> None:
        self._space = space
        self._archive = archive
        self._evaluator = evaluator
        self._scaling = scaling
        judging = [e for e in (evaluator, confirmer, second) if e is not None]
        self._patience = Patience(plan.patience, lambda: sum(e.answered for e in judging))
        self._confirmation = Confirmation(
            archive, confirmer, second, report_scaling, self._patience, observer
        )
        self._budget = budget
        self._plan = plan
        self._discovery = discovery
        self._observer = observer
        self._recommend = recommend
        self._beside = bool(proposers) or sample is not None
        proposing = proposers if self._beside or discovery is None else (Inbox(),)
        self._asker = Asker(study, space, archive, plan.seed, proposing, sample)
        self._asking = asyncio.Lock()
        self._running: dict[str, Asked] = {}  # digest → the trial that evaluates it
        self._discovering: asyncio.Task[None] | None = None
        self._closed = 0
        self._failures = 0
        self._in_vain = 0
        self._lacking: dict[str, tuple[str, Ensemble]] = {}  # baselines not evaluated so far

    async def run(self) -> End:
        """Search until the plan is done or the budget spent, then confirm.

        Raises:
            StalledError: Too many evaluations failed in a row.
            EndpointError: The user must act first.
        """
        end: End = "done"
        try:
            await self._budget.within(self._searching())
        except BudgetSpentError:
            end = "budget"
        finally:
            await self._stop_discovery()
            self._asker.close()
        if self._discovering is not None and not self._discovering.cancelled():
            self._discovering.result()  # raises what only the user can mend
        try:
            self._budget.release()
            await self._budget.within(self._confirm())
        except BudgetSpentError:
            return "budget"
        return "exhausted" if self._asker.exhausted and end == "done" else end

    @property
    def lacking(self) -> list[Ensemble]:
        """Baselines that could not be evaluated so far."""
        return [ensemble for _, ensemble in self._lacking.values()]

    async def _searching(self) -> None:
        await self._baselines()
        await self._trials()
        await all_of(self._baseline(*lacking) for lacking in list(self._lacking.values()))

    async def _baselines(self) -> None:
        alone = singles(self._space, self._plan.compared)
        await self._score("single models", alone)
        while self._all_lack(alone) and await self._patience.wait():
            await self._score("single models", alone)
        if self._scaling is not None and self._scaling.open:
            await self._scale(self._scaling, alone)
        digests = {ensemble.digest for ensemble in alone}  # no trial's: a resumed run knows more
        ranked = [
            o for o in self._archive.best(len(self._archive)) if o.ensemble.digest in digests
        ]
        if not ranked:
            raise StalledError("no single model could be scored; `kumiawase status` says why")
        await self._score("baselines", shapes(self._space, ranked))

    def _all_lack(self, ensembles: Sequence[Ensemble]) -> bool:
        return all(ensemble.digest in self._lacking for ensemble in ensembles)

    async def _score(self, phase: str, ensembles: Sequence[Ensemble]) -> None:
        self._observer.notice(PhaseStarted(phase, len(ensembles)))
        await all_of(self._baseline(phase, ensemble) for ensemble in ensembles)

    async def _baseline(self, phase: str, ensemble: Ensemble) -> None:
        outcome = await self._evaluator.evaluate(ensemble, "baseline")
        self._archive.add(outcome)
        if outcome.state == "FAILED":
            self._lacking[ensemble.digest] = phase, ensemble
        else:
            self._lacking.pop(ensemble.digest, None)
        self._observer.notice(EnsembleClosed(phase, None, outcome))

    async def _scale(self, scaling: Scaling, alone: Sequence[Ensemble]) -> None:
        """Freeze the scale of a panel's judges and score on it what they have judged."""
        whole = [ensemble for ensemble in alone if ensemble.digest in self._archive]
        if whole:
            self._observer.notice(ScaleFrozen(await scaling.freeze("search", whole)))
            self._archive.clear()
            await self._score("common scale", alone)

    async def _confirm(self) -> None:
        self._budget.release()
        await self._confirmation.run(
            (self._recommend or _by_score)(self._archive),
            self._plan.confirm,
            self._plan.compared,
            {*self._space.proposers, *self._space.aggregators},
            one_by_one=self._budget.limited,
        )

    async def _trials(self) -> None:
        self._observer.notice(PhaseStarted("trials", self._plan.trials))
        await self._asker.open()
        if self._discovery:
            self._receive(self._discovery.pending())
        await all_of(self._work() for _ in range(self._plan.in_flight))

    async def _work(self) -> None:
        """Take trial after trial until no more are wanted."""
        while (asked := await self._next()) is not None:
            fresh = self._running.get(asked.ensemble.digest) is asked
            outcome = await (self._evaluate(asked) if fresh else self._known(asked.ensemble))
            await self._asker.tell(asked.trial, outcome)
            number = asked.trial.number
            self._observer.notice(EnsembleClosed("trials", number, outcome, duplicate=not fresh))
            if fresh:
                await self._after(outcome)

    async def _next(self) -> Asked | None:
        """Ask for a trial, one at a time; its ensemble is under way from here on."""
        async with self._asking:
            if not self._wanted():
                return None
            if self._discovery and not self._beside and not self._archive.inbox:
                self._receive(await self._proposed(self._discovery))
            asked = await self._asker.ask()
            if asked is None:
                return None
            if asked.ensemble.digest not in self._archive:
                self._running.setdefault(asked.ensemble.digest, asked)
            return asked

    def _wanted(self) -> bool:
        enough = self._archive.tried + len(self._running) >= self._plan.trials
        return self._asker.waiting > 0 or not (enough or self._asker.exhausted)

    async def _evaluate(self, asked: Asked) -> Outcome:
        self._observer.notice(TrialStarted(asked.trial.number, asked.ensemble.label, asked.origin))
        try:
            raced = self._plan.racing and asked.origin not in self._plan.in_full
            outcome = await self._evaluator.evaluate(
                asked.ensemble, asked.origin, self._incumbent if raced else None
            )
            self._archive.add(outcome)
            asked.outcome.set_result(outcome)
            return outcome
        except KumiawaseError as error:
            asked.outcome.set_exception(error)
            asked.outcome.exception()  # seen: there may be nobody who waits for it
            raise
        finally:
            del self._running[asked.ensemble.digest]
            asked.outcome.cancel()

    async def _known(self, ensemble: Ensemble) -> Outcome:
        """Return what another trial found, once it has found it."""
        known = self._archive.get(ensemble.digest)
        if known is not None:
            return known
        return await asyncio.shield(self._running[ensemble.digest].outcome)

    def _incumbent(self) -> Outcome | None:
        return self._archive.incumbent

    async def _after(self, outcome: Outcome) -> None:
        failed, news = outcome.state == "FAILED", self._patience.news()
        # Something answers: one dead model ends no search, one that never answers enough does.
        self._failures = self._failures + 1 if failed and not news else int(failed)
        self._in_vain = self._in_vain + news if failed else 0
        if self._in_vain >= IN_VAIN:
            raise _stalled(IN_VAIN)
        if self._failures >= STALLED and not await self._patience.wait():
            raise _stalled(STALLED)
        self._closed += 1
        idle = self._discovering is None or self._discovering.done()
        if self._discovering is not None and idle:
            self._discovering.result()  # raises what only the user can mend
        if self._discovery and self._beside and idle and not self._closed % DISCOVER_AFTER:
            self._discovering = asyncio.create_task(self._discover(self._discovery))

    async def _discover(self, discovery: Discoverer) -> None:
        found = await self._proposed(discovery)
        async with self._asking:  # while nobody reads the space
            self._receive(found)

    async def _proposed(self, discovery: Discoverer) -> list[Ensemble]:
        try:
            found = await discovery.propose(self._archive, PROPOSALS)
        except BudgetSpentError:
            return []  # trials come to the same end, or cost nothing and go on
        self._observer.notice(DiscoveryDone(len(found)))
        return found

    def _receive(self, proposed: Iterable[Ensemble]) -> None:
        """Put proposals that nobody has tried into the inbox."""
        new = {e.digest: e for e in proposed}
        for ensemble in new.values():
            self._space.admit(ensemble)
        self._archive.inbox |= {d: e for d, e in new.items() if not self._archive.taken(d)}

    async def _stop_discovery(self) -> None:
        if self._discovering is not None:
            self._discovering.cancel()
            await asyncio.gather(self._discovering, return_exceptions=True)


def _stalled(number: int) -> StalledError:
    return StalledError(
        f"{number} evaluations in a row found too few answers; `kumiawase status` says"
        " which endpoint fails; run the same command again when it is back"
    )


def _by_score(archive: Archive) -> list[Outcome]:
    return archive.best(len(archive))
