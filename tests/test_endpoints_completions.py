"""Requests are kept, flown once, tried again within bounds, and always settled."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web

from data.errors import (
    BudgetSpentError,
    ConnectionFailedError,
    EmptyReplyError,
    EndpointError,
    FilteredError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerFailedError,
    StoreError,
    TimedOutError,
)
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.flight import AttemptSettled, EndpointPaused
from endpoints.request import Attempt, Completion, Message, Request
from endpoints.scheduler import ModelAway, ModelBack
from endpoints.specs import EndpointSpec, ModelSpec
from tests.support.fake_endpoint import (
    FakeEndpoint,
    Handler,
    breaks,
    completion,
    fake_endpoint,
    says,
    sends,
    waits,
)
from tests.support.stores import Listener, MemoryMeter, MemoryStore

ASK = Request("a", "proposer", ({"role": "user", "content": "首都は？"},), 0.7, 64)
BUSY = sends({"error": {"message": "busy"}}, 503)


class NoWait(random.Random):
    """Jitter that always falls on the same share of the wait: none, so that tests are quick."""

    def __init__(self) -> None:
        super().__init__(0)
        self.most: list[float] = []
        self.share = 0.0

    def uniform(self, a: float, b: float) -> float:
        self.most.append(b)
        return a + self.share * (b - a)


@dataclass(slots=True)
class Desk:
    """Completions with everything around them."""

    fake: FakeEndpoint
    completions: Completions
    store: MemoryStore
    meter: MemoryMeter
    listener: Listener
    jitter: NoWait

    def ask(self, request: Request = ASK) -> asyncio.Task[Completion]:
        return asyncio.create_task(self.completions.complete(request))


@asynccontextmanager
async def desk(
    *script: Handler,
    limit: int | None = None,
    extra_body: Mapping[str, Any] | None = None,
    store: MemoryStore | None = None,
    grace: float = 5.0,
    **spec: Any,
) -> AsyncIterator[Desk]:
    async with fake_endpoint(*script) as fake:
        endpoint = Endpoint(EndpointSpec("local", fake.url, **spec), {"LOCAL_KEY": "sk-1"})
        model = ModelSpec("a", "local", "served-a", "a", None, 1.0, 2.0, extra_body or {})
        store, meter, listener = store or MemoryStore(), MemoryMeter(limit), Listener()
        jitter = NoWait()
        completions = Completions(
            {"a": model}, {"local": endpoint}, store, meter, "study", listener, jitter, 0.01
        )
        yield Desk(fake, completions, store, meter, listener, jitter)
        await completions.close(grace)
        assert meter.open == 0
        assert all(attempt.outcome != "sent" for attempt in store.attempts.values())


def keys(identity: str = "", **model: Any) -> Completions:
    spec = EndpointSpec("local", "http://127.0.0.1:8000/v1/", identity=identity)
    models = {"a": ModelSpec("a", "local", **{"served_name": "served-a", "family": "a", **model})}
    return Completions(
        models, {"local": Endpoint(spec)}, MemoryStore(), MemoryMeter(), "study", Listener()
    )


async def test_a_completion_is_bought_once_and_kept() -> None:
    async with desk() as d:
        first = await d.completions.complete(ASK)
        assert await d.completions.complete(ASK) == first
        assert d.completions.stored(ASK) == first
    (call,) = d.fake.calls
    assert call.body == {
        "model": "served-a",
        "messages": [{"role": "user", "content": "首都は？"}],
        "temperature": 0.7,
        "top_p": 1.0,
        "max_tokens": 64,
        "seed": 0,
    }
    assert first.key == d.completions.key(ASK)
    assert (first.text, first.prompt_tokens, first.completion_tokens) == ("はい。", 11, 7)
    assert first.usd == pytest.approx((11 * 1.0 + 7 * 2.0) / 1e6)
    (attempt,) = d.store.attempts.values()
    assert (attempt.outcome, attempt.usd, attempt.study) == ("ok", first.usd, "study")
    assert attempt.role == "proposer"
    assert d.listener.events == [AttemptSettled(attempt)]
    assert d.meter.settled == [attempt]


async def test_a_seed_goes_only_with_a_temperature_and_extra_body_has_the_last_word() -> None:
    extra = {"max_tokens": None, "temperature": 0.3, "attributes": {"helpfulness": 4}}
    async with desk(extra_body=extra) as d:
        await d.completions.complete(replace(ASK, temperature=0.0))
        await d.completions.complete(replace(ASK, draw=2))
    cold, warm = (call.body for call in d.fake.calls)
    assert "seed" not in cold
    assert warm["seed"] == 2
    assert warm["temperature"] == 0.3
    assert warm["attributes"] == {"helpfulness": 4}
    assert "max_tokens" not in warm


async def test_a_key_never_changes() -> None:
    pinned = "43caf0f59064e8a386c014bb89b77519fbf475dc8102fe32669a4edc5b8ee0db"
    assert keys().key(ASK) == pinned


async def test_a_key_is_of_all_that_decides_the_reply_and_of_nothing_else() -> None:
    same = [
        keys().key(replace(ASK, role="judge")),
        keys(input_price=3.0, context=9).key(ASK),
        keys().key(replace(ASK, temperature=0.7)),
        keys(identity="http://127.0.0.1:8000/v1").key(ASK),
    ]
    different = [
        keys().key(replace(ASK, draw=1)),
        keys().key(replace(ASK, temperature=0.0)),
        keys().key(replace(ASK, temperature=0.0, draw=1)),
        keys().key(replace(ASK, max_tokens=65)),
        keys().key(replace(ASK, messages=({"role": "system", "content": "首都は？"},))),
        keys(served_name="served-b").key(ASK),
        keys(extra_body={"top_p": 0.9}).key(ASK),
        keys(identity="the other machine").key(ASK),
    ]
    assert set(same) == {keys().key(ASK)}
    assert len({*different, keys().key(ASK)}) == len(different) + 1
    whole = replace(ASK, temperature=1.0)
    assert keys().key(whole) == keys().key(replace(ASK, temperature=1))


async def test_equal_requests_fly_once() -> None:
    async with desk() as d:
        got = await asyncio.gather(*(d.ask() for _ in range(100)))
    assert len(d.fake.calls) == 1
    assert len({id(c) for c in got}) == 1
    assert d.meter.reserved == 1


async def test_an_error_reaches_all_who_wait() -> None:
    refusal = sends({"error": {"message": "no such model"}}, 404)
    async with desk(refusal) as d:
        got = await asyncio.gather(*(d.ask() for _ in range(5)), return_exceptions=True)
        assert [type(error) for error in got] == [RejectedError] * 5
        assert (await d.completions.complete(ASK)).text == "はい。"  # no failure is kept
    assert d.store.outcomes == ["rejected", "ok"]


async def test_cancelling_one_who_waits_disturbs_nobody() -> None:
    go = asyncio.Event()
    async with desk(waits(go, says("東京です。"))) as d:
        waiting = [d.ask() for _ in range(3)]
        await d.fake.arrived(1)
        waiting[0].cancel()
        go.set()
        got = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(got[0], asyncio.CancelledError)
    assert [c.text for c in got[1:] if isinstance(c, Completion)] == ["東京です。"] * 2
    assert len(d.fake.calls) == 1


async def test_a_request_that_was_sent_is_seen_through_for_nobody() -> None:
    go = asyncio.Event()
    async with desk(waits(go, says("東京です。"))) as d:
        waiting = d.ask()
        await d.fake.arrived(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        go.set()
    kept = d.completions.stored(ASK)
    assert kept is not None
    assert kept.text == "東京です。"
    assert d.store.outcomes == ["ok"]


async def test_a_failure_nobody_waits_for_is_neither_tried_again_nor_complained_of() -> None:
    go = asyncio.Event()
    async with desk(waits(go, BUSY)) as d:
        waiting = d.ask()
        await d.fake.arrived(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        go.set()
        await d.listener.heard.wait()
        await d.completions.complete(replace(ASK, draw=1))
        del waiting
        gc.collect()  # anyio raises what a loop complains of
    assert [call.body["seed"] for call in d.fake.calls] == [0, 1]
    assert d.store.outcomes == ["server_error", "ok"]


async def test_a_request_asked_again_while_it_is_given_up_is_a_new_one() -> None:
    go = asyncio.Event()
    async with desk(waits(go, says("一")), max_concurrency=1) as d:
        first, second = d.ask(), d.ask(replace(ASK, draw=1))
        await d.fake.arrived(1)
        second.cancel()
        again = d.ask(replace(ASK, draw=1))  # runs right behind the cancellation
        await asyncio.gather(second, return_exceptions=True)
        go.set()
        assert [(await first).text, (await again).text] == ["一", "はい。"]


async def test_a_request_in_the_queue_is_neither_claimed_nor_sent_when_nobody_wants_it() -> None:
    go = asyncio.Event()
    second, third = replace(ASK, draw=1), replace(ASK, draw=2)
    async with desk(waits(go, says("一")), max_concurrency=1) as d:
        tasks = [d.ask(), d.ask(second), d.ask(third)]
        await d.fake.arrived(1)
        assert d.store.claims == 1
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        again = d.ask(third)
        go.set()
        await asyncio.gather(tasks[0], tasks[2], again)
        assert (await d.completions.complete(second)).text == "はい。"
    assert [call.body["seed"] for call in d.fake.calls] == [0, 2, 1]
    assert [a.outcome for a in d.meter.settled] == ["ok"] * 3  # a queue sets no budget aside


async def test_no_more_are_sent_at_once_than_the_endpoint_allows() -> None:
    async with desk(max_concurrency=3) as d:
        d.fake.default = says("はい。")
        await asyncio.gather(*(d.ask(replace(ASK, draw=draw)) for draw in range(20)))
    assert len(d.fake.calls) == 20
    assert d.fake.most_at_once <= 3


@pytest.mark.parametrize(
    ("handler", "tries", "kind"),
    [
        (BUSY, 6, ServerFailedError),
        (sends(b"", 429), 6, RateLimitedError),
        (says(""), 4, EmptyReplyError),
        (sends(completion(None, refusal="お答えできません。")), 4, FilteredError),
        (sends(b"", 400), 1, RejectedError),
    ],
    ids=["busy", "limited", "empty", "refused", "rejected"],
)
async def test_tries_are_bounded(handler: Handler, tries: int, kind: type[RequestError]) -> None:
    async with desk() as d:
        d.fake.default = handler
        with pytest.raises(RequestError) as caught:
            await d.completions.complete(ASK)
    assert type(caught.value) is kind
    assert len(d.fake.calls) == tries == d.meter.reserved
    assert d.jitter.most == [0.5, 1.0, 2.0, 4.0, 8.0][: tries - 1]


def cut(tokens: int) -> Handler:
    usage = {"prompt_tokens": 11, "completion_tokens": tokens}
    return sends({**completion("途中ま", finish_reason="length"), "usage": usage})


async def test_a_reply_cut_by_no_limit_is_asked_for_again_and_kept_only_in_the_end() -> None:
    async with desk(cut(7), says("途中までではない。")) as d:
        whole = await d.completions.complete(ASK)
        assert (whole.text, whole.cut) == ("途中までではない。", False)
        d.fake.default = cut(7)
        last = await d.completions.complete(replace(ASK, draw=1))
    assert (last.text, last.cut) == ("途中ま", True)
    assert d.store.outcomes == ["cut", "ok", "cut", "cut", "cut", "ok"]
    assert [a.prompt_tokens for a in d.store.attempts.values()] == [11] * 6  # each was paid


async def test_a_reply_cut_by_its_limit_is_what_the_model_says() -> None:
    async with desk(cut(ASK.max_tokens)) as d:
        assert (await d.completions.complete(ASK)).cut
    assert d.store.outcomes == ["ok"]


@pytest.mark.parametrize("usage", [(0, 7), (10**9, 7), (11, 10**9), (11, 0)])
async def test_a_count_that_cannot_be_is_not_believed(usage: tuple[int, int]) -> None:
    told = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    async with desk(sends({**completion("四角い。"), "usage": told})) as d:
        bought = await d.completions.complete(ASK)
    assert (bought.prompt_tokens, bought.completion_tokens, bought.estimated) == (3, 3, True)


async def test_what_fails_and_then_works_is_a_completion() -> None:
    async with desk(BUSY, breaks(), says(""), sends(b"<html>"), says("東京です。")) as d:
        assert (await d.completions.complete(ASK)).text == "東京です。"
    assert d.store.outcomes == ["server_error", "connection", "empty", "malformed", "ok"]


async def test_an_empty_reply_is_paid_for_and_a_refused_request_is_not() -> None:
    async with desk(says(""), BUSY, sends({**completion("四角い。"), "usage": None})) as d:
        bought = await d.completions.complete(ASK)
    empty, busy, ok = d.store.attempts.values()
    assert (empty.prompt_tokens, empty.usd > 0, empty.estimated) == (11, True, False)
    assert (busy.prompt_tokens, busy.usd, busy.detail[:3]) == (0, 0.0, "503")
    assert (bought.prompt_tokens, bought.completion_tokens, bought.estimated) == (3, 3, True)
    assert (ok.completion_tokens, ok.estimated) == (3, True)


async def test_a_server_is_left_alone_for_as_long_as_it_asks() -> None:
    limited = sends({"error": {"message": "slow down"}}, 429, {"Retry-After-Ms": "250"})
    async with desk(limited) as d:
        first = d.ask()
        await d.fake.arrived(1)
        await d.listener.heard.wait()
        await asyncio.gather(first, *(d.ask(replace(ASK, draw=draw)) for draw in range(1, 5)))
    times = [call.at - d.fake.calls[0].at for call in d.fake.calls]
    assert len(times) == 6
    assert min(times[1:]) >= 0.25
    assert EndpointPaused("local", 0.25, "rate_limited") in d.listener.events


@dataclass(slots=True)
class SlowStore(MemoryStore):
    """Takes its time over every claim but the first."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def claim(self, attempt: Attempt) -> Completion | None:
        if self.claims:
            await self.go.wait()
        return await MemoryStore.claim(self, attempt)


