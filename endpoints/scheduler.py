"""A queue per endpoint: which request may be sent, and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from data.errors import RateLimitedError, RequestError, TransientError
from endpoints.breaker import FIRST_PROBE, Breaker
from endpoints.limit import AdaptiveLimit
from endpoints.residence import Residence
from endpoints.specs import EndpointSpec

_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class ModelAway:
    """A model does not answer; requests for it are held back while single ones find out."""

    model: str
    endpoint: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelBack:
    """A model that was away has answered."""

    model: str
    endpoint: str


class _Lane:
    """The requests for one model: those that wait, oldest first, and those in flight."""

    def __init__(self, model: str, breaker: Breaker) -> None:
        self.model = model
        self.breaker = breaker
        self.waiting: dict[asyncio.Future[bool], float] = {}  # → when it came
        self.held = 0
        self.idle_since = 0.0

    @property
    def oldest(self) -> float:
        return next(iter(self.waiting.values()), _FOREVER)

    def waited(self, now: float) -> float:
        return sum(now - came for came in self.waiting.values())

    def ready(self, now: float) -> bool:
        return bool(self.waiting) and self.breaker.admits(now)

    def fail(self, error: Exception) -> None:
        for turn in self.waiting:
            if not turn.done():
                turn.set_exception(error)
        self.waiting.clear()


class Slot:
    """Leave to send one request; whoever has it says how the request ended."""

    def __init__(self, queue: EndpointQueue, lane: _Lane, *, probe: bool) -> None:
        self._queue = queue
        self._lane = lane
        self._probe = probe

    def learn(self, error: RequestError | None, seconds: float) -> None:
        """Tell how the request ended, an error or None, so many seconds after it was sent."""
        self._queue.learn(self._lane, error, seconds, probe=self._probe)
        self._probe = False

    def close(self) -> None:
        """Give the slot back; a probe that told nothing is free to be made by another."""
        if self._probe:
            self._lane.breaker.probing = False
        self._queue.leave(self._lane)


class EndpointQueue:
    """First come, first served, in as many slots as the server bears, nothing while paused.

    Models that share an endpoint share its slots, and none can take them from the others: one
    that holds more than an equal part waits for those that hold less, and some slots are kept
    from each. There is no limit across endpoints: one global semaphore made runs three to six
    times longer than they need be (docs/design/endpoints.md).

    Args:
        spec: Limit, deadline, and how many models the host holds.
        models: Those that share the endpoint, as the server calls them.
        tell: Hears `ModelAway` and `ModelBack`.
        first_probe: Seconds until a model that does not answer is tried again.
    """

    def __init__(
        self,
        spec: EndpointSpec,
        models: Iterable[str] = (),
        tell: Callable[[object], None] = lambda _: None,
        first_probe: float = FIRST_PROBE,
    ) -> None:
        self._spec = spec
        self._tell = tell
        self._first_probe = first_probe
        self._limit = AdaptiveLimit(spec.max_concurrency)
        self._residence = None if spec.resident is None else Residence(spec.resident)
        self._lanes = {model: self._new(model) for model in models}
        self._held = 0
        self._resume = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def slot(self, model: str) -> AsyncIterator[Slot]:
        """Hold one of the endpoint's slots, from when it is the request's turn.

        Args:
            model: As the server calls it.

        Raises:
            TransientError: The model has been silent for a whole deadline; of the kind that
                its last failure was.
        """
        lane = self._lane(model)
        if lane.breaker.hopeless(time.monotonic()):
            raise _away(lane)
        slot = Slot(self, lane, probe=await self._turn(lane))
        try:
            yield slot
        finally:
            slot.close()

    @property
    def slots(self) -> int:
        """Most requests in flight at present, as far as the server was found to bear them."""
        return self._limit.slots

    async def clear(self) -> None:
        """Wait until no pause is on."""
        while (wait := self._resume - time.monotonic()) > 0:  # noqa: ASYNC110 - may be prolonged
            await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Send nothing more for so long; a shorter pause never ends a longer one."""
        self._resume = max(self._resume, time.monotonic() + seconds)

    def given_up(self, model: str) -> bool:
        """Whether a model has been silent for so long that nobody waits for it."""
        return self._lane(model).breaker.given_up

    def probes(self, model: str) -> int:
        """Return how many probes have failed since the model was last heard of."""
        return self._lane(model).breaker.probes

    def fail(self, model: str, error: Exception) -> None:
        """Let all who wait for a model fail."""
        self._lane(model).fail(error)

    def learn(
        self, lane: _Lane, error: RequestError | None, seconds: float, *, probe: bool
    ) -> None:
        """Draw the conclusions from how a request ended."""
        now, breaker = time.monotonic(), lane.breaker
        sent = now - seconds
        if error is None:
            self._limit.answered()
        elif isinstance(error, RateLimitedError):
            self._limit.refused(sent, now, self._held)
        was_open = breaker.open
        breaker.learn(error, sent, now, probe=probe, waiting=len(lane.waiting))
        if breaker.open and not was_open:
            self._tell(ModelAway(lane.model, self._spec.name, str(error)))
        elif was_open and not breaker.open:
            self._tell(ModelBack(lane.model, self._spec.name))
        if breaker.given_up:
            lane.fail(_away(lane))

    def leave(self, lane: _Lane) -> None:
        """Give a slot of `lane` to whoever is next."""
        lane.held -= 1
        self._held -= 1
        lane.idle_since = time.monotonic()
        self._dispatch()

    def _lane(self, model: str) -> _Lane:
        lane = self._lanes.get(model)
        if lane is None:
            lane = self._lanes[model] = self._new(model)
        return lane

    def _new(self, model: str) -> _Lane:
        return _Lane(model, Breaker(self._spec.timeout, self._first_probe))

    async def _turn(self, lane: _Lane) -> bool:
        """Wait for a turn; return whether it is a probe's."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        lane.waiting[turn] = time.monotonic()
        self._dispatch()
        try:
            return await turn
        except asyncio.CancelledError:
            if lane.waiting.pop(turn, None) is None and not turn.cancelled():
                self._give_back(lane, turn)
            raise

    def _give_back(self, lane: _Lane, turn: asyncio.Future[bool]) -> None:
        """Undo a turn that came in the same instant as the cancellation."""
        if turn.exception() is None:
            Slot(self, lane, probe=turn.result()).close()

    def _dispatch(self) -> None:
        """Give turns as long as there is a slot and somebody to take it."""
        now = time.monotonic()
        while self._held < self._limit.slots and now >= self._resume:
            lane = self._next(now)
            if lane is None:
                break
            turn = next(iter(lane.waiting))
            del lane.waiting[turn]
            if turn.done():  # its task is cancelled
                continue
            lane.held += 1
            self._held += 1
            lane.breaker.probing = lane.breaker.open
            turn.set_result(lane.breaker.open)
        self._wake(now)

    def _next(self, now: float) -> _Lane | None:
        lanes = [lane for lane in self._lanes.values() if lane.ready(now)]
        if self._residence is not None:
            at_hand = self._residence.at_hand(self._lanes.values(), now)
            lanes = [lane for lane in lanes if lane in at_hand]
        elif len(self._lanes) > 1:
            kept = min(len(self._lanes) - 1, self._limit.slots // 4)
            lanes = [lane for lane in lanes if lane.held < self._limit.slots - kept]
        if len(lanes) < 2:
            return lanes[0] if lanes else None
        part = self._limit.slots / sum(bool(x.held or x.waiting) for x in self._lanes.values())
        return min(lanes, key=lambda lane: (lane.held >= part, lane.oldest))

    def _wake(self, now: float) -> None:
        """See to it that time alone brings those who wait their turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting = [lane for lane in self._lanes.values() if lane.waiting]
        if not waiting or self._held >= self._limit.slots:
            return
        due = self._resume
        if due <= now:
            asleep = (x.breaker for x in waiting if x.breaker.open and not x.breaker.probing)
            # One that is due already waits for its host, and for no time of its own.
            probes = [breaker.due for breaker in asleep if breaker.due > now]
            due = min([*probes, self._residence.due if self._residence else _FOREVER])
        if now < due < _FOREVER:
            self._timer = asyncio.get_running_loop().call_later(due - now, self._dispatch)


def _away(lane: _Lane) -> TransientError:
    """Return what a request fails of that is not sent."""
    last = lane.breaker.last
    assert last is not None
    return type(last)(f"not sent: {lane.model} has not answered for a whole deadline ({last})")
