"""The search under `objective: pareto`: cheap ensembles are sought, and true scores kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kumiawase.proposing import proposers_of, surrogate_of
from kumiawase.wiring import space_of
from moa.ensemble import Agent, Ensemble, single
from optimizer.archive import Archive
from optimizer.outcome import Outcome
from optimizer.pareto import WEIGHTS, Thrifty, costs_of, thrifty, weighed
from tests.support.discoveries import AS_READ
from tests.support.pool import PROMPT, outcome, suite
from tests.test_kumiawase_settings import settings


def known(ensemble: Ensemble, score: float, usd: float, seconds: float = 1.0) -> Outcome:
    return replace(outcome(ensemble, score, score), usd=usd, seconds=seconds)


def duo(model: str) -> Ensemble:
    return Ensemble(((Agent(model, 0.7, 2),),), Agent(model, 0.0, prompt=PROMPT))


CHEAP, MIDDLE, DEAR = duo("a"), duo("b"), duo("c")


def archive() -> Archive:
    return Archive(
        [
            known(single("a", 0.0), 0.2, 0.001),
            known(CHEAP, 0.70, 0.003),
            known(MIDDLE, 0.72, 0.03),
            known(DEAR, 0.75, 0.3),
        ]
    )


def test_cost_is_money_or_where_nothing_is_paid_time() -> None:
    found = archive()
    assert costs_of(found.all())[DEAR.digest] == 0.3
    free = [replace(o, usd=0.0, seconds=2.0) for o in found.all()]
    assert set(costs_of(free).values()) == {2.0}


def test_the_dearer_loses_more_and_the_original_stays() -> None:
    found = archive()
    seen = weighed(found, 0.03)
    gap = {
        o.ensemble.digest: (true.value or 0) - (o.value or 0)
        for o, true in zip(seen.all(), found.all(), strict=True)
    }
    assert gap[DEAR.digest] - gap[MIDDLE.digest] == pytest.approx(0.03 * 2.302585)
    assert gap[MIDDLE.digest] - gap[CHEAP.digest] == pytest.approx(0.03 * 2.302585)
    one, true = seen.get(DEAR.digest), found.get(DEAR.digest)
    assert one is not None
    assert true is not None
    assert [true.scores[i] - one.scores[i] for i in true.scores] == pytest.approx(
        [gap[DEAR.digest]] * 2
    )
    assert (true.value, one.estimate) == (0.75, true.estimate)
    assert [o.ensemble for o in found.best(1)] == [DEAR]
    assert [o.ensemble for o in seen.best(1)] == [CHEAP]


def test_what_costs_nothing_is_the_cheapest_and_no_infinity() -> None:
    found = archive()
    found.add(known(AS_READ, 0.5, 0.0))
    one = weighed(found, 0.1).get(AS_READ.digest)
    assert one is not None
    assert one.value == 0.5


class _Remembering:
    name = "r"

    def __init__(self) -> None:
        self.saw: list[Archive] = []

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:  # noqa: ARG002
        self.saw.append(archive)
        return [AS_READ]


async def test_every_other_trial_goes_by_a_weight_and_each_weight_has_its_proposer() -> None:
    plain, others = _Remembering(), {weight: _Remembering() for weight in WEIGHTS}
    proposer, found = Thrifty(plain, others, 0), archive()
    assert proposer.name == "r"
    for number in range(40):
        found.asked = number
        assert await proposer.propose(found, 1) == [AS_READ]
    assert len(plain.saw) == 20
    assert all(seen is found for seen in plain.saw)
    assert sum(len(one.saw) for one in others.values()) == 20
    for weight, one in others.items():
        assert one.saw
        for seen in one.saw:
            assert [o.value for o in seen.all()] == [o.value for o in weighed(found, weight).all()]


async def test_the_weight_of_a_trial_is_the_same_in_the_next_run() -> None:
    found = archive()
    used = []
    for _ in range(2):
        others = {weight: _Remembering() for weight in WEIGHTS}
        proposer = Thrifty(_Remembering(), others, 7)
        for number in range(0, 20, 2):
            found.asked = number
            await proposer.propose(found, 1)
        used.append([len(others[weight].saw) for weight in WEIGHTS])
    assert used[0] == used[1]


def test_confirmed_are_the_best_the_cheapest_as_good_and_the_front() -> None:
    worse = known(AS_READ, 0.74, 0.5)
    found = archive()
    found.add(worse)
    order = thrifty(lambda seen: seen.best(len(seen)))(found)
    # 0.75 ± 0.1 reaches down to CHEAP; then by turns the front and what was recommended
    expected = [DEAR, CHEAP, MIDDLE, AS_READ, single("a", 0.0)]
    assert [o.ensemble for o in order] == expected
    assert thrifty(lambda _: [])(found) == []


@pytest.mark.parametrize("sampler", ["auto", "set-gp", "evolution"])
def test_the_objective_decides_who_proposes_last(tmp_path: Path, sampler: str) -> None:
    last = {}
    for objective in ("score", "pareto"):
        chosen = settings(tmp_path, search={"objective": objective, "sampler": sampler})
        space, asked = space_of(chosen), suite()
        proposers = proposers_of(chosen, asked, space, surrogate_of(chosen, asked, space))
        last[objective] = proposers[-1]
    assert not isinstance(last["score"], Thrifty)
    assert isinstance(last["pareto"], Thrifty)
    assert last["pareto"].name == last["score"].name  # the origin of its trials
