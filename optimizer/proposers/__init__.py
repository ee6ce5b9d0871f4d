"""Who proposes ensembles."""

from __future__ import annotations

from typing import Protocol

from moa.ensemble import Ensemble
from optimizer.archive import Archive


class Proposer(Protocol):
    """Reads what was found so far and proposes ensembles never tried before.

    What it draws at random depends on its seed and `archive.asked` alone, so that a search that
    was killed asks again what it would have asked.
    """

    @property
    def name(self) -> str:
        """The origin of the trials it proposes."""

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return at most `k` ensembles of the space, best hope first; none is in the archive.

        None is in flight either. An empty list means: ask somebody else.

        Raises:
            BudgetSpentError: The proposals could not be paid.
        """


class Discoverer(Proposer, Protocol):
    """A proposer that asks a model, and so remembers what it was told."""

    def pending(self) -> list[Ensemble]:
        """Return what earlier runs proposed and accepted, tried since or not."""
