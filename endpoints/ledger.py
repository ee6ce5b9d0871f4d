"""The lines of the ledger: what an attempt was, how it ended and what it cost."""

from __future__ import annotations

import uuid
from dataclasses import replace

from data.errors import (
    EmptyReplyError,
    FilteredError,
    MalformedReplyError,
    RequestError,
    TimedOutError,
)
from endpoints.reply import Reply
from endpoints.request import Attempt, Completion, Request
from endpoints.specs import ModelSpec

# Japanese text is 1.0 to 1.5 characters a token in the vocabularies of these models; where the
# server does not count, a figure that is rather too high keeps a budget.
CHARACTERS_PER_TOKEN = 1.2

# A server that failed in one of these ways had taken the request, and may charge for it.
_TAKEN = (TimedOutError, EmptyReplyError, FilteredError, MalformedReplyError)


def opened(key: str, request: Request, endpoint: str, study: str) -> Attempt:
    """Return the line of an attempt that has not been sent."""
    return Attempt(
        id=uuid.uuid4().hex,
        key=key,
        study=study,
        role=request.role,
        model=request.model,
        endpoint=endpoint,
        started=0.0,
        outcome="unsent",
    )


def succeeded(
    attempt: Attempt, request: Request, model: ModelSpec, reply: Reply, seconds: float
) -> tuple[Attempt, Completion]:
    """Return the line of an attempt that brought a reply, and the completion."""
    usage = reply.usage or (_prompt(request), _tokens(reply.text))
    line = _settled(attempt, "ok", model, usage, seconds, estimated=reply.usage is None)
    completion = Completion(
        key=line.key,
        text=reply.text,
        finish_reason=reply.finish_reason,
        prompt_tokens=line.prompt_tokens,
        completion_tokens=line.completion_tokens,
        estimated=line.estimated,
        seconds=seconds,
        usd=line.usd,
        served=reply.served,
    )
    return line, completion


def failed(
    attempt: Attempt,
    request: Request,
    model: ModelSpec,
    error: RequestError | None,
    seconds: float,
) -> Attempt:
    """Return the line of an attempt that failed, or that we broke off where `error` is None."""
    usage = error.usage if error else None
    taken = error is None or isinstance(error, _TAKEN)
    estimated = usage is None and taken
    line = _settled(
        attempt,
        error.outcome if error else "cancelled",
        model,
        usage or ((_prompt(request), 0) if estimated else (0, 0)),
        seconds,
        estimated=estimated,
    )
    return replace(line, detail=str(error or ""))


def _settled(
    attempt: Attempt,
    outcome: str,
    model: ModelSpec,
    usage: tuple[int, int],
    seconds: float,
    *,
    estimated: bool,
) -> Attempt:
    prompt, completion = usage
    return replace(
        attempt,
        outcome=outcome,
        seconds=seconds,
        prompt_tokens=prompt,
        completion_tokens=completion,
        estimated=estimated,
        usd=(prompt * model.input_price + completion * model.output_price) / 1e6,
    )


def _prompt(request: Request) -> int:
    return _tokens("".join(message["content"] for message in request.messages))


def _tokens(text: str) -> int:
    return max(1, round(len(text) / CHARACTERS_PER_TOKEN))
