"""From a request to its completion: kept ones first, equal ones once, failed ones again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from data.digest import digest
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
from endpoints.dialects.wire import held_to
from endpoints.rent import Rent
from endpoints.reply import Reply
from endpoints.request import Attempt, Completion, CompletionStore, Meter, Request
from endpoints.scheduler import EndpointQueue, Slot
from endpoints.specs import EndpointSpec, ModelSpec

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
class _Flight:
    """One request on its way, and how many wait for it.

    Attributes:
        sent: From the claim to the settlement: paid for, so it is seen through even if
            nobody waits any more.
        failed: Attempts that failed; `poor` of them for want of a whole text.
    """

    key: str
    request: Request
    body: Mapping[str, object]
    attempt: Attempt
    task: asyncio.Task[Completion] = field(init=False)
    waiters: int = 0
    sent: bool = False
    failed: int = 0
    poor: int = 0


class Completions:
    """Everything the rooms above need to have models answer.

    Args:
        models: By the name used everywhere.
        endpoints: By the name used in `models`; closed by `close`.
        store: Keeps completions and attempts.
        meter: Knows what may still be spent.
        study: Which study the attempts are charged to.
        observer: Hears `AttemptSettled`, `EndpointPaused`, and the scheduler's `ModelAway` and
            `ModelBack`.
        jitter: Source of the backoff's randomness.
        first_probe: Seconds until a model that does not answer is tried again.
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
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Completion]] = set()
        self._closing = False

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The servers, by name."""
        return self._endpoints

    @property
    def slots(self) -> dict[str, tuple[int, int]]:
        """How many requests each endpoint bears at a time at present, and its upper bound."""
        bounds = {name: e.spec.max_concurrency for name, e in self._endpoints.items()}
        return {name: (self._queues[name].slots, most) for name, most in bounds.items()}

    def key(self, request: Request) -> str:
        """Return the digest of everything that decides the reply, and of the draw."""
        return self._key(request, self._body(request))

    def stored(self, request: Request) -> Completion | None:
        """Return the completion that is kept for a request, if there is one."""
        return self._store.get(self.key(request))

    def known(self, request: Request) -> bool:
        """Return whether a request is answered or on its way."""
        key = self.key(request)
        return key in self._flights or self._store.get(key) is not None

    def answered(self, model: str) -> bool:
        """Return whether a model's endpoint has answered anything in this process."""
        return self._endpoints[self._models[model].endpoint].answered

    async def complete(self, request: Request) -> Completion:
        """Return the completion of a request, kept or new.

        Equal requests are sent once. Cancelling a caller cancels the request only if nobody else
        waits for it and it has not been sent.

        Raises:
            RequestError: The last failure, when no attempt brought a completion.
            EndpointError: Nobody answers at the endpoint, or it refuses the key.
            BudgetSpentError: The next attempt cannot be paid.
        """
        body = self._body(request)
        key = self._key(request, body)
        found = self._store.get(key)
        if found is not None:
            return found
        flight = self._flights.get(key) or self._start(key, request, body)
        flight.waiters += 1
        try:
            await asyncio.wait((flight.task,))
        finally:
            flight.waiters -= 1
            if not (flight.waiters or flight.sent or flight.task.done()):
                self._abandon(flight)
        return flight.task.result()

    async def close(self, grace: float = 10.0) -> None:
        """Let requests already sent end, `grace` seconds at most, then close all endpoints.

        Whoever still waits for another request is cancelled.
        """
        self._closing = True
        for flight in list(self._flights.values()):
            if not flight.sent:
                self._abandon(flight)
        tasks = list(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))

    def _body(self, request: Request) -> dict[str, object]:
        model = self._models[request.model]
        body: dict[str, object] = {
            "model": model.served_name,
            "messages": request.messages,
            "temperature": float(request.temperature),
            "max_tokens": request.max_tokens,
        }
        if request.tools:
            body["tools"] = request.tools
        if request.schema is not None:
            body["response_format"] = held_to(request.schema)
        if request.temperature > 0:
            body["seed"] = request.draw
        for name, value in model.extra_body.items():
            if value is None:
                body.pop(name, None)
            else:
                body[name] = value
        return body

    def _key(self, request: Request, body: Mapping[str, object]) -> str:
        identity = self._spec(request).identity
        return digest({"body": body, "endpoint": identity, "draw": request.draw})

    def _spec(self, request: Request) -> EndpointSpec:
        return self._endpoints[self._models[request.model].endpoint].spec

    def _start(self, key: str, request: Request, body: Mapping[str, object]) -> _Flight:
        flight = _Flight(key, request, body, self._open(key, request))
        self._flights[key] = flight
        flight.task = asyncio.create_task(self._fly(flight))
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda task: self._land(flight, task))
        return flight

    def _land(self, flight: _Flight, task: asyncio.Task[Completion]) -> None:
        self._tasks.discard(task)
        self._forget(flight)
        if not task.cancelled():
            task.exception()  # seen: there may be nobody left who waits for it

    def _abandon(self, flight: _Flight) -> None:
        self._forget(flight)  # at once: the next caller must not join a flight that is cancelled
        flight.task.cancel()

    def _forget(self, flight: _Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    async def _fly(self, flight: _Flight) -> Completion:
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

    def _count(self, flight: _Flight, error: TransientError) -> None:
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

    def _spent(self, flight: _Flight) -> bool:
        out = flight.failed >= ATTEMPTS or flight.poor >= POOR_ATTEMPTS
        away = self._queues[flight.attempt.endpoint].given_up(self._served(flight))
        return out or away or not flight.waiters or self._closing

    def _served(self, flight: _Flight) -> str:
        return self._models[flight.request.model].served_name

    def _backoff(self, failed: int) -> float:
        return self._jitter.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (failed - 1)))

    def _refused(self, request: Request, error: UnauthorizedError) -> EndpointError:
        spec = self._spec(request)
        variable = spec.api_key_env
        remedy = f"put a valid key into {variable}" if variable else "name the key's api_key_env"
        return EndpointError(
            f"{spec.shown} refuses {'the key in ' + variable if variable else 'us'} ({error})",
            place=f"endpoint {spec.name}",
            remedy=remedy,
        )

    async def _attempt(self, flight: _Flight) -> Completion:
        """Make one attempt; what was set aside for it is settled whatever happens."""
        flight.attempt = self._open(flight.key, flight.request)
        try:
            return await self._claim_and_send(flight)
        finally:
            if flight.sent:
                flight.sent = False
                self._meter.settle(flight.attempt)
            if flight.attempt.outcome != "unsent":
                self._observer.notice(AttemptSettled(flight.attempt))

    async def _claim_and_send(self, flight: _Flight) -> Completion:
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

    async def _clear(self, flight: _Flight, queue: EndpointQueue) -> None:
        """Wait for the end of a pause that may have begun during the claim."""
        try:
            await queue.clear()
        except asyncio.CancelledError:
            flight.attempt = replace(flight.attempt, outcome="cancelled", detail="never sent")
            raise

    async def _send(self, flight: _Flight, slot: Slot) -> Completion:
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

    def _check_whole(self, flight: _Flight, reply: Reply) -> None:
        """Raise where another attempt may bring more of the reply; the last one is kept."""
        whole = ledger.explained(reply, flight.request, flight.body.get("max_tokens"))
        if not whole and flight.poor + 1 < POOR_ATTEMPTS and flight.failed + 1 < ATTEMPTS:
            raise CutShortError(f"cut after {len(reply.text)} characters", usage=reply.usage)

    def _pause(self, name: str, seconds: float, error: RequestError) -> None:
        if seconds > 0 and isinstance(error, TransientError):
            self._queues[name].pause(seconds)
            self._observer.notice(EndpointPaused(name, seconds, error.outcome))

    def _open(self, key: str, request: Request) -> Attempt:
        return ledger.opened(key, request, self._models[request.model].endpoint, self._study)
