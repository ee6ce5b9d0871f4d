"""What a live call costs the processor, in calls of the bare openai client.

The whole way of a call is measured: the key, the look into the store, the queue, the claim
committed to SQLite, the request, the checked reply, the settlement with its completion committed.
The floor is the least anybody pays who uses openai as its manual says, on its aiohttp transport:
a loop over `create`, nothing kept. Both speak to the same server in the same run, by turns.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import openai

from benchmarks import server
from benchmarks.ratio import Ratio
from data.observer import Silent
from db.store import Store
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.request import Message, Request
from endpoints.specs import EndpointSpec, ModelSpec
from optimizer.budget import Budget

GOALS = {256: 1.15, 16: 1.2}
CALLS = 1000  # of each, at a time
TURNS = 5
PROMPT = server.TEXT * 2  # some 2.6 KB of UTF-8, as an aggregator's
MODEL = "m"

Call = Callable[[int], Awaitable[object]]


def run() -> list[Ratio]:
    """Compare both at 256 and at 16 calls in flight."""
    with server.running({MODEL: (0.0, 0.0)}) as url:
        return [asyncio.run(_compare(url, at_once)) for at_once in GOALS]


async def _compare(url: str, at_once: int) -> Ratio:
    ours, bare = [], []
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(TURNS + 1):
            with Store.open(f"sqlite:///{Path(folder) / f'{turn}.sqlite'}") as store:
                spent = (await _program(url, at_once, store, numbers), await _bare(url, at_once))
            if turn:  # the first turn warms both
                ours.append(spent[0])
                bare.append(spent[1])
    each = [a / b for a, b in zip(ours, bare, strict=True)]
    return Ratio(
        f"{at_once} in flight: {1000 * median(ours):.2f} ms of CPU a call",
        f"AsyncOpenAI.create {1000 * median(bare):.2f} ms",
        median(each),
        GOALS[at_once],
        (
            f"turns: {', '.join(f'{ratio:.2f}' for ratio in each)}",
            "included: key, lookup, queue, claim and settlement committed to SQLite, check",
        ),
    )


async def _program(url: str, at_once: int, store: Store, numbers: itertools.count[int]) -> float:
    spec = EndpointSpec("e", f"{url}/{MODEL}/v1", max_concurrency=at_once)
    models = {MODEL: ModelSpec(MODEL, "e", MODEL, MODEL)}
    completions = Completions(models, {"e": Endpoint(spec)}, store, Budget(), "bench", Silent())

    async def call(_: int) -> object:
        return await completions.complete(
            Request(MODEL, "proposer", _messages(next(numbers)), 0.7, 512)
        )

    try:
        return await _cpu(call, at_once)
    finally:
        await completions.close()


async def _bare(url: str, at_once: int) -> float:
    async with openai.AsyncOpenAI(
        api_key="none", base_url=f"{url}/{MODEL}/v1", http_client=openai.DefaultAioHttpClient()
    ) as client:

        async def call(number: int) -> object:
            return await client.chat.completions.create(
                model=MODEL,
                messages=list(_messages(number)),  # type: ignore[arg-type] # plain dicts
                temperature=0.7,
                max_tokens=512,
                seed=0,
            )

        return await _cpu(call, at_once)


def _messages(number: int) -> tuple[Message, ...]:
    return ({"role": "system", "content": PROMPT}, {"role": "user", "content": f"問い{number}"})


async def _cpu(call: Call, at_once: int) -> float:
    """Return the CPU seconds a call of this process, all threads."""
    waiting = iter(range(CALLS))

    async def work() -> None:
        for number in waiting:
            await call(number)

    begun = time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return (time.process_time() - begun) / CALLS
