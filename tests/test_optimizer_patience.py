"""A search waits for endpoints that have answered before, and for no others."""

from __future__ import annotations

import asyncio
import time

import pytest

from optimizer import patience
from optimizer.patience import Patience


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST", 0.01)


async def test_what_never_answered_is_not_waited_for() -> None:
    assert not await Patience(60, lambda: 0).wait()


async def test_silence_is_waited_through_until_it_has_lasted_too_long() -> None:
    waiting = Patience(0.5, lambda: 1)  # time for two looks on the busiest machine
    assert await waiting.wait()  # that one item was answered is news
    looks = 0
    begun = time.monotonic()
    while await waiting.wait():
        looks += 1
    assert looks >= 2
    assert time.monotonic() - begun >= 0.5


async def test_news_end_the_wait_at_once_and_renew_the_patience() -> None:
    answered = [1]
    waiting = Patience(0.02, lambda: answered[0])
    assert waiting.news()
    assert not waiting.news()
    while await waiting.wait():
        pass
    answered[0] += 1
    assert await waiting.wait()


async def test_whoever_waits_hears_of_an_answer_that_another_has_taken_note_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "FIRST", 300.0)
    answered = [1]
    patient = Patience(3600, lambda: answered[0])
    assert patient.news()
    waiting = [asyncio.create_task(patient.wait()) for _ in range(2)]
    await asyncio.sleep(0.01)
    answered[0] += 1
    assert patient.news()  # and nothing more is answered, for nothing more is asked
    async with asyncio.timeout(30):
        assert await asyncio.gather(*waiting) == [True, True]
