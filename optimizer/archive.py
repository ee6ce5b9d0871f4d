"""What the search knows: every ensemble evaluated on the search items, and the incumbent."""

from __future__ import annotations

from collections.abc import Iterable

from optimizer.evaluation import Outcome


class Archive:
    """Outcomes by digest. Held-out scores never enter it."""

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self._outcomes: dict[str, Outcome] = {}
        for outcome in outcomes:
            self.add(outcome)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome; a failed one is forgotten, for it may be tried again."""
        if outcome.state != "FAILED":
            self._outcomes[outcome.ensemble.digest] = outcome

    def clear(self) -> None:
        """Forget everything: the judge has become another."""
        self._outcomes.clear()

    def get(self, digest: str) -> Outcome | None:
        """Return the outcome of an ensemble."""
        return self._outcomes.get(digest)

    def __contains__(self, digest: str) -> bool:
        return digest in self._outcomes

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def incumbent(self) -> Outcome | None:
        """The best ensemble evaluated in full, or None."""
        best = self.best(1)
        return best[0] if best else None

    def best(self, k: int) -> list[Outcome]:
        """Return the k best ensembles evaluated in full, best first; equals by digest."""
        ranked = [o for o in self._outcomes.values() if o.ranked]
        return sorted(ranked, key=lambda o: (-(o.value or 0.0), o.ensemble.digest))[:k]

    def all(self) -> list[Outcome]:
        """Return everything, pruned ensembles too, oldest first."""
        return list(self._outcomes.values())

    @property
    def tried(self) -> int:
        """Ensembles evaluated that are no baseline: what `search.trials` counts."""
        return sum(o.origin != "baseline" for o in self._outcomes.values())
