"""What a host that is paid by the hour costs: its busy share of the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self


class Rent:
    """Charges the seconds in which at least one request is in flight, each second once.

    A request that ends is charged what has passed since the one before it ended, or since the
    host became busy. So the charges of all requests together are the busy seconds, whatever their
    number at a time; they stand in the ledger, and add up over restarts. What a process that is
    killed had not charged yet, the time since the last reply, is lost.

    Args:
        usd_per_hour: The rate; 0 for a host that costs nothing.
        clock: Seconds, never set back.
    """

    def __init__(self, usd_per_hour: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = usd_per_hour / 3600
        self._clock = clock
        self._in_flight = 0
        self._charged = 0.0

    def __enter__(self) -> Self:
        """Note that a request is sent."""
        if not self._in_flight:
            self._charged = self._clock()
        self._in_flight += 1
        return self

    def __exit__(self, *_: object) -> None:
        """Note that it has ended."""
        self._in_flight -= 1

    def charge(self) -> float:
        """Return in USD what has passed since the last charge: once at a request's end."""
        now = self._clock()
        seconds, self._charged = now - self._charged, now
        return self._rate * seconds
