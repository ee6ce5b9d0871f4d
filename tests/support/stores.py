"""A store and a meter in memory, for rooms that need one and are not about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from data.errors import BudgetSpentError
from endpoints.request import Attempt, Completion, Request


@dataclass(slots=True)
class MemoryStore:
    """Keeps completions in a dict and every state of every attempt in the order it was told.

    Attributes:
        elsewhere: Completions that another process stores before our next claim.
    """

    completions: dict[str, Completion] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    claims: int = 0
    elsewhere: dict[str, Completion] = field(default_factory=dict)

    def get(self, key: str) -> Completion | None:
        """Return the completion under `key`."""
        return self.completions.get(key)

    async def claim(self, attempt: Attempt) -> Completion | None:
        """Write the attempt down, unless another process has its completion."""
        self.claims += 1
        if attempt.key in self.elsewhere:
            self.completions[attempt.key] = self.elsewhere.pop(attempt.key)
        if attempt.key in self.completions:
            return self.completions[attempt.key]
        assert attempt.id not in self.attempts
        self.attempts[attempt.id] = attempt
        return None

    async def settle(self, attempt: Attempt, completion: Completion | None) -> None:
        """Replace the attempt and keep its completion."""
        assert self.attempts[attempt.id].outcome == "sent"
        self.attempts[attempt.id] = attempt
        if completion is not None:
            self.completions[completion.key] = completion

    @property
    def outcomes(self) -> list[str]:
        """The outcome of each attempt, in the order of the claims."""
        return [attempt.outcome for attempt in self.attempts.values()]


@dataclass(slots=True)
class MemoryMeter:
    """Counts what is set aside and what is settled; refuses the call after `limit`."""

    limit: int | None = None
    reserved: int = 0
    settled: list[Attempt] = field(default_factory=list)

    def reserve(self, request: Request) -> None:
        """Set one call aside."""
        open_or_sent = self.reserved - sum(a.outcome == "unsent" for a in self.settled)
        if self.limit is not None and open_or_sent >= self.limit:
            raise BudgetSpentError(f"{self.limit} calls, the next for {request.model}")
        self.reserved += 1

    def settle(self, attempt: Attempt) -> None:
        """Take note of what the attempt cost."""
        self.settled.append(attempt)

    @property
    def open(self) -> int:
        """Reservations that have not been settled."""
        return self.reserved - len(self.settled)


@dataclass(slots=True)
class Listener:
    """Remembers every event; `heard` is set from the first on."""

    events: list[object] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def notice(self, event: object) -> None:
        """Take note of one event."""
        self.events.append(event)
        self.heard.set()
