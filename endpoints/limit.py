"""How many requests a server is sent at once: as many as it takes without complaint."""

from __future__ import annotations

SHRINK = 0.7


class AdaptiveLimit:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), starting at the top.

    Only a server that asks for fewer requests gets fewer. A timeout says nothing of the kind: a
    slow model would take away its own slots until it had one.

    Args:
        most: The upper bound, at least 1.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._shrunk = float("-inf")

    @property
    def slots(self) -> int:
        """Most requests in flight at present."""
        return int(self._limit)

    def answered(self) -> None:
        """Grow by one slot for every round of replies."""
        self._limit = min(self._most, self._limit + 1 / self._limit)

    def refused(self, sent: float, now: float, held: int) -> None:
        """Shrink once for all refusals of requests that were under way together.

        Args:
            sent: When the refused request was sent.
            now: On the same clock.
            held: Requests in flight, this one included.
        """
        if sent > self._shrunk:
            self._limit = max(1.0, SHRINK * min(held, self._limit))
            self._shrunk = now
