"""From a request to its completion: kept ones first, equal ones once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from data.digest import digest
from data.observer import Observer
from endpoints.breaker import FIRST_PROBE
from endpoints.dialects.wire import held_to
from endpoints.flight import Flight, Sender
from endpoints.request import Completion, CompletionStore, Meter, Request
from endpoints.specs import EndpointSpec, ModelSpec

if TYPE_CHECKING:  # openai is loaded by whoever asks a server, by nobody who reads
    from endpoints.endpoint import Endpoint


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
        self._store = store
        self._sender = Sender(
            models, endpoints, store, meter, study, observer, jitter, first_probe
        )
        self._flights: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[Completion]] = set()

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The servers, by name."""
        return self._endpoints

    @property
    def slots(self) -> dict[str, tuple[int, int]]:
        """How many requests each endpoint bears at a time at present, and its upper bound."""
        return self._sender.slots

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
        self._sender.closing = True
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

    def _start(self, key: str, request: Request, body: Mapping[str, object]) -> Flight:
        flight = Flight(key, request, body)
        self._flights[key] = flight
        flight.task = asyncio.create_task(self._sender.fly(flight))
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda task: self._land(flight, task))
        return flight

    def _land(self, flight: Flight, task: asyncio.Task[Completion]) -> None:
        self._tasks.discard(task)
        self._forget(flight)
        if not task.cancelled():
            task.exception()  # seen: there may be nobody left who waits for it

    def _abandon(self, flight: Flight) -> None:
        self._forget(flight)  # at once: the next caller must not join a flight that is cancelled
        flight.task.cancel()

    def _forget(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
