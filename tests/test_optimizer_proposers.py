"""Every proposer keeps one contract; what the default one knows and pays is exact."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.search.problem import Ledger
from endpoints.request import Completion, Request
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import Agent, Ensemble, single
from optimizer.archive import Archive
from optimizer.items import item_shares
from optimizer.outcome import Outcome
from optimizer.proposers import Proposer
from optimizer.proposers.audition import Audition
from optimizer.proposers.evolution import Evolution
from optimizer.proposers.facts import Table
from optimizer.proposers.features import Points
from optimizer.proposers.gp import Process, Theta
from optimizer.proposers.moves import crossed, mutated, neighbours, shape_of
from optimizer.proposers.new_calls import Effort, NewCalls
from optimizer.proposers.posterior import relative
from optimizer.proposers.random import Inbox, Random, Sometimes, nearest
from optimizer.proposers.screening import Screening
from optimizer.proposers.set_gp import SetGP
from optimizer.space import Space
from tests.support.pool import PROMPT, Models, outcome, suite

MEMBERS = ("a", "b", "c", "d")
SPACE = Space(MEMBERS, MEMBERS, 2, 3, 2, (0.0, 0.7), (PROMPT,))
ITEMS = 24
SHARES = {str(i): 1 / ITEMS for i in range(ITEMS)}
EFFORT = Effort(ITEMS, 0, ITEMS)
WRITING = {"a": 0.1, "b": 0.3, "c": 0.0, "d": 0.2}

MAKERS: dict[str, Callable[[int], Proposer]] = {
    "random": lambda seed: Random(SPACE, seed),
    "evolution": lambda seed: Evolution(SPACE, seed),
    "set-gp": lambda seed: SetGP(SPACE, SHARES, EFFORT, seed),
    "audition": lambda _: Audition(SPACE, SHARES),
    "screening": lambda seed: Screening(SPACE, seed),
    "inbox": lambda _: Inbox(),
    "sometimes": lambda seed: Sometimes(Random(SPACE, seed), 1.0, seed),
}


def scored(ensemble: Ensemble, origin: str = "set-gp", noise: float = 0.05) -> Outcome:
    """Score an ensemble by who writes, how many models take part, and noise."""
    rng = random.Random(ensemble.digest)
    level = 0.3 + WRITING[ensemble.aggregator.model] + 0.05 * len(ensemble.models)
    found = outcome(ensemble, *(level + rng.gauss(0, noise) for _ in range(ITEMS)))
    return replace(found, origin=origin)


def archive(number: int = 40) -> Archive:
    """Return the single models and so many others."""
    known = Archive(scored(single(m, 0.0), "baseline") for m in MEMBERS)
    rng = random.Random(5)
    while len(known) < number:
        known.add(scored(SPACE.sample(rng)))
    known.asked = number
    for _ in range(4):
        ensemble = SPACE.sample(rng)
        known.begin(ensemble)
        other = SPACE.sample(rng)
        known.inbox[other.digest] = other
    return known


@pytest.mark.parametrize("number", [4, 40])
@pytest.mark.parametrize("name", MAKERS)
async def test_the_contract_of_a_proposer(name: str, number: int) -> None:
    known = archive(number)
    before = [o.ensemble.digest for o in known.all()]
    found = await MAKERS[name](0).propose(known, 3)
    assert len(found) <= 3
    assert len({e.digest for e in found}) == len(found)
    assert all(SPACE.contains(e) for e in found)
    assert not any(known.taken(e.digest) for e in found)
    assert [o.ensemble.digest for o in known.all()] == before
    assert await MAKERS[name](0).propose(known, 3) == found
    assert len(await MAKERS[name](0).propose(known, 1)) <= 1


@pytest.mark.parametrize("name", ["random", "evolution", "screening"])
async def test_who_draws_draws_by_seed_and_trial(name: str) -> None:
    known = archive()
    first = await MAKERS[name](0).propose(known, 8)
    assert len(first) == 8
    assert await MAKERS[name](1).propose(known, 8) != first
    known.asked += 1
    assert await MAKERS[name](0).propose(known, 8) != first


async def test_a_share_of_the_trials_is_that_share() -> None:
    proposer, known = Sometimes(Random(SPACE, 0), 0.25, 0), archive(4)
    count = 0
    for number in range(400):
        known.asked = number
        count += bool(await proposer.propose(known, 1))
    assert 70 < count < 130


async def test_the_audition_hears_every_aggregator_once_over_one_set() -> None:
    known, proposer = archive(4), MAKERS["audition"](0)
    heard: list[Ensemble] = []
    for _ in range(10):
        for ensemble in await proposer.propose(known, 1):
            known.add(scored(ensemble))
            heard.append(ensemble)
    assert len({e.layers for e in heard}) == 1
    assert len(heard[0].layers) == 1
    writers = {e.aggregator.model for e in heard}
    assert writers == set(MEMBERS)


@pytest.mark.parametrize("at_once", [1, 12])
@pytest.mark.parametrize("name", ["screening", "set-gp"])
async def test_screening_tries_everything_equally_often(name: str, at_once: int) -> None:
    proposer, known = MAKERS[name](0), Archive()
    while len(known.pending) < 12:
        for ensemble in await proposer.propose(known, at_once):
            known.begin(ensemble)
            known.asked += 1
    first = [e.layers[0] for e in known.pending if len(e.layers) == 1]
    assert len(first) == 12
    assert Counter(map(len, first)) == {2: 6, 3: 6}
    assert Counter(layer[0].temperature for layer in first) == {0.0: 6, 0.7: 6}
    assert Counter(e.aggregator.model for e in known.pending) == dict.fromkeys(MEMBERS, 3)
    members = Counter(agent.model for layer in first for agent in layer)
    assert sorted(members.values()) == [7, 7, 8, 8]


async def test_screening_begins_with_what_was_tried_least() -> None:
    known = Archive(scored(single(m, 0.0), "baseline") for m in MEMBERS)  # no set: counts nothing
    for writer in ("a", "b", "d"):
        layer = (Agent("a", 0.7), Agent("b", 0.7), Agent("c", 0.7))
        known.add(scored(Ensemble((layer,), Agent(writer, 0.0, prompt=PROMPT))))
    (found,) = await MAKERS["screening"](0).propose(known, 1)
    assert found.aggregator.model == "c"
    assert "d" in {agent.model for agent in found.layers[0]}
    assert len(found.layers[0]) == 2
    assert found.layers[0][0].temperature == 0.0


async def test_screening_draws_where_there_are_no_sets_or_no_new_ones() -> None:
    flat = Space(MEMBERS, MEMBERS, 0, 3, 1, (0.0, 0.7), (PROMPT,))
    known, proposer = Archive(), Screening(flat, 0)
    while found := await proposer.propose(known, 3):
        for ensemble in found:
            known.add(scored(ensemble))
    assert len(known) == 8
    tiny, known = Space(("a",), ("a",), 1, 1, 2, (0.7,), (PROMPT,)), Archive()
    for _ in range(3):
        (ensemble,) = await Screening(tiny, 0).propose(known, 1)
        known.add(scored(ensemble))
    assert {e.ensemble.layers[0][0].n for e in known.all() if e.ensemble.layers} == {1, 2}


async def test_the_surrogate_learns_who_aggregates_best() -> None:
    found = await MAKERS["set-gp"](0).propose(archive(60), 5)
    assert sum(e.aggregator.model == "b" for e in found) >= 4


async def test_improvement_is_bought_where_it_is_cheap() -> None:
    known = archive(60)
    costs = []
    for priced in (True, False):
        proposer = SetGP(SPACE, SHARES, EFFORT, 0, priced=priced)
        prices = NewCalls(EFFORT)
        for o in known.all():
            prices.pay(shape_of(o.ensemble), o.items)
        found = await proposer.propose(known, 6)
        costs.append(sum(prices.new(shape_of(e)) for e in found))
    assert costs[0] < costs[1]


def test_a_lucky_score_is_not_recommended() -> None:
    """One of many equals scored high by chance; those like the truly good one scored well."""
    known = Archive()
    rng = random.Random(3)
    while len(known) < 60:
        known.add(scored(SPACE.sample(rng), noise=0.4))
    best = known.best(1)[0].value or 0.0
    lucky = Ensemble(((Agent("d", 0.0),),), Agent("d", 0.7, prompt=PROMPT))
    known.add(outcome(lucky, *(best + 0.01 + 0.4 * (-1) ** i for i in range(ITEMS))))
    assert known.best(1)[0].ensemble == lucky
    ranked = SetGP(SPACE, SHARES, EFFORT, 0).recommend(known)
    assert ranked[0].ensemble != lucky
    assert ranked[0].ensemble.aggregator.model == "b"
    assert len(ranked) == len(known)


async def test_what_is_in_flight_is_not_asked_for_again() -> None:
    known, proposer = archive(60), MAKERS["set-gp"](0)
    asked: list[str] = []
    for _ in range(6):
        (ensemble,) = await proposer.propose(known, 1)
        known.begin(ensemble)
        known.asked += 1
        asked.append(ensemble.digest)
    assert len(set(asked)) == 6


async def test_a_good_proposal_of_the_inbox_is_ranked_first() -> None:
    known = archive(60)
    known.inbox.clear()
    proposer = MAKERS["set-gp"](0)
    (best,) = await proposer.propose(known, 1)
    bad = Ensemble(((Agent("c", 0.7),),), Agent("c", 0.0, prompt=PROMPT))
    known.inbox = {e.digest: e for e in (bad, best)}
    found = await proposer.propose(known, 1)
    assert found[0].digest != bad.digest


# -- moves


def test_moves_stay_in_the_space_and_neighbours_are_one_move_away() -> None:
    rng = random.Random(0)
    for _ in range(60):
        one, other = (shape_of(SPACE.sample(rng)) for _ in range(2))
        near = set(neighbours(one, SPACE)) | {mutated(one, SPACE, rng)}
        near |= {crossed(one, other, SPACE, rng)}
        assert all(SPACE.contains(shape.ensemble) for shape in near)
        assert all(shape_of(shape.ensemble) == shape for shape in near)
        assert len(near) > 5


def test_the_nearest_of_a_repeat_is_unseen_and_one_move_away() -> None:
    known = archive()
    for found in known.all():
        near = nearest(found.ensemble, known, SPACE, 0)
        assert near is not None
        assert not known.taken(near.digest)
        assert shape_of(near) in set(neighbours(shape_of(found.ensemble), SPACE))
    assert nearest(single("stranger", 0.0), known, SPACE, 0) is None


# -- what is known


def test_difficulty_of_items_is_no_merit_of_who_saw_the_easy_ones() -> None:
    easy = np.linspace(0.9, 0.1, 20)
    rows = np.stack([easy, easy + 0.05, easy - 0.05])
    rows[2, 8:] = np.nan  # stopped after the easiest
    values, noises = relative(rows, np.full(20, 1 / 20))
    assert values.argsort().tolist() == [2, 0, 1]
    assert values[1] - values[0] == pytest.approx(0.05)
    assert values[0] - values[2] == pytest.approx(0.05)
    assert noises[2] > noises[0]


def test_coverage_and_complementarity_tell_alike_models_from_unlike_ones() -> None:
    half = np.arange(20) < 10
    rows = {"x": half * 1.0, "y": ~half * 1.0, "z": half * 1.0, "w": np.full(20, 0.5)}
    table = Table({m: r.astype(np.float64) for m, r in rows.items()}, np.full(20, 1 / 20))
    alike, unlike = table.summary(("x", "z")), table.summary(("x", "y"))
    assert alike[0] == pytest.approx(unlike[0])
    assert unlike[1] > alike[1]
    assert unlike[2] > alike[2]


def test_the_process_is_the_textbooks() -> None:
    rng = np.random.default_rng(0)

    def points(n: int) -> Points:
        return Points(rng.normal(size=(n, 3)), rng.normal(size=(n, 2)), rng.integers(0, 2, n))

    theta, seen, new = Theta(), points(12), points(4)
    values, noises = rng.normal(size=12), np.full(12, 0.1)
    means, errors = Process(seen, values, noises, theta).predict(new)

    def kernel(a: Points, b: Points) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        out = np.empty((len(a.aggregators), len(b.aggregators)))
        for i, j in np.ndindex(out.shape):
            apart = ((a.members[i] - b.members[j]) ** 2).sum()
            unlike = ((a.sets[i] - b.sets[j]) ** 2).sum()
            same = a.aggregators[i] == b.aggregators[j]
            out[i, j] = theta.near * np.exp(-apart / 2 / theta.reach**2)
            out[i, j] += theta.linear * (
                a.members[i] @ b.members[j] / 4 + a.sets[i] @ b.sets[j] / 16
            )
            alike = np.exp(-unlike / 2 / theta.breadth**2)
            out[i, j] += alike * (theta.known + theta.taste * same)
        return out

    scale = values.std()
    noisy = kernel(seen, seen) + np.diag(theta.noise * noises / scale**2 + 1e-6)
    cross = kernel(new, seen)
    wanted = cross @ np.linalg.solve(noisy, values - values.mean()) + values.mean()
    left = kernel(new, new) - cross @ np.linalg.solve(noisy, cross.T)
    assert means == pytest.approx(wanted)
    assert errors == pytest.approx(np.sqrt(np.diag(left)) * scale)


# -- what is paid


class Roleless(Models):
    """Knows a request as the store does: what it is for is no part of its key."""

    async def complete(self, request: Request) -> Completion:
        return await super().complete(replace(request, role="proposer"))


@pytest.mark.parametrize("shared", [False, True])
async def test_prices_are_the_requests_that_would_be_new(shared: bool) -> None:
    """Counted against the engine's own requests, in the order of a search; and the ledger's."""
    asked, models = suite(2, 2), Roleless()
    items = asked.half("search")
    limit = MaxTokens(64, 64 if shared else 128)
    engine = Engine(models, {PROMPT: "まとめてください。"}, limit)
    prices = NewCalls(Effort(len(items), 0, 0, shared))
    ledger = Ledger(shared=shared)
    rng = random.Random(1)
    drawn = [SPACE.sample(rng) for _ in range(25)]
    drawn += [
        near.ensemble for e in drawn[:4] for near in list(neighbours(shape_of(e), SPACE))[:9]
    ]
    saved = 0
    for ensemble in drawn:
        seen = items[: rng.choice((1, len(items)))]  # some are stopped early
        price, before, paid = prices.new(shape_of(ensemble)), len(models.asked), ledger.paid
        for item in seen:
            await engine.answer(ensemble, Conversation.of(item))
            ledger.pay(ensemble, item.id)
        new = len(models.asked) - before
        verdicts = len({("verdict", i.id) for i in seen})
        assert new <= ledger.paid - paid <= new + verdicts
        if len(seen) == len(items):
            assert price == new
        saved += ensemble.calls * len(seen) - new
        prices.pay(shape_of(ensemble), len(seen))
    assert saved > 100


def test_shares_of_items_are_those_of_the_studys_score() -> None:
    asked = suite(3, 4)
    shares = item_shares(asked, "search")
    assert sum(shares.values()) == pytest.approx(1)
    assert len(shares) == 12
