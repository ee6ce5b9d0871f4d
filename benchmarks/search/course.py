"""One search over one problem, and what it would have recommended at each point of its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import optuna
from optuna.samplers import BaseSampler

from benchmarks.search.discovering import discovery
from benchmarks.search.problem import Engine, Judge, Ledger, Problem, Store
from db.store import Store as KeptStore
from judges.statistics import estimate
from moa.engine import Engine as RealEngine
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.budget import Budget, Free
from optimizer.confirm import Reserve, candidates
from optimizer.evaluation import Evaluator
from optimizer.events import EnsembleClosed
from optimizer.items import item_shares
from optimizer.outcome import Outcome
from optimizer.proposers import Proposer
from optimizer.proposers.new_calls import Effort
from optimizer.proposers.set_gp import SetGP
from optimizer.sampler import suggest
from optimizer.search import IN_FULL, Plan, Search

Over = Callable[["Ledger", "list[Mark]"], bool]

CONFIRM = 8
ENOUGH = 10**6  # trials: the budget ends a search, not their number


@dataclass(frozen=True)
class Mark:
    """What a search would have recommended once it had spent so much.

    Attributes:
        regret: Best known worth less the recommended ensemble's, 0-10.
        top: The CONFIRM best and the baselines, best first; what a confirmation is shown.
    """

    paid: int
    items: int
    regret: float
    top: tuple[Ensemble, ...] = ()


@dataclass
class Course:
    """All marks of a search; the last one it passed counts at a budget."""

    marks: list[Mark] = field(default_factory=list)
    evaluated: int = 0
    pruned: int = 0
    twice: int = 0

    def at(self, paid: int) -> Mark | None:
        """Return the mark at a number of paid calls, None before the first."""
        return next((m for m in reversed(self.marks) if m.paid <= paid), None)


class _OverError(Exception):
    """The budget is spent."""


class _Watch:
    """Keeps `Observer`: takes a mark whenever an ensemble was closed."""

    def __init__(self, mark: Callable[[], None]) -> None:
        self._mark = mark

    def notice(self, event: object) -> None:
        if isinstance(event, EnsembleClosed) and not event.duplicate:
            self._mark()


def effort_of(problem: Problem, *, shared: bool) -> Effort:
    """Return what an evaluation costs: one turn and one verdict an item."""
    items = len(problem.suite.half("search"))
    return Effort(items, 0, items, shared)


def ranking(problem: Problem, seed: int = 0) -> SetGP:
    """Return a surrogate that only recommends."""
    shares = item_shares(problem.suite, "search")
    return SetGP(problem.space, shares, effort_of(problem, shared=False), seed)


async def search(
    problem: Problem,
    ledger: Ledger,
    over: Over,
    seed: int,
    *,
    proposers: Sequence[Proposer],
    sample: Callable[[int], BaseSampler] | None,
    in_full: frozenset[str] | None = IN_FULL,
    in_flight: int = 8,
    discovers: bool = False,
) -> Course:
    """Run the program's own search until `over` says so, and note what it recommends.

    Args:
        problem: What is searched.
        ledger: Counts what is paid.
        over: Whether enough was spent, given the ledger and the marks so far.
        seed: Of the search.
        proposers: As `Search` takes them.
        sample: As `Search` takes it.
        in_full: Origins whose proposals are not raced; None races nobody.
        in_flight: Trials at once.
        discovers: Whether a simulated model proposes beside the others.
    """
    store, archive, course = Store(), Archive(), Course()
    judge, recommender = Judge(problem, store.ensembles), ranking(problem)

    def mark() -> None:
        ranked = recommender.recommend(archive)
        if ranked:
            members = {*problem.space.proposers, *problem.space.aggregators}
            top = candidates(archive, ranked, CONFIRM, (), members)
            regret = problem.best - problem.worth(ranked[0].ensemble)
            course.marks.append(Mark(ledger.paid, ledger.items, regret, tuple(top)))
        if over(ledger, course.marks):
            raise _OverError

    def evaluator(half: Any) -> Evaluator:  # noqa: ANN401
        return Evaluator(
            cast("KeptStore", store), cast("RealEngine", Engine(problem, ledger)), judge,
            problem.suite, half, study="s", seed=0, observer=_Watch(lambda: None),
        )  # fmt: skip

    racing = in_full is not None
    plan = Plan(ENOUGH, in_flight, 0, racing, (), seed, in_full or frozenset())
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run = Search(
        optuna.create_study(direction="maximize"), problem.space, archive, evaluator("search"),
        evaluator("held_out"), Budget(), plan, proposers=proposers, sample=sample,
        discovery=discovery(problem, ledger, store, seed) if discovers else None,
        observer=_Watch(mark),
    )  # fmt: skip
    try:
        await run.run()
    except _OverError:
        pass
    course.evaluated, course.twice = len(store.begun), len(store.begun) - len(set(store.begun))
    course.pruned = sum(o.state == "PRUNED" for o in archive.all())
    return course


async def alone(problem: Problem, ledger: Ledger, over: Over, proposer: SetGP) -> Course:
    """Let one proposer propose one ensemble after the other, without baselines."""
    archive, course = Archive(), Course()
    ids = [item.id for item in problem.suite.half("search")]
    strata = {item.id: item.category for item in problem.suite.items}
    while not over(ledger, course.marks):
        (ensemble,) = await proposer.propose(archive, 1)
        archive.asked += 1
        values = problem.scores(ensemble, "search").tolist()
        scores = dict(zip(ids, values, strict=True))
        for item in ids:
            ledger.pay(ensemble, item)
        found = estimate(scores, strata, problem.suite.weights, resamples=1)
        archive.add(
            Outcome(ensemble, proposer.name, "COMPLETE", found, scores, len(ids), 0, found.value)
        )
        best = proposer.recommend(archive)[0].ensemble
        regret = problem.best - problem.worth(best)
        course.marks.append(Mark(ledger.paid, ledger.items, regret))
    return course


def optuna_alone(problem: Problem, ledger: Ledger, over: Over, sampler: BaseSampler) -> Course:
    """Do what an afternoon's loop does: ask, evaluate on every item, tell, keep the best."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    course, best, value = Course(), None, -1.0
    items = problem.suite.half("search")
    while not over(ledger, course.marks):
        trial = study.ask()
        ensemble = suggest(trial, problem.space)
        for item in items:
            ledger.pay(ensemble, item.id)
        score = float(problem.scores(ensemble, "search").mean())
        study.tell(trial, score)
        course.evaluated += 1
        if score > value:
            best, value = problem.worth(ensemble), score
        assert best is not None
        course.marks.append(Mark(ledger.paid, ledger.items, problem.best - best))
    return course


def again(problem: Problem, mark: Mark) -> float:
    """Return the regret of the best by held-out score."""
    scores = {e: float(problem.scores(e, "held_out").mean()) for e in mark.top}
    return problem.best - problem.worth(max(scores, key=lambda e: scores[e]))


def confirmed(problem: Problem, course: Course, budget: int) -> tuple[int, float] | None:
    """Return calls and regret at a budget whose reserve went into a confirmation.

    The winner is the leaderboard's first: the best held-out score.
    """
    space, held_out = problem.space, problem.suite.half("held_out")
    models = space.proposers, space.aggregators, ("judge",)
    reserve = Reserve(len(held_out), CONFIRM + 2, space.width, *models)
    mark = course.at(budget - reserve.amount(budget, None, Free()).calls)
    if mark is None or not mark.top:
        return None
    ledger = Ledger()
    best, value = mark.top[0], -1.0
    for ensemble in mark.top:
        for item in held_out:
            ledger.pay(ensemble, item.id)
        if ledger.paid > budget - mark.paid:
            break
        score = float(problem.scores(ensemble, "held_out").mean())
        if score > value:
            best, value = ensemble, score
    return mark.paid + ledger.paid, problem.best - problem.worth(best)
