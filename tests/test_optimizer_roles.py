"""Planted worths of models in their roles are found again, with intervals that hold them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from moa.ensemble import Agent, Ensemble, single
from optimizer.roles import FEWEST, Roles, Tried, roles
from tests.support.rows import PROMPT

MODELS = [f"m{n}" for n in range(8)]
ITEMS = 48
TOGETHER = ("m0", "m1")
STRATA = {f"i{n}": f"c{n % 6}" for n in range(ITEMS)}


class World:
    """Ensembles whose scores are the sum of planted worths, item difficulty and noise.

    A third of them saw half of the items: the easy half.
    """

    def __init__(self, seed: int, together: float = 0.06) -> None:
        rng, chosen = np.random.default_rng(seed), random.Random(seed)
        self.proposing = dict(zip(MODELS, rng.normal(0, 0.04, 8), strict=True))
        self.aggregating = dict(zip(MODELS, rng.normal(0, 0.06, 8), strict=True))
        ease = np.sort(rng.normal(0, 0.12, ITEMS))[::-1]
        found: dict[str, Tried] = {}
        while len(found) < 60:
            members = chosen.sample(MODELS, chosen.randint(1, 5))
            last = chosen.choice(MODELS)
            quality = 0.55 + sum(self.proposing[m] for m in members) + self.aggregating[last]
            quality += together if set(TOGETHER) <= set(members) else 0.0
            seen = range(ITEMS if chosen.random() < 0.67 else ITEMS // 2)
            scores = {f"i{n}": float(quality + ease[n] + rng.normal(0, 0.12)) for n in seen}
            layer = tuple(Agent(m, 0.7) for m in members)
            ensemble = Ensemble((layer,), Agent(last, 0.0, 1, PROMPT))
            found.setdefault(ensemble.digest, Tried(ensemble, scores))
        self.tried = list(found.values())

    def found(self) -> Roles:
        found = roles(self.tried, STRATA, {})
        assert found is not None
        return found


def test_planted_worths_are_found_in_their_order() -> None:
    ranks = []
    for seed in range(4):
        world = World(seed)
        found = world.found()
        for planted, seen in (
            (world.proposing, found.proposers),
            (world.aggregating, found.aggregators),
        ):
            ranks.append(
                stats.spearmanr([planted[m] for m in MODELS], [seen[m].value for m in MODELS])[0]
            )
    assert np.mean(ranks) > 0.85


def test_nine_of_ten_intervals_hold_the_planted_worth() -> None:
    held = []
    for seed in range(4):
        world = World(seed, together=0.0)
        found = world.found()
        mean = np.mean(list(world.aggregating.values()))
        held += [w.low <= world.proposing[m] <= w.high for m, w in found.proposers.items()]
        held += [
            w.low <= world.aggregating[m] - mean <= w.high for m, w in found.aggregators.items()
        ]
    assert np.mean(held) > 0.9


def test_a_pair_worth_more_together_leads_and_others_are_not_proved() -> None:
    leading, false = [], []
    for seed in range(4):
        found = World(seed, together=0.15).found()
        leading.append(found.pairs[0].models == TOGETHER and found.pairs[0].worth.proved)
        false += [pair.worth.proved for pair in found.pairs if pair.models != TOGETHER]
    assert sum(leading) >= 3
    assert np.mean(false) < 0.05


def test_scores_that_say_nothing_of_roles_explain_nothing() -> None:
    world = World(0)
    rng = np.random.default_rng(1)
    noise = [
        Tried(one.ensemble, {item: float(rng.random()) for item in one.scores})
        for one in world.tried
    ]
    found = roles(noise, STRATA, {})
    assert found is not None
    assert found.explained < 0.1
    assert not any(w.proved for w in found.aggregators.values())


@pytest.mark.parametrize("layers", [0, 1])
def test_single_models_and_few_ensembles_say_nothing(layers: int) -> None:
    alone = [Tried(single(m, 0.0), {"i0": 0.5}) for m in MODELS]
    few = World(0).tried[: (FEWEST - 1) * layers]
    assert roles([*alone, *few], STRATA, {}) is None


def test_the_order_of_the_ensembles_changes_nothing() -> None:
    world = World(3)
    shuffled = list(world.tried)
    random.Random(0).shuffle(shuffled)
    assert roles(shuffled, STRATA, {}) == roles(world.tried, STRATA, {})
