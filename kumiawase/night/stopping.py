"""What stops a search before its end: signals, and a file beside the database."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db import engines
from kumiawase.settings import Settings

LOOK = 1.0  # seconds between two looks for the stop file


@dataclass(slots=True)
class Stop:
    """Whether somebody stopped the search.

    Attributes:
        cause: What it was; empty as long as nobody did.
    """

    cause: str = ""


@contextmanager
def interruptible(
    task: asyncio.Task[object], file: Path, say: Callable[[str], None]
) -> Iterator[Stop]:
    """Turn the first signal or stop file into a cancellation; the next signal kills.

    The signals are those of Ctrl-C, `kill` and a terminal that is closed. The last is left to
    `nohup` where that keeps it away, and kills nobody: a shell and the kernel send it both.

    Args:
        task: Cancelled once.
        file: The stop file.
        say: Tells the user.
    """
    loop = asyncio.get_running_loop()
    found = Stop()
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)

    def stop(cause: str) -> None:
        if found.cause:  # two came before either was heard, as `timeout` sends them
            return
        found.cause = cause
        watch.cancel()
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        say("stopping: calls in flight may finish (10 s); once more stops at once")
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop, number.name)
    watch = asyncio.create_task(_watch(file, stop, say))
    try:
        yield found
    finally:
        watch.cancel()
        for number in signals:
            loop.remove_signal_handler(number)


async def _watch(file: Path, stop: Callable[[str], None], say: Callable[[str], None]) -> None:
    """Call `stop` when a file appears that was not there at the start, or is touched again."""
    old = _seen(file)
    if old is not None:
        try:
            await asyncio.to_thread(file.unlink)
            old = None
            say(f"{file} was there before this search; removed")
        except OSError as error:
            kept = f"{file} was there before this search and stays ({error.strerror})"
            say(f"{kept}; touch it again to stop")
    while (now := _seen(file)) is None or now == old:
        old = now  # one that was taken away meanwhile is new when it comes back
        await asyncio.sleep(LOOK)
    say(f"{file} is there")
    stop(f"the file {file.name}")


def _seen(file: Path) -> int | None:
    """Return when a file was touched; None where there is none that can be seen."""
    try:
        return os.stat(file).st_mtime_ns  # noqa: PTH116 - a look of microseconds: no thread for it
    except OSError:
        return None


def stop_file(settings: Settings) -> Path:
    """Return the file that stops searches: beside the database, or beside kumiawase.yaml."""
    return beside(settings, "stop")


def beside(settings: Settings, suffix: str) -> Path:
    """Return the file named like the database, or with PostgreSQL one beside kumiawase.yaml."""
    database = engines.sqlite_file(settings.storage)
    if database is None:
        return settings.folder / f"kumiawase.{suffix}"
    return database.with_name(f"{database.name}.{suffix}")
