"""A queue serves in order, within its limit, and not at all while it is paused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from data.errors import ConnectionFailedError, RateLimitedError, RequestError, TimedOutError
from endpoints.scheduler import EndpointQueue, ModelAway, ModelBack
from endpoints.specs import EndpointSpec


def queue(limit: int, *models: str) -> EndpointQueue:
    spec = EndpointSpec("local", "http://127.0.0.1/v1", max_concurrency=limit)
    return EndpointQueue(spec, models)


async def until(true: Callable[[], object]) -> None:
    """Let others go on until something holds."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)


async def test_slots_are_given_in_order_and_within_the_limit() -> None:
    slots, order, held, most = queue(2), list[int](), 0, 0

    async def use(number: int) -> None:
        nonlocal held, most
        async with slots.slot("a"):
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
    async with other.slot("a"):
        pass
    async with slots.slot("a"):
        assert time.monotonic() - begun >= 0.15


async def test_a_pause_may_be_prolonged_while_somebody_waits() -> None:
    slots = queue(1)
    slots.pause(0.05)
    begun = time.monotonic()
    asyncio.get_running_loop().call_later(0.02, slots.pause, 0.15)
    async with slots.slot("a"):
        assert time.monotonic() - begun >= 0.16


async def test_whoever_is_cancelled_while_waiting_takes_no_slot() -> None:
    slots = queue(1)

    async def use() -> None:
        async with slots.slot("a"):
            pass

    slots.pause(0.3)
    waiting = [asyncio.create_task(use()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting[:2]:
        task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2] is None
    with pytest.raises(RuntimeError):
        async with slots.slot("a"):
            raise RuntimeError
    async with asyncio.timeout(60), slots.slot("a"):
        pass


AWAY = ConnectionFailedError("refused")


async def test_models_of_one_endpoint_are_served_in_the_order_of_arrival() -> None:
    slots, order = queue(1), list[str]()

    async def use(model: str, number: int) -> None:
        async with slots.slot(model):
            order.append(f"{model}{number}")
            await asyncio.sleep(0)

    await asyncio.gather(*(use("ab"[n % 2], n) for n in range(6)))
    assert order == ["a0", "b1", "a2", "b3", "a4", "b5"]


async def test_a_model_that_hangs_leaves_slots_to_the_others() -> None:
    slots, go, held, done = queue(8, "hangs", "healthy"), asyncio.Event(), 0, 0

    async def hang() -> None:
        nonlocal held
        async with slots.slot("hangs"):
            held += 1
            await go.wait()

    async def use() -> None:
        nonlocal done
        async with slots.slot("healthy"):
            await asyncio.sleep(0)
        done += 1

    hanging = [asyncio.create_task(hang()) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held == 7  # all but the one that is kept for the other model
    async with asyncio.timeout(60):
        await asyncio.gather(*(use() for _ in range(50)))
    assert done == 50
    go.set()
    await asyncio.gather(*hanging)


async def test_of_models_that_compete_none_holds_more_than_its_part() -> None:
    slots, go, held = queue(8, "a", "b"), asyncio.Event(), {"a": 0, "b": 0}

    async def use(model: str) -> None:
        async with slots.slot(model):
            held[model] += 1
            await go.wait()

    slots.pause(0.3)  # all are there before it is over
    waiting = [asyncio.create_task(use(model)) for model in "a" * 20 + "b" * 20]
    await until(lambda: sum(held.values()) >= 8)
    await asyncio.sleep(0.01)  # for whoever else may begin
    assert held == {"a": 4, "b": 4}
    go.set()
    await asyncio.gather(*waiting)


async def fails(slots: EndpointQueue, error: RequestError | None, model: str = "a") -> None:
    async with slots.slot(model) as slot:
        slot.learn(error, 0.0)


async def test_while_a_model_is_away_one_request_finds_out_and_the_others_wait() -> None:
    heard: list[object] = []
    spec = EndpointSpec("local", "http://127.0.0.1/v1")
    slots, go, begun = EndpointQueue(spec, "ab", heard.append, 0.02), asyncio.Event(), list[int]()
    for _ in range(3):
        await fails(slots, AWAY)

    async def use(number: int) -> None:
        async with slots.slot("a") as slot:
            begun.append(number)
            await go.wait()
            slot.learn(None, 0.0)

    waiting = [asyncio.create_task(use(number)) for number in range(5)]
    await fails(slots, None, "b")  # the healthy neighbour
    await until(lambda: begun)
    await asyncio.sleep(0.05)
    assert begun == [0]
    go.set()
    await asyncio.gather(*waiting)
    assert begun == [0, 1, 2, 3, 4]
    assert heard == [ModelAway("a", "local", "refused"), ModelBack("a", "local")]


async def test_a_probe_that_is_called_off_is_made_by_the_next() -> None:
    spec = EndpointSpec("local", "http://127.0.0.1/v1")
    slots = EndpointQueue(spec, first_probe=0.01)
    for _ in range(3):
        await fails(slots, AWAY)

    probing = asyncio.Event()

    async def hang() -> None:
        async with slots.slot("a"):
            probing.set()
            await asyncio.Event().wait()

    first = asyncio.create_task(hang())
    await probing.wait()
    second = asyncio.create_task(fails(slots, None))
    await asyncio.sleep(0.01)
    assert not second.done()
    first.cancel()
    async with asyncio.timeout(60):
        await second


async def test_after_a_deadline_of_silence_nobody_waits() -> None:
    spec = EndpointSpec("local", "http://127.0.0.1/v1", max_concurrency=2, timeout=0.05)
    slots = EndpointQueue(spec, first_probe=30)

    async def hang() -> None:
        async with slots.slot("a") as slot:
            await asyncio.sleep(0.05)
            slot.learn(TimedOutError("no whole reply"), 0.05)

    async with asyncio.timeout(60):
        got = await asyncio.gather(*(hang() for _ in range(9)), return_exceptions=True)
        with pytest.raises(TimedOutError, match="not sent: a has not answered"):
            await hang()
        await fails(slots, None, "b")
    assert [type(error) for error in got] == [type(None)] * 2 + [TimedOutError] * 7


async def test_refusals_take_slots_away_and_replies_bring_them_back() -> None:
    slots, go, held = queue(10), asyncio.Event(), 0

    async def refused() -> None:
        async with slots.slot("a") as slot:
            await asyncio.sleep(0)
            slot.learn(RateLimitedError("slow down"), 1.0)

    async def use() -> None:
        nonlocal held
        async with slots.slot("a"):
            held += 1
            await go.wait()

    await asyncio.gather(*(refused() for _ in range(10)))
    waiting = [asyncio.create_task(use()) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held == 7
    go.set()
    await asyncio.gather(*waiting)
