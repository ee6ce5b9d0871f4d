"""`kumiawase status`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from kumiawase.settings import Settings
    from kumiawase.views.overview import Overview

EVERY = 2.0  # seconds between two looks


@click.command("status")
@options.config
@options.study
@options.storage
@click.option("--watch", is_flag=True, help="Look again every 2 s until the search ends.")
@options.as_json
def command(
    config: Path, study: str | None, storage: str | None, watch: bool, as_json: bool
) -> None:
    """Show what a study has done, spent and waited for, and who is at work on it.

    Times are h:mm:ss. `lost` is what failed requests took, `paused` how long an endpoint was left
    alone at its own wish, `away` how long models did not answer. With --json and --watch each look
    is one line; --watch where there is no terminal prints a line each time an evaluation begins
    or ends, and the whole at the end of the search.
    """
    from kumiawase import settings

    chosen = settings.load(config, study=study, storage=storage)
    if watch and not as_json:
        _watch(chosen)
        return
    found = _look(chosen)
    _show(found, as_json=as_json)
    with interruptible() as interrupted:
        while watch and found.searching:
            _wait(interrupted)
            found = _look(chosen)
            _show(found, as_json=as_json)


def _look(chosen: Settings) -> Overview:
    from kumiawase.reading import open_store
    from kumiawase.views.overview import overview

    with open_store(chosen) as store:
        return overview(chosen, store)


def _show(found: Overview, *, as_json: bool) -> None:
    from kumiawase import tables
    from kumiawase.views.overview import rendered

    if as_json:
        options.print_json(found.to_json())
        return
    out = tables.console()
    out.print(rendered(found, out.width))
    tables.spent(found.spent, out)


def _watch(chosen: Settings) -> None:
    """Refresh a terminal's other page until the search ends; elsewhere print a line a change.

    The last look is printed whole. Left by Ctrl-C, the terminal's page leaves nothing behind,
    not even the ^C that was written on it.
    """
    from contextlib import nullcontext

    from rich.live import Live

    from kumiawase import tables
    from kumiawase.views.overview import line, rendered

    found, out, told = _look(chosen), tables.console(), ""
    page = Live(console=out, screen=True, auto_refresh=False) if out.is_terminal else None
    with page or nullcontext(), interruptible() as interrupted:
        while found.searching:
            if page is not None:
                page.update(rendered(found, out.width), refresh=True)
            elif line(found) != told:
                told = line(found)
                click.echo(f"{_so_far(found)} {told}")
            _wait(interrupted)
            found = _look(chosen)
    _show(found, as_json=False)


def _so_far(found: Overview) -> str:
    from kumiawase.tables import duration

    return f"{duration(found.spent.seconds)} {found.spent.calls:,} calls;"


def _wait(interrupted: Event) -> None:
    if interrupted.wait(EVERY):
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Event]:
    """Give what Ctrl-C sets, for the first time; the second time it is what it was.

    As an exception it may come up where Python can only drop it: while an object is deleted.
    """
    import signal

    before, event = signal.getsignal(signal.SIGINT), Event()

    def interrupt(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
