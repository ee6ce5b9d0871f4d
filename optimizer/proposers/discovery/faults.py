"""What is wrong with a proposal, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moa.ensemble import Ensemble
from optimizer.archive import Archive


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a proposal cannot be used, as its author may read and mend it.

    Attributes:
        code: One word for programs: `schema`, `unknown_model`, `limits`, `duplicate`, …
        sentence: What is wrong.
        legal: What could stand instead, as JSON; None where nothing shorter than the limits says.
    """

    code: str
    sentence: str
    legal: object = None

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"

    def to_json(self) -> dict[str, object]:
        """Return it as JSON."""
        legal = {} if self.legal is None else {"legal": self.legal}
        return {"code": self.code, "sentence": self.sentence, **legal}


class Gate(Protocol):
    """Lets sound ensembles pass; those that cost more to ask stand behind the others."""

    async def fault(self, ensemble: Ensemble, archive: Archive) -> Fault | None:
        """Return what speaks against evaluating an ensemble of the space, or None.

        Raises:
            BudgetSpentError: What had to be asked could not be paid.
        """
