"""Waiting for endpoints that have answered before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

FIRST = 5.0  # seconds until the first look, twice as long until each further one
LONGEST = 300.0


class Patience:
    """Decides whether a search that gets no answers waits for them.

    What has answered in this run may come back: a server that is restarted, a line that is
    mended. What never has is a matter for the user, at once.

    Args:
        seconds: Longest silence that is waited through.
        answered: Returns how many items have been answered and judged.
    """

    def __init__(self, seconds: float, answered: Callable[[], int]) -> None:
        self._seconds = seconds
        self._answered = answered
        self._known = 0
        self._heard = time.monotonic()
        self._looks = 0
        self._alone = asyncio.Lock()

    def news(self) -> bool:
        """Return whether anything was answered since the last time."""
        known, self._known = self._known, self._answered()
        if self._known == known:
            return False
        self._heard, self._looks = time.monotonic(), 0
        return True

    async def wait(self) -> bool:
        """Wait until it is worth to try again; False where it is not any more.

        Of several who wait one tries, and the others hear of it when it is answered, whoever else
        has taken note of that meanwhile.
        """
        before = self._answered()
        async with self._alone:
            if self.news() or self._answered() != before:
                return True
            over = time.monotonic() - self._heard >= self._seconds
            if over or not self._known:
                return False
            due = time.monotonic() + min(FIRST * 2**self._looks, LONGEST, self._seconds)
            self._looks += 1
            while (left := due - time.monotonic()) > 0 and self._answered() == before:  # noqa: ASYNC110 - counts
                await asyncio.sleep(min(1.0, left))
            return True
