"""One model of an endpoint hangs, or is 50 times slower: what is left to the others."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from data.observer import Silent
from db.store import Store
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.request import Request
from endpoints.specs import EndpointSpec, ModelSpec
from optimizer.budget import Budget
from tests.soak.bars import Bar
from tests.support.program import pool

MODELS = ("sim/yokan-8b", "sim/dango-14b", "sim/senbei-13b", "sim/monaka-3b")
LEAST = 0.8
SLOTS = 16
DEADLINES = {"hang": 3.0, "slow": 60.0}


async def _rate(url: str, folder: Path, requests: int, deadline: float) -> float:
    """Return the replies a second of all models but the first, which is asked as often."""
    spec = EndpointSpec("pool", url, max_concurrency=SLOTS, timeout=deadline)
    models = {name: ModelSpec(name, "pool", name, name) for name in MODELS}
    with Store.open(f"sqlite:///{folder / 'k.sqlite'}") as store:
        endpoints = {"pool": Endpoint(spec)}
        completions = Completions(models, endpoints, store, Budget(), "soak", Silent())

        async def ask(model: str, number: int) -> None:
            said = ({"role": "user", "content": f"{number}番目の質問です。"},)
            await completions.complete(
                Request(model, "proposer", said, 0.0, 512)  # type: ignore[arg-type] # a message
            )

        begun = time.monotonic()
        first = [asyncio.create_task(ask(MODELS[0], n)) for n in range(requests)]
        others = (ask(model, n) for n in range(requests) for model in MODELS[1:])
        await asyncio.gather(*others)
        seconds = time.monotonic() - begun
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)
        await completions.close(grace=0.1)
    return requests * (len(MODELS) - 1) / seconds


def play(folder: Path, requests: int = 400, time_scale: float = 0.04) -> list[Bar]:
    """Measure both against the same requests without a fault."""
    found = []
    for fault, deadline in DEADLINES.items():
        rates = []
        for wrong in ("", f"{fault}@{MODELS[0]}=1"):
            with (
                tempfile.TemporaryDirectory(dir=folder) as own,
                pool(Path(own) / "log.jsonl", time_scale=time_scale, faults=wrong) as served,
            ):
                rates.append(asyncio.run(_rate(served.url, Path(own), requests, deadline)))
        share = rates[1] / rates[0]
        what = f"neighbours: throughput left beside a model that {_DOES[fault]}"
        found.append(Bar(what, share, None, LEAST))
    return found


_DOES = {"hang": "hangs", "slow": "is 50 times slower"}
