"""`budget.until`: a time of day or a date with a time, as a moment."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_FORMS = 'is no time (write "07:00" or "2026-01-31 07:00")'
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def written(value: object) -> object:
    """Return what the user wrote, where YAML reads a date with a time as a moment.

    Raises:
        ValueError: YAML made something else of it: of `7` a number, of `0700` even another one.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(" ")
    raise ValueError('is no time in quotes (write until: "07:00" or until: "2026-01-31 07:00")')


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that is meant: of a time of day the next one, in local time.

    Args:
        text: `HH:MM`, or a date and time of ISO 8601, which may name its offset.
        now: With its offset.

    Raises:
        ValueError: The text is no time.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        try:
            given = datetime.fromisoformat(text.strip()).astimezone()
        except (ValueError, OverflowError):  # the latter beside the first and the last year
            raise ValueError(_FORMS) from None
        if ":" not in text:  # a date alone: its first moment or its last?
            raise ValueError(_FORMS)
        return given
    hour, minute = map(int, found.groups())
    # Read as local time each: the day a clock is changed is no 24 hours long.
    day = now.astimezone().replace(tzinfo=None)
    at = day.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (at if at > day else at + timedelta(days=1)).astimezone()
