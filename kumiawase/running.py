"""Runs a search from its settings to its end, whatever ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from data.errors import UserError
from data.observer import Several
from db import engines
from db.leaderboard import rank
from endpoints.completions import AttemptSettled
from kumiawase import __version__, expected, forecasting, journal, progress, tables
from kumiawase.journal import Journal
from kumiawase.notify import notify
from kumiawase.overview import WAITS
from kumiawase.redaction import Redactor
from kumiawase.settings import Settings
from kumiawase.tally import Tally
from kumiawase.waits import Waits
from kumiawase.wiring import Session, open_session
from optimizer.budget import Budget
from optimizer.events import PhaseStarted
from optimizer.search import End

T = TypeVar("T")

HEARTBEAT = 30.0
LOOK = 1.0  # seconds between two looks for the stop file
INTERRUPTED = 130
CODES = {"done": 0, "exhausted": 0, "budget": 3}


async def run(settings: Settings) -> int:
    """Search as the settings say, with progress on stderr and a log beside the database.

    The first Ctrl-C or SIGTERM lets the calls in flight finish and returns; the second kills.

    Returns:
        The exit code: 0 done, 3 stopped by the budget, 130 interrupted.
    """
    redact = Redactor.of(settings)
    with journal.opened(beside(settings, "log.jsonl"), settings.study, redact) as log:
        log.write("start", pid=os.getpid(), version=__version__)
        try:
            code = await _interruptibly(settings, log)
        except Exception as error:
            log.write("error", kind=type(error).__name__, fault=str(error))
            await _notify(settings, f"stopped by an error: {redact(str(error))}", _code(error))
            raise
        log.write("end", code=code)
        return code


async def _interruptibly(settings: Settings, log: Journal) -> int:
    task = asyncio.current_task()
    assert task is not None
    async with progress.shown() as tally:
        with _interruptible(task, stop_file(settings)):
            try:
                return await _session(settings, tally, log)
            except asyncio.CancelledError:
                task.uncancel()
                _say(f"stopped; everything so far is kept: {_again(settings)} goes on")
                return INTERRUPTED


async def _session(settings: Settings, tally: Tally, log: Journal) -> int:
    waited, pace = Waits(), _Pace()
    async with open_session(settings, Several(tally, log, waited, pace)) as session:
        tally.start_from(session.closed)
        end = await _search(settings, session, tally, waited, pace)
        budget, code = session.budget, CODES[end]
        if end == "budget":
            _say(f"{_spent(budget)}, and {_again(settings)} goes on")
            log.write("budget", limit=budget.hit, calls=budget.spent, usd=round(budget.usd, 4))
        if end == "exhausted":
            _say("the space holds no ensemble that was not evaluated")
        if tally.calls:
            spent, note = session.store.spent(settings.study), _note(settings, session)
            if end != "budget" and note is not None:
                _say(expected.miss(note, spent))
            reason = _spent(budget) if end == "budget" else "done"
            verdict = rank(session.store, settings.study).verdict
            cost = f"{spent.calls:,} calls, ${spent.usd:.2f}, {tables.duration(spent.seconds)}"
            await _notify(settings, f"{reason}. {verdict}. Spent: {cost}", code)
        return code


async def _search(
    settings: Settings, session: Session, tally: Tally, waited: Waits, pace: _Pace
) -> End:
    """Run the search, and beside it what tells others of it."""
    store = session.store
    worker = await store.register(settings.study)

    async def note_health() -> None:
        await store.note(settings.study, WAITS + worker, waited.to_json(session.completions.slots))

    beside_it = [
        asyncio.create_task(_beat(session, worker, note_health)),
        asyncio.create_task(_expect(settings, session, pace)),
    ]
    try:
        return await session.search.run()
    finally:
        for task in beside_it:
            task.cancel()
        for fault in await asyncio.gather(*beside_it, return_exceptions=True):
            if isinstance(fault, Exception):
                _say(f"beside the search: {type(fault).__name__}: {fault}")
        if tally.calls:
            await note_health()
            await store.heartbeat(worker, finished=True)
        else:  # else each look at a finished study would change its leaderboard
            await store.dismiss(worker)


async def _aside(work: Callable[[], T]) -> T:
    """Run in a daemon thread: the end of a search does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(how: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if done.done() else how())

    def body() -> None:
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - handed on
            fault = error
            tell(lambda: done.set_exception(fault))
        else:
            tell(lambda: done.set_result(found))

    threading.Thread(target=body, daemon=True).start()
    return await done


