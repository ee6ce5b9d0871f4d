"""The lines of the ledger: what an attempt was, how it ended and what it cost."""

from __future__ import annotations

import uuid
from dataclasses import replace

from data.errors import (
    CutShortError,
    EmptyReplyError,
    FilteredError,
    MalformedReplyError,
    RequestError,
    TimedOutError,
)
from endpoints.reply import LONGEST_TEXT, Reply
from endpoints.request import Attempt, Completion, Request
from endpoints.specs import ModelSpec

# Japanese text is 1.0 to 1.5 characters a token in the vocabularies of these models; where the
# server does not count, a figure that is rather too high keeps a budget.
CHARACTERS_PER_TOKEN = 1.2

NEARLY = 0.95  # of its limit a reply has that ran into it: servers count its end differently
UNSEEN = 200_000  # tokens that no text of ours shows

# A server that failed in one of these ways had taken the request, and may charge for it.
_TAKEN = (
    TimedOutError,
    EmptyReplyError,
    CutShortError,
    FilteredError,
    MalformedReplyError,
)


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
    attempt: Attempt, request: Request, model: ModelSpec, reply: Reply
) -> tuple[Attempt, Completion]:
    """Return the line of an attempt that brought a reply, and the completion.

    Args:
        attempt: With its seconds, and in `usd` what its host charges for them.
        request: What was asked.
        model: Who was asked.
        reply: What came.
    """
    counted = _believed(reply.usage, request, reply.text)
    usage = counted or (_prompt(request), _tokens(reply.text))
    line = _settled(attempt, "ok", model, usage, estimated=counted is None)
    completion = Completion(
        key=line.key,
        text=reply.text,
        finish_reason=reply.finish_reason,
        prompt_tokens=line.prompt_tokens,
        completion_tokens=line.completion_tokens,
        estimated=line.estimated,
        seconds=line.seconds,
        usd=line.usd,
        served=reply.served,
    )
    return line, completion


def failed(
    attempt: Attempt,
    request: Request,
    model: ModelSpec,
    error: RequestError | None,
) -> Attempt:
    """Return the line of an attempt that failed, or that we broke off where `error` is None."""
    usage = _believed(error.usage, request, "") if error else None
    taken = error is None or isinstance(error, _TAKEN)
    estimated = usage is None and taken
    line = _settled(
        attempt,
        error.outcome if error else "cancelled",
        model,
        usage or ((_prompt(request), 0) if estimated else (0, 0)),
        estimated=estimated,
    )
    return replace(line, detail=str(error or ""))


def explained(reply: Reply, request: Request, limit: object) -> bool:
    """Return whether a reply ends where it may: whole, or at its token limit.

    Args:
        reply: What came.
        request: What was asked.
        limit: `max_tokens` of the body.
    """
    if reply.finish_reason != "length" or not isinstance(limit, int):
        return True
    counted = _believed(reply.usage, request, reply.text)
    tokens = counted[1] if counted else 2 * _tokens(reply.text)  # an estimate may be half of it
    return len(reply.text) <= LONGEST_TEXT and tokens >= NEARLY * limit


def _believed(
    usage: tuple[int, int] | None, request: Request, text: str
) -> tuple[int, int] | None:
    """Return a server's count, or nothing where no tokenizer could have counted so.

    No token is shorter than a byte; instructions, tools and thoughts that are not shown count.
    """
    if usage is None:
        return None
    prompt, completion = usage
    asked = sum(len(message["content"].encode("utf-8", "replace")) for message in request.messages)
    said = len(text.encode("utf-8", "replace"))
    fits = 1 <= prompt <= asked + UNSEEN and bool(text) <= completion <= said + UNSEEN
    return usage if fits else None


def _settled(
    attempt: Attempt,
    outcome: str,
    model: ModelSpec,
    usage: tuple[int, int],
    *,
    estimated: bool,
) -> Attempt:
    prompt, completion = usage
    return replace(
        attempt,
        outcome=outcome,
        prompt_tokens=prompt,
        completion_tokens=completion,
        estimated=estimated,
        usd=attempt.usd + (prompt * model.input_price + completion * model.output_price) / 1e6,
    )


def _prompt(request: Request) -> int:
    return _tokens("".join(message["content"] for message in request.messages))


def _tokens(text: str) -> int:
    return max(1, round(len(text) / CHARACTERS_PER_TOKEN))
