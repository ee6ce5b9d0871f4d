"""What an ask and a resumed search cost when a thousand trials are in the store.

Medians; the slowest ask, in which the kernel may be chosen anew, is told beside them. The ask
is everything before a trial begins: proposing, `study.ask` and every suggest. Its floor
is Optuna's own multivariate TPE on the same storage and trials; the floor of a resume is the bare
`load_study` with `get_trials`.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution

from benchmarks.ratio import Ratio
from db.studies import open_study
from judges.statistics import Estimate
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.asking import Asker
from optimizer.outcome import Outcome
from optimizer.proposers import Proposer
from optimizer.proposers.new_calls import Effort
from optimizer.proposers.set_gp import SetGP
from optimizer.sampler import tpe
from optimizer.space import Space

TRIALS, ASKS, ITEMS = 1000, 20, 64
MODELS = tuple(f"m{n}" for n in range(8))
SPACE = Space(MODELS, MODELS, 2, 6, 3, (0.0, 0.7), ("sha256:" + "0" * 64,))
ASK_GOAL, RESUME_GOAL = 3.0, 1.5


def run() -> list[Ratio]:
    """Measure both over one file with a thousand finished trials."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'study.sqlite'}"
        outcomes = _fill(url)
        mine = asyncio.run(_asks(url, outcomes, (_set_gp(),)))
        theirs = asyncio.run(_asks(url, outcomes, ()))
        bare, resumed = _loads(url, outcomes)
    notes = (f"{TRIALS} trials, {ASKS} asks; whole asks of set-gp took up to {max(mine):.3f} s",)
    return [
        _ratio("ask of set-gp", mine, "of Optuna's TPE", theirs, ASK_GOAL, notes),
        _ratio("resume", resumed, "load_study + get_trials", bare, RESUME_GOAL, ()),
    ]


def _ratio(
    what: str,
    mine: Sequence[float],
    floor: str,
    theirs: Sequence[float],
    goal: float,
    notes: tuple[str, ...],
) -> Ratio:
    a, b = statistics.median(mine), statistics.median(theirs)
    return Ratio(f"{what} {1000 * a:.0f} ms", f"{floor} {1000 * b:.0f} ms", a / b, goal, notes)


def _fill(url: str) -> list[Outcome]:
    rng = random.Random(0)
    study = open_study(url, "s")
    found: dict[str, Outcome] = {}
    while len(found) < TRIALS:
        ensemble = SPACE.sample(rng)
        found[ensemble.digest] = _outcome(ensemble, rng)
    for outcome in found.values():
        parameters = SPACE.encode(outcome.ensemble)
        asked: dict[str, BaseDistribution] = SPACE.distributions(len(outcome.ensemble.layers))
        study.add_trial(
            optuna.trial.create_trial(
                params=parameters,
                distributions=asked,
                value=outcome.value,
                user_attrs={"digest": outcome.ensemble.digest, "origin": "set-gp"},
            )
        )
    return list(found.values())


def _outcome(ensemble: Ensemble, rng: random.Random) -> Outcome:
    level = 0.5 + 0.04 * MODELS.index(ensemble.aggregator.model) + 0.02 * len(ensemble.models)
    scores = {str(i): min(1.0, max(0.0, rng.gauss(level, 0.2))) for i in range(ITEMS)}
    mean = statistics.mean(scores.values())
    estimate = Estimate(mean, mean - 0.05, mean + 0.05, ITEMS)
    return Outcome(ensemble, "set-gp", "COMPLETE", estimate, scores, ITEMS, 0, mean)


def _set_gp() -> SetGP:
    shares = {str(i): 1 / ITEMS for i in range(ITEMS)}
    return SetGP(SPACE, shares, Effort(ITEMS, 0, ITEMS), 0)


async def _asks(
    url: str, outcomes: Sequence[Outcome], proposers: Sequence[Proposer]
) -> list[float]:
    """Ask and close trials; the first ask, which reads all there is, is not counted."""
    rng, archive, seconds = random.Random(1), Archive(outcomes), list[float]()
    asker = Asker(open_study(url, "s"), SPACE, archive, 0, proposers, tpe(0))
    await asker.open()
    for _ in range(ASKS + 1):
        begun = time.perf_counter()
        asked = await asker.ask()
        seconds.append(time.perf_counter() - begun)
        assert asked is not None
        outcome = _outcome(asked.ensemble, rng)
        archive.add(outcome)
        await asker.tell(asked.trial, outcome)
    asker.close()
    return seconds[1:]


def _loads(url: str, outcomes: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    def bare() -> None:
        storage = optuna.storages.RDBStorage(url)
        optuna.load_study(study_name="s", storage=storage).get_trials(deepcopy=False)

    def resumed() -> None:
        async def work() -> None:
            asker = Asker(open_study(url, "s"), SPACE, Archive(outcomes), 0, (), None)
            await asker.open()
            asker.close()

        asyncio.run(work())

    bare()
    pairs = [(_timed(bare), _timed(resumed)) for _ in range(9)]  # in turn: load hits both
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
