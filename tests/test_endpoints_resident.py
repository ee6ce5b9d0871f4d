"""A host that holds few models is sent the requests of one after those of another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from data.errors import ConfigError, ConnectionFailedError, RequestError
from endpoints import residence as residences
from endpoints.residence import LINGER, Residence
from endpoints.scheduler import EndpointQueue
from endpoints.specs import EndpointSpec
from kumiawase.settings import load


@dataclass(eq=False, slots=True)
class Queue:
    """One model's queue, as a test writes it down."""

    name: str
    waiting: int = 0
    held: int = 0
    idle_since: float = 0.0
    came: float = 0.0
    away: bool = False

    def waited(self, now: float) -> float:
        return self.waiting * (now - self.came)

    def ready(self, now: float) -> bool:
        return self.waiting > 0 and not self.away and now >= self.came


def names(residence: Residence, lanes: list[Queue], now: float) -> list[str]:
    return [lane.name for lane in lanes if lane in residence.at_hand(lanes, now)]


def test_a_model_stays_until_its_last_reply_has_had_its_consequences() -> None:
    a, b = Queue("a", waiting=2), Queue("b", waiting=9)
    residence = Residence(1)
    assert names(residence, [a], 1.0) == ["a"]
    a.waiting, a.held = 0, 2
    assert names(residence, [a, b], 2.0) == ["a"]
    a.held, a.idle_since = 0, 3.0
    assert names(residence, [a, b], 3.0) == ["a"]
    assert residence.due == pytest.approx(3.0 + LINGER)
    assert names(residence, [a, b], 3.0 + LINGER) == ["b"]


def test_a_request_that_comes_in_time_is_served_without_a_load() -> None:
    a, b = Queue("a", waiting=1), Queue("b", waiting=9)
    residence = Residence(1)
    residence.at_hand([a], 1.0)
    a.waiting, a.idle_since = 0, 3.0
    assert names(residence, [a, b], 3.0) == ["a"]
    a.waiting = 1
    assert names(residence, [a, b], 4.0) == ["a"]


def test_the_one_follows_whose_requests_have_waited_longest_together() -> None:
    a, few, many = Queue("a", 1), Queue("few", 2, came=1.0), Queue("many", 9, came=4.0)
    residence = Residence(1)
    residence.at_hand([a], 1.0)
    a.waiting = 0
    assert names(residence, [a, few, many], 6.0) == ["many"]
    many.waiting, few.waiting, a.waiting = 0, 1, 9
    a.came = 99.0
    assert names(residence, [a, few, many], 100.0) == ["few"]


def test_as_many_stay_as_the_host_holds() -> None:
    a, b, c = Queue("a", 1), Queue("b", 1), Queue("c", 1)
    residence = Residence(2)
    assert names(residence, [a, b, c], 1.0) == ["a", "b"]
    b.waiting, b.idle_since = 0, 1.0
    assert names(residence, [a, b, c], 2.0) == ["a", "c"]


def test_a_model_that_does_not_answer_keeps_nobody_waiting() -> None:
    a, b = Queue("a", 5), Queue("b", 1)
    residence = Residence(1)
    residence.at_hand([a], 0.0)
    a.away = True
    assert names(residence, [a, b], 1.0) == ["b"]


def test_a_busy_model_makes_room_in_the_end_and_each_has_its_time() -> None:
    a, b = Queue("a", 500), Queue("b", 1)
    residence = Residence(1, tenure=60)
    residence.at_hand([a], 0.0)
    a.held = 8
    assert names(residence, [a, b], 59.0) == ["a"]
    assert residence.due == 60.0
    assert names(residence, [a, b], 60.0) == []  # what is in flight ends first
    a.held = 0
    assert names(residence, [a, b], 61.0) == ["b"]
    assert names(residence, [a, b], 120.0) == ["b"]
    assert names(residence, [a, b], 121.0) == ["a"]


async def test_ensembles_in_flight_and_the_judge_share_the_drains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten items go through a, b and c, then c and a, then b: five loads, whatever the order."""
    monkeypatch.setattr(residences, "LINGER", 0.3)  # longer than a busy machine holds us up
    spec = EndpointSpec("host", "http://127.0.0.1/v1", max_concurrency=4, resident=1)
    slots, served = EndpointQueue(spec), list[str]()

    async def call(model: str, seconds: Iterator[float]) -> None:
        async with slots.slot(model):
            served.append(model)
            await asyncio.sleep(next(seconds))

    async def item(number: int) -> None:
        seconds = iter([0.001 * (1 + (number + n) % 4) for n in range(7)])
        await asyncio.gather(*(call(model, seconds) for model in "abc"))
        await asyncio.gather(*(call(model, seconds) for model in "ca"))
        await call("b", seconds)

    await asyncio.gather(*(item(number) for number in range(10)))
    loads = [m for n, m in enumerate(served) if n == 0 or served[n - 1] != m]
    assert "".join(loads) == "abcab"
    assert len(served) == 60


CONFIG = """\
endpoints:
  host: {base_url: "http://127.0.0.1:11434/v1", resident: RESIDENT}
models:
  a: {endpoint: host, family: x}
  b: {endpoint: host, family: y}
"""


def test_settings_say_how_many_models_a_host_holds(tmp_path: Path) -> None:
    file = tmp_path / "kumiawase.yaml"
    file.write_text(CONFIG.replace("RESIDENT", "2"), encoding="utf-8")
    assert load(file).endpoints["host"].resident == 2
    file.write_text(CONFIG.replace("RESIDENT", "0"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"kumiawase.yaml:2: .*resident"):
        load(file)


def test_a_model_whose_place_nobody_wants_any_more_stays_at_hand() -> None:
    a, b, c = Queue("a", 9), Queue("b", 1), Queue("c", 1, came=50.0)
    residence = Residence(2, tenure=10.0)
    residence.at_hand([a, b, c], 1.0)
    b.waiting, b.held, b.idle_since = 0, 0, 40.0
    a.held = 1
    assert names(residence, [a, b, c], 60.0) == ["a", "c"]  # c took b's place, a need not go


async def test_a_retry_whose_probe_was_due_long_ago_gets_its_turn_on_the_host() -> None:
    spec = EndpointSpec("h", "http://127.0.0.1:9/v1", max_concurrency=4, resident=1)
    queue = EndpointQueue(spec, ["a", "b"], first_probe=0.3)

    async def call(model: str, error: RequestError | None, seconds: float) -> None:
        async with queue.slot(model) as slot:
            await asyncio.sleep(seconds)
            slot.learn(error, seconds)

    await asyncio.gather(*(call("b", ConnectionFailedError("x"), 0.01) for _ in range(3)))
    retry = asyncio.create_task(call("b", None, 0.01))
    await call("a", None, 0.7)  # takes the place for longer than the first probe's interval
    async with asyncio.timeout(30):
        await retry
