"""The pace of a search is told when it is known, however late measuring began."""

from __future__ import annotations

import pytest

from endpoints.flight import AttemptSettled
from kumiawase.night.forecasting import ENOUGH
from kumiawase.night.pace import Pace
from optimizer.events import PhaseStarted
from tests.support.rows import attempt

CALL = AttemptSettled(attempt(seconds=2.0))


def test_the_pace_is_known_from_enough_calls_and_not_before_the_trials() -> None:
    pace = Pace()
    for _ in range(ENOUGH):
        pace.notice(CALL)
    assert not pace.known.is_set()
    pace.notice(PhaseStarted("trials", 3))
    assert pace.known.is_set()
    assert pace.parallel > 0


@pytest.mark.parametrize("late", [False, True])
def test_what_is_measured_anew_may_become_known_among_the_trials(late: bool) -> None:
    pace = Pace()
    for _ in range(ENOUGH):
        pace.notice(CALL)
    if late:
        pace.notice(PhaseStarted("trials", 3))
    pace.begin()
    if not late:
        pace.notice(PhaseStarted("trials", 3))
    assert not pace.known.is_set()
    for _ in range(ENOUGH):
        pace.notice(CALL)
    assert pace.known.is_set()
