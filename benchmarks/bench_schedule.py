"""How close eight trials in flight come to the shortest time their calls can take.

A server of known latencies stands for twelve unequal models and a judge, each an endpoint with
its own limit. Ensembles of two layers of four are evaluated on the same items by the program's
own rooms: store, endpoints, engine, judge, evaluation. The floor is computed from the server's
log: the same calls, with the same dependencies and service times, however cleverly ordered.
The trials are known beforehand, so nothing waits for a sampler.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import server
from benchmarks.bound import Call, list_schedule, lower_bound
from benchmarks.ratio import Ratio
from data.digest import digest
from data.observer import Silent
from data.suites import Item, Suite
from db.store import Store
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.specs import EndpointSpec, ModelSpec
from judges.rubric import RubricJudge
from moa import prompts
from moa.engine import Engine, MaxTokens
from moa.ensemble import Agent, Ensemble
from optimizer.budget import Budget
from optimizer.evaluation import Evaluator

GOAL = 1.3
# With 12 items the tail is measured instead (1.42): a trial is then little more than one chain of
# replies, and the last eight trials run beside nothing.
TRIALS, IN_FLIGHT, ITEMS = 24, 8, 20
RUNS = 3
LAYERS, WIDTH = 2, 4
SIGMA = 0.7
JUDGE = "judge"
# A call costs the client some 3 ms of processor time on a busy machine; below this much bound a
# call it would be the processor that is measured, and not the schedule.
LEAST_BOUND_PER_CALL = 0.003


@dataclass(frozen=True, slots=True)
class Speed:
    """A model's median service time in seconds, and the slots of its endpoint."""

    median: float
    slots: int


def speeds() -> dict[str, Speed]:
    """Return twelve models, the slowest four times as slow as the fastest, and a quick judge."""
    members = {f"m{n:02}": Speed(0.08 + 0.24 * n / 11, (4, 6, 8)[n % 3]) for n in range(12)}
    return members | {JUDGE: Speed(0.08, 8)}


def trials(members: Sequence[str]) -> list[Ensemble]:
    """Return the ensembles of all trials, always the same."""
    rng = random.Random(0)
    prompt = prompts.digest("aggregate_ja")

    def layer(depth: int) -> tuple[Agent, ...]:
        known = prompt if depth else None
        return tuple(Agent(name, 0.7, prompt=known) for name in rng.sample(members, WIDTH))

    return [
        Ensemble(
            tuple(layer(depth) for depth in range(LAYERS)),
            Agent(rng.choice(members), 0.0, prompt=prompt),
        )
        for _ in range(TRIALS)
    ]


def suite() -> Suite:
    """Return a suite of short questions in four categories."""
    items = tuple(
        Item(f"q{n}", f"c{n % 4}", (f"{n}番の地方の気候の特徴を説明してください。",), "search")
        for n in range(ITEMS)
    )
    return Suite("bench", digest([item.id for item in items]), items)


async def run_program(
    url: str, models: Mapping[str, Speed], ensembles: Sequence[Ensemble], folder: Path
) -> float:
    """Evaluate the ensembles, eight at a time, and return the seconds it took.

    Opening the database and the clients is not counted.
    """
    endpoints = {
        name: Endpoint(EndpointSpec(name, f"{url}/{name}/v1", max_concurrency=speed.slots))
        for name, speed in models.items()
    }
    specs = {name: ModelSpec(name, name, name, name) for name in models}
    with Store.open(f"sqlite:///{folder / 'bench.sqlite'}") as store:
        completions = Completions(specs, endpoints, store, Budget(), "bench", Silent())
        evaluator = Evaluator(
            store,
            Engine(completions, prompts.library(), MaxTokens()),
            RubricJudge(completions, JUDGE, identity=JUDGE, family=JUDGE, max_tokens=1024),
            suite(),
            "search",
            study="bench",
            seed=0,
            observer=Silent(),
        )
        try:
            begun = time.perf_counter()
            waiting = iter(ensembles)
            await asyncio.gather(*(_work(evaluator, waiting) for _ in range(IN_FLIGHT)))
            return time.perf_counter() - begun
        finally:
            await completions.close()


async def _work(evaluator: Evaluator, waiting: Iterator[Ensemble]) -> None:
    for ensemble in waiting:
        outcome = await evaluator.evaluate(ensemble, "bench")
        if not outcome.ranked:
            raise RuntimeError(f"{ensemble.label} was not evaluated in full: {outcome.state}")


def most_at_once(entries: Sequence[server.Entry]) -> dict[str, int]:
    """Return how many calls each model had at the same time, at the most."""
    events: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for entry in entries:
        events[entry["model"]] += [(entry["arrived"], 1), (entry["left"], -1)]
    most: dict[str, int] = {}
    for model, changes in events.items():
        now = most[model] = 0
        for _, change in sorted(changes):
            now += change
            most[model] = max(most[model], now)
    return most


def run() -> list[Ratio]:
    """Evaluate some times over, each time from nothing, and return the median run."""
    models = speeds()
    ensembles = trials([name for name in models if name != JUDGE])
    ratios = sorted((_run_once(models, ensembles) for _ in range(RUNS)), key=lambda r: r.value)
    every = ", ".join(f"{ratio.value:.2f}" for ratio in ratios)
    median = ratios[RUNS // 2]
    return [replace(median, notes=(*median.notes, f"the median of {every}"))]


def _run_once(models: Mapping[str, Speed], ensembles: Sequence[Ensemble]) -> Ratio:
    latencies = {name: (speed.median, SIGMA) for name, speed in models.items()}
    with server.running(latencies) as url, tempfile.TemporaryDirectory() as folder:
        before = time.process_time()
        wall = asyncio.run(run_program(url, models, ensembles, Path(folder)))
        busy = time.process_time() - before
        entries = server.read_log(url)
    return _ratio(wall, busy, entries, {name: speed.slots for name, speed in models.items()})


def _ratio(
    wall: float, busy: float, entries: Sequence[server.Entry], slots: Mapping[str, int]
) -> Ratio:
    over = {name: n for name, n in most_at_once(entries).items() if n > slots[name]}
    if over:
        raise RuntimeError(f"more calls at once than the endpoint's limit: {over}")
    calls = [Call(e["id"], e["model"], e["seconds"], tuple(e["after"])) for e in entries]
    bound, each = lower_bound(calls, slots), 1000 / len(calls)
    if bound < LEAST_BOUND_PER_CALL * len(calls):
        raise RuntimeError(f"latencies too short: bound {bound:.1f} s for {len(calls)} calls")
    notes = (
        f"{TRIALS} trials, {IN_FLIGHT} in flight, {ITEMS} items: {len(calls)} calls",
        f"{bound * each:.1f} ms of bound a call; {busy * each:.1f} ms of our processor time",
        f"a schedule that knows every service time: {list_schedule(calls, slots) / bound:.3f}",
    )
    return Ratio(f"wall {wall:.2f} s", f"lower bound {bound:.2f} s", wall / bound, GOAL, notes)
