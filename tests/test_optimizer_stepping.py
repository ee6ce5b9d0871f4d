"""Trials that step together wait for the slowest, and for nobody who has gone."""

from __future__ import annotations

import asyncio

from optimizer.stepping import Together


async def trial(together: Together, name: str, looks: list[float], log: list[str]) -> None:
    with together.member():
        for number, seconds in enumerate(looks):
            await together.step()
            log.append(f"{name}{number}")
            await asyncio.sleep(seconds)


async def test_a_look_begins_when_all_have_ended_theirs() -> None:
    together, log = Together(linger=0.01), list[str]()
    await asyncio.gather(
        trial(together, "a", [0.0, 0.0, 0.0], log),
        trial(together, "b", [0.05, 0.0, 0.0], log),
        trial(together, "c", [0.02], log),  # pruned at its first look
    )
    assert [sorted(log[:3]), sorted(log[3:5]), sorted(log[5:])] == [
        ["a0", "b0", "c0"],
        ["a1", "b1"],
        ["a2", "b2"],
    ]


async def test_a_trial_that_takes_anothers_place_joins_the_next_step() -> None:
    together, log = Together(linger=0.05), list[str]()

    async def place() -> None:
        await trial(together, "c", [0.0], log)
        await asyncio.sleep(0.01)  # the sampler thinks
        await trial(together, "d", [0.0], log)

    await asyncio.gather(trial(together, "a", [0.0, 0.0], log), place())
    assert [sorted(log[:2]), sorted(log[2:])] == [["a0", "c0"], ["a1", "d0"]]


async def test_a_trial_that_is_cancelled_holds_nobody_up() -> None:
    together, log = Together(linger=0.0), list[str]()
    slow = asyncio.create_task(trial(together, "s", [600.0], log))
    while not log:  # noqa: ASYNC110 - a list tells nobody
        await asyncio.sleep(0.001)
    other = asyncio.create_task(trial(together, "a", [0.0], log))
    await asyncio.sleep(0.01)
    assert log == ["s0"]
    slow.cancel()
    async with asyncio.timeout(60):
        await other
    assert log == ["s0", "a0"]


async def test_a_step_that_was_due_before_does_not_begin_the_next_look() -> None:
    together, log = Together(linger=0.3), list[str]()

    async def slow() -> None:
        await asyncio.sleep(0.01)  # joins while the step of the other is due
        await trial(together, "d", [0.4], log)
        log.append("d ended")

    await asyncio.gather(trial(together, "a", [0.0, 0.0], log), slow())
    assert sorted(log[:2]) == ["a0", "d0"]
    assert log[2:] == ["d ended", "a1"]
