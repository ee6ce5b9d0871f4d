"""How a server looks that fails: each fault as bytes on the wire."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
from aiohttp import web

RETRY_AFTER = (0.2, 0.8)  # seconds; a 429 asks for something in between
HUGE = 5 * 2**20
_DRIP = 0.05
_PAGE = b"<!DOCTYPE html><html><title>502 Bad Gateway</title><body>nginx</body></html>"
_COUNTS: tuple[object, ...] = (
    {"prompt_tokens": -7, "completion_tokens": 1},
    {"prompt_tokens": "many", "completion_tokens": None},
    {"prompt_tokens": 10**12, "completion_tokens": 10**12},
    {"prompt_tokens": 0, "completion_tokens": 0},
    None,
)


def altered(fault: str, completion: dict[str, Any], rng: random.Random) -> object:
    """Return the body that a fault makes of a completion."""
    choice = completion["choices"][0]
    message = choice["message"]
    match fault:
        case "empty":
            message["content"] = ""
        case "null":
            message["content"] = None
            if rng.random() < 0.5:
                completion["choices"] = None
        case "refusal":
            message.update(content=None, refusal="申し訳ありませんが、お答えできません。")
        case "filtered":
            message["content"] = message["content"][:9]
            choice["finish_reason"] = "content_filter"
        case "cut":
            message["content"] = message["content"][: max(1, len(message["content"]) // 2)]
            choice["finish_reason"] = "length"
            completion["usage"]["completion_tokens"] //= 2
        case "usage":
            completion["usage"] = rng.choice(_COUNTS)
        case "huge":
            message["content"] = message["content"] + "も" * (HUGE // 3)
        case "error-200":
            return {"error": {"message": "upstream exploded", "type": "internal", "code": 500}}
    return completion


async def misbehave(
    fault: str, request: web.Request, whole: web.Response, rng: random.Random
) -> tuple[web.StreamResponse, float | None]:
    """Fail as the fault says, on the wire; return what was sent and the Retry-After in it."""
    match fault:
        case "429":
            return await _limited(request, rng)
        case "5xx":
            status = rng.choice((500, 502, 503))
            return await _send(request, web.Response(status=status, body=_PAGE)), None
        case "html":
            return await _send(request, web.Response(body=_PAGE, content_type="text/html")), None
        case "half-json":
            body = bytes(whole.body or b"")  # type: ignore[arg-type] # ours is bytes
            half = web.Response(body=body[: len(body) // 2], content_type="application/json")
            return await _send(request, half), None
        case "drop" | "away":
            _abort(request)
            return whole, None
        case "hang":
            await _until_gone(request)
            return whole, None
        case "reset" | "drip":
            return await _part(fault, request, whole), None
        case _:
            return await _send(request, whole), None


async def _send(request: web.Request, response: web.Response) -> web.StreamResponse:
    await response.prepare(request)
    await response.write_eof()
    return response


async def _limited(
    request: web.Request, rng: random.Random
) -> tuple[web.StreamResponse, float | None]:
    seconds = round(rng.uniform(*RETRY_AFTER), 3)
    error = {"error": {"message": "Rate limit reached", "type": "requests", "code": 429}}
    headers = {"Retry-After-Ms": str(round(1000 * seconds))}
    body = orjson.dumps(error)
    return await _send(request, web.Response(status=429, headers=headers, body=body)), seconds


async def _part(fault: str, request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Send the beginning of a body: then the connection breaks, or it drips."""
    body = bytes(whole.body or b"")  # type: ignore[arg-type] # ours is bytes
    response = web.StreamResponse(headers={"Content-Length": str(len(body) + 10**6)})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if fault == "reset":
        _abort(request)
    while not _gone(request):
        await response.write(b" ")
        await asyncio.sleep(_DRIP)
    return response


async def _until_gone(request: web.Request) -> None:
    while not _gone(request):  # noqa: ASYNC110 - aiohttp tells of it in no other way
        await asyncio.sleep(_DRIP)


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
