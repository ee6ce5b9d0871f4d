"""How close the program comes to the shortest time that its calls can take.

Each model is an endpoint of its own with its own limit, its latencies lognormal. The floor is
computed from the server's log: the same calls, with the same dependencies and service times,
however cleverly ordered. Some twenty times as fast as a real pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.bound import list_schedule, lower_bound
from benchmarks.ratio import Ratio
from benchmarks.scenario import LEAST_BOUND_PER_CALL, Played, Scenario, classic, play, various

MIXED = (16, 4, 8, 12)
JUDGE = "judge"


def run() -> list[Ratio]:
    """Play each scenario, each time from nothing, and return the median runs."""
    return [
        *_median("one ensemble, limits 16", [_alone(n, 0.1, (16,)) for n in range(5)], 1.22),
        *_median("one ensemble, limits 4 to 16", [_alone(n, 0.12, MIXED) for n in range(3)], 1.08),
        *_median("eight trials in flight", [_eight() for _ in range(3)], 1.05),
    ]


def medians(fastest: float) -> dict[str, float]:
    """Return twelve models, the slowest six times as slow as the fastest, and a quick judge."""
    members = {f"m{n:02}": fastest * (1 + 5 * n / 11) for n in range(12)}
    return members | {JUDGE: fastest}


def _alone(seed: int, fastest: float, limits: Sequence[int]) -> Scenario:
    """Return one ensemble of four models that are drawn."""
    speeds = medians(fastest)
    slots = {name: limits[n % len(limits)] for n, name in enumerate(speeds)}
    members = [name for name in speeds if name != JUDGE]
    return Scenario(speeds, slots, JUDGE, [classic(members, seed)], 100, 1)


def _eight() -> Scenario:
    speeds = medians(0.09)
    slots = {name: (4, 6, 8)[n % 3] for n, name in enumerate(speeds)} | {JUDGE: 16}
    members = [name for name in speeds if name != JUDGE]
    return Scenario(speeds, slots, JUDGE, various(members, 24), 30, 8)


def _median(name: str, scenarios: Sequence[Scenario], goal: float) -> list[Ratio]:
    pairs = sorted(
        (_ratios(name, scenario, play(scenario), goal) for scenario in scenarios),
        key=lambda pair: pair[0].value,
    )
    every = ", ".join(f"{pair[0].value:.3f}" for pair in pairs)
    wall, sent = pairs[len(pairs) // 2]
    return [replace(wall, notes=(*wall.notes, f"the median of {every}")), sent]


def _ratios(name: str, scenario: Scenario, played: Played, goal: float) -> tuple[Ratio, Ratio]:
    calls = played.calls(scenario)
    bound, each = lower_bound(calls, scenario.slots), 1000 / len(calls)
    if bound < LEAST_BOUND_PER_CALL * len(calls):
        raise RuntimeError(f"latencies too short: bound {bound:.1f} s for {len(calls)} calls")
    notes = (
        f"{len(scenario.ensembles)} ensembles on {scenario.items} items: {len(calls)} calls",
        f"a call: {bound * each:.1f} ms of bound, {played.busy * each:.1f} ms of our processor",
        f"all service times known: {list_schedule(calls, scenario.slots) / bound:.3f}",
    )
    wall = Ratio(
        f"{name}: wall {played.wall:.2f} s",
        f"lower bound {bound:.2f} s",
        played.wall / bound,
        goal,
        notes,
    )
    sent = Ratio(
        f"{name}: {len(calls)} requests sent",
        f"{played.distinct} distinct",
        len(calls) / played.distinct,
        1.0,
    )
    return wall, sent
