"""What a ranking with its intervals costs, in bare Newton loops on the win matrix.

The floor fits strengths alone, once to the duels and then to each resample of single duels, from
where the first fit ended. The program fits the position term too, resamples whole questions, and
finds intervals, groups and the likelihood ratio.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.ratio import Ratio
from judges.bradley_terry import Duel, fit

GOAL = 1.5
MODELS, DUELS, TIES, QUESTIONS = 50, 10_000, 0.1, 100
RESAMPLES = 1000
TURNS = 5
_TOLERANCE = 1e-7

_Floats = NDArray[np.float64]


def run() -> list[Ratio]:
    """Rank the same duels by both ways in turn."""
    duels = _duels()
    ours, bare = [], []
    for turn in range(TURNS + 1):
        spent = (
            _cpu(lambda: fit(duels, resamples=RESAMPLES)),
            _cpu(lambda: newton_loop(duels, RESAMPLES)),
        )
        if turn:  # the first turn warms both up
            ours.append(spent[0])
            bare.append(spent[1])
    each = [a / b for a, b in zip(ours, bare, strict=True)]
    return [
        Ratio(
            f"Bradley-Terry with {RESAMPLES} resamples {median(ours):.2f} s of CPU",
            f"bare Newton loop {median(bare):.2f} s",
            median(each),
            GOAL,
            (
                f"{MODELS} models, {DUELS} duels on {QUESTIONS} questions, {TIES:.0%} ties",
                f"turns: {', '.join(f'{ratio:.2f}' for ratio in each)}",
            ),
        )
    ]


def newton_loop(duels: list[Duel], resamples: int) -> _Floats:
    """Return strengths, [1 + resamples, models]: of the duels, then of resamples of them."""
    names = {name: n for n, name in enumerate(sorted({duel.first for duel in duels}))}
    size = len(names)
    first = np.array([names[duel.first] for duel in duels])
    second = np.array([names[duel.second] for duel in duels])
    worth = np.array([duel.worth for duel in duels])
    forth, back = first * size + second, second * size + first
    rng = np.random.default_rng(0)
    found = np.zeros((1 + resamples, size))
    drawn = np.arange(len(duels))
    for number in range(1 + resamples):
        wins = np.bincount(forth[drawn], worth[drawn], size**2)
        losses = np.bincount(back[drawn], 1 - worth[drawn], size**2)
        found[number] = _newton((wins + losses).reshape(size, size), found[0])
        drawn = rng.integers(0, len(duels), len(duels))
    return found


def _newton(won: NDArray[np.number], strengths: _Floats) -> _Floats:
    played = won + won.T
    wins: _Floats = won.sum(axis=1)
    while True:
        expected = 1 / (1 + np.exp(strengths - strengths[:, None]))
        spread = played * expected * (1 - expected)
        bend = np.diag(spread.sum(axis=1)) - spread + 1 / len(won)
        step = np.linalg.solve(bend, wins - (played * expected).sum(axis=1))
        strengths = strengths + step
        if np.abs(step).max() < _TOLERANCE:
            return strengths - float(strengths.mean())


def _duels() -> list[Duel]:
    rng = np.random.default_rng(5)
    strengths = rng.normal(0, 1, MODELS)
    first = rng.integers(0, MODELS, DUELS)
    second = (first + rng.integers(1, MODELS, DUELS)) % MODELS
    wins = rng.random(DUELS) < 1 / (1 + np.exp(strengths[second] - strengths[first] - 0.1))
    worth = np.where(rng.random(DUELS) < TIES, 0.5, wins)
    return [
        Duel(f"m{a:02}", f"m{b:02}", w, f"q{n % QUESTIONS}")
        for n, (a, b, w) in enumerate(
            zip(first.tolist(), second.tolist(), worth.tolist(), strict=True)
        )
    ]


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
