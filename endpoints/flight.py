"""One request on its way: attempt after attempt, each claimed, paid and kept."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from data.errors import (
    ConnectionFailedError,
    CutShortError,
    EmptyReplyError,
    EndpointError,
    FilteredError,
    RateLimitedError,
    RequestError,
    TransientError,
    UnauthorizedError,
)
from data.observer import Observer
from endpoints import ledger
from endpoints.breaker import FIRST_PROBE
from endpoints.rent import Rent
from endpoints.reply import Reply
from endpoints.request import Attempt, Completion, CompletionStore, Meter, Request
from endpoints.scheduler import EndpointQueue, Slot
from endpoints.specs import ModelSpec

if TYPE_CHECKING:  # openai is loaded by whoever asks a server, by nobody who reads
    from endpoints.endpoint import Endpoint

ATTEMPTS = 6  # of one request in all, and of these
POOR_ATTEMPTS = 4  # may end without a text that is whole, and
FIRST_CONTACTS = 3  # find nobody at an endpoint that has never answered
FIRST_BACKOFF = 0.5
_POOR = (EmptyReplyError, FilteredError, CutShortError)  # it may be chance, or the model itself
LONGEST_BACKOFF = 30.0


@dataclass(frozen=True, slots=True)
class AttemptSettled:
    """An attempt ended, well or badly."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class EndpointPaused:
    """A server asked for fewer requests; nothing is sent to it for so long."""

    endpoint: str
    seconds: float
    reason: str


@dataclass(slots=True, eq=False)
class Flight:
    """One request on its way, and how many wait for it.

    Attributes:
        sent: From the claim to the settlement: paid for, so it is seen through even if
            nobody waits any more.
        failed: Attempts that failed; `poor` of them for want of a whole text.
    """

    key: str
    request: Request
    body: Mapping[str, object]
    attempt: Attempt = field(init=False)
    task: asyncio.Task[Completion] = field(init=False)
    waiters: int = 0
    sent: bool = False
    failed: int = 0
    poor: int = 0


