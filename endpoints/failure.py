"""What a refusal or a failure of a server is: status, headers and body to one error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from data.errors import (
    ContextOverflowError,
    DialectError,
    EmptyReplyError,
    FilteredError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerFailedError,
    UnauthorizedError,
)
from endpoints.dialects import words

DETAIL_CHARS = 300
SEARCHED_CHARS = 4000  # a server may echo the whole prompt behind its message
LONGEST_PAUSE = 86_400.0


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    otherwise: type[RequestError] = RejectedError,
) -> RequestError:
    """Return the error a reply stands for: by type first, then by wording, then by status.

    Args:
        status: HTTP status, or 0 when it says nothing.
        headers: Looked up in lower case.
        body: As received; JSON in one of several shapes, plain text or HTML.
        otherwise: The error when nothing else fits.
    """
    fields, text = _said(body)
    searched = text[:SEARCHED_CHARS]
    kind = _kind(status, _names(fields), searched) or otherwise
    detail, pause = clean(f"{status}: {text}" if status else text), retry_after(headers)
    if kind is ContextOverflowError:
        whole = body[:SEARCHED_CHARS].decode("utf-8", "replace")
        limit, prompt = _limit(fields, searched), _count(words.CONTEXT_PROMPT, whole)
        return ContextOverflowError(detail, limit=limit, prompt=prompt, retry_after=pause)
    if kind is DialectError:
        refused = "messages" if words.TEMPLATE_TEXT.search(searched) else _refused(searched)
        return DialectError(detail, refused=refused, retry_after=pause)
    return kind(detail, retry_after=pause)


def clean(text: str) -> str:
    """Return a server's text as one short printable line, safe for ledger and terminal."""
    line = " ".join(text[:SEARCHED_CHARS].split())
    line = "".join(c for c in line if c.isprintable())
    return line if len(line) <= DETAIL_CHARS else line[: DETAIL_CHARS - 1] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to be left alone, 0 to a day; None if it does not say."""
    for name in words.RETRY_AFTER_MS:
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return _bounded(milliseconds / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None and value:
        seconds = _until(value, headers.get("date"))
    return None if seconds is None else _bounded(seconds)


def _kind(status: int, names: frozenset[str], text: str) -> type[RequestError] | None:
    if names & words.QUOTA_TYPES:
        return RejectedError
    if status == 429:
        return RateLimitedError
    if names & words.CONTEXT_TYPES or words.CONTEXT_TEXT.search(text):
        return ContextOverflowError
    if names & words.FILTER_TYPES or words.FILTER_TEXT.search(text):
        return FilteredError
    if words.UNPARSED_TEXT.search(text):
        return EmptyReplyError
    if words.TEMPLATE_TEXT.search(text) or (status in (0, 400, 422) and _refused(text)):
        return DialectError
    if status in (401, 403):
        return UnauthorizedError
    if status in (408, 409) or status >= 500:
        return ServerFailedError
    return None


def _said(body: bytes) -> tuple[Mapping[str, object], str]:
    """Return the fields of an error body, and its message."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}, body.decode("utf-8", "replace")
    error = value.get("error") or value if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return {}, str(error)
    message = error.get("message") or error.get("detail") or error
    return error, message if isinstance(message, str) else json.dumps(message)


def _names(fields: Mapping[str, object]) -> frozenset[str]:
    return frozenset(str(fields.get(field)).lower() for field in ("type", "code"))


def _refused(text: str) -> str:
    """Return the parameter that a text says the server does not take, or nothing."""
    found = words.PARAMETER.search(text)
    return found[1] if found and words.PARAMETER_TEXT.search(text) else ""


def _limit(fields: Mapping[str, object], text: str) -> int | None:
    for field in words.CONTEXT_FIELDS:
        value = fields.get(field)
        if type(value) is int and value > 0:
            return value
    return _count(words.CONTEXT_LIMIT, text)


def _count(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    digits = next(filter(None, found.groups()), "").replace(",", "") if found else ""
    return int(digits) if 0 < len(digits) < 10 else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(date: str, now: str | None) -> float | None:
    """Return the seconds to an HTTP date by the server's own clock, where it tells the time."""
    try:
        end = parsedate_to_datetime(date)
        start = parsedate_to_datetime(now) if now else datetime.now(UTC)
        return (end - start).total_seconds()
    except (TypeError, ValueError):  # no date, or one without a zone
        return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_PAUSE)
