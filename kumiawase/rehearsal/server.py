"""The simulated pool as an OpenAI-compatible server on loopback.

It knows nothing but the body of a request and remembers nothing: neither headers nor the order
of requests change a reply. Which requests it fails, where it is told to, goes by their order.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from aiohttp import web
from pydantic import ValidationError

from kumiawase.rehearsal.faults import Faults
from kumiawase.rehearsal.misbehaving import altered, misbehave
from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.reply import Body, OverflowedError, Reply, Talker
from kumiawase.rehearsal.world import World

HOST = "127.0.0.1"
TIME_SCALE = 0.002  # seconds of the quickest members' median reply
_SLOW = 50  # times the pace of a model that is slow
_LARGEST_BODY = 16 * 2**20


def create_app(
    pool: Pool,
    *,
    time_scale: float = TIME_SCALE,
    log_path: Path | None = None,
    world: World | None = None,
    faults: Faults | None = None,
) -> web.Application:
    """Return the server as an application.

    Args:
        pool: Who answers.
        time_scale: Seconds a pace of 1 takes; members have paces of about 1 to 4.5.
        log_path: File to which one JSON line a request is appended once its reply is sent.
        world: What the models know; None is our own suite.
        faults: What goes wrong; None is nothing. A request that fails has its line too.
    """
    chat = _Chat(Talker(pool, world or World.of_our_suite()), time_scale, log_path, faults)
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
    faults: Faults | None = None,
) -> AsyncIterator[int]:
    """Serve on loopback while the context is open; its value is the real port (0: any free)."""
    app = create_app(pool, time_scale=time_scale, log_path=log_path, world=world, faults=faults)
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
    faults: Faults | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        pool: Who answers.
        port: 0 takes any free one.
        ready: Called once with the base URL, when requests are accepted.
        time_scale: As in `create_app`.
        log_path: As in `create_app`.
        faults: As in `create_app`.

    Raises:
        OSError: The port is taken.
    """

    async def until_told() -> None:
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        served = serve(pool, port, time_scale=time_scale, log_path=log_path, faults=faults)
        async with served as real:
            ready(f"http://{HOST}:{real}/v1")
            await told.wait()

    asyncio.run(until_told())


@dataclass(frozen=True, slots=True)
class _Said:
    """What would be said to a request, and after how long; `whole` is a completion's body."""

    response: web.Response
    model: str = ""
    seconds: float = 0.0
    whole: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the log; a request that was refused for its own fault is `rejected`."""

    arrived: dict[str, float]
    model: str
    raw: bytes
    fault: str = ""
    retry_after: float | None = None

    def json(self) -> bytes:
        line: dict[str, object] = {
            "arrived": self.arrived,
            "sent": _clocks(),
            "model": self.model,
            "sha256": hashlib.sha256(self.raw).hexdigest(),
        }
        if self.fault:
            line |= {"fault": self.fault, "retry_after": self.retry_after}
        return orjson.dumps(line) + b"\n"


class _Chat:
    """The one handler that does something."""

    def __init__(
        self, talker: Talker, time_scale: float, log_path: Path | None, faults: Faults | None
    ) -> None:
        self._talker, self._time_scale = talker, time_scale
        self._log_path = log_path
        self._log: BinaryIO | None = None
        self._fault = (faults or Faults()).drawer()
        self._rng = random.Random(faults.seed if faults else 0)

    async def logging(self, _: web.Application) -> AsyncIterator[None]:
        """Hold the log open while the application runs."""
        if self._log_path is None:
            yield
            return
        with self._log_path.open("ab") as self._log:
            yield

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; what is logged without a fault was sent to the last byte."""
        arrived = _clocks()
        raw = await request.read()
        said = self._said(raw)
        fault = self._fault(said.model) if said.whole else None
        if fault:
            return await self._fail(request, said, fault, _Line(arrived, said.model, raw))
        if said.seconds:
            await asyncio.sleep(said.seconds)
        await said.response.prepare(request)
        await said.response.write_eof()
        self._note(_Line(arrived, said.model, raw, "" if said.whole else "rejected"))
        return said.response

    async def _fail(
        self, request: web.Request, said: _Said, fault: str, line: _Line
    ) -> web.StreamResponse:
        """Answer a request as a fault has it; its line tells which, and what was asked for."""
        await asyncio.sleep(said.seconds * (_SLOW if fault == "slow" else 1))
        assert said.whole is not None
        wrong = _json(altered(fault, said.whole, self._rng))
        pause = None
        try:
            response, pause = await misbehave(fault, request, wrong, self._rng)
        finally:
            self._note(replace(line, fault=fault, retry_after=pause))
        return response

    def _note(self, line: _Line) -> None:
        if self._log is not None:
            self._log.write(line.json())
            self._log.flush()

    def _said(self, raw: bytes) -> _Said:
        try:
            value = orjson.loads(raw)
            body = Body.model_validate(value)
        except orjson.JSONDecodeError as error:
            return _Said(_error(400, f"The body is no JSON: {error}"))
        except ValidationError as error:
            return _Said(_error(400, _fault(error)))
        if value.get("stream") or value.get("n", 1) != 1:
            return _Said(_error(400, "Neither `stream` nor `n` is simulated."), body.model)
        try:
            reply = self._talker.reply(body)
        except KeyError:
            return _Said(_error(404, f"The model `{body.model}` does not exist."), body.model)
        except OverflowedError as error:
            return _Said(_error(400, str(error)), body.model)
        whole = _completion(body, reply)
        return _Said(_json(whole), body.model, reply.paces * self._time_scale, whole)


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


def _json(value: object, status: int = 200) -> web.Response:
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
