"""Models that have stopped answering, so that a search goes on with the others.

An ensemble that failed is forgotten, for it may be tried again when its models are back. Whoever
proposes would propose it again at once, trial after trial, and wait with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from moa.ensemble import Ensemble
from optimizer.outcome import Outcome

SILENT = 2  # ensembles in a row that failed for want of a model's replies
PROBE = 16  # trials after which one may ask them again: they may be back
OFFERED = 32  # proposals looked through for one without them


class Silence:
    """Remembers whose silence made ensembles fail, one after the other."""

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()

    def tell(self, outcome: Outcome) -> None:
        """Take note of how an ensemble ended."""
        if outcome.state == "FAILED":
            self._failed.update(outcome.silent)
        else:
            for model in outcome.ensemble.models:
                self._failed[model] = 0

    def models(self, asked: int) -> frozenset[str]:
        """Return the models to leave out of the trial after so many; at times none."""
        if asked % PROBE == 0:
            return frozenset()
        return frozenset(model for model, times in self._failed.items() if times >= SILENT)


def without(models: frozenset[str], proposed: Iterable[Ensemble]) -> list[Ensemble]:
    """Return the proposals that none of the models takes part in."""
    return [ensemble for ensemble in proposed if not ensemble.models & models]
