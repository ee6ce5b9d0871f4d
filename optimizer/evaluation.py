"""One ensemble on the items of one half."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from data.errors import RejectedError, RequestError
from data.observer import Observer
from data.suites import Item, Suite
from data.suites.item import Split
from db.records import Evaluation, Result
from db.store import Store
from judges.score import Judge
from judges.statistics import COVERAGE, estimate
from moa.answer import Answer
from moa.conversation import Conversation
from moa.engine import Engine
from moa.ensemble import Ensemble
from optimizer import racing
from optimizer.items import stratified
from optimizer.outcome import Outcome, State, costs
from optimizer.racing import Standing
from optimizer.stepping import Together

PAUSES = (1.0, 4.0, 16.0)  # seconds before the last items of an evaluation are tried again
PASSES = 3  # over the items that were not answered or not judged, before the evaluation fails


@dataclass(frozen=True, slots=True)
class ItemDone:
    """An item was answered and judged."""

    study: str
    digest: str
    item: str
    value: float | None


@dataclass(slots=True)
class _Progress:
    """What an evaluation has so far."""

    results: dict[str, Result] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)  # judged by somebody else
    silent: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # items

    @property
    def scores(self) -> dict[str, float]:
        return {i: r.value for i, r in self.results.items() if r.value is not None}

    @property
    def marked(self) -> int:
        return sum(r.answer.marked for r in self.results.values())


async def all_of(coroutines: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all at once; at the first exception cancel the rest and raise it as it is.

    They begin one after the other: hundreds that begin in one turn of the loop keep replies that
    have arrived from being read and kept, for so long that a crash would have them paid again.
    """
    tasks: list[asyncio.Task[None]] = []
    try:
        for coroutine in coroutines:
            tasks.append(asyncio.create_task(coroutine))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