async def test_a_pause_that_begins_during_a_claim_holds() -> None:
    store = SlowStore()
    async with desk(sends(b"", 429, {"Retry-After": "0.2"}), store=store) as d:
        tasks = [d.ask(), d.ask(replace(ASK, draw=1))]
        await d.listener.heard.wait()
        store.go.set()
        await asyncio.gather(*tasks)
    assert min(call.at for call in d.fake.calls[1:]) - d.fake.calls[0].at >= 0.2


async def test_a_limit_without_a_time_holds_the_whole_endpoint_back() -> None:
    async with desk(sends(b"", 429)) as d:
        d.jitter.share = 0.3
        await d.completions.complete(ASK)
    assert EndpointPaused("local", 0.15, "rate_limited") in d.listener.events


async def test_only_the_endpoint_that_asks_is_paused() -> None:
    limited = sends(b"", 429, {"Retry-After": "30"})
    async with desk(limited) as d, desk() as other:
        waiting = d.ask()
        await d.fake.arrived(1)
        assert (await other.completions.complete(ASK)).text == "はい。"
        waiting.cancel()
    assert len(d.fake.calls) == 1


async def test_nobody_at_the_first_contact_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        store, meter = MemoryStore(), MemoryMeter()
        completions = Completions(
            {"a": ModelSpec("a", "gone", "a", "a")},
            {"gone": Endpoint(EndpointSpec("gone", url))},
            store,
            meter,
            "study",
            Listener(),
            NoWait(),
        )
        with pytest.raises(
            EndpointError, match=f"endpoint gone: nobody answers at {url}"
        ) as caught:
            await completions.complete(ASK)
        await completions.close()
    assert "\n" not in str(caught.value)
    assert (store.outcomes, meter.open) == (["connection"] * 3, 0)


