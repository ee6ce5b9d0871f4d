"""Runs a search from its settings to its end, whatever ends it."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from data.errors import StoreError
from data.observer import Several
from db.leaderboard import rank
from kumiawase import __version__, tables
from kumiawase.night import ending, expected, forecasting, journal, progress
from kumiawase.night.ending import Ended
from kumiawase.night.journal import Journal
from kumiawase.night.notify import notify, unusable
from kumiawase.night.pace import Pace
from kumiawase.night.progress import say
from kumiawase.night.shortage import Short, shortages
from kumiawase.night.stopping import Stop, beside, interruptible, stop_file
from kumiawase.night.tally import Tally
from kumiawase.night.waits import NOTE, Waits
from kumiawase.redaction import Redactor
from kumiawase.settings import Settings
from kumiawase.wiring import Session, open_session
from optimizer.estimate import Forecast, Imagination
from optimizer.search import End

T = TypeVar("T")

HEARTBEAT = 30.0  # seconds between two signs of life of a run that has lived for a minute
HURRY = 5.0  # seconds for a message when somebody wants us to stop


async def run(settings: Settings) -> int:
    """Search as the settings say, with progress on stderr and a log beside the database.

    The first Ctrl-C or SIGTERM lets the calls in flight finish and returns; the second kills.

    Returns:
        The exit code: 0 done, 3 stopped by the budget, 1 done but for what could not be evaluated,
        130 interrupted.
    """
    redact = Redactor.of(settings)
    with journal.opened(beside(settings, "log.jsonl"), settings.study, redact) as log:
        log.write("start", pid=os.getpid(), version=__version__)
        try:
            found = await _interruptibly(settings, log, redact)
        except Exception as error:
            log.write("error", kind=type(error).__name__, fault=ending.fault(error, redact))
            await _notify(settings, ending.of_error(error, redact), redact)
            raise
        log.write("end", code=found.ended.code, text=found.ended.text)
        if found.worth_telling:
            await _notify(settings, found.ended, redact, found.more)
        return found.ended.code


def _missing(settings: Settings, log: Journal) -> Iterator[str]:
    """Yield what the morning will lack, as long as somebody is there to mend it."""
    if log.fault:
        yield f"no log will be written: {log.fault}"
    fault = unusable(settings.form.notify) if settings.form.notify else ""
    if fault:
        yield f"no message will be sent: {fault}; export it and start again to get one"


@dataclass(frozen=True, slots=True)
class _Found:
    """How it ended, with `more` for the message.

    Attributes:
        worth_telling: Not so of a look at a study that is finished.
    """

    ended: Ended
    more: str = ""
    worth_telling: bool = True


async def _interruptibly(settings: Settings, log: Journal, redact: Callable[[str], str]) -> _Found:
    task = asyncio.current_task()
    assert task is not None
    async with progress.shown() as tally:
        with interruptible(task, stop_file(settings), say) as stop:
            try:
                return await _session(settings, tally, log, stop, redact)
            except asyncio.CancelledError as error:
                if not stop.cause:  # nobody asked for it: a fault of ours is no interruption
                    raise RuntimeError("the search was cancelled from within") from error
                task.uncancel()
                ended = ending.of_stop(settings, stop.cause)
                say(ended.text)
                return _Found(ended)


async def _session(
    settings: Settings, tally: Tally, log: Journal, stop: Stop, redact: Callable[[str], str]
) -> _Found:
    waited, pace = Waits(), Pace()
    async with open_session(settings, Several(tally, log, waited, pace)) as session:
        tally.start_from(session.closed)
        for fault in _missing(settings, log):
            say(fault)
        try:
            with _unswept():
                end = await _search(settings, session, tally, waited, pace)
        except asyncio.CancelledError:
            if stop.cause:
                await _keep(settings, session, ending.of_stop(settings, stop.cause))
            raise
        except Exception as error:
            await _keep(settings, session, ending.of_error(error, redact))
            raise
        ended, budget = ending.of_search(settings, session, end), session.budget
        if end == "budget":
            log.write("budget", limit=budget.hit, calls=budget.spent, usd=round(budget.usd, 4))
        if ended.code or end != "done":
            say(ended.text)
        if not tally.calls:
            if not ended.told_by(session.store.notes(settings.study).get(ending.NOTE)):
                await _keep(settings, session, ended)
            return _Found(ended, worth_telling=ended.code != 0)
        await _keep(settings, session, ended)
        spent, note = session.store.spent(settings.study), _note(settings, session)
        if end != "budget" and note is not None:
            say(expected.miss(note, spent))
        verdict = rank(session.store, settings.study).verdict
        cost = f"{spent.calls:,} calls, ${spent.usd:.2f}, {tables.duration(spent.seconds)}"
        return _Found(ended, f". {verdict}. Spent: {cost}")


async def _keep(settings: Settings, session: Session, ended: Ended) -> None:
    """Keep how it ended for `status`."""
    with _aloud("how it ended could not be kept"):
        await session.store.note(settings.study, ending.NOTE, ended.note(time.time()))


@contextmanager
def _aloud(what: str) -> Iterator[None]:
    """Say that the database failed, and go on: what comes beside a search must not end it."""
    try:
        yield
    except StoreError as error:
        say(f"{what}: {error}")


@contextmanager
def _unswept() -> Iterator[None]:
    """Keep the garbage collector away from what was loaded so far.

    It would walk through all of that again and again, 0.2 s at a time, and no reply could be
    kept meanwhile.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _search(
    settings: Settings, session: Session, tally: Tally, waited: Waits, pace: Pace
) -> End:
    """Run the search, and beside it what tells others of it."""
    store = session.store
    worker = await store.register(settings.study)

    async def note_health() -> None:
        await store.note(settings.study, NOTE + worker, waited.to_json(session.completions.slots))

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
                say(f"beside the search: {type(fault).__name__}: {fault}")
        with _aloud("this run's end could not be kept"):  # hides no error that ended it
            if tally.calls:
                await store.heartbeat(worker, finished=True)
                await note_health()
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


