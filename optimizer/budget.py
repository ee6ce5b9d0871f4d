"""What may be spent: several limits behind one meter.

Each limit holds by itself. What earlier runs of the study spent counts, and so do requests in
flight: calls in full, money as what a request of their kind has cost on average. So a limit is
passed by what the requests in flight cost beyond that, and by no more.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Protocol

from data.errors import BudgetSpentError
from endpoints.request import Attempt, Request, Role

GLANCE = 10.0  # seconds between two looks at what the clock leaves: the reserve grows and shrinks
MOST_KEPT = 3  # at most a third of a limit is kept back for confirmation
FEW = 50  # calls that say too little of how long one takes


@dataclass(frozen=True, slots=True)
class Limits:
    """What a study may take in all, over all its runs; None is no limit.

    Attributes:
        calls: Attempts.
        usd: Money.
        seconds: Running time.
        until: Seconds since the epoch.
        until_span: Seconds from the study's start to `until`, a third of which may be kept back.
    """

    calls: int | None = None
    usd: float | None = None
    seconds: float | None = None
    until: float | None = None
    until_span: float = 0.0


@dataclass(frozen=True, slots=True)
class Amount:
    """What was spent, or is kept back."""

    calls: int = 0
    usd: float = 0.0
    seconds: float = 0.0


class Prices(Protocol):
    """Knows what requests cost."""

    def expected(self, model: str, role: Role) -> float:
        """Return in USD what a request costs, as far as is known; 0 only if it costs nothing."""

    def learn(self, attempt: Attempt) -> None:
        """Take note of what an attempt has cost."""


class Free:
    """Prices where nothing costs anything."""

    def expected(self, model: str, role: Role) -> float:  # noqa: ARG002 - the Protocol's signature
        """Return nothing."""
        return 0.0

    def learn(self, attempt: Attempt) -> None:
        """Learn nothing."""


@dataclass(slots=True)
class _Account:
    """One limit on what can be counted."""

    name: str
    limit: float | None
    spent: float
    kept: float
    in_flight: float = 0.0

    def fault(self, cost: float) -> str:
        """Return how so much more would pass the limit, or nothing."""
        if self.limit is None:
            return ""
        bound = self.limit - self.kept
        if self.spent + self.in_flight + cost <= bound * (1 + 1e-9):
            return ""
        kept = f" ({self._said(self.kept)} more are kept for confirmation)" if self.kept else ""
        return f"would pass {self._said(bound)}{kept}"

    def _said(self, amount: float) -> str:
        return f"{amount:.0f} calls" if self.name == "calls" else f"{amount:.2f} USD"


@dataclass(slots=True)
class _Clock:
    """One limit on time: `elapsed` of `span` seconds, of which `kept` are for confirmation."""

    name: str
    span: float
    elapsed: Callable[[], float]

    def left(self, kept: float) -> float:
        """Return the seconds left."""
        return self.span - self.elapsed() - min(kept, self.span / MOST_KEPT)


@dataclass(frozen=True, slots=True)
class Level:
    """How far a limit is used.

    Attributes:
        name: The limit's name in kumiawase.yaml.
        spent: In the unit of the limit; for `until` seconds since the study's start.
        limit: In the same unit.
    """

    name: str
    spent: float
    limit: float

    @property
    def share(self) -> float:
        """Used share, 0 to 1 and above."""
        return self.spent / self.limit if self.limit else 1.0


@dataclass(slots=True)
class Budget:
    """All limits of a study; keeps `endpoints.request.Meter`.

    A call is one attempt sent, whatever came of it. A request that costs nothing is not held to
    `usd`: where only the discoverer costs money, the search goes on without it.

    Args:
        limits: What may be spent in all.
        before: What earlier runs have spent.
        kept: Calls and money kept back until `release`; and of time as much as so many calls
            have taken so far, at most a third.
        prices: What requests cost.
        clock: Seconds, never set back.
        now: Seconds since the epoch.

    Attributes:
        hit: Name of the limit that refused the last request; empty while none did.
    """

    limits: Limits = Limits()
    before: Amount = Amount()
    kept: Amount = Amount()
    prices: Prices = field(default_factory=Free)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    hit: str = ""
    _calls: _Account = field(init=False)
    _usd: _Account = field(init=False)
    _clocks: list[_Clock] = field(init=False)
    _in_flight: Counter[tuple[str, Role]] = field(default_factory=Counter)
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        limits, before, kept = self.limits, self.before, self.kept
        self._begun = self.clock()
        self._calls = _Account("calls", limits.calls, before.calls, kept.calls)
        self._usd = _Account("usd", limits.usd, before.usd, kept.usd)
        self._clocks = []
        if limits.seconds is not None:
            self._clocks.append(_Clock("hours", limits.seconds, lambda: self.seconds))
        if limits.until is not None:
            start = limits.until - limits.until_span
            self._clocks.append(_Clock("until", limits.until_span, lambda: self.now() - start))

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        counted = self.limits.calls is not None or self.limits.usd is not None
        return counted or bool(self._clocks)

    @property
    def spent(self) -> int:
        """Attempts settled, earlier runs included."""
        return int(self._calls.spent)

    @property
    def usd(self) -> float:
        """Money spent, earlier runs included."""
        return self._usd.spent

    @property
    def seconds(self) -> float:
        """Running time, earlier runs included."""
        return self.before.seconds + self.clock() - self._begun

    @property
    def left(self) -> float | None:
        """Seconds until a clock stops the search, negative when it has; None without one."""
        return min((clock.left(self._kept_seconds) for clock in self._clocks), default=None)

    @property
    def levels(self) -> list[Level]:
        """How far each limit is used, the nearest first."""
        counted = [
            Level(a.name, a.spent, a.limit)
            for a in (self._calls, self._usd)
            if a.limit is not None
        ]
        timed = [Level(clock.name, clock.elapsed(), clock.span) for clock in self._clocks]
        return sorted((*counted, *timed), key=lambda level: -level.share)

    @property
    def calls_left(self) -> int | None:
        """Attempts that may still be set aside; None is no limit."""
        calls = self._calls
        if calls.limit is None:
            return None
        return int(calls.limit - calls.kept - calls.spent - calls.in_flight)

    def release(self) -> None:
        """Let the rest of the search spend what was kept back."""
        self.kept = Amount()
        self._calls.kept = self._usd.kept = 0.0

    def reserve(self, request: Request) -> None:
        """Set aside one attempt, or raise `BudgetSpentError`."""
        what = f"the next {request.role} call"
        self._look_at_clock()
        self._refuse("calls", what, self._calls.fault(1))
        if self.limits.usd is not None:
            cost = self.prices.expected(request.model, request.role)
            if cost > 0:
                self._usd.in_flight = self._committed()
                self._refuse("usd", what, self._usd.fault(cost))
        self._calls.in_flight += 1
        self._in_flight[request.model, request.role] += 1

    def settle(self, attempt: Attempt) -> None:
        """Count one attempt that was set aside as spent, unless it was never sent."""
        self._calls.in_flight -= 1
        self._in_flight[attempt.model, attempt.role] -= 1
        if attempt.outcome != "unsent":
            self._calls.spent += 1
            self._usd.spent += attempt.usd
            self.prices.learn(attempt)

    async def within(self, work: Coroutine[None, None, None]) -> None:
        """Await `work` until a clock stops it; requests already sent are not taken back.

        Raises:
            BudgetSpentError: The time is up.
        """
        task = asyncio.create_task(work)
        try:
            while not task.done():
                self._look_at_clock()
                left = self.left
                await asyncio.wait((task,), timeout=None if left is None else min(left, GLANCE))
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def _kept_seconds(self) -> float:
        calls = self.spent
        return self.kept.calls * self.seconds / calls if calls >= FEW else 0.0

    def _committed(self) -> float:
        kinds = self._in_flight.items()
        return sum(number * self.prices.expected(*kind) for kind, number in kinds if number)

    def _look_at_clock(self) -> None:
        for clock in self._clocks:
            if clock.left(self._kept_seconds) <= 0:
                kept = " but for what is kept for confirmation" if self.kept.calls else ""
                self._refuse(clock.name, f"the time of budget.{clock.name}", f"is over{kept}")

    def _refuse(self, limit: str, what: str, fault: str) -> None:
        if fault:
            self.hit = limit
            raise BudgetSpentError(f"{what} {fault}", limit)