async def test_a_password_in_an_address_is_never_shown() -> None:
    """Such an address cannot be used at all (aiohttp refuses it), and that is said without it."""
    spec = EndpointSpec("local", "http://me:s3cret@127.0.0.1:9/v1")
    assert spec.shown == "http://***@127.0.0.1:9/v1"
    assert EndpointSpec("local", "http://[::1]:9/v1/").shown == "http://[::1]:9/v1"
    models = {"a": ModelSpec("a", "local", "a", "a")}
    completions = Completions(
        models,
        {"local": Endpoint(spec)},
        MemoryStore(),
        MemoryMeter(),
        "study",
        Listener(),
        NoWait(),
    )
    with pytest.raises(EndpointError) as caught:
        await completions.complete(ASK)
    await completions.close()
    assert spec.shown in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_an_endpoint_that_has_answered_once_may_fail_for_a_while() -> None:
    async with desk(says("はい。"), *[breaks()] * 6) as d:
        await d.completions.complete(ASK)
        with pytest.raises(ConnectionFailedError):
            await d.completions.complete(replace(ASK, draw=1))
    assert len(d.fake.calls) == 7


@pytest.mark.parametrize(
    ("variable", "words"), [("LOCAL_KEY", "valid key into LOCAL_KEY"), (None, "api_key_env")]
)
async def test_a_refused_key_is_one_line(variable: str | None, words: str) -> None:
    async with desk(sends(b"", 401), api_key_env=variable) as d:
        with pytest.raises(EndpointError, match=rf"^endpoint local: .*; .*{words}"):
            await d.completions.complete(ASK)
    assert d.store.outcomes == ["unauthorized"]


