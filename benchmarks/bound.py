"""How long a set of calls must take at the least, however well they are scheduled.

A call occupies one of its endpoint's slots for its service time and may start once the calls it
depends on have ended. Its head is the longest chain of service times before it, its tail the
longest chain after it. Two things hold for every schedule:

* it lasts as long as the longest chain, and
* for an endpoint of c slots and any thresholds h and t: the calls with head >= h and tail >= t
  cannot start before h, need (sum of their service) / c on c slots, and leave t to do.

The second is Carlier's one-machine bound (1982) relaxed to c parallel slots.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a scheduler sees it.

    Attributes:
        id: Unique.
        endpoint: Whose slot it takes.
        seconds: Service time.
        after: Ids of the calls that must have ended before.
    """

    id: int
    endpoint: str
    seconds: float
    after: tuple[int, ...] = ()


def lower_bound(calls: Sequence[Call], limits: Mapping[str, int]) -> float:
    """Return a time, in seconds, that no schedule of the calls can beat.

    Args:
        calls: Each after those it depends on.
        limits: Endpoint -> slots.
    """
    heads, tails = _heads(calls), _tails(calls)
    bound = max((heads[c.id] + c.seconds + tails[c.id] for c in calls), default=0.0)
    by_endpoint: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_endpoint[call.endpoint].append(call)
    for endpoint, mine in by_endpoint.items():
        rows = np.array([(heads[c.id], c.seconds, tails[c.id]) for c in mine])
        bound = max(bound, _endpoint_bound(rows, limits[endpoint]))
    return bound


def _heads(calls: Sequence[Call]) -> dict[int, float]:
    ends: dict[int, float] = {}
    heads: dict[int, float] = {}
    for call in calls:
        heads[call.id] = max((ends[before] for before in call.after), default=0.0)
        ends[call.id] = heads[call.id] + call.seconds
    return heads


def _tails(calls: Sequence[Call]) -> dict[int, float]:
    tails = dict.fromkeys((call.id for call in calls), 0.0)
    for call in reversed(calls):
        for before in call.after:
            tails[before] = max(tails[before], call.seconds + tails[call.id])
    return tails


def _endpoint_bound(rows: np.ndarray[tuple[int, int], np.dtype[np.float64]], slots: int) -> float:
    """Return the bound over all thresholds; `rows` holds (head, seconds, tail)."""
    rows = rows[np.argsort(-rows[:, 2], kind="stable")]
    best = 0.0
    for head in np.unique(rows[:, 0]):
        late = rows[rows[:, 0] >= head]
        # Longest tail first, so row i closes the set of calls with a tail at least its own.
        best = max(best, float(np.max(head + np.cumsum(late[:, 1]) / slots + late[:, 2])))
    return best


def fewest_loads(chains: Sequence[Sequence[frozenset[str]]]) -> int:
    """Return how often a host that holds one model must load one, at the least.

    Args:
        chains: Each a row of stages, and a stage the models that must all have answered before
            the next begins. However many items go through a chain, they can go together.
    """
    reached = {tuple(tuple(chain) for chain in chains)}
    loads = 0
    while not any(all(not chain for chain in state) for state in reached):
        models = {m for state in reached for chain in state for stage in chain[:1] for m in stage}
        reached = {
            tuple(_served(chain, model) for chain in state)
            for state in reached
            for model in models
        }
        loads += 1
    return loads


def _served(chain: tuple[frozenset[str], ...], model: str) -> tuple[frozenset[str], ...]:
    """Return what is left of a chain once a model has answered all that it can."""
    while chain and model in chain[0]:
        rest = chain[0] - {model}
        if rest:
            return (rest, *chain[1:])
        chain = chain[1:]
    return chain


def list_schedule(calls: Sequence[Call], limits: Mapping[str, int]) -> float:
    """Return the time of a schedule that knows all service times: longest tail first.

    What it reaches shows how far above the bound the best possible can be.
    """
    return _ListSchedule(calls, limits).run()


class _ListSchedule:
    def __init__(self, calls: Sequence[Call], limits: Mapping[str, int]) -> None:
        self._tails = _tails(calls)
        self._waits = {call.id: len(call.after) for call in calls}
        self._followers: dict[int, list[Call]] = defaultdict(list)
        self._free = dict(limits)
        self._ready: dict[str, list[tuple[float, int, Call]]] = defaultdict(list)
        self._running: list[tuple[float, int, Call]] = []
        self._now = 0.0
        for call in calls:
            for before in call.after:
                self._followers[before].append(call)
            if not call.after:
                self._offer(call)

    def run(self) -> float:
        for endpoint in self._free:
            self._start(endpoint)
        while self._running:
            self._now, _, done = heapq.heappop(self._running)
            self._free[done.endpoint] += 1
            for follower in self._followers[done.id]:
                self._waits[follower.id] -= 1
                if not self._waits[follower.id]:
                    self._offer(follower)
                    self._start(follower.endpoint)
            self._start(done.endpoint)
        return self._now

    def _offer(self, call: Call) -> None:
        urgency = -call.seconds - self._tails[call.id]
        heapq.heappush(self._ready[call.endpoint], (urgency, call.id, call))

    def _start(self, endpoint: str) -> None:
        while self._free[endpoint] and self._ready[endpoint]:
            _, _, call = heapq.heappop(self._ready[endpoint])
            self._free[endpoint] -= 1
            heapq.heappush(self._running, (self._now + call.seconds, call.id, call))
