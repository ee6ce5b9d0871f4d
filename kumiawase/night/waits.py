"""What a run waited for, and in which state its endpoints are: for `status` in the morning."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from endpoints.flight import EndpointPaused
from endpoints.scheduler import ModelAway, ModelBack

NOTE: Final = "waits "  # what the note on a run's endpoints begins with; then its worker


@dataclass(slots=True)
class Waits:
    """An `Observer` that adds up pauses of endpoints and absences of models.

    Pauses that overlap count once. Times are seconds.

    Attributes:
        paused: Endpoint → how long it was left alone at its own wish.
        away: (endpoint, model) → how long the model did not answer.
    """

    clock: Callable[[], float] = time.monotonic
    paused: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    away: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    _until: dict[str, float] = field(default_factory=dict)
    _since: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)

    def notice(self, event: object) -> None:
        """Take note of one event."""
        now = self.clock()
        match event:
            case EndpointPaused(endpoint, seconds, _):
                begin = max(now, self._until.get(endpoint, now))
                end = max(begin, now + seconds)
                self.paused[endpoint] += end - begin
                self._until[endpoint] = end
            case ModelAway(model, endpoint, reason):
                self._since.setdefault((endpoint, model), (now, reason))
            case ModelBack(model, endpoint):
                since, _ = self._since.pop((endpoint, model), (now, ""))
                self.away[endpoint, model] += now - since

    def to_json(self, slots: dict[str, tuple[int, int]]) -> dict[str, Any]:
        """Return by endpoint what is known of it.

        Args:
            slots: Endpoint → requests it bears at a time at present, and the upper bound.
        """
        now = self.clock()
        out: dict[str, Any] = {}
        for endpoint, (bears, most) in slots.items():
            absent = {m: r for (e, m), (_, r) in self._since.items() if e == endpoint}
            models = {m for e, m in (*self.away, *self._since) if e == endpoint}
            out[endpoint] = {
                "slots": bears,
                "max_concurrency": most,
                "paused_s": round(self.paused.get(endpoint, 0.0) - self._ahead(endpoint, now), 1),
                "away_s": {m: round(self._absence(endpoint, m, now), 1) for m in sorted(models)},
                "away_now": absent,
            }
        return out

    def _ahead(self, endpoint: str, now: float) -> float:
        """Return how much of a pause is still to come: nobody has waited for it yet."""
        return max(0.0, self._until.get(endpoint, now) - now)

    def _absence(self, endpoint: str, model: str, now: float) -> float:
        since, _ = self._since.get((endpoint, model), (now, ""))
        return self.away.get((endpoint, model), 0.0) + now - since
