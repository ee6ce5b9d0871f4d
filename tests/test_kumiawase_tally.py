"""What a running search shows: counted from its events, in one line or a panel."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest
from rich.console import Console

from endpoints.flight import AttemptSettled, EndpointPaused
from judges.common_scale import CommonScale
from kumiawase import tables
from kumiawase.night import progress
from kumiawase.night.tally import WINDOW, Tally
from moa.ensemble import Ensemble, single
from optimizer.evaluation import ItemDone
from optimizer.events import (
    DiscoveryDone,
    EnsembleClosed,
    PhaseStarted,
    ScaleFrozen,
    TrialStarted,
)
from tests.support.pool import outcome
from tests.support.rows import attempt


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(clock: Clock) -> Tally:
    told: list[str] = []
    found = Tally(news=told.append, clock=clock)
    return found


def news(tally: Tally) -> list[str]:
    told = getattr(tally.news, "__self__", None)
    assert isinstance(told, list)
    return told


def closed(
    value: float,
    *,
    phase: str = "trials",
    number: int | None = 0,
    name: str = "a",
    duplicate: bool = False,
    **changes: object,
) -> EnsembleClosed:
    found = replace(outcome(single(name, 0.0), value, value), **changes)  # type: ignore[arg-type]
    return EnsembleClosed(phase, number, found, duplicate)


def test_attempts_items_and_money_are_counted(tally: Tally) -> None:
    for ended in ("ok", "ok", "timeout"):
        tally.notice(AttemptSettled(attempt(outcome=ended, usd=0.5)))
    tally.notice(ItemDone("s", "d", "i", None))
    assert (tally.calls, tally.usd, tally.items) == (3, 1.5, 1)
    assert dict(tally.outcomes) == {"ok": 2, "timeout": 1}


def test_the_rate_is_that_of_the_last_seconds(tally: Tally, clock: Clock) -> None:
    for _ in range(90):
        tally.notice(AttemptSettled(attempt(outcome="ok")))
    clock.now += WINDOW - 1
    assert tally.rate == pytest.approx(90 / (WINDOW - 1))
    clock.now += 2
    tally.notice(AttemptSettled(attempt(outcome="ok")))
    assert tally.rate == pytest.approx(1 / WINDOW)


def test_trials_run_and_close_and_duplicates_do_not_count(tally: Tally) -> None:
    tally.notice(PhaseStarted("trials", 10))
    for number in range(3):
        tally.notice(TrialStarted(number, "a", "tpe"))
    tally.notice(closed(0.5))
    tally.notice(closed(0.5, duplicate=True))
    tally.notice(closed(0.4, state="PRUNED"))
    tally.notice(closed(0.4, state="FAILED"))
    assert (tally.closed, tally.running, tally.pruned) == (2, 0, 1)


def test_time_left_is_judged_by_this_run_and_this_phase(tally: Tally, clock: Clock) -> None:
    tally.start_from(20)
    tally.notice(PhaseStarted("trials", 30))
    assert (tally.closed, tally.left) == (20, None)
    clock.now += 10
    tally.notice(closed(0.5))
    tally.notice(closed(0.5))
    assert tally.left == pytest.approx(10 / 2 * 8)
    tally.notice(PhaseStarted("confirmation", 4))
    clock.now += 6
    tally.notice(closed(0.5, phase="confirmation", number=None))
    assert tally.left == pytest.approx(6 * 3)  # also where earlier runs closed more than four
    for _ in range(3):
        tally.notice(closed(0.5, phase="confirmation", number=None))
    assert tally.left is None


def test_the_incumbent_is_ranked_and_never_one_of_the_confirmation(tally: Tally) -> None:
    tally.notice(closed(0.5, phase="single models", number=None, name="a"))
    tally.notice(closed(0.9, phase="confirmation", number=None, name="b"))
    tally.notice(closed(0.8, state="PRUNED", name="c"))
    tally.notice(closed(0.8, items=40, name="d"))  # most of it unscored
    tally.notice(closed(0.4, name="e"))
    assert tally.incumbent is not None
    assert tally.incumbent.ensemble == single("a", 0.0)
    tally.notice(closed(0.6, name="f"))
    assert [line for line in news(tally) if line.startswith("incumbent")] == [
        f"incumbent 5.00: {single('a', 0.0).label}",
        f"incumbent 6.00: {single('f', 0.0).label}",
    ]


def test_what_was_best_by_marks_as_they_are_is_forgotten_with_them(tally: Tally) -> None:
    tally.notice(closed(0.9, phase="single models", number=None))
    tally.notice(ScaleFrozen(CommonScale({}, 48)))
    forgotten = tally.incumbent
    assert forgotten is None
    assert news(tally)[-1] == "judges put on one scale by 48 answers"
    tally.notice(closed(0.6, phase="common scale", number=None))
    tally.notice(closed(0.99, phase="second opinion", number=None))
    assert tally.incumbent is not None
    assert tally.incumbent.value == 0.6


def test_what_happened_is_told_in_lines(tally: Tally) -> None:
    tally.start_from(3)
    for event in (
        PhaseStarted("baselines", 5),
        PhaseStarted("trials", 10),
        DiscoveryDone(2),
        EndpointPaused("local", 12.4, "rate_limited"),
        object(),
    ):
        tally.notice(event)
    assert news(tally) == [
        "baselines: 5 ensembles",
        "trials: 10 ensembles, 3 done",
        "discovery: 2 new ensembles proposed",
        "endpoint local asked for 12 s of rest (rate_limited)",
    ]


def test_the_state_is_one_line(tally: Tally, clock: Clock) -> None:
    tally.notice(PhaseStarted("trials", 4))
    tally.notice(AttemptSettled(attempt(outcome="ok", usd=1.25)))
    clock.now += 75
    tally.notice(closed(0.731))
    line = progress.line(tally)
    assert line.split("  ") == [
        "1:15 trials 1/4",
        "0 items",
        "1 calls",
        "0/s",
        "$1.25",
        "about 3:45 left",
        "best 7.31",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1:00:00")]
)
def test_durations(seconds: float, shown: str) -> None:
    assert tables.duration(seconds) == shown


async def test_without_a_terminal_news_are_plain_lines() -> None:
    out = io.StringIO()
    async with progress.shown(Console(file=out, width=40)) as tally:
        long = Ensemble((), single("長い名前のモデル" * 10 + "[bold]", 0.0).aggregator)
        tally.notice(EnsembleClosed("trials", 0, outcome(long, 0.5)))
    assert out.getvalue() == f"incumbent 5.00: {long.label}\n"


async def test_on_a_terminal_the_panel_goes_away_and_the_news_stay() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, highlight=False)
    async with progress.shown(console) as tally:
        tally.notice(PhaseStarted("trials", 4))
        tally.notice(closed(0.5, name="[red]鶴"))
        while "1/4" not in out.getvalue():  # noqa: ASYNC110 - rich tells nobody when it draws
            await asyncio.sleep(0.01)
    written = out.getvalue()
    assert "trials: 4 ensembles" in written
    assert "1/4" in written
    assert "[red]鶴" in written
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1  # the cursor is back
