"""Trials that take their racing looks at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

LINGER = 1.0  # seconds in which a trial that takes another's place joins the step


class Together:
    """A barrier before every look of the trials in flight.

    On a host that holds one model each look costs as many loads as the ensembles have stages.
    Trials at different points would pay for them one after another; those that step together
    share them.

    Args:
        linger: Seconds between the last arrival and the step.
    """

    def __init__(self, linger: float = LINGER) -> None:
        self._linger = linger
        self._members = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @contextmanager
    def member(self) -> Iterator[None]:
        """Be one of those that the others wait for."""
        self._members += 1
        try:
            yield
        finally:
            self._members -= 1
            self._check()

    async def step(self) -> None:
        """Wait until every member has come as far."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(turn)
        self._check()
        try:
            await turn
        finally:
            self._waiting.discard(turn)

    def _check(self) -> None:
        if self._waiting and len(self._waiting) >= self._members:
            asyncio.get_running_loop().call_later(self._linger, self._go)

    def _go(self) -> None:
        if len(self._waiting) < self._members:
            return  # somebody has joined, and will come to the step
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