async def _expect(settings: Settings, session: Session, pace: Pace) -> None:
    """Say and keep what the search will take; again once its single models were measured."""
    store, note = session.store, _note(settings, session)
    imagination = Imagination()

    async def expect(parallel: float | None) -> None:
        nonlocal note

        def imagined() -> tuple[Forecast, list[Short]]:
            found = forecasting.forecast(
                settings, session.suite, store, parallel, imagination=imagination
            )
            return found, shortages(settings, session.suite, store, found)

        found, short = await _aside(imagined)
        note = expected.kept(settings, found)
        await store.note(settings.study, expected.NOTE, note)
        for line in (expected.line(found), *(one.line for one in short)):
            say(line)

    if note is None:
        await expect(None)
        pace.begin()  # what was imagined meanwhile took time from the search
    assert note is not None
    if note["forecast"]["measured"]["speeds"]:
        return
    await pace.known.wait()
    await expect(pace.parallel)


def _note(settings: Settings, session: Session) -> dict[str, Any] | None:
    """Return the note of an estimate made for this very search."""
    note = session.store.notes(settings.study).get(expected.NOTE)
    return note if expected.kept_for(settings, note) else None


async def _notify(
    settings: Settings, ended: Ended, redact: Callable[[str], str], more: str = ""
) -> None:
    if settings.form.notify is None:
        return
    head = f"kumiawase study {settings.study!r} (exit {ended.code}): "
    hurry = HURRY if ended.code == ending.INTERRUPTED else None
    try:
        async with asyncio.timeout(hurry):
            fault = await notify(settings.form.notify, redact(f"{head}{ended.text}{more}"))
    except TimeoutError:
        fault = f"notify: the webhook did not answer within {HURRY:g} s"
    if fault:
        say(fault)


def pauses() -> Iterator[float]:
    """Yield seconds between signs of life: a run killed early has told of half its time."""
    pause = 1.0
    while True:
        yield pause
        pause = min(2 * pause, HEARTBEAT)


async def _beat(session: Session, worker: str, note_health: Callable[[], Awaitable[None]]) -> None:
    """Tell others that this run lives; a beat that fails is followed by the next one."""
    for pause in pauses():
        await asyncio.sleep(min(pause, HEARTBEAT))
        with _aloud("a sign of life could not be kept"):
            await session.store.heartbeat(worker)
            await note_health()
