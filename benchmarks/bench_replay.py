"""What a call costs that was paid before, in the least it could cost.

The program takes the whole of its way for a completion that is kept: the request's key, the look
into the store, the completion, all in the loop. The floor makes the same key of the same bytes,
reads the same text by it over sqlite3 itself, and parses it.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import orjson

from benchmarks import server
from benchmarks.ratio import Ratio
from data.observer import Silent
from db.store import Store
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.request import Attempt, Completion, Request
from endpoints.specs import EndpointSpec, ModelSpec
from optimizer.budget import Budget

GOAL = 3.0
KEPT = 4000
TURNS = 7
PROMPT = server.TEXT * 5  # some 6 KB of UTF-8: four references and the question
URL = "http://127.0.0.1:9/v1"  # nobody is asked


def run() -> list[Ratio]:
    """Fill a store, then replay it by both ways in turn."""
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/k.sqlite") as s:
        return [asyncio.run(_compare(s, Path(folder) / "floor.sqlite"))]


async def _compare(store: Store, file: Path) -> Ratio:
    models = {"m": ModelSpec("m", "e", "m", "m")}
    endpoints = {"e": Endpoint(EndpointSpec("e", URL))}
    completions = Completions(models, endpoints, store, Budget(), "bench", Silent())
    requests = [_request(number) for number in range(KEPT)]
    await _fill(store, completions, requests)
    floor = _Floor(file, completions, requests)
    ours, raw = [], []
    for turn in range(TURNS + 1):
        spent = (await _cpu(completions.complete, requests), await _cpu(floor.get, requests))
        if turn:  # the first turn fills the caches of both
            ours.append(spent[0])
            raw.append(spent[1])
    floor.close()
    await completions.close()
    each = [a / b for a, b in zip(ours, raw, strict=True)]
    return Ratio(
        f"warm replay {1e6 * median(ours):.0f} us of CPU a call",
        f"raw key + get + parse {1e6 * median(raw):.0f} us",
        median(each),
        GOAL,
        (f"turns: {', '.join(f'{ratio:.2f}' for ratio in each)}",),
    )


def _request(number: int) -> Request:
    said = ({"role": "system", "content": PROMPT}, {"role": "user", "content": f"問い{number}"})
    return Request("m", "proposer", said, 0.7, 1024)  # type: ignore[arg-type] # two messages


async def _fill(store: Store, completions: Completions, requests: Sequence[Request]) -> None:
    async def keep(number: int, request: Request) -> None:
        key = completions.key(request)
        line = Attempt(f"{number}", key, "bench", "proposer", "m", "e", 0.0, "ok")
        reply = Completion(key, server.TEXT, "stop", 400, 300, False, 1.0, 0.0, "m")
        await store.settle(line, reply)

    await asyncio.gather(*(keep(number, request) for number, request in enumerate(requests)))


class _Floor:
    """A table of keys and JSON texts, read without anything in between."""

    def __init__(self, file: Path, completions: Completions, requests: Sequence[Request]) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, reply TEXT)")
        rows = []
        for request in requests:
            found = completions.stored(request)
            assert found is not None
            rows.append((self._key(request), orjson.dumps(asdict(found)).decode()))
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO kept VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    async def get(self, request: Request) -> object:
        """Return what is kept for a request."""
        query = "SELECT reply FROM kept WHERE key = ?"
        row = self._connection.execute(query, (self._key(request),)).fetchone()
        return orjson.loads(row[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _key(self, request: Request) -> str:
        body = {"messages": request.messages, "max_tokens": request.max_tokens, "seed": 0}
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def _cpu(get: Callable[[Request], Awaitable[object]], requests: Sequence[Request]) -> float:
    """Return the CPU seconds a call, one task a call."""
    begun = time.process_time()
    await asyncio.gather(*(get(request) for request in requests))
    return (time.process_time() - begun) / len(requests)
