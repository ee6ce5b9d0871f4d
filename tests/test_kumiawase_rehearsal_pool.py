"""The instance: what pools differ in, what ensembles of simulated models are worth and why."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from kumiawase.rehearsal import best_known as pins
from kumiawase.rehearsal.moves import Layer, Limits, Shape, crossed, mutated, neighbours, sample
from kumiawase.rehearsal.pool import CATEGORIES, POOR, Pool, Questions, worth
from moa.ensemble import Ensemble, single

PROMPT = "sha256:any"
MIXED, SELF, ALONE = 0, 4, 7  # instances of the three kinds


def questions(seed: int, count: int = 400) -> Questions:
    return Questions(seed, [f"q{n}" for n in range(count)], [n % 8 for n in range(count)])


def ensemble(aggregator: str, *layers: tuple[list[str], int]) -> Ensemble:
    rows = tuple(Layer(frozenset(models), n, 0.7) for models, n in layers)
    return Shape(rows, aggregator, 0.0).ensemble(PROMPT)


def ranked(pool: Pool) -> list[str]:
    return sorted(pool.members, key=lambda m: -pool.quality(single(m, 0.0)))


def test_a_seed_is_an_instance() -> None:
    assert Pool(3).models == Pool(3).models
    assert Pool(3).digest == Pool(3).digest
    assert len({Pool(seed).digest for seed in range(5)}) == 5


def test_names_say_that_the_models_are_simulated() -> None:
    pool = Pool(0)
    assert len(pool.members) == 8
    assert len(CATEGORIES) == 8
    assert len({pool.models[m].family for m in pool.members}) == 5
    assert all(name.startswith("sim/") for name in pool.models)


def test_errors_are_shared_within_a_family() -> None:
    alike: list[float] = []
    apart: list[float] = []
    for seed in range(6):
        pool, items = Pool(seed), questions(seed)
        # What is left of a margin without what everybody meets and what each is good at.
        rest = {
            m: pool.answer(model, 0.0, 0, items)
            + 1.4 * items.noise("difficulty")
            - items.skill(model)
            for m in pool.members
            for model in (pool.models[m],)
        }
        for one, other in itertools.combinations(pool.members, 2):
            same = pool.models[one].family == pool.models[other].family
            correlation = float(np.corrcoef(rest[one], rest[other])[0, 1])
            (alike if same else apart).append(correlation)
    assert np.mean(alike) > 0.25
    assert abs(np.mean(apart)) < 0.03


def test_draws_differ_only_above_temperature_zero() -> None:
    pool, items = Pool(0), questions(0, 20)
    model = pool.models["sim/dango-14b"]
    assert np.array_equal(pool.answer(model, 0.0, 0, items), pool.answer(model, 0.0, 5, items))
    assert not np.array_equal(pool.answer(model, 0.7, 0, items), pool.answer(model, 0.7, 1, items))


def test_aggregation_skill_is_another_skill() -> None:
    models = [Pool(seed).models[m] for seed in range(60) for m in Pool(0).members]
    plain = [np.mean(model.skill) for model in models]
    assert abs(np.corrcoef(plain, [model.synthesis for model in models])[0, 1]) < 0.25


def test_a_weak_single_can_be_the_best_aggregator() -> None:
    found = 0
    for seed in range(12):
        pool = Pool(seed)
        order = ranked(pool)
        best = max(order, key=lambda a: pool.quality(ensemble(a, (order[:4], 1))))
        found += order.index(best) >= 4
    assert found >= 2


def test_all_models_in_two_layers_are_worse_than_a_few() -> None:
    for seed in range(12):
        pool = Pool(seed)
        order = ranked(pool)
        few = pool.quality(ensemble(order[0], (order[:4], 1)))
        assert pool.quality(ensemble(order[0], (order, 1), (order, 1))) < few - 0.2


def test_repeats_are_worth_less_and_less() -> None:
    gains = []
    for seed in range(30):
        pool = Pool(seed)
        best = ranked(pool)[0]
        values = [pool.quality(ensemble(best, ([best], n))) for n in (1, 2, 3, 4, 6)]
        gains.append(np.diff(values))
    first, second, third, last = np.mean(gains, axis=0)
    assert first > second > third > last
    assert first > 0.05
    assert last < 0.02


def test_a_poor_reference_costs() -> None:
    pool, items = Pool(0), questions(0)
    model = pool.models["sim/dango-14b"]
    good = [pool.answer(pool.models[m], 0.7, 0, items) for m in pool.members[:3]]
    with_poor = [*good, np.full(400, POOR)]
    without = worth(pool.synthesis(model, 0.0, 0, good, 1, items)).mean()
    assert worth(pool.synthesis(model, 0.0, 0, with_poor, 1, items)).mean() < without - 0.3


def test_prompts_change_nothing() -> None:
    pool = Pool(0)
    row = (Layer(frozenset(pool.members[:3]), 1, 0.7),) * 2
    shape = Shape(row, pool.members[3], 0.0)
    assert pool.quality(shape.ensemble("sha256:a")) == pool.quality(shape.ensemble("sha256:b"))


@pytest.mark.parametrize("seed", pins.SEEDS)
def test_pins_belong_to_the_pool_as_it_is(seed: int) -> None:
    found, value = pins.best_known(seed)
    pool = Pool(seed)
    assert pins.pinned_digest(seed) == pool.digest, "python -m kumiawase.rehearsal.best_known"
    assert pool.quality(found) == pytest.approx(value, abs=1e-4)


def test_instances_hold_all_three_kinds() -> None:
    def models(seed: int) -> tuple[int, int]:
        best, _ = pins.best_known(seed)
        return len(best.layers), len(best.models)

    assert models(ALONE) == (0, 1)
    layers, count = models(SELF)
    assert layers >= 1
    assert count == 1
    assert models(MIXED)[1] >= 3
    alone = sum(models(seed)[1] == 1 for seed in pins.SEEDS)
    assert 1 <= alone <= 4
    assert len({models(seed)[0] for seed in pins.SEEDS}) == 3


def test_the_search_without_noise_is_reproducible_and_beats_chance() -> None:
    pool = Pool(MIXED)
    limits = pins.limits_of(pool)
    found, value = pins.search(pool, limits, starts=4)
    assert (found, value) == pins.search(pool, limits, starts=4)
    rng = random.Random(1)
    chance = [pool.quality(sample(limits, rng).ensemble(PROMPT)) for _ in range(2000)]
    best, best_value = pins.best_known(MIXED)
    assert best_value >= value
    assert best_value > max(chance) + 0.01
    assert len(best.layers) <= 2


def test_an_instance_that_is_not_pinned_is_searched() -> None:
    pool = Pool(99)
    narrow = Limits(pool.members[:3], pool.members[:3], 1, 2, 1, (0.0,), PROMPT)
    found, value = pins.best_known(99, narrow)
    assert pool.quality(found) == value
    assert found.models <= set(pool.members[:3])


def test_moves_stay_within_the_limits() -> None:
    pool = Pool(0)
    limits = Limits(pool.members, pool.members[:4], 2, 3, 2, (0.0, 0.7), PROMPT)
    rng = random.Random(0)

    def fits(shape: Shape) -> bool:
        return (
            len(shape.layers) <= 2
            and shape.aggregator in pool.members[:4]
            and all(1 <= len(row.models) <= 3 and row.n <= 2 for row in shape.layers)
        )

    shapes = [sample(limits, rng) for _ in range(30)]
    near = [shape for one in shapes for shape in neighbours(one, limits)]
    pairs = [rng.sample(shapes, 2) for _ in range(100)]
    children = [crossed(one, other, limits, rng) for one, other in pairs]
    moved = [mutated(shape, limits, rng) for shape in shapes]
    assert all(map(fits, [*shapes, *near, *children, *moved]))
    assert all(new != old for new, old in zip(moved, shapes, strict=True))
    assert all(Shape.of(shape.ensemble(PROMPT)).aggregator == shape.aggregator for shape in shapes)