async def test_a_spent_budget_stops_before_anything_is_sent() -> None:
    async with desk(BUSY, limit=1) as d:
        with pytest.raises(BudgetSpentError):
            await d.completions.complete(ASK)
        with pytest.raises(BudgetSpentError):
            await d.completions.complete(replace(ASK, draw=1))
    assert len(d.fake.calls) == 1


async def test_what_another_process_stored_meanwhile_is_not_bought_again() -> None:
    async with desk() as d:
        bought = await d.completions.complete(ASK)
        del d.store.completions[bought.key]
        d.store.elsewhere[bought.key] = bought
        assert await d.completions.complete(ASK) is bought
    assert len(d.fake.calls) == 1
    assert [a.outcome for a in d.meter.settled] == ["ok", "unsent"]


@dataclass(slots=True)
class BrokenStore(MemoryStore):
    """A disk that is full when a request is claimed."""

    async def claim(self, attempt: Attempt) -> Completion | None:
        raise StoreError(f"disk full: {attempt.id}")


async def test_a_request_that_cannot_be_written_down_is_not_sent() -> None:
    async with desk(store=BrokenStore()) as d:
        with pytest.raises(StoreError):
            await d.completions.complete(ASK)
    assert d.fake.calls == []
    assert [a.outcome for a in d.meter.settled] == ["unsent"]