class _Pace:
    """An `Observer` that measures how fast requests are answered until the first trial.

    Attributes:
        trials: Set when the first trial is about to be asked.
    """

    def __init__(self) -> None:
        self.trials = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        """Measure from now on."""
        self._since, self._calls, self._seconds = time.monotonic(), 0, 0.0

    def notice(self, event: object) -> None:
        """Take note of one event."""
        match event:
            case AttemptSettled(attempt):
                self._calls += 1
                self._seconds += attempt.seconds
            case PhaseStarted("trials"):
                self.trials.set()

    @property
    def parallel(self) -> float | None:
        """Requests in flight on average; None where there were too few to say."""
        elapsed = time.monotonic() - self._since
        return self._seconds / elapsed if self._calls >= forecasting.ENOUGH else None


async def _expect(settings: Settings, session: Session, pace: _Pace) -> None:
    """Say and keep what the search will take; again once its single models were measured."""
    store, note = session.store, _note(settings, session)

    async def expect(parallel: float | None) -> None:
        nonlocal note
        found = await _aside(
            lambda: forecasting.forecast(settings, session.suite, store, parallel)
        )
        note = expected.kept(settings, found)
        await store.note(settings.study, expected.NOTE, note)
        _say(expected.line(found))

    if note is None:
        await expect(None)
        pace.begin()  # what was imagined meanwhile took time from the search
    assert note is not None
    if note["forecast"]["measured"]["speeds"]:
        return
    await pace.trials.wait()
    if pace.parallel is not None:
        await expect(pace.parallel)


def _note(settings: Settings, session: Session) -> dict[str, Any] | None:
    """Return the note of an estimate made for this very search."""
    note = session.store.notes(settings.study).get(expected.NOTE)
    return note if expected.kept_for(settings, note) else None


async def _notify(settings: Settings, text: str, code: int) -> None:
    if settings.form.notify is None:
        return
    fault = await notify(
        settings.form.notify, f"kumiawase study {settings.study!r} (exit {code}): {text}"
    )
    if fault:
        _say(fault)


def _code(error: Exception) -> int:
    return 2 if isinstance(error, UserError) else 1


def _spent(budget: Budget) -> str:
    """Return which limit ended the search, and what to change."""
    limits, hit = budget.limits, budget.hit
    if hit == "until" and limits.until is not None:
        at = datetime.fromtimestamp(limits.until).astimezone()
        return f"{at:%Y-%m-%d %H:%M} has come (budget.until); write a later date and time"
    whole = {
        "calls": f"{limits.calls} calls",
        "usd": f"{limits.usd} USD",
        "hours": f"{(limits.seconds or 0) / 3600:g} hours",
    }[hit]
    return f"the budget of {whole} is spent; raise budget.{hit}"


async def _beat(session: Session, worker: str, note_health: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT)
        await session.store.heartbeat(worker)
        await note_health()


@contextmanager
def _interruptible(task: asyncio.Task[int], file: Path) -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or stop file into a cancellation; the next signal kills."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        watch.cancel()
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        _say("stopping: calls in flight may finish (10 s); once more stops at once")
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)
    watch = asyncio.create_task(_watch(file, stop))
    try:
        yield
    finally:
        watch.cancel()
        for number in signals:
            loop.remove_signal_handler(number)


async def _watch(file: Path, stop: Callable[[], None]) -> None:
    """Call `stop` when a file appears that was not there at the start."""
    if _there(file):
        await asyncio.to_thread(file.unlink)
        _say(f"{file} was there before this search; removed")
    while not _there(file):  # noqa: ASYNC110 - nobody tells of a new file
        await asyncio.sleep(LOOK)
    _say(f"{file} is there")
    stop()


def _there(file: Path) -> bool:
    return file.exists()  # a look of microseconds: no thread for it


def stop_file(settings: Settings) -> Path:
    """Return the file that stops searches: beside the database, or beside kumiawase.yaml."""
    return beside(settings, "stop")


def beside(settings: Settings, suffix: str) -> Path:
    """Return the file named like the database, or with PostgreSQL one beside kumiawase.yaml."""
    database = engines.sqlite_file(settings.storage)
    if database is None:
        return settings.folder / f"kumiawase.{suffix}"
    return database.with_name(f"{database.name}.{suffix}")


def _again(settings: Settings) -> str:
    return f"the same command (study {settings.study!r})"


def _say(text: str) -> None:
    click.echo(tables.visible(text), err=True)
