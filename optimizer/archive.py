"""What the search knows: every ensemble evaluated on the search items, and the incumbent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from db.studies import MOST_RETRIES
from moa.ensemble import Ensemble
from optimizer.outcome import Outcome


class Archive:
    """Outcomes by digest. Held-out scores never enter it.

    Attributes:
        asked: Number of the next trial; what proposers draw depends on it.
        inbox: Ensembles a discovery turn proposed that no trial has tried, oldest first.
    """

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._pending: dict[str, Ensemble] = {}
        self._failed: Counter[str] = Counter()
        self.asked = 0
        self.inbox: dict[str, Ensemble] = {}
        for outcome in outcomes:
            self.add(outcome)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome; a failed one is forgotten, for it may be tried again a few times."""
        digest = outcome.ensemble.digest
        self._pending.pop(digest, None)
        self._failed[digest] += outcome.state == "FAILED"
        if outcome.state != "FAILED":
            self._outcomes[digest] = outcome

    def clear(self) -> None:
        """Forget everything: the judge has become another."""
        self._outcomes.clear()

    def begin(self, ensemble: Ensemble) -> None:
        """Take note of an ensemble that a trial has, closed or not."""
        self.inbox.pop(ensemble.digest, None)
        if ensemble.digest not in self._outcomes:
            self._pending[ensemble.digest] = ensemble

    def get(self, digest: str) -> Outcome | None:
        """Return the outcome of an ensemble."""
        return self._outcomes.get(digest)

    def __contains__(self, digest: str) -> bool:
        return digest in self._outcomes

    def __len__(self) -> int:
        return len(self._outcomes)

    def taken(self, digest: str) -> bool:
        """Tell whether an ensemble was evaluated, is in flight, or failed too often."""
        known = digest in self._outcomes or digest in self._pending
        return known or self._failed[digest] > MOST_RETRIES

    @property
    def pending(self) -> list[Ensemble]:
        """Ensembles in flight, oldest first."""
        return list(self._pending.values())

    def snapshot(self) -> Archive:
        """Return a copy as of now, for a thread that reads while the search goes on."""
        copy = Archive()
        copy._outcomes, copy._pending = dict(self._outcomes), dict(self._pending)
        copy._failed = self._failed.copy()
        copy.asked, copy.inbox = self.asked, dict(self.inbox)
        return copy

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

    def named(self) -> list[tuple[str, Outcome]]:
        """Return everything with its digests, which cost more to compute than to keep."""
        return list(self._outcomes.items())

    @property
    def tried(self) -> int:
        """Ensembles evaluated that are no baseline: what `search.trials` counts."""
        return sum(o.origin != "baseline" for o in self._outcomes.values())