async def test_closing_lets_what_was_sent_end_and_drops_what_was_not() -> None:
    go = asyncio.Event()
    async with desk(waits(go, says("東京です。")), max_concurrency=1) as d:
        sent, queued = d.ask(), d.ask(replace(ASK, draw=1))
        await d.fake.arrived(1)
        asyncio.get_running_loop().call_later(0.05, go.set)
        await d.completions.close(grace=5)
        assert (await sent).text == "東京です。"
        with pytest.raises(asyncio.CancelledError):
            await queued
    assert len(d.fake.calls) == 1


async def test_closing_does_not_wait_for_ever() -> None:
    async with desk(waits(asyncio.Event(), BUSY), grace=0.05) as d:
        waiting = d.ask()
        await d.fake.arrived(1)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert d.store.outcomes == ["cancelled"]
    (attempt,) = d.meter.settled
    assert (attempt.prompt_tokens, attempt.estimated) == (3, True)


async def test_closing_ends_the_tries() -> None:
    go = asyncio.Event()
    async with desk(waits(go, BUSY)) as d:
        waiting = d.ask()
        await d.fake.arrived(1)
        asyncio.get_running_loop().call_later(0.05, go.set)
        await d.completions.close(grace=5)
        with pytest.raises(ServerFailedError):
            await waiting
    assert len(d.fake.calls) == 1


