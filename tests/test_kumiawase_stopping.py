"""What stops a search: signals, a closed terminal, a file, whatever state that file is in."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kumiawase.night import progress, stopping
from kumiawase.night.stopping import interruptible


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(stopping, "LOOK", 0.01)
    kept = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a search that was stopped before ignores it
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


async def stopped(file: Path, act: Callable[[], object], said: list[str]) -> str:
    """Return what stopped a search that would have lasted for ever."""

    async def search() -> str:
        task = asyncio.current_task()
        assert task is not None
        with interruptible(task, file, said.append) as stop:
            asyncio.get_running_loop().call_later(0.05, act)
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                task.uncancel()
            assert not task.cancelling()
            return stop.cause

    return await asyncio.create_task(search())


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
async def test_a_signal_stops_it_once(tmp_path: Path, name: str) -> None:
    number, said = signal.Signals[name], list[str]()
    assert await stopped(tmp_path / "stop", lambda: os.kill(os.getpid(), number), said) == name
    assert "once more stops at once" in said[-1]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_two_signals_at_once_stop_it_once(tmp_path: Path) -> None:
    """`timeout` tells its child, then its group."""

    def act() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    said: list[str] = []
    assert await stopped(tmp_path / "stop", act, said) == "SIGTERM"
    assert len(said) == 1


async def test_a_terminal_that_is_closed_kills_nobody_who_is_stopping(tmp_path: Path) -> None:
    """A shell tells its jobs when its terminal is closed, and the kernel tells them again."""

    def act() -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    assert await stopped(tmp_path / "stop", act, []) == "SIGHUP"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


async def test_nohup_keeps_a_closed_terminal_away(tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def act() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        (tmp_path / "stop").touch()

    assert await stopped(tmp_path / "stop", act, []) == "the file stop"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


async def test_a_stop_file_that_was_there_is_removed_and_a_new_one_stops(tmp_path: Path) -> None:
    file, said = tmp_path / "stop", list[str]()
    file.touch()

    def act() -> None:
        if said:
            file.touch()
        else:  # the old one is still there
            asyncio.get_running_loop().call_later(0.01, act)

    assert await stopped(file, act, said) == "the file stop"
    assert said[0] == f"{file} was there before this search; removed"


@pytest.mark.parametrize("again", ["touched", "made anew"])
async def test_a_stop_file_that_cannot_be_removed_stops_when_touched(
    tmp_path: Path, again: str
) -> None:
    file, said = tmp_path / "stop", list[str]()
    file.mkdir()  # which no unlink takes away, root's neither

    def act() -> None:
        if again == "touched":
            os.utime(file)
        else:
            file.rmdir()
            asyncio.get_running_loop().call_later(0.1, file.mkdir)

    assert await stopped(file, act, said) == "the file stop"
    assert f"{file} was there before this search and stays (" in said[0]
    assert said[0].endswith("; touch it again to stop")


@pytest.mark.parametrize("gone", ["reader", "disk"])
async def test_a_search_does_not_end_because_nobody_can_hear_it(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """`2>&1 | tee` that died, a terminal that was closed, a full disk behind `2>`."""
    read, write = os.pipe()
    os.close(read)
    deaf = os.fdopen(write, "w", buffering=1)
    if gone == "disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), deaf.fileno())
    monkeypatch.setattr(sys, "stderr", deaf)
    monkeypatch.setattr(progress, "EVERY", 0.01)
    async with progress.shown() as tally:
        tally.news("first")
        await asyncio.sleep(0.05)
        tally.news("second")
    progress.say("third")
    os.dup2(os.open(os.devnull, os.O_WRONLY), deaf.fileno())  # so that it can be closed
    deaf.close()
