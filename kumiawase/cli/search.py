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
    """
    import asyncio

    from kumiawase import settings

    chosen = settings.load(config, study=study, storage=storage, trials=trials)
    from kumiawase import running  # a second's worth of imports: not before a typing error
    from kumiawase.cli.leaderboard import show

    code = asyncio.run(running.run(chosen))
    show(chosen, as_json=as_json)
    return code
