"""Every way of searching that is compared, and one run of each."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import optuna

from benchmarks.search import clock, course
from benchmarks.search.best import pinned
from benchmarks.search.course import Course, Mark, alone, confirmed, optuna_alone, search
from benchmarks.search.problem import Ledger, Problem
from benchmarks.search.rehearsal import Rehearsal
from benchmarks.search.synthetic import DEPTH, MODELS, WARMTHS, Config, Synthetic, canonical
from optimizer.items import item_shares
from optimizer.proposers import Proposer
from optimizer.proposers.audition import Audition
from optimizer.proposers.evolution import Evolution
from optimizer.proposers.random import Random, Sometimes
from optimizer.proposers.set_gp import EXPLORED, SetGP
from optimizer.sampler import tpe
from optimizer.search import IN_FULL

PAID = (2_000, 5_000, 10_000, 20_000)
EVALUATED = (1_500, 3_000, 6_000, 12_000)
LONGEST = 60_000  # paid calls after which a search that has not come close enough is given up
CLOSE = 0.02  # of the best known worth
ASKS = 240  # of the loops that reproduce the anchor's figures

# What ships, without and with a simulated discoverer; TPE with our store, racing, baselines and
# recommendation; `optuna` is an afternoon's loop with none of them.
POOLS = ("auto", "auto, discovery", "auto, all raced", "evolution", "tpe", "random", "optuna")
SYNTHETIC = ("loop random", "loop tpe", "set-gp alone", "auto", "evolution", "tpe", "random")


Key = tuple[str, str, int, int]  # family, method, instance, repeat


def run_key(key: Key) -> dict[str, Any]:
    """Run one search, as a worker process is asked to."""
    return run(*key)


def run(family: str, method: str, instance: int, repeat: int) -> dict[str, Any]:
    """Run one search and return what is kept of it, as JSON."""
    begun = time.process_time()
    seed = 1000 * repeat + instance
    problem: Problem
    if family == "synthetic":
        problem = Synthetic(instance, pinned()[str(instance)])
        found = _on_synthetic(problem, method, seed)
    else:
        problem = Rehearsal(instance)
        found = _on_pool(problem, method, seed)
    column = "items" if family == "synthetic" else "paid"
    grid = EVALUATED if family == "synthetic" else PAID
    within = (m.paid for m in found.marks if m.regret <= CLOSE * problem.best)
    line = {
        "problem": family, "method": method, "instance": instance, "repeat": repeat,
        "best": None if family == "synthetic" else problem.best,
        "grid": {str(x): _at(found.marks, column, x) for x in grid},
        "close": None if family == "synthetic" else next(within, None),
        "curve": _thin([(getattr(m, column), round(m.regret, 4)) for m in found.marks]),
        "evaluated": found.evaluated, "pruned": found.pruned, "twice": found.twice,
        "seconds": round(time.process_time() - begun, 2),
    }  # fmt: skip
    if found.marks and found.marks[-1].top:
        line["confirmed"] = _confirmed(problem, found, family)
    return line


def _on_pool(problem: Problem, method: str, seed: int) -> Course:
    def over(ledger: Ledger, marks: list[Mark]) -> bool:
        close = any(m.regret <= CLOSE * problem.best for m in marks)
        return ledger.paid >= LONGEST or (close and ledger.paid >= PAID[-1])

    if method == "optuna":
        sampler = optuna.samplers.TPESampler(seed=seed)
        return optuna_alone(problem, Ledger(stored=False), over, sampler)
    return _shipped(problem, method, over, seed)


def _on_synthetic(problem: Synthetic, method: str, seed: int) -> Course:
    def over(ledger: Ledger, _: list[Mark]) -> bool:
        return ledger.items >= EVALUATED[-1]

    if method.startswith("loop"):
        sampler = _group(seed) if method == "loop tpe" else optuna.samplers.RandomSampler(seed)
        return _loop(problem, sampler)
    if method == "set-gp alone":
        return clock.run(alone(problem, Ledger(), over, _set_gp(problem, seed, priced=False)))
    return _shipped(problem, method, over, seed)


def _shipped(
    problem: Problem, method: str, over: Callable[[Ledger, list[Mark]], bool], seed: int
) -> Course:
    proposers: tuple[Proposer, ...] = ()
    if method.startswith("auto"):
        shares = item_shares(problem.suite, "search")
        explored = Sometimes(Random(problem.space, seed), EXPLORED, seed)
        proposers = (Audition(problem.space, shares), explored, _set_gp(problem, seed))
    elif method == "evolution":
        proposers = (Evolution(problem.space, seed),)
    return clock.run(
        search(
            problem, Ledger(), over, seed,
            proposers=proposers,
            sample=tpe(seed) if method == "tpe" else None,
            in_full=frozenset() if method.endswith("all raced") else IN_FULL,
            discovers=method.endswith("discovery"),
        )
    )  # fmt: skip


def _set_gp(problem: Problem, seed: int, *, priced: bool = True) -> SetGP:
    shares = item_shares(problem.suite, "search")
    effort = course.effort_of(problem, shared=False)
    return SetGP(problem.space, shares, effort, seed, priced=priced)


def _loop(problem: Synthetic, sampler: optuna.samplers.BaseSampler) -> Course:
    """Search as the anchor did: flags, conditional layers, every trial on every item."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    found, known, items = Course(), dict[Config, float](), len(problem.suite.half("search"))
    for _ in range(ASKS):
        trial = study.ask()
        config = _flags(trial)
        known.setdefault(config, float(problem.judged(config).mean()))
        study.tell(trial, known[config])
        best = max(known, key=lambda c: known[c])
        paid = items * len(known)  # a repeat is free
        found.marks.append(Mark(0, paid, problem.best - problem.value(best)))
        if paid >= EVALUATED[-1]:
            break
    found.evaluated = len(known)
    return found


def _flags(trial: optuna.Trial) -> Config:
    depth = trial.suggest_int("L", 1, DEPTH)
    layers = []
    for number in range(depth):
        names = [f"l{number}m{model}" for model in range(MODELS)]
        chosen = [m for m, n in enumerate(names) if trial.suggest_categorical(n, [False, True])]
        warmth = trial.suggest_categorical(f"l{number}t", list(range(WARMTHS)))
        layers.append((chosen, int(warmth or 0)))
    writer = int(trial.suggest_categorical("agg", list(range(MODELS))) or 0)
    return canonical([(models or [writer], warmth) for models, warmth in layers], writer)


def _group(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _confirmed(problem: Problem, found: Course, family: str) -> dict[str, Any]:
    if family == "synthetic":
        return {str(EVALUATED[-1]): course.again(problem, found.marks[-1])}
    pairs = {str(b): confirmed(problem, found, b) for b in PAID}
    return {budget: pair[1] for budget, pair in pairs.items() if pair is not None}


def _at(marks: list[Mark], column: str, most: int) -> float | None:
    return next((m.regret for m in reversed(marks) if getattr(m, column) <= most), None)


def _thin(curve: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points at which the regret changes."""
    return [p for i, p in enumerate(curve) if i == 0 or p[1] != curve[i - 1][1]]
