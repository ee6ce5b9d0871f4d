"""No limit is passed by more than what is in flight, over restarts too, and each says its name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from data.errors import BudgetSpentError
from endpoints.request import Attempt, Request, Role
from endpoints.specs import EndpointSpec, ModelSpec
from optimizer.budget import FEW, Amount, Budget, Limits
from optimizer.prices import ENOUGH, Tariff
from tests.support import rows
from tests.support.pool import STUDY, Lab, Models

HOUR = 3600.0
PAID = ModelSpec("paid", "far", "paid", "p", input_price=10.0, output_price=20.0)
FREE = ModelSpec("free", "near", "free", "f")
HOSTS = {
    "far": EndpointSpec("far", "https://api.example.com/v1"),
    "near": EndpointSpec("near", "http://127.0.0.1:1/v1"),
    "rented": EndpointSpec("rented", "http://10.0.0.1/v1", usd_per_hour=3.6, max_concurrency=2),
}
RENTED = ModelSpec("rented", "rented", "rented", "r")
MODELS: Mapping[str, ModelSpec] = {m.name: m for m in (PAID, FREE, RENTED)}


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def request(model: str = "a", role: Role = "proposer") -> Request:
    return Request(model, role, ({"role": "user", "content": "問い"},), 0.0, 10)


REQUEST = request()


def settled(ended: str = "ok", **changes: object) -> Attempt:
    return rows.attempt("1", "k", **{"outcome": ended, "model": "a", **changes})


def tariff() -> Tariff:
    return Tariff(MODELS, HOSTS)


def spend(budget: Budget, request: Request, usd: float) -> None:
    budget.reserve(request)
    tokens = round(usd * 1e6 / PAID.input_price)
    ended = settled(model=request.model, role=request.role, usd=usd, prompt_tokens=tokens)
    budget.settle(ended)


# -- calls


def test_calls_in_flight_and_of_earlier_runs_count() -> None:
    budget = Budget(Limits(5), before=Amount(2))
    for _ in range(3):
        budget.reserve(REQUEST)
    with pytest.raises(BudgetSpentError, match="the next proposer call would pass 5 calls"):
        budget.reserve(REQUEST)
    budget.settle(settled())
    with pytest.raises(BudgetSpentError):
        budget.reserve(REQUEST)
    assert (budget.spent, budget.hit) == (3, "calls")


def test_what_was_never_sent_costs_nothing_and_a_failure_does() -> None:
    budget = Budget(Limits(1, 1.0))
    budget.reserve(REQUEST)
    budget.settle(settled("unsent", usd=0.4))
    assert (budget.spent, budget.usd) == (0, 0.0)
    budget.reserve(REQUEST)
    budget.settle(settled("timeout", usd=0.4))
    assert (budget.spent, budget.usd) == (1, 0.4)
    with pytest.raises(BudgetSpentError):
        budget.reserve(REQUEST)


def test_what_is_kept_back_is_there_after_the_release() -> None:
    budget = Budget(Limits(3), kept=Amount(2))
    budget.reserve(REQUEST)
    with pytest.raises(BudgetSpentError, match="2 calls more are kept for confirmation"):
        budget.reserve(REQUEST)
    budget.release()
    budget.reserve(REQUEST)
    budget.reserve(REQUEST)
    with pytest.raises(BudgetSpentError):
        budget.reserve(REQUEST)


def test_without_a_limit_everything_is_counted_and_nothing_refused() -> None:
    budget = Budget()
    for _ in range(1000):
        budget.reserve(REQUEST)
        budget.settle(settled())
    assert (budget.limited, budget.left, budget.spent, budget.levels) == (False, None, 1000, [])


# -- money


def test_money_in_flight_counts_as_what_its_kind_has_cost() -> None:
    budget = Budget(Limits(usd=1.0), before=Amount(usd=0.2), prices=tariff())
    for _ in range(ENOUGH):
        spend(budget, request("paid"), 0.1)
    assert budget.usd == pytest.approx(0.7)
    for _ in range(3):
        budget.reserve(request("paid"))  # 0.3 in flight: the limit is reached, not passed
    with pytest.raises(BudgetSpentError, match=r"the next proposer call would pass 1.00 USD"):
        budget.reserve(request("paid"))
    assert budget.hit == "usd"


def test_before_anything_is_measured_a_cost_is_assumed() -> None:
    budget = Budget(Limits(usd=0.015), prices=tariff())
    assert 0.005 < tariff().expected("paid", "proposer") < 0.015
    budget.reserve(request("paid"))
    with pytest.raises(BudgetSpentError):
        budget.reserve(request("paid"))


def test_spent_money_stops_what_costs_money_and_nothing_else() -> None:
    budget = Budget(Limits(usd=1.0), before=Amount(usd=1.0), prices=tariff())
    for _ in range(100):
        spend(budget, request("free"), 0.0)
    for model in ("paid", "rented"):
        with pytest.raises(BudgetSpentError):
            budget.reserve(request(model, "judge"))


def test_a_rented_host_is_expected_to_be_shared_by_what_it_takes_at_once() -> None:
    found = Tariff(MODELS, HOSTS)
    for _ in range(ENOUGH):
        found.learn(rows.attempt(model="rented", role="proposer", seconds=10.0))
    assert found.take("rented", "proposer").usd == pytest.approx(10.0 * 3.6 / HOUR / 2)


# -- time


def test_running_time_of_all_runs_counts() -> None:
    clock = Clock()
    budget = Budget(Limits(seconds=HOUR), before=Amount(seconds=3000.0), clock=clock)
    clock.now += 599
    budget.reserve(REQUEST)
    assert budget.left == pytest.approx(1)
    clock.now += 1
    with pytest.raises(BudgetSpentError, match=r"the time of budget\.hours is over"):
        budget.reserve(REQUEST)
    assert budget.hit == "hours"


def test_until_is_a_moment_whatever_was_run_before() -> None:
    now = Clock()
    budget = Budget(Limits(until=4600.0, until_span=HOUR), now=now)
    assert budget.left == pytest.approx(HOUR)
    now.now = 4600.0
    with pytest.raises(BudgetSpentError):
        budget.reserve(REQUEST)
    assert budget.hit == "until"


def test_of_time_as_much_is_kept_as_the_calls_kept_have_taken() -> None:
    clock = Clock()
    budget = Budget(Limits(seconds=HOUR), kept=Amount(300), clock=clock)
    for _ in range(FEW):
        spend(budget, REQUEST, 0.0)
    clock.now += FEW * 2.0  # two seconds a call
    assert budget.left == pytest.approx(HOUR - FEW * 2 - 600)
    clock.now += FEW * 18.0  # twenty: the reserve would be more than a third
    assert budget.left == pytest.approx(HOUR - FEW * 20 - HOUR / 3)
    budget.release()
    assert budget.left == pytest.approx(HOUR - FEW * 20)


async def test_work_that_sends_nothing_is_stopped_too() -> None:
    budget = Budget(Limits(seconds=0.3))
    asleep = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            asleep.set()

    with pytest.raises(BudgetSpentError):
        await budget.within(work())
    assert asleep.is_set()


async def test_work_in_time_ends_as_it_ends() -> None:
    async def fails() -> None:
        raise KeyError("mine")

    budget = Budget(Limits(seconds=60.0))
    await budget.within(asyncio.sleep(0))
    with pytest.raises(KeyError, match="mine"):
        await budget.within(fails())


def test_the_nearest_limit_comes_first() -> None:
    clock = Clock()
    limits = Limits(100, 10.0, seconds=HOUR)
    budget = Budget(limits, before=Amount(20, 9.0, 1800.0), clock=clock)
    found = [(level.name, level.share) for level in budget.levels]
    assert found == [("usd", 0.9), ("hours", 0.5), ("calls", 0.2)]


# -- a search


async def test_a_search_whose_time_is_up_says_budget_and_leaves_no_trial_running(
    tmp_path: Path,
) -> None:
    clock = Clock()

    async def later(_: Request) -> None:
        clock.now += 1
        await asyncio.sleep(0)

    budget = Budget(Limits(seconds=400.0), kept=Amount(80), clock=clock)
    with Lab(tmp_path, models=Models(budget=budget, before=later)) as lab:
        assert await lab.search(trials=1000, confirm=2).run() == "budget"
        held_out = lab.store.evaluations(STUDY, "held_out")
        assert {e.state for e in held_out} == {"COMPLETE"}
        assert len(held_out) == 4
        assert lab.states()["RUNNING"] == 0
        assert lab.states()["WAITING"] > 0
    assert 300 < budget.spent <= 400 + 8 * 8


class Nothing:
    """Prices of what costs nothing."""

    def expected(self, model: str, role: Role) -> float:  # noqa: ARG002 - the Protocol's
        return 0.0

    def learn(self, attempt: Attempt) -> None:
        """Learn nothing."""


def test_what_costs_nothing_goes_on_when_money_was_overspent() -> None:
    budget = Budget(Limits(usd=1.0), before=Amount(usd=1.2), prices=Nothing())
    budget.reserve(REQUEST)
    assert budget.hit == ""
