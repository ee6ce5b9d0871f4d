"""How fast requests are answered, once enough were to say so."""

from __future__ import annotations

import asyncio
import time

from endpoints.flight import AttemptSettled
from kumiawase.night.forecasting import ENOUGH
from optimizer.events import PhaseStarted


class Pace:
    """An `Observer` that measures how many requests are in flight.

    Attributes:
        known: Set when the trials have begun and so many requests were measured that their pace
            is believed.
    """

    def __init__(self) -> None:
        self.known = asyncio.Event()
        self._trials = False
        self.begin()

    def begin(self) -> None:
        """Measure from now on."""
        self.known.clear()
        self._since, self._calls, self._seconds = time.monotonic(), 0, 0.0

    def notice(self, event: object) -> None:
        """Take note of one event."""
        match event:
            case AttemptSettled(attempt):
                self._calls += 1
                self._seconds += attempt.seconds
            case PhaseStarted("trials"):
                self._trials = True
        if self._trials and self._calls >= ENOUGH:
            self.known.set()

    @property
    def parallel(self) -> float:
        """Requests in flight on average."""
        return self._seconds / max(time.monotonic() - self._since, 1e-9)