def by_model(**handlers: Handler) -> Handler:
    """Reply as the handler does that is named like the model."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await handlers[(await request.json())["model"]](request)

    return handler


@dataclass(slots=True)
class Pool:
    """Models behind one server, and what was said of them."""

    fake: FakeEndpoint
    completions: Completions
    listener: Listener
    store: MemoryStore
    jitter: NoWait

    async def layer(self, question: int, models: str) -> list[Completion | BaseException]:
        said: tuple[Message, ...] = ({"role": "user", "content": f"{question}番の首都は？"},)
        asked = (replace(ASK, model=model, messages=said) for model in models)
        return await asyncio.gather(
            *(self.completions.complete(request) for request in asked), return_exceptions=True
        )


@asynccontextmanager
async def pool(default: Handler, models: str, **spec: Any) -> AsyncIterator[Pool]:
    async with fake_endpoint() as fake:
        fake.default = default
        endpoint = Endpoint(EndpointSpec("local", fake.url, **spec))
        specs = {name: ModelSpec(name, "local", name, name) for name in models}
        listener, store, jitter = Listener(), MemoryStore(), NoWait()
        completions = Completions(
            specs, {"local": endpoint}, store, MemoryMeter(), "study", listener, jitter, 60.0
        )
        yield Pool(fake, completions, listener, store, jitter)
        await completions.close(0)


async def test_a_dead_proposer_costs_one_deadline_and_not_one_a_question() -> None:
    """A hundred questions; the dead one shares its endpoint with two that answer."""
    never = waits(asyncio.Event(), BUSY)
    answers = by_model(a=says("一"), d=never, b=says("二"))
    async with pool(answers, "adb", timeout=3.0) as p:  # those that answer need a fraction of it
        begun = time.monotonic()
        layers = await asyncio.gather(*(p.layer(question, "adb") for question in range(100)))
        again = await p.layer(100, "adb")
        seconds = time.monotonic() - begun
    for first, second, third in [*layers, again]:
        assert isinstance(first, Completion)
        assert isinstance(second, TimedOutError)
        assert isinstance(third, Completion)
    assert 3.0 <= seconds < 20.0  # a hundred in 16 slots would take 21, tried six times each 126
    dead = [call for call in p.fake.calls if call.body["model"] == "d"]
    assert len(dead) <= 16
    assert len(p.jitter.most) <= 1  # all but the first to fail know that it is of no use
    assert p.listener.events.count(ModelAway("d", "local", "no whole reply within 3 s")) == 1
    assert [a.outcome for a in p.store.attempts.values() if a.model == "d"] == (
        ["timeout"] * len(dead)
    )


async def test_the_others_do_not_wait_for_the_dead() -> None:
    answers = by_model(a=says("一"), d=waits(asyncio.Event(), BUSY))
    async with pool(answers, "ad", timeout=600.0, max_concurrency=4) as p:
        dead = [asyncio.create_task(p.layer(question, "d")) for question in range(20)]
        await p.fake.arrived(3)
        async with asyncio.timeout(60):
            layers = await asyncio.gather(*(p.layer(question, "a") for question in range(50)))
        assert all(isinstance(reply, Completion) for layer in layers for reply in layer)
        for task in dead:
            task.cancel()


async def test_a_server_that_comes_back_in_time_loses_no_question() -> None:
    async with desk(says("一"), *[breaks()] * 8, max_concurrency=2, timeout=20) as d:
        await d.completions.complete(ASK)
        asked = [d.ask(replace(ASK, draw=draw)) for draw in range(1, 30)]
        assert [(await task).text for task in asked] == ["はい。"] * 29
    assert ModelBack("served-a", "local") in d.listener.events
    assert len(d.fake.calls) == 30 + 8


async def test_nobody_at_the_first_contact_is_told_to_all_at_once() -> None:
    async with desk(max_concurrency=4) as d:
        d.fake.default = breaks()
        got = await asyncio.gather(
            *(d.ask(replace(ASK, draw=draw)) for draw in range(50)), return_exceptions=True
        )
    assert {type(error) for error in got} == {EndpointError}
    assert len(d.fake.calls) < 15


def at_most(limit: int) -> Handler:
    """Refuse what comes while so many requests are being answered."""
    running = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal running
        if running >= limit:
            return await sends(b"", 429, {"Retry-After-Ms": "5"})(request)
        running += 1
        try:
            await asyncio.sleep(0.005)
            return await says("はい。")(request)
        finally:
            running -= 1

    return handler


async def test_a_server_that_bears_less_is_sent_less() -> None:
    async with desk(max_concurrency=32) as d:
        d.fake.default = at_most(8)
        await asyncio.gather(*(d.ask(replace(ASK, draw=draw)) for draw in range(400)))
    assert d.store.outcomes.count("ok") == 400
    assert d.store.outcomes.count("rate_limited") < 150
