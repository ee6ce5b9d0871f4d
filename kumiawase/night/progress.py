"""Progress on stderr: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kumiawase.night.tally import Tally
from kumiawase.tables import duration, visible

EVERY = 30.0  # seconds between two plain lines: enough to see it lives, too few to be spam


@contextlib.asynccontextmanager
async def shown(console: Console | None = None) -> AsyncIterator[Tally]:
    """Yield a tally whose state is shown on stderr until the block ends."""
    console = console or _Console(stderr=True, highlight=False)
    tally = Tally(news=lambda text: _print(console, visible(text)))
    task = asyncio.create_task(
        _live(console, tally) if console.is_terminal else _lines(console, tally)
    )
    try:
        yield tally
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def say(text: str) -> None:
    """Print a line on stderr, if anybody is there to read it: a search needs nobody."""
    with contextlib.suppress(OSError):  # a terminal that is gone, a full disk behind `2>`
        click.echo(visible(text), err=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        self.quiet = True  # rich would exit with 1


def _print(console: Console, text: str) -> None:
    with contextlib.suppress(OSError):  # as in `say`
        console.print(text, markup=False, soft_wrap=True)


async def _live(console: Console, tally: Tally) -> None:
    with Live(_panel(tally), console=console, refresh_per_second=4, transient=True) as live:
        while True:
            await asyncio.sleep(0.25)
            live.update(_panel(tally))


async def _lines(console: Console, tally: Tally) -> None:
    while True:
        await asyncio.sleep(EVERY)
        _print(console, line(tally))


def line(tally: Tally) -> str:
    """Return the state in one line."""
    parts = [
        f"{duration(tally.seconds)} {tally.phase} {tally.closed}/{tally.wanted}",
        f"{tally.items} items",
        f"{tally.calls} calls",
        f"{tally.rate:.0f}/s",
        f"${tally.usd:.2f}",
    ]
    if tally.left is not None:
        parts.append(f"about {duration(tally.left)} left")
    if tally.incumbent is not None and tally.incumbent.value is not None:
        parts.append(f"best {10 * tally.incumbent.value:.2f}")
    return "  ".join(parts)


def _panel(tally: Tally) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        tally.phase or "starting",
        ProgressBar(total=max(tally.wanted, 1), completed=tally.closed, width=30),
        f"{tally.closed}/{tally.wanted}",
        f"{tally.running} in flight, {tally.pruned} pruned" if tally.phase == "trials" else "",
    )
    best = tally.incumbent
    text = f"best {10 * (best.value or 0):.2f}  {best.ensemble.label}" if best else ""
    return Group(grid, Text(line(tally), overflow="ellipsis", no_wrap=True), Text(text))
