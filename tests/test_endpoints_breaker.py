"""A model that does not answer is found out at the price of one deadline, and found again."""

from __future__ import annotations

import pytest

from data.errors import (
    ConnectionFailedError,
    EmptyReplyError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerFailedError,
    TimedOutError,
)
from endpoints.breaker import Breaker

DEADLINE = 100.0
TIMEOUT = TimedOutError("no whole reply")


def breaker() -> Breaker:
    return Breaker(DEADLINE, first_probe=1.0)


def fail(found: Breaker, error: RequestError, sent: float, now: float, waiting: int = 9) -> None:
    found.learn(error, sent, now, probe=False, waiting=waiting)


@pytest.mark.parametrize("kind", [ConnectionFailedError, ServerFailedError])
def test_it_opens_after_three_failures_in_a_row(kind: type[RequestError]) -> None:
    found = breaker()
    for now in (1.0, 2.0):
        fail(found, kind("away"), now, now)
    assert found.admits(2.0)
    fail(found, kind("away"), 3.0, 3.0)
    assert not found.admits(3.9)
    assert found.admits(4.0)
    assert not found.given_up


@pytest.mark.parametrize("kind", [RateLimitedError, RejectedError, EmptyReplyError])
def test_whatever_else_a_model_says_it_is_there(kind: type[RequestError]) -> None:
    found = breaker()
    for _ in range(9):
        fail(found, ConnectionFailedError("away"), 1.0, 1.0)
    assert not found.admits(1.5)
    found.learn(kind("no"), 5.0, 6.0, probe=True, waiting=9)
    fail(found, ConnectionFailedError("away"), 7.0, 7.0)
    assert found.admits(7.0)


def test_a_slow_model_that_answers_others_is_not_away() -> None:
    found = breaker()
    found.learn(None, 0.0, 95.0, probe=False, waiting=9)
    for sent in range(9):
        fail(found, TIMEOUT, float(sent), sent + DEADLINE)
    assert not found.open


def test_a_deadline_of_silence_is_enough_for_all() -> None:
    found = breaker()
    for _ in range(2):
        fail(found, TIMEOUT, 0.0, DEADLINE)
    assert found.given_up
    assert found.hopeless(DEADLINE + 0.9)
    assert not found.hopeless(DEADLINE + 1.0)


def test_one_request_that_never_ends_does_not_fail_those_behind_it() -> None:
    found = breaker()
    fail(found, TIMEOUT, 0.0, DEADLINE, waiting=9)
    assert found.open
    assert not found.given_up
    found.learn(TIMEOUT, DEADLINE, 2 * DEADLINE, probe=True, waiting=8)
    assert found.given_up


def test_nobody_is_failed_by_giving_up_when_nobody_waits() -> None:
    found = breaker()
    fail(found, TIMEOUT, 0.0, DEADLINE, waiting=0)
    assert found.given_up


def test_a_server_that_refuses_is_waited_for_as_long_as_one_that_hangs() -> None:
    found, now = breaker(), 0.0
    for _ in range(3):
        fail(found, ConnectionFailedError("refused"), now, now)
    while not found.given_up:
        now = found.due
        assert found.admits(now)
        found.learn(ConnectionFailedError("refused"), now, now, probe=True, waiting=9)
    assert DEADLINE <= now <= DEADLINE + 30


def test_probes_are_single_and_at_growing_intervals() -> None:
    found = breaker()
    for _ in range(3):
        fail(found, ConnectionFailedError("away"), 0.0, 0.0)
    waits = []
    for _ in range(7):
        begun = found.due
        found.probing = True
        assert not found.admits(begun + 1)
        found.learn(ConnectionFailedError("away"), begun, begun, probe=True, waiting=9)
        waits.append(found.due - begun)
    assert waits == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert found.probes == 7


def test_a_late_failure_of_an_older_request_is_no_probe() -> None:
    found = breaker()
    for _ in range(3):
        fail(found, ConnectionFailedError("away"), 0.0, 0.0)
    due = found.due
    fail(found, ConnectionFailedError("away"), 0.0, 0.5)
    assert (found.due, found.probes) == (due, 0)


def test_time_in_which_nobody_asked_is_no_silence() -> None:
    """A Retry-After of a deadline's length, or another model's turn on the host."""
    found = breaker()
    for _ in range(3):
        fail(found, ServerFailedError("503"), 0.0, 0.1)
    found.probing = True
    found.learn(ServerFailedError("503"), 100.2, 100.3, probe=True, waiting=9)
    assert found.open
    assert not found.given_up
    lone = breaker()
    fail(lone, ConnectionFailedError("away"), 0.0, 0.1)
    fail(lone, ConnectionFailedError("away"), 600.0, 600.1)
    assert lone.admits(600.1)
