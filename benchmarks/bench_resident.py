"""How often a host that holds one model is made to load one, and how long it all takes.

Four models live on the host, one of them is the judge as well, and a change takes as long as some
sixty of the quickest calls. The floor knows everything beforehand: all work in eight slots
without a gap, and the fewest loads that the dependencies allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from benchmarks.bound import fewest_loads
from benchmarks.ratio import Ratio
from benchmarks.scenario import HOST, Played, Scenario, classic, play, various
from moa.ensemble import Ensemble

RUNS = 3
SCALE = 0.03  # of the times of a real host
SWAP = 20 * SCALE
SLOTS = 8
MEDIANS = {f"m{n}": SCALE * median for n, median in enumerate((2.0, 4.0, 6.0, 8.0))}
JUDGE = "m3"
MORE_LOADS, GOAL = 2, 1.15


def run() -> list[Ratio]:
    """Play one ensemble on a hundred items, and eight in flight, and return the median runs."""
    members = list(MEDIANS)
    return [
        *_median("one ensemble", _scenario([classic(members, 0)], 100)),
        *_median("eight trials in flight", _scenario(various(members, 8, (2, 3, 4)), 64)),
    ]


def _scenario(ensembles: Sequence[Ensemble], items: int) -> Scenario:
    return Scenario(MEDIANS, {HOST: SLOTS}, JUDGE, ensembles, items, 8, SWAP)


def _median(name: str, scenario: Scenario) -> list[Ratio]:
    with ProcessPoolExecutor(RUNS) as pool:  # each run sleeps most of the time
        runs = list(pool.map(play, [scenario] * RUNS))
    pairs = sorted((_ratios(name, scenario, run) for run in runs), key=lambda p: p[1].value)
    every = ", ".join(f"{wall.value:.3f} ({loads.what})" for loads, wall in pairs)
    loads, wall = pairs[RUNS // 2]
    return [loads, replace(wall, notes=(*wall.notes, f"the median of {every}"))]


def _ratios(name: str, scenario: Scenario, played: Played) -> tuple[Ratio, Ratio]:
    fewest = fewest_loads([_stages(ensemble) for ensemble in scenario.ensembles])
    loads = max(entry["loads"] for entry in played.entries)
    work = sum(entry["seconds"] for entry in played.entries) / SLOTS
    bound = work + fewest * SWAP
    calls = len(played.entries)
    notes = (
        f"{len(scenario.ensembles)} ensembles on {scenario.items} items: {calls} calls",
        f"bound: {work:.1f} s of work in {SLOTS} slots, {fewest} loads of {SWAP:.2f} s",
    )
    return (
        Ratio(
            f"{name}: {loads} loads",
            f"fewest {fewest}",
            loads / fewest,
            (fewest + MORE_LOADS) / fewest,
        ),
        Ratio(
            f"{name}: wall {played.wall:.2f} s",
            f"lower bound {bound:.2f} s",
            played.wall / bound,
            GOAL,
            notes,
        ),
    )


def _stages(ensemble: Ensemble) -> list[frozenset[str]]:
    layers = [frozenset(agent.model for agent in layer) for layer in ensemble.layers]
    return [*layers, frozenset({ensemble.aggregator.model}), frozenset({JUDGE})]
