"""What ends a search: a stop file, SIGTERM, a disk that is full, a file that is broken."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import (
    MEMBERS,
    Pool,
    command,
    environment,
    pool,
    prepare,
    query,
    run,
    settings,
    started,
)

TRIALS = 8
STOPPED = 120.0  # seconds: ten, and whatever a busy machine takes to end a process
ROOM = 60_000  # bytes


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with pool(tmp_path_factory.mktemp("pool") / "log.jsonl", time_scale=0.15) as found:
        yield found


def set_up(folder: Path, url: str, trials: int = TRIALS) -> None:
    search = {"trials": trials, "layers": 1, "width": 3, "n": 2, "confirm": 1}
    prepare(folder, settings(url, search=search), items=8)


def test_a_stop_file_or_sigterm_stops_and_a_finished_study_costs_nothing(
    served: Pool, tmp_path: Path
) -> None:
    set_up(tmp_path, served.url)
    stop = tmp_path / "kumiawase.sqlite.stop"
    with started(tmp_path, "search") as search:
        search.until(lambda: "\ntrials" in f"\n{search.err}", "trials")
        stop.touch()
        by_file = search.end(STOPPED)
    assert by_file.code == 130
    assert f"{stop} is there" in by_file.err
    assert query(tmp_path, "SELECT count(*) FROM trials WHERE state = 'RUNNING'") == [(0,)]
    with started(tmp_path, "search") as search:
        search.until(lambda: "\ntrials" in f"\n{search.err}", "trials")
        search.signal(signal.SIGTERM)
        by_signal = search.end(STOPPED)
    assert by_signal.code == 130
    assert f"{stop} was there before this search; removed" in by_signal.err
    assert not stop.exists()
    ends = [run(tmp_path, "search", "--json")]
    calls = served.replies
    ends += [run(tmp_path, "search", "--json") for _ in range(2)]
    assert [end.code for end in ends] == [0, 0, 0]
    assert served.replies == calls
    assert ends[0].out == ends[1].out == ends[2].out
    assert len(json.loads(ends[0].out)["rows"]) >= len(MEMBERS) + TRIALS


@pytest.mark.parametrize("gone", ["reader", "disk"])
def test_the_exit_code_says_how_it_ended_though_nobody_reads_the_leaderboard(
    served: Pool, tmp_path: Path, gone: str
) -> None:
    prepare(tmp_path, settings(served.url, budget={"calls": 5}), items=8)
    read, write = os.pipe()
    os.close(read)
    if gone == "disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), write)
    done = subprocess.run(
        command(["search"]),
        cwd=tmp_path,
        env=environment({}),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert done.returncode == 3, done.stderr
    kept = "is spent but for 1 kept for the confirmation, which needed no more; raise budget.calls"
    assert f"the budget of 5 calls {kept}" in done.stderr.splitlines()[-1]


def test_a_full_disk_ends_the_search_in_one_line_and_with_room_it_goes_on(
    served: Pool, tmp_path: Path
) -> None:
    set_up(tmp_path, served.url, trials=1)
    file = tmp_path / "kumiawase.sqlite"
    with started(tmp_path, "search") as search:
        search.until(lambda: "\nincumbent" in f"\n{search.err}", "something that is kept")
        files = (one for one in (file, file.with_name(f"{file.name}-wal")) if one.exists())
        most = max(one.stat().st_size for one in files) + ROOM
        resource.prlimit(search.process.pid, resource.RLIMIT_FSIZE, (most, most))
        full = search.end()
    last = full.err.splitlines()[-1]
    assert full.code == 1
    assert "Traceback" not in full.err
    assert last.startswith(f"kumiawase: {file}: ")
    assert "run the same command again" in last
    kept = set(query(tmp_path, "SELECT key FROM completions"))
    assert kept
    assert query(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert run(tmp_path, "leaderboard", "--json").json["rows"]
    again = run(tmp_path, "search")
    assert again.code == 0, again.err
    assert kept < set(query(tmp_path, "SELECT key FROM completions"))
    twice = "SELECT count(*) - count(DISTINCT key) FROM attempts WHERE outcome = 'ok'"
    assert query(tmp_path, twice) == [(0,)]


def test_a_database_that_is_broken_ends_in_one_line_and_stays(tmp_path: Path) -> None:
    set_up(tmp_path, "http://127.0.0.1:9/v1")
    file = tmp_path / "kumiawase.sqlite"
    broken = b"SQLite format 3\x00" + bytes(range(256)) * 64
    file.write_bytes(broken)
    found = run(tmp_path, "search")
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert f"{file}: cannot be used" in found.err
    assert file.read_bytes() == broken