class Sender:
    """The one retry loop.

    Args:
        models: By the name used everywhere.
        endpoints: By the name used in `models`.
        store: Keeps completions and attempts.
        meter: Knows what may still be spent.
        study: Which study the attempts are charged to.
        observer: Hears `AttemptSettled`, `EndpointPaused`, and the scheduler's `ModelAway` and
            `ModelBack`.
        jitter: Source of the backoff's randomness.
        first_probe: Seconds until a model that does not answer is tried again.

    Attributes:
        closing: Nothing is tried again any more.
    """

    def __init__(
        self,
        models: Mapping[str, ModelSpec],
        endpoints: Mapping[str, Endpoint],
        store: CompletionStore,
        meter: Meter,
        study: str,
        observer: Observer,
        jitter: random.Random | None = None,
        first_probe: float = FIRST_PROBE,
    ) -> None:
        self.closing = False
        self._models = models
        self._endpoints = endpoints
        self._queues = {
            name: EndpointQueue(
                endpoint.spec,
                {model.served_name for model in models.values() if model.endpoint == name},
                observer.notice,
                first_probe,
            )
            for name, endpoint in endpoints.items()
        }
        self._rents = {n: Rent(endpoint.spec.usd_per_hour) for n, endpoint in endpoints.items()}
        self._store = store
        self._meter = meter
        self._study = study
        self._observer = observer
        self._jitter = jitter or random.Random()

    @property
    def slots(self) -> dict[str, tuple[int, int]]:
        """How many requests each endpoint bears at a time at present, and its upper bound."""
        bounds = {name: e.spec.max_concurrency for name, e in self._endpoints.items()}
        return {name: (self._queues[name].slots, most) for name, most in bounds.items()}

    async def fly(self, flight: Flight) -> Completion:
        """Make attempts until one brings a completion.

        Raises:
            RequestError: The last failure, when no attempt brought one.
            EndpointError: Nobody answers at the endpoint, or it refuses the key.
            BudgetSpentError: The next attempt cannot be paid.
        """
        while True:
            try:
                return await self._attempt(flight)
            except UnauthorizedError as error:
                raise self._refused(flight.request, error) from error
            except TransientError as error:
                self._count(flight, error)
                if self._spent(flight):
                    raise
                wait = self._backoff(flight.failed)
                if isinstance(error, RateLimitedError) and error.retry_after is None:
                    self._pause(flight.attempt.endpoint, wait, error)  # the limit is everyone's
            await asyncio.sleep(wait)

    def _count(self, flight: Flight, error: TransientError) -> None:
        flight.failed += 1
        flight.poor += isinstance(error, _POOR)
        endpoint = self._endpoints[flight.attempt.endpoint]
        if endpoint.answered or not isinstance(error, ConnectionFailedError):
            return
        queue, name = self._queues[endpoint.spec.name], self._served(flight)
        if max(flight.failed, 1 + queue.probes(name)) >= FIRST_CONTACTS:
            nobody = EndpointError(
                f"nobody answers at {endpoint.spec.shown} ({error})",
                place=f"endpoint {endpoint.spec.name}",
                remedy="start the server or correct base_url",
            )
            queue.fail(name, nobody)
            raise nobody from error

    def _spent(self, flight: Flight) -> bool:
        out = flight.failed >= ATTEMPTS or flight.poor >= POOR_ATTEMPTS
        away = self._queues[flight.attempt.endpoint].given_up(self._served(flight))
        return out or away or not flight.waiters or self.closing

    def _served(self, flight: Flight) -> str:
        return self._models[flight.request.model].served_name

    def _backoff(self, failed: int) -> float:
        return self._jitter.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (failed - 1)))

    def _refused(self, request: Request, error: UnauthorizedError) -> EndpointError:
        spec = self._endpoints[self._models[request.model].endpoint].spec
        variable = spec.api_key_env
        remedy = f"put a valid key into {variable}" if variable else "name the key's api_key_env"
        return EndpointError(
            f"{spec.shown} refuses {'the key in ' + variable if variable else 'us'} ({error})",
            place=f"endpoint {spec.name}",
            remedy=remedy,
        )

    async def _attempt(self, flight: Flight) -> Completion:
        """Make one attempt; what was set aside for it is settled whatever happens."""
        request = flight.request
        endpoint = self._models[request.model].endpoint
        flight.attempt = ledger.opened(flight.key, request, endpoint, self._study)
        try:
            return await self._claim_and_send(flight)
        finally:
            if flight.sent:
                flight.sent = False
                self._meter.settle(flight.attempt)
            if flight.attempt.outcome != "unsent":
                self._observer.notice(AttemptSettled(flight.attempt))

    async def _claim_and_send(self, flight: Flight) -> Completion:
        completion = None
        queue = self._queues[flight.attempt.endpoint]
        try:
            async with queue.slot(self._served(flight)) as slot:
                self._meter.reserve(flight.request)  # now: a queue sets no budget aside
                flight.sent = True
                line = replace(flight.attempt, started=time.time(), outcome="sent")
                stored = await self._store.claim(line)
                if stored is not None:
                    return stored
                flight.attempt = line
                await self._clear(flight, queue)
                completion = await self._send(flight, slot)
        finally:  # outside the slot: the next request need not wait for our commit
            if flight.attempt.outcome != "unsent":
                await self._store.settle(flight.attempt, completion)
        return completion

    async def _clear(self, flight: Flight, queue: EndpointQueue) -> None:
        """Wait for the end of a pause that may have begun during the claim."""
        try:
            await queue.clear()
        except asyncio.CancelledError:
            flight.attempt = replace(flight.attempt, outcome="cancelled", detail="never sent")
            raise

    async def _send(self, flight: Flight, slot: Slot) -> Completion:
        request, line = flight.request, flight.attempt
        model, endpoint = self._models[request.model], self._endpoints[line.endpoint]
        with self._rents[line.endpoint] as rent:
            begun = time.monotonic()
            try:
                reply = await endpoint.send(flight.body, endpoint.spec.timeout)
                self._check_whole(flight, reply)
            except RequestError as error:
                line = replace(line, seconds=time.monotonic() - begun, usd=rent.charge())
                flight.attempt = ledger.failed(line, request, model, error)
                slot.learn(error, line.seconds)
                self._pause(line.endpoint, error.retry_after or 0.0, error)
                raise
            except asyncio.CancelledError:
                line = replace(line, seconds=time.monotonic() - begun, usd=rent.charge())
                flight.attempt = ledger.failed(line, request, model, None)
                raise
            line = replace(line, seconds=time.monotonic() - begun, usd=rent.charge())
        slot.learn(None, line.seconds)
        flight.attempt, completion = ledger.succeeded(line, request, model, reply)
        return completion

    def _check_whole(self, flight: Flight, reply: Reply) -> None:
        """Raise where another attempt may bring more of the reply; the last one is kept."""
        whole = ledger.explained(reply, flight.request, flight.body.get("max_tokens"))
        if not whole and flight.poor + 1 < POOR_ATTEMPTS and flight.failed + 1 < ATTEMPTS:
            raise CutShortError(f"cut after {len(reply.text)} characters", usage=reply.usage)

    def _pause(self, name: str, seconds: float, error: RequestError) -> None:
        if seconds > 0 and isinstance(error, TransientError):
            self._queues[name].pause(seconds)
            self._observer.notice(EndpointPaused(name, seconds, error.outcome))
