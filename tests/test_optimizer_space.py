"""Ensembles ⇄ parameters, both ways, for every space."""

from __future__ import annotations

import random

import optuna
from hypothesis import given
from hypothesis import strategies as st

from moa.ensemble import Agent, Ensemble, single
from optimizer.sampler import EnsembleSampler, suggest, tpe
from optimizer.space import Space

MODELS = ("カラクリ-8x7b", "swallow.70b", "sim/elyza", "d", "e")


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    models = st.lists(st.sampled_from(MODELS), min_size=1, max_size=5, unique=True).map(tuple)
    temperatures = st.lists(st.sampled_from((0.0, 0.3, 0.7, 1.0)), min_size=1, unique=True)
    return Space(
        proposers=draw(models),
        aggregators=draw(models),
        layers=draw(st.integers(0, 3)),
        width=draw(st.integers(1, 6)),
        n=draw(st.integers(1, 4)),
        temperatures=tuple(sorted(draw(temperatures))),
        prompts=draw(st.sampled_from((("sha256:a",), ("sha256:a", "sha256:b")))),
    )


@given(spaces(), st.integers(0, 2**32))
def test_every_ensemble_of_the_space_survives_the_way_there_and_back(
    space: Space, seed: int
) -> None:
    ensemble = space.sample(random.Random(seed))
    assert space.contains(ensemble)
    assert space.decode(space.encode(ensemble)) == ensemble


@given(spaces(), st.integers(0, 2**32))
def test_encoded_parameters_are_those_that_are_asked(space: Space, seed: int) -> None:
    ensemble = space.sample(random.Random(seed))
    asked = space.distributions(len(ensemble.layers))
    encoded = space.encode(ensemble)
    assert encoded.keys() == asked.keys()
    assert all(asked[k].to_internal_repr(v) is not None for k, v in encoded.items())


@given(spaces(), st.integers(0, 2**32))
def test_whatever_a_sampler_draws_is_an_ensemble_of_the_space(space: Space, seed: int) -> None:
    rng = random.Random(seed)
    parameters: dict[str, bool | int | float | str] = {"layers": rng.randint(0, space.layers)}
    for name, distribution in space.distributions(int(parameters["layers"])).items():
        if name == "layers":
            continue
        if isinstance(distribution, optuna.distributions.CategoricalDistribution):
            parameters[name] = rng.choice(distribution.choices)  # type: ignore[assignment]
        elif isinstance(distribution, optuna.distributions.IntDistribution):
            parameters[name] = rng.randint(distribution.low, distribution.high)
    ensemble = space.decode(parameters)
    assert space.contains(ensemble)


def _space() -> Space:
    return Space(("a", "b", "c"), ("a", "b"), 2, 2, 2, (0.0, 0.7), ("sha256:p",))


def test_what_the_space_does_not_contain() -> None:
    space, reads = _space(), "sha256:p"
    top = Agent("a", 0.0, prompt=reads)
    inside = Ensemble(((Agent("a", 0.7), Agent("b", 0.7)),), top)
    outside = [
        single("c", 0.0),  # no aggregator
        single("a", 0.5),
        Ensemble(((Agent("a", 0.7, 3),),), top),
        Ensemble(((Agent("a", 0.7), Agent("b", 0.0)),), top),  # two temperatures in one layer
        Ensemble(((Agent("a", 0.7), Agent("b", 0.7, 2)),), top),
        Ensemble(((Agent("a", 0.7), Agent("b", 0.7), Agent("c", 0.7)),), top),
        Ensemble(((Agent("x", 0.7),),), top),
        Ensemble(((Agent("a", 0.7),),), Agent("a", 0.0, prompt="sha256:other")),
    ]
    assert space.contains(inside)
    assert not any(space.contains(e) for e in outside)


def test_a_layer_drawn_too_wide_favours_no_model() -> None:
    names = tuple(f"m{i}" for i in range(8))
    space = Space(names, names, 1, 3, 1, (0.0,), ("sha256:p",))
    counts = dict.fromkeys(names, 0)
    for mask in range(256):
        flags = {f"1.{m}": bool(mask >> i & 1) for i, m in enumerate(names)}
        if sum(flags.values()) > space.width:
            for agent in space.decode({"layers": 1, "aggregator": "m0", **flags}).layers[0]:
                counts[agent.model] += 1
    assert max(counts.values()) < 1.4 * min(counts.values())


def test_a_picked_ensemble_becomes_the_trials_parameters() -> None:
    space = _space()
    wanted = Ensemble(
        ((Agent("b", 0.7, 2), Agent("c", 0.7, 2)),), Agent("b", 0.7, prompt="sha256:p")
    )
    study = optuna.create_study(
        sampler=EnsembleSampler(space, lambda n: wanted if n == 1 else None, tpe(0))
    )
    found = [suggest(study.ask(), space) for _ in range(3)]
    assert found[1] == wanted
    assert found[0] != wanted


def test_a_trials_draw_depends_on_its_number_and_the_seed_alone() -> None:
    space = _space()
    study = optuna.create_study(sampler=EnsembleSampler(space, lambda _: None, tpe(7)))
    first = [suggest(study.ask(), space) for _ in range(6)]
    again = optuna.create_study(sampler=EnsembleSampler(space, lambda _: None, tpe(7)))
    assert [suggest(again.ask(), space) for _ in range(6)] == first
    other = optuna.create_study(sampler=EnsembleSampler(space, lambda _: None, tpe(8)))
    assert [suggest(other.ask(), space) for _ in range(6)] != first
