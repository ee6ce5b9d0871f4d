"""What may be spent."""

from __future__ import annotations

from data.errors import BudgetSpentError
from endpoints.request import Attempt, Request


class Budget:
    """A limit on the calls of a study, those of earlier runs and those in flight included.

    It keeps `endpoints.request.Meter`. A call is one attempt sent, whatever came of it.

    Args:
        calls: Most attempts, or None for no limit.
        spent: Attempts in the ledger when the search starts.
        kept: Attempts kept back until `release`.
    """

    def __init__(self, calls: int | None = None, *, spent: int = 0, kept: int = 0) -> None:
        self._calls = calls
        self._spent = spent
        self._in_flight = 0
        self._kept = kept

    @property
    def calls(self) -> int | None:
        """The limit."""
        return self._calls

    @property
    def spent(self) -> int:
        """Attempts settled, earlier runs included."""
        return self._spent

    @property
    def left(self) -> int | None:
        """Attempts that may still be set aside; None is no limit."""
        if self._calls is None:
            return None
        return self._calls - self._kept - self._spent - self._in_flight

    def release(self) -> None:
        """Let the rest of the search spend what was kept back."""
        self._kept = 0

    def reserve(self, request: Request) -> None:
        """Set aside one attempt, or raise `BudgetSpentError`."""
        if self._calls is None:
            self._in_flight += 1
            return
        limit = self._calls - self._kept
        if self._spent + self._in_flight >= limit:
            raise BudgetSpentError(
                f"the next {request.role} call would pass {limit} calls"
                + (f" ({self._kept} more are kept for confirmation)" if self._kept else "")
            )
        self._in_flight += 1

    def settle(self, attempt: Attempt) -> None:
        """Count one attempt that was set aside as spent, unless it was never sent."""
        self._in_flight -= 1
        if attempt.outcome != "unsent":
            self._spent += 1
