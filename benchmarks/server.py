"""A server of known latency that writes down every call and what the call depended on.

`python -m benchmarks.server '{"latencies": {"model": [median seconds, sigma], ...}}'` prints its
URL and serves `/MODEL/v1/chat/completions`, and all models together at `/v1/chat/completions`,
until its stdin is closed; `/log` tells what came. A service time is lognormal and drawn from the
request, so the same request takes the same time in every run. Each reply carries its call's
number between two `§`; a request that quotes such a number came after that call, and so the
dependency graph is read from what was really sent. With `"swap": seconds` the server is a host
that holds one model: it changes models when the next request wants it, in order of arrival.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from aiohttp import web

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "回答は問いの前提を確かめ、根拠を順に挙げてから結論を述べています。"
TEXT = SENTENCE * 13  # some 430 characters, the median of real answers
MARK = re.compile(r"§(\d+)§")


Latencies = Mapping[str, tuple[float, float]]  # model → median in seconds, sigma


class Entry(TypedDict):
    """One call.

    `seconds` is its service time; `arrived` and `left` are seconds on the server's clock; `body`
    is a digest of what was asked; `loads` is how often a model was loaded until then.
    """

    id: int
    body: str
    loads: int
    model: str
    seconds: float
    arrived: float
    left: float
    after: list[int]


class _Host:
    """Holds one model and changes it, in order of arrival, when all its requests have ended."""

    def __init__(self, swap: float) -> None:
        self._swap = swap
        self._line = asyncio.Lock()
        self._at_hand = ""
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.loads = 0

    async def serve(self, model: str, seconds: float) -> None:
        """Take the time of one request, and that of loading its model if need be."""
        async with self._line:
            if model != self._at_hand:
                await self._idle.wait()
                await asyncio.sleep(self._swap)
                self._at_hand = model
                self.loads += 1
            self._running += 1
            self._idle.clear()
        await asyncio.sleep(seconds)
        self._running -= 1
        if not self._running:
            self._idle.set()


class LatencyServer:
    """Answers every request after its service time; limits are the client's business."""

    def __init__(self, latencies: Latencies, swap: float | None = None) -> None:
        self._latencies = latencies
        self._host = None if swap is None else _Host(swap)
        self._numbers = itertools.count(1)
        self._log: list[Entry] = []

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/{model}/v1/chat/completions", self._complete)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/log", self._show)
        return app

    async def _complete(self, request: web.Request) -> web.Response:
        arrived = time.perf_counter()
        body = await request.read()
        number, asked = next(self._numbers), json.loads(body)
        model = asked["model"]
        median, sigma = self._latencies[model]
        # The numbers differ from run to run with the order of arrival; the rest does not.
        text = MARK.sub("", json.dumps(asked, sort_keys=True, ensure_ascii=False))
        seconds = median * random.Random(text).lognormvariate(0, sigma)
        if self._host is None:
            await asyncio.sleep(arrived + seconds - time.perf_counter())
        else:
            await self._host.serve(model, seconds)
        quoted = {int(n) for m in asked["messages"] for n in MARK.findall(m["content"])}
        self._log.append(
            Entry(
                id=number,
                body=hashlib.sha256(body).hexdigest(),
                loads=self._host.loads if self._host else 0,
                model=model,
                seconds=seconds,
                arrived=arrived,
                left=time.perf_counter(),
                after=sorted(quoted),
            )
        )
        return web.json_response(_reply(model, f"§{number}§ {TEXT}\n[[{1 + number % 10}]]"))

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response(self._log)


def _reply(model: str, text: str) -> dict[str, object]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "bench",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 300, "total_tokens": 700},
    }


async def serve(latencies: Latencies, swap: float | None = None) -> None:
    """Serve until stdin is closed, as it is when the parent dies."""
    runner = web.AppRunner(LatencyServer(latencies, swap).app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextmanager
def running(latencies: Latencies, swap: float | None = None) -> Iterator[str]:
    """Start the server in its own process and yield its URL."""
    settings = json.dumps({"latencies": latencies, "swap": swap})
    command = [sys.executable, "-m", "benchmarks.server", settings]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def read_log(url: str) -> list[Entry]:
    """Return what the server has written down, in order of arrival."""
    with urllib.request.urlopen(f"{url}/log") as reply:
        entries: list[Entry] = json.load(reply)
    return sorted(entries, key=lambda entry: entry["id"])


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))
