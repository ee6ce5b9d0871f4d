"""Can an ensemble be paid at all?"""

from __future__ import annotations

from collections.abc import Callable

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.proposers.discovery.faults import Fault


class Purse:
    """Refuses ensembles that would take more calls than are left.

    Args:
        turns: Turns of all search items: each takes as many calls as the ensemble makes.
        left: Calls that may still be made; None is no limit.
    """

    def __init__(self, turns: int, left: Callable[[], int | None]) -> None:
        self._turns, self._left = turns, left

    async def fault(self, ensemble: Ensemble, archive: Archive) -> Fault | None:  # noqa: ARG002
        """Return how many calls it takes and how many there are."""
        left, needed = self._left(), ensemble.calls * self._turns
        if left is None or needed <= left:
            return None
        legal = {"calls_per_answer": max(0, left) // max(1, self._turns)}
        return Fault("price", f"it takes {needed} calls, {max(0, left)} are left", legal)
