"""The simulated pool as an OpenAI-compatible server on loopback.

It knows nothing but the body of a request and remembers nothing: neither headers nor the order
of requests change a reply.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from aiohttp import web
from pydantic import ValidationError

from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.reply import Body, OverflowedError, Reply, Talker
from kumiawase.rehearsal.world import World

HOST = "127.0.0.1"
TIME_SCALE = 0.002  # seconds of the quickest members' median reply
_LARGEST_BODY = 16 * 2**20


def create_app(
    pool: Pool,
    *,
    time_scale: float = TIME_SCALE,
    log_path: Path | None = None,
    world: World | None = None,
) -> web.Application:
    """Return the server as an application.

    Args:
        pool: Who answers.
        time_scale: Seconds a pace of 1 takes; members have paces of about 1 to 4.5.
        log_path: File to which one JSON line a request is appended once its reply is sent.
        world: What the models know; None is our own suite.
    """
    chat = _Chat(Talker(pool, world or World.of_our_suite()), time_scale, log_path)
    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_post("/v1/chat/completions", chat.complete)
    app.router.add_get("/v1/models", _listing(pool))
    app.cleanup_ctx.append(chat.logging)
    return app


@asynccontextmanager
async def serve(
    pool: Pool,
    port: int = 0,
    *,
    time_scale: float = TIME_SCALE,
    log_path: Path | None = None,
    world: World | None = None,
) -> AsyncIterator[int]:
    """Serve on loopback while the context is open; its value is the real port (0: any free)."""
    app = create_app(pool, time_scale=time_scale, log_path=log_path, world=world)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def run(
    pool: Pool,
    port: int,
    ready: Callable[[str], None],
    *,
    time_scale: float = TIME_SCALE,
    log_path: Path | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        pool: Who answers.
        port: 0 takes any free one.
        ready: Called once with the base URL, when requests are accepted.
        time_scale: As in `create_app`.
        log_path: As in `create_app`.

    Raises:
        OSError: The port is taken.
    """

    async def until_told() -> None:
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        async with serve(pool, port, time_scale=time_scale, log_path=log_path) as real:
            ready(f"http://{HOST}:{real}/v1")
            await told.wait()

    asyncio.run(until_told())


class _Chat:
    """The one handler that does something."""

    def __init__(self, talker: Talker, time_scale: float, log_path: Path | None) -> None:
        self._talker, self._time_scale = talker, time_scale
        self._log_path = log_path
        self._log: BinaryIO | None = None

    async def logging(self, _: web.Application) -> AsyncIterator[None]:
        """Hold the log open while the application runs."""
        if self._log_path is None:
            yield
            return
        with self._log_path.open("ab") as self._log:
            yield

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; what is logged was sent to the last byte."""
        arrived = _clocks()
        raw = await request.read()
        response, model, seconds = self._respond(raw)
        if seconds:
            await asyncio.sleep(seconds)
        await response.prepare(request)
        await response.write_eof()
        if self._log is not None:
            self._log.write(_line(arrived, model, raw))
            self._log.flush()
        return response

    def _respond(self, raw: bytes) -> tuple[web.Response, str, float]:
        try:
            value = orjson.loads(raw)
            body = Body.model_validate(value)
        except orjson.JSONDecodeError as error:
            return _error(400, f"The body is no JSON: {error}"), "", 0.0
        except ValidationError as error:
            return _error(400, _fault(error)), "", 0.0
        if value.get("stream") or value.get("n", 1) != 1:
            return _error(400, "Neither `stream` nor `n` is simulated."), body.model, 0.0
        try:
            reply = self._talker.reply(body)
        except KeyError:
            return _error(404, f"The model `{body.model}` does not exist."), body.model, 0.0
        except OverflowedError as error:
            return _error(400, str(error)), body.model, 0.0
        return _json(_completion(body, reply)), body.model, reply.paces * self._time_scale


def _completion(body: Body, reply: Reply) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{body.identity[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": body.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply.text},
                "finish_reason": reply.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        },
    }


def _listing(pool: Pool) -> Callable[[web.Request], Any]:
    models = [
        {
            "id": model.name,
            "object": "model",
            "created": 0,
            "owned_by": "simulation",
            "max_model_len": model.context,
        }
        for model in pool.models.values()
    ]

    async def handler(_: web.Request) -> web.Response:
        return _json({"object": "list", "data": models})

    return handler


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    kind = "NotFoundError" if status == 404 else "BadRequestError"
    error = {"message": message, "type": kind, "param": None, "code": status}
    return _json({"error": error}, status)


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _clocks() -> dict[str, float]:
    return {"monotonic": time.monotonic(), "epoch": time.time()}


def _line(arrived: dict[str, float], model: str, raw: bytes) -> bytes:
    line = {
        "arrived": arrived,
        "sent": _clocks(),
        "model": model,
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    return orjson.dumps(line) + b"\n"
