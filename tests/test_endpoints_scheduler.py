"""A queue serves in order, within its limit, and not at all while it is paused."""

from __future__ import annotations

import asyncio
import time

import pytest

from endpoints.scheduler import EndpointQueue
from endpoints.specs import EndpointSpec


def queue(limit: int) -> EndpointQueue:
    return EndpointQueue(EndpointSpec("local", "http://127.0.0.1/v1", max_concurrency=limit))


async def test_slots_are_given_in_order_and_within_the_limit() -> None:
    slots, order, held, most = queue(2), list[int](), 0, 0

    async def use(number: int) -> None:
        nonlocal held, most
        async with slots.slot():
            order.append(number)
            held += 1
            most = max(most, held)
            await asyncio.sleep(0)
            held -= 1

    await asyncio.gather(*(use(number) for number in range(9)))
    assert (order, most) == (list(range(9)), 2)


async def test_nothing_passes_before_a_pause_is_over() -> None:
    slots, other = queue(4), queue(1)
    begun = time.monotonic()
    slots.pause(0.15)
    slots.pause(0.01)
    async with other.slot():
        pass
    async with slots.slot():
        assert time.monotonic() - begun >= 0.15


async def test_a_pause_may_be_prolonged_while_somebody_waits() -> None:
    slots = queue(1)
    slots.pause(0.05)
    begun = time.monotonic()
    asyncio.get_running_loop().call_later(0.02, slots.pause, 0.15)
    async with slots.slot():
        assert time.monotonic() - begun >= 0.16


async def test_whoever_is_cancelled_while_waiting_takes_no_slot() -> None:
    slots = queue(1)

    async def use() -> None:
        async with slots.slot():
            pass

    slots.pause(0.05)
    waiting = [asyncio.create_task(use()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting[:2]:
        task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2] is None
    with pytest.raises(RuntimeError):
        async with slots.slot():
            raise RuntimeError
    async with asyncio.timeout(5), slots.slot():
        pass
