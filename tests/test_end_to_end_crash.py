"""A search that is killed or interrupted goes on with the same command and pays nothing twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.soak.kills import IN_FLIGHT, TWICE, repeated
from tests.support.program import (
    DISCOVERER,
    JUDGE,
    MEMBERS,
    REPORT_JUDGE,
    Pool,
    Run,
    Started,
    pool,
    prepare,
    query,
    run,
    settings,
    started,
)

TRIALS = 6
STOPPED = 120.0  # seconds after Ctrl-C: ten, and whatever a busy machine takes to end a process

SETTLED = "SELECT count(*) FROM attempts WHERE outcome != 'sent'"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with pool(tmp_path_factory.mktemp("pool") / "log.jsonl", time_scale=0.03) as found:
        yield found


def set_up(folder: Path, url: str) -> None:
    names = (*MEMBERS, JUDGE, REPORT_JUDGE, DISCOVERER)
    limits = {"trials": TRIALS, "layers": 2, "width": 3, "n": 2, "confirm": 2}
    search = limits | {"discoverer": DISCOVERER}
    models = {name: {"endpoint": "pool"} for name in names}
    prepare(folder, settings(url, search=search, models=models), items=12)


def wait_for(search: Started, served: Pool, phase: str, replies: int) -> None:
    """Wait until a phase has begun and so many replies were sent in it."""
    search.until(lambda: f"\n{phase}" in f"\n{search.err}", phase)
    already = served.replies
    search.until(lambda: served.replies >= already + replies, f"{replies} replies")


def check_nothing_again(folder: Path, served: Pool, since: int, ends: Sequence[float]) -> None:
    """Check that what was answered came once more only if its reply was not yet kept."""
    assert query(folder, TWICE) == [(0,)]
    assert repeated(served.served[since:], ends, 0.0) <= query(folder, IN_FLIGHT)[0][0]


def check_finished(folder: Path, found: Run) -> None:
    assert found.code == 0, found.err
    trials = query(folder, "SELECT number, state FROM trials ORDER BY number")
    assert [number for number, _ in trials] == list(range(len(trials)))
    assert {state for _, state in trials} <= {"COMPLETE", "PRUNED"}
    assert query(folder, "PRAGMA integrity_check") == [("ok",)]
    tried = "SELECT count(*) FROM evaluations WHERE half = 'search' AND origin != 'baseline'"
    assert query(folder, tried) == [(TRIALS,)]
    assert query(folder, "SELECT DISTINCT state FROM evaluations ORDER BY 1") in (
        [("COMPLETE",)],
        [("COMPLETE",), ("PRUNED",)],
    )


@pytest.mark.parametrize(
    ("phase", "replies"),
    [("trials", 60), ("confirmation", 15)],
)
def test_after_a_kill_the_same_command_finishes_and_asks_nothing_again(
    served: Pool, tmp_path: Path, phase: str, replies: int
) -> None:
    set_up(tmp_path, served.url)
    before = served.replies
    with started(tmp_path, "search") as search:
        wait_for(search, served, phase, replies)
        answered = served.replies - before
        search.until(lambda: query(tmp_path, SETTLED)[0][0] >= answered, "they are kept")
        killed = search.kill()
    # The moment was a hard one: replies that must be kept, and trials that were at work.
    assert query(tmp_path, SETTLED)[0][0] >= answered >= replies
    running = query(tmp_path, "SELECT count(*) FROM trials WHERE state = 'RUNNING'")
    assert (running != [(0,)]) == (phase == "trials")
    if running != [(0,)]:  # what is known can be read at any moment
        assert run(tmp_path, "leaderboard", "--json").json["rows"]
    check_finished(tmp_path, run(tmp_path, "search"))
    check_nothing_again(tmp_path, served, before, [killed])


def test_killed_again_and_again_it_gets_there(served: Pool, tmp_path: Path) -> None:
    set_up(tmp_path, served.url)
    before, ends = served.replies, []
    for replies in (10, 80, 60):  # the first among the single models
        with started(tmp_path, "search") as search:
            already = served.replies
            search.until(lambda: served.replies >= already + replies, "replies")  # noqa: B023
            ends.append(search.kill())
    check_finished(tmp_path, run(tmp_path, "search"))
    check_nothing_again(tmp_path, served, before, ends)


def test_after_ctrl_c_calls_in_flight_are_kept_and_the_same_command_finishes(
    served: Pool, tmp_path: Path
) -> None:
    set_up(tmp_path, served.url)
    before = served.replies
    with started(tmp_path, "search") as search:
        wait_for(search, served, "trials", 20)
        search.signal(signal.SIGINT)
        stopped = search.end(STOPPED)
    assert stopped.code == 130
    assert "the same command (study 'default') goes on" in stopped.err
    assert "Traceback" not in stopped.err
    interrupted = served.replies
    outcomes = query(tmp_path, "SELECT DISTINCT outcome FROM attempts")
    assert outcomes == [("ok",)]
    check_finished(tmp_path, run(tmp_path, "search"))
    lines = served.served
    first, second = lines[before:interrupted], lines[interrupted:]
    assert not {line.sha256 for line in first} & {line.sha256 for line in second}


def test_a_second_ctrl_c_ends_at_once_and_the_first_waits_no_longer_than_it_says(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    once, twice = (tmp_path_factory.mktemp(name) for name in ("once", "twice"))
    with pool(twice / "log.jsonl", time_scale=600.0) as slow:
        for folder in (once, twice):
            set_up(folder, slow.url)
        with started(once, "search") as patient, started(twice, "search") as hasty:
            for search, folder in ((patient, once), (hasty, twice)):
                search.until(lambda: sent(folder), "a request is sent")  # noqa: B023
            for search in (patient, hasty):
                search.signal(signal.SIGINT)
                search.until(lambda: "stopping" in search.err, "the signal is heard")  # noqa: B023
            hasty.signal(signal.SIGINT)
            assert hasty.end().code == -signal.SIGINT
            assert patient.process.poll() is None
            assert patient.end(STOPPED).code == 130
            assert "goes on" in patient.err


def sent(folder: Path) -> bool:
    if not (folder / "kumiawase.sqlite").exists():
        return False
    tables = query(folder, "SELECT name FROM sqlite_master WHERE name = 'attempts'")
    return bool(tables) and query(folder, "SELECT count(*) FROM attempts") != [(0,)]
