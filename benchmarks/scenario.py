"""A pool of known latency, ensembles on it, and what the program made of them.

The ensembles are evaluated by the program's own rooms: store, endpoints, engine, judge,
evaluation. The trials are known beforehand, so nothing waits for a sampler, and nothing is raced.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import server
from benchmarks.bound import Call
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

LAYERS, WIDTH = 2, 4
SIGMA = 0.7
# A call costs the client some 3 ms of processor time on a busy machine; below this much bound a
# call it would be the processor that is measured, and not the schedule.
LEAST_BOUND_PER_CALL = 0.003


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is to be done.

    Attributes:
        medians: Model → median service time in seconds.
        slots: Endpoint → its limit. Every model has an endpoint of its own name, or all share
            the one named `HOST`, which holds one model at a time.
        judge: Name of the judging model.
        ensembles: All trials.
        in_flight: Trials at the same time.
        swap: Seconds the host needs to change models; None without a host.
    """

    medians: Mapping[str, float]
    slots: Mapping[str, int]
    judge: str
    ensembles: Sequence[Ensemble]
    items: int
    in_flight: int
    swap: float | None = None

    def endpoint(self, model: str) -> str:
        """Return the endpoint of a model."""
        return model if self.swap is None else HOST


HOST = "host"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it: seconds by the clock and of our processor, and the server's log."""

    wall: float
    busy: float
    entries: Sequence[server.Entry]

    def calls(self, scenario: Scenario) -> list[Call]:
        """Return the calls as a scheduler sees them."""
        return [
            Call(e["id"], scenario.endpoint(e["model"]), e["seconds"], tuple(e["after"]))
            for e in self.entries
        ]

    @property
    def distinct(self) -> int:
        """How many of the requests were different ones."""
        return len({(entry["model"], entry["body"]) for entry in self.entries})


def classic(members: Sequence[str], seed: int) -> Ensemble:
    """Return an ensemble as in the paper: the same models in each layer, one aggregates."""
    rng = random.Random(seed)
    chosen = rng.sample(members, WIDTH)
    return _ensemble([chosen] * LAYERS, rng.choice(chosen))


def various(
    members: Sequence[str], trials: int, widths: Sequence[int] = (WIDTH,)
) -> list[Ensemble]:
    """Return ensembles whose layers have nothing to do with each other, always the same."""
    rng = random.Random(0)
    return [
        _ensemble(
            [rng.sample(members, rng.choice(widths)) for _ in range(LAYERS)], rng.choice(members)
        )
        for _ in range(trials)
    ]


def _ensemble(layers: Sequence[Sequence[str]], aggregator: str) -> Ensemble:
    prompt = prompts.digest("aggregate_ja")
    return Ensemble(
        tuple(
            tuple(Agent(name, 0.7, prompt=prompt if depth else None) for name in layer)
            for depth, layer in enumerate(layers)
        ),
        Agent(aggregator, 0.0, prompt=prompt),
    )


def play(scenario: Scenario) -> Played:
    """Evaluate all ensembles of a scenario from nothing.

    Raises:
        RuntimeError: A limit was passed, or an ensemble not evaluated in full.
    """
    latencies = {name: (median, SIGMA) for name, median in scenario.medians.items()}
    with server.running(latencies, scenario.swap) as url, tempfile.TemporaryDirectory() as folder:
        wall, busy = asyncio.run(_evaluate(scenario, url, Path(folder)))
        entries = server.read_log(url)
    most = most_at_once(entries, scenario)
    over = {name: n for name, n in most.items() if n > scenario.slots[name]}
    if over:
        raise RuntimeError(f"more calls at once than the endpoint's limit: {over}")
    return Played(wall, busy, entries)


def most_at_once(entries: Sequence[server.Entry], scenario: Scenario) -> dict[str, int]:
    """Return how many calls each endpoint had at the same time, at the most."""
    events: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for entry in entries:
        changes = [(entry["arrived"], 1), (entry["left"], -1)]
        events[scenario.endpoint(entry["model"])] += changes
    most: dict[str, int] = {}
    for endpoint, changes in events.items():
        now = most[endpoint] = 0
        for _, change in sorted(changes):
            now += change
            most[endpoint] = max(most[endpoint], now)
    return most


async def _evaluate(scenario: Scenario, url: str, folder: Path) -> tuple[float, float]:
    """Return the seconds it took, by the clock and of our processor.

    Opening the database and the clients is not counted.
    """
    with Store.open(f"sqlite:///{folder / 'bench.sqlite'}") as store:
        completions = _completions(scenario, url, store)
        judge = scenario.judge
        evaluator = Evaluator(
            store,
            Engine(completions, prompts.library(), MaxTokens()),
            RubricJudge(completions, judge, identity=judge, family=judge, max_tokens=1024),
            _suite(scenario.items),
            "search",
            study="bench",
            seed=0,
            observer=Silent(),
        )
        try:
            begun, before = time.perf_counter(), time.process_time()
            waiting = iter(scenario.ensembles)
            await asyncio.gather(*(_work(evaluator, waiting) for _ in range(scenario.in_flight)))
            return time.perf_counter() - begun, time.process_time() - before
        finally:
            await completions.close()


def _completions(scenario: Scenario, url: str, store: Store) -> Completions:
    def spec(name: str, slots: int) -> EndpointSpec:
        path, resident = ("", 1) if name == HOST else (f"/{name}", None)
        return EndpointSpec(
            name, f"{url}{path}/v1", max_concurrency=slots, timeout=600, resident=resident
        )

    endpoints = {name: Endpoint(spec(name, slots)) for name, slots in scenario.slots.items()}
    models = {n: ModelSpec(n, scenario.endpoint(n), n, n) for n in scenario.medians}
    return Completions(models, endpoints, store, Budget(), "bench", Silent())


def _suite(items: int) -> Suite:
    """Return a suite of short questions in four categories."""
    found = tuple(
        Item(f"q{n}", f"c{n % 4}", (f"{n}番の地方の気候の特徴を説明してください。",), "search")
        for n in range(items)
    )
    return Suite("bench", digest([item.id for item in found]), found)


async def _work(evaluator: Evaluator, waiting: Iterator[Ensemble]) -> None:
    for ensemble in waiting:
        outcome = await evaluator.evaluate(ensemble, "bench")
        if not outcome.ranked:
            raise RuntimeError(f"{ensemble.label} was not evaluated in full: {outcome.state}")