class Evaluator:
    """Evaluates ensembles on a half of a suite, each at most once.

    Args:
        store: Keeps evaluations; what it holds is not asked again.
        engine: Lets the ensemble answer.
        judge: Scores the answers.
        suite: Gives items and category weights.
        half: The half of the suite.
        study: Name of the study.
        seed: Decides the order of the items.
        observer: Hears of each item.

    Attributes:
        answered: Items answered and judged so far, of all ensembles.
        together: Where a host holds only some of the models: racing trials step with it.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        judge: Judge,
        suite: Suite,
        half: Split,
        *,
        study: str,
        seed: int,
        observer: Observer,
        together: Together | None = None,
    ) -> None:
        self._together = together
        self._store = store
        self._engine = engine
        self._judge = judge
        self._suite = suite
        self._half = half
        self._study = study
        self._observer = observer
        self.answered = 0
        self.items = stratified(suite.half(half), seed)
        self._strata = {item.id: item.category for item in self.items}

    def restored(self, outcome: Outcome, best: Outcome | None) -> Outcome:
        """Return a pruned outcome of an earlier run with the value that is told of it.

        The database keeps the ensemble's own estimate; what counts is how it stands against the
        incumbent.
        """
        if outcome.state != "PRUNED" or best is None or best.value is None:
            return outcome
        return replace(
            outcome, value=best.value + self._compare(outcome.scores, best, 1).difference
        )

    async def evaluate(
        self,
        ensemble: Ensemble,
        origin: str,
        incumbent: Callable[[], Outcome | None] | None = None,
    ) -> Outcome:
        """Evaluate an ensemble; items and verdicts kept from before cost nothing.

        Answers that another judge has seen are not asked for again.

        Args:
            ensemble: What answers.
            origin: Who proposed it.
            incumbent: Asked at each look for the ensemble to race against; None: no racing.

        Raises:
            BudgetSpentError: A request could not be paid; what was finished is kept.
            EndpointError: The user must act first.
        """
        record = await self._store.begin(
            self._study, self._half, self._judge.digest, self._judge.name, ensemble, origin
        )
        results = self._store.results(record.id)
        if record.state in ("COMPLETE", "PRUNED"):
            return Outcome.of(record, results)
        progress = _Progress(
            {r.item_id: r for r in results},
            self._store.answers(self._study, self._half, ensemble.digest),
        )
        beaten_by = await self._walk(record, progress, ensemble, incumbent)
        if beaten_by is None:
            await self._complete(record, progress, ensemble)
        outcome = self._outcome(record, progress, beaten_by)
        await self._close(record, outcome)
        return outcome

    async def _walk(
        self,
        record: Evaluation,
        progress: _Progress,
        ensemble: Ensemble,
        incumbent: Callable[[], Outcome | None] | None,
    ) -> Outcome | None:
        """Answer and judge the items, look by look; return the incumbent it cannot beat."""
        if incumbent is None or self._together is None:
            return await self._race(record, progress, ensemble, incumbent, None)
        with self._together.member():
            return await self._race(record, progress, ensemble, incumbent, self._together)

    async def _race(
        self,
        record: Evaluation,
        progress: _Progress,
        ensemble: Ensemble,
        incumbent: Callable[[], Outcome | None] | None,
        together: Together | None,
    ) -> Outcome | None:
        looks = racing.looks(self.items) if incumbent else [len(self.items)]
        begun = 0
        for look in looks:
            if together is not None:
                await together.step()
            await self._answer_all(record, progress, ensemble, self.items[begun:look])
            begun = look
            best = incumbent() if incumbent and look < len(self.items) else None
            if best and self._compare(progress.scores, best, len(looks)).hopeless:
                return best
        return None

    def _compare(self, scores: Mapping[str, float], best: Outcome, planned: int) -> Standing:
        return racing.compare(scores, best.scores, planned, self._strata, self._suite.weights)

    async def _answer_all(
        self, record: Evaluation, progress: _Progress, ensemble: Ensemble, items: Sequence[Item]
    ) -> None:
        for _ in range(PASSES):
            missing = [item for item in items if item.id not in progress.results]
            if not missing:
                return
            await all_of(self._answer(record, progress, ensemble, item) for item in missing)

    async def _complete(self, record: Evaluation, progress: _Progress, ensemble: Ensemble) -> None:
        """Wait for the last items where nearly all are answered: whoever did so is not gone."""
        for pause in PAUSES:
            if not COVERAGE * len(self.items) <= len(progress.results) < len(self.items):
                return
            await asyncio.sleep(pause)
            await self._answer_all(record, progress, ensemble, self.items)

    async def _answer(
        self, record: Evaluation, progress: _Progress, ensemble: Ensemble, item: Item
    ) -> None:
        known = progress.answers.get(item.id)
        try:
            answer = known or await self._engine.answer(ensemble, Conversation.of(item))
            scores = await self._judge.score(item, answer)
        except RequestError as error:
            if error.model is not None:
                progress.silent.add(error.model)
            if isinstance(error, RejectedError):
                progress.refused.add(item.id)
            return  # the item stays without a result; the ledger holds the reason
        progress.results[item.id] = await self._store.add(record.id, item, answer, scores)
        self.answered += 1
        self._observer.notice(
            ItemDone(self._study, record.digest, item.id, progress.results[item.id].value)
        )

    def _outcome(
        self, record: Evaluation, progress: _Progress, beaten_by: Outcome | None
    ) -> Outcome:
        scores, seen = progress.scores, len(progress.results)
        found = estimate(scores, self._strata, self._suite.weights) if scores else None
        value = found.value if found else None
        if beaten_by is not None and beaten_by.value is not None:
            value = beaten_by.value + self._compare(scores, beaten_by, 1).difference
        whole: State = "COMPLETE" if seen >= COVERAGE * len(self.items) else "FAILED"
        return Outcome(
            ensemble=record.ensemble,
            origin=record.origin,
            state="PRUNED" if beaten_by else whole,
            estimate=found,
            scores=scores,
            items=seen if beaten_by else len(self.items),
            marked=progress.marked,
            value=value,
            **costs(progress.results.values()),
            silent=frozenset(progress.silent),
            refused=len(progress.refused - set(progress.results)) if progress.results else 0,
        )

    async def _close(self, record: Evaluation, outcome: Outcome) -> None:
        await self._store.close_evaluation(
            record.id,
            outcome.state,
            outcome.estimate,
            items=outcome.items,
            unscored=outcome.items - len(outcome.scores),
            marked=outcome.marked,
        )
