"""A queue per endpoint: who may send, and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from endpoints.specs import EndpointSpec


class EndpointQueue:
    """First come, first served, `max_concurrency` at a time, and nothing while paused.

    There is no limit across endpoints: one global semaphore made runs three to six times longer
    than they need be (docs/design/endpoints.md).
    """

    def __init__(self, spec: EndpointSpec) -> None:
        self._slots = asyncio.Semaphore(spec.max_concurrency)
        self._resume = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the endpoint's slots, from when it is free and no pause is on."""
        async with self._slots:
            await self.clear()
            yield

    async def clear(self) -> None:
        """Wait until no pause is on."""
        while (wait := self._resume - time.monotonic()) > 0:  # noqa: ASYNC110 - may be prolonged
            await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Send nothing more for so long; a shorter pause never ends a longer one."""
        self._resume = max(self._resume, time.monotonic() + seconds)
