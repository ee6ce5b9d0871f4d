"""A host by the hour costs its busy seconds, each once, however many requests share them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from data.observer import Silent
from db.store import Store
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.rent import Rent
from endpoints.request import Request
from endpoints.specs import EndpointSpec, ModelSpec
from optimizer.budget import Budget
from tests.support.fake_endpoint import fake_endpoint

HOURLY = 3600.0  # a dollar a second


class Clock:
    """Time that passes when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_requests_that_overlap_are_charged_the_busy_time_once_and_idle_time_not() -> None:
    clock = Clock()
    rent = Rent(HOURLY, clock)
    charges = []
    rent.__enter__()
    clock.now = 2.0
    rent.__enter__()
    clock.now = 3.0
    charges.append(rent.charge())
    rent.__exit__()
    clock.now = 7.0
    charges.append(rent.charge())
    rent.__exit__()
    clock.now = 100.0  # nobody asked
    with rent:
        clock.now = 101.0
        charges.append(rent.charge())
    assert charges == pytest.approx([3.0, 4.0, 1.0])


async def test_what_the_ledger_holds_of_a_host_adds_up_to_its_busy_share(tmp_path: Path) -> None:
    async with fake_endpoint() as fake:
        spec = EndpointSpec("rented", fake.url, usd_per_hour=HOURLY)
        model = ModelSpec("m", "rented", "m", "f", input_price=1.0)
        with Store.open(f"sqlite:///{tmp_path / 'k.sqlite'}") as store:
            asked = Completions(
                {"m": model}, {"rented": Endpoint(spec)}, store, Budget(), "s", Silent()
            )
            turns = [({"role": "user", "content": f"{n}"},) for n in range(8)]
            requests = [Request("m", "judge", messages, 0.0, 10) for messages in turns]  # type: ignore[arg-type]
            begun = asyncio.get_running_loop().time()
            found = await asyncio.gather(*map(asked.complete, requests))
            wall = asyncio.get_running_loop().time() - begun
            await asked.close()
            spent = store.spent("s")
            seconds = sum(one.seconds for one in found)
            tokens = sum(one.prompt_tokens for one in found) * 1.0 / 1e6
    assert 0 < spent.usd - tokens <= wall < seconds + wall
    assert spent.usd == pytest.approx(sum(one.usd for one in found))
    assert spent.usd - tokens < seconds  # eight at a time: no second is paid eight times
