"""An OpenAI-compatible server on loopback whose replies a test writes down beforehand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request that arrived; `at` is monotonic."""

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class FakeEndpoint:
    """What arrived, and what is said to it: one of `script` each, then `default` for ever."""

    url: str = ""
    default: Handler = field(default_factory=lambda: says("はい。"))
    script: list[Handler] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw) if raw else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Call(time.monotonic(), request.method, request.path, headers, body))
        async with self._news:
            self._news.notify_all()
        handler = self.script.pop(0) if self.script else self.default
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await handler(request)
        finally:
            self._at_once -= 1

    async def arrived(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.calls) >= number)


@asynccontextmanager
async def fake_endpoint(*script: Handler) -> AsyncIterator[FakeEndpoint]:
    """Serve on a free port for as long as the context lasts."""
    fake = FakeEndpoint(script=list(script))
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.url = f"http://{host}:{port}/v1"
    try:
        yield fake
    finally:
        await runner.cleanup()


def completion(
    content: object = "はい。", *, finish_reason: object = "stop", **message: object
) -> dict[str, Any]:
    """Return the body of an ordinary 200."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "served",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def says(content: object, **changes: Any) -> Handler:
    """Reply with an ordinary completion."""
    return sends(completion(content, **changes))


def sends(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    """Reply with a status and a body: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(
            body=raw,
            status=status,
            headers={"Content-Type": "application/json", **(headers or {})},
        )

    return handler


def waits(event: asyncio.Event, then: Handler) -> Handler:
    """Reply once the event is set."""

    async def handler(request: web.Request) -> web.StreamResponse:
        await event.wait()
        return await then(request)

    return handler


def breaks() -> Handler:
    """Close the connection without a word."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return handler


def drips(chunk: bytes, every: float, *, cut_after: int | None = None) -> Handler:
    """Send a chunk again and again; with `cut_after`, break the connection after so many."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = 1 << 30
        await response.prepare(request)
        sent = 0
        while cut_after is None or sent < cut_after:
            await response.write(chunk)
            sent += 1
            await asyncio.sleep(every)
        assert request.transport is not None
        request.transport.abort()
        return response

    return handler
