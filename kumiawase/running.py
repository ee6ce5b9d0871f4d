"""Runs a search from its settings to its end, whatever ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from kumiawase import progress
from kumiawase.settings import Settings
from kumiawase.tally import Tally
from kumiawase.wiring import Session, open_session

HEARTBEAT = 30.0
INTERRUPTED = 130
CODES = {"done": 0, "exhausted": 0, "budget": 3}


async def run(settings: Settings) -> int:
    """Search as the settings say, with progress on stderr.

    The first Ctrl-C or SIGTERM lets the calls in flight finish and returns; the second kills.

    Returns:
        The exit code: 0 done, 3 stopped by the budget, 130 interrupted.
    """
    task = asyncio.current_task()
    assert task is not None
    async with progress.shown() as tally:
        with _interruptible(task):
            try:
                async with open_session(settings, tally) as session:
                    return await _search(settings, session, tally)
            except asyncio.CancelledError:
                task.uncancel()
                _say(f"stopped; everything so far is kept: {_again(settings)} goes on")
                return INTERRUPTED


async def _search(settings: Settings, session: Session, tally: Tally) -> int:
    tally.start_from(session.closed)
    worker = await session.store.register(settings.study)
    beat = asyncio.create_task(_beat(session, worker))
    try:
        end = await session.search.run()
    finally:
        beat.cancel()
        await session.store.heartbeat(worker, finished=True)
    if end == "budget":
        _say(
            f"the budget of {session.budget.calls} calls is spent; raise budget.calls and"
            f" {_again(settings)} goes on"
        )
    if end == "exhausted":
        _say("the space holds no ensemble that was not evaluated")
    return CODES[end]


async def _beat(session: Session, worker: str) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT)
        await session.store.heartbeat(worker)


@contextmanager
def _interruptible(task: asyncio.Task[int]) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a cancellation, and leave the second as it is."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        _say("stopping: calls in flight may finish (10 s); once more stops at once")
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _again(settings: Settings) -> str:
    return f"the same command (study {settings.study!r})"


def _say(text: str) -> None:
    click.echo(text, err=True)
