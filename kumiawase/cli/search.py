"""`kumiawase search`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("search")
@options.config
@options.study
@options.storage
@click.option(
    "--trials", type=click.IntRange(0), help="Trials wanted in all, earlier runs included."
)
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON at the end.")
def command(
    config: Path, study: str | None, storage: str | None, trials: int | None, as_json: bool
) -> int:
    """Search for the best ensemble of the pool.

    Every reply, answer and verdict is kept, so the same command goes on where it stopped and
    pays for nothing twice. Ends with the leaderboard.

    Ctrl-C, SIGTERM or a file named like the database with .stop behind it (kumiawase.sqlite.stop;
    with PostgreSQL: kumiawase.stop beside the settings) lets the calls in flight finish and stops.

    Ends with 0 where all was done, 1 where something could not be evaluated, 3 where a budget
    ended it, 130 where it was stopped.
    """
    import asyncio

    from kumiawase import settings

    chosen = settings.load(config, study=study, storage=storage, trials=trials)
    from kumiawase.cli.leaderboard import at_end
    from kumiawase.night import running  # a second's worth of imports: not before a typing error

    return at_end(chosen, asyncio.run(running.run(chosen)), as_json=as_json)
