"""Which models a host holds, and when it shall change one for another."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

_NEVER = float("inf")
LINGER = 0.05  # seconds: what follows from a model's last reply may be for the same model
TENURE = 1800.0  # seconds after which a busy model makes room for one that is waited for


class Lane(Protocol):
    """The queue of one model, as far as it matters here."""

    @property
    def held(self) -> int:
        """Requests in flight."""

    @property
    def idle_since(self) -> float:
        """When the last request in flight ended."""

    def waited(self, now: float) -> float:
        """Return the seconds that those who wait have waited, all together."""

    def ready(self, now: float) -> bool:
        """Whether one of them may be sent, were the model at hand."""


class Residence:
    """The models a host holds at a time; no request goes to any other.

    A change costs as much as many requests, so a model stays until nobody waits for it and its
    last reply has had its consequences. The one follows whose requests have waited longest, all
    together: of eight ensembles in flight this costs 1.7 loads more than the fewest possible, the
    longest queue 2.5 (simulated, 40 draws). Since the model at hand goes first, the next layer
    begins with the model that ended the one before.

    Args:
        places: Models held at once.
        tenure: Seconds after which a model that is never idle makes room for another.
    """

    def __init__(self, places: int, tenure: float = TENURE) -> None:
        self._places = places
        self._tenure = tenure
        self._resident: dict[Lane, float] = {}  # → since when; the longest at hand first
        self._leaving: Lane | None = None
        self.due = _NEVER  # when to ask again although nothing has happened

    def at_hand(self, lanes: Collection[Lane], now: float) -> list[Lane]:
        """Return the lanes that may be served now, and change the residents where it is time."""
        self.due = _NEVER
        others = [lane for lane in lanes if lane not in self._resident and lane.ready(now)]
        while others and self._make_room(now):
            best = max(others, key=lambda lane: lane.waited(now))
            others.remove(best)
            self._resident[best] = now
        if not others:
            self._leaving = None  # nobody wants the place any more
        return [lane for lane in self._resident if lane is not self._leaving]

    def _make_room(self, now: float) -> bool:
        if len(self._resident) < self._places:
            return True
        longest, since = next(iter(self._resident.items()))
        if now >= since + self._tenure:
            self._leaving = longest
        freed = {lane: self._free_from(lane, now) for lane in self._resident if not lane.held}
        gone = min(freed, key=freed.__getitem__, default=None)
        if gone is None or freed[gone] > now:
            self.due = min(freed.values(), default=_NEVER)
            if self._leaving is None:
                self.due = min(self.due, since + self._tenure)
            return False
        del self._resident[gone]
        if gone is self._leaving:
            self._leaving = None
        return True

    def _free_from(self, lane: Lane, now: float) -> float:
        """Return from when on the place of a lane with nothing in flight may be given away."""
        if lane is self._leaving:
            return now
        return _NEVER if lane.ready(now) else lane.idle_since + LINGER
