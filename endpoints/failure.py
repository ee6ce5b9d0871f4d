"""What a refusal or a failure of a server is: status, headers and body to one error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from data.errors import (
    ContextOverflowError,
    FilteredError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerFailedError,
    UnauthorizedError,
)
from endpoints import dialects

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
    names, text = _said(body)
    kind = _kind(status, names, text[:SEARCHED_CHARS]) or otherwise
    detail = clean(f"{status}: {text}" if status else text)
    return kind(detail, retry_after=retry_after(headers))


def clean(text: str) -> str:
    """Return a server's text as one short printable line, safe for ledger and terminal."""
    line = " ".join(text[:SEARCHED_CHARS].split())
    line = "".join(c for c in line if c.isprintable())
    return line if len(line) <= DETAIL_CHARS else line[: DETAIL_CHARS - 1] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to be left alone, 0 to a day; None if it does not say."""
    for name in dialects.RETRY_AFTER_MS:
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return _bounded(milliseconds / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None and value:
        seconds = _until(value, headers.get("date"))
    return None if seconds is None else _bounded(seconds)


def _kind(status: int, names: frozenset[str], text: str) -> type[RequestError] | None:
    if names & dialects.QUOTA_TYPES:
        return RejectedError
    if status == 429:
        return RateLimitedError
    if names & dialects.CONTEXT_TYPES or dialects.CONTEXT_TEXT.search(text):
        return ContextOverflowError
    if names & dialects.FILTER_TYPES or dialects.FILTER_TEXT.search(text):
        return FilteredError
    if dialects.TEMPLATE_TEXT.search(text):
        return RejectedError
    if status in (401, 403):
        return UnauthorizedError
    if status in (408, 409) or status >= 500:
        return ServerFailedError
    return None


def _said(body: bytes) -> tuple[frozenset[str], str]:
    """Return the types and codes of an error body, and its message."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return frozenset(), body.decode("utf-8", "replace")
    error = value.get("error") or value if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return frozenset(), str(error)
    names = frozenset(str(error.get(field)).lower() for field in ("type", "code"))
    message = error.get("message") or error.get("detail") or error
    return names, message if isinstance(message, str) else json.dumps(message)


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
