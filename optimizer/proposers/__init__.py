"""Who proposes ensembles."""

from __future__ import annotations

from typing import Protocol

from moa.ensemble import Ensemble
from optimizer.archive import Archive


class Proposer(Protocol):
    """Reads what was found so far and proposes ensembles never tried before."""

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return at most `k` ensembles of the space, best hope first; none is in the archive.

        Raises:
            BudgetSpentError: The proposals could not be paid.
        """

    def pending(self) -> list[Ensemble]:
        """Return what earlier runs proposed and accepted, tried since or not."""
