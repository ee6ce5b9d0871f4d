"""`kumiawase leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from kumiawase.settings import Settings


@click.command("leaderboard")
@options.config
@options.study
@options.storage
@click.option("--rows", type=click.IntRange(1), default=20, show_default=True, help="Most rows.")
@options.as_json
def command(
    config: Path, study: str | None, storage: str | None, rows: int, as_json: bool
) -> None:
    """Show the ensembles of a study, best first.

    Confirmed ensembles come first, by their score on held-out items. Scores run from 0 to 10,
    intervals are 95 %. Rows that share a group cannot be told apart.
    """
    from kumiawase import settings

    show(settings.load(config, study=study, storage=storage), rows=rows, as_json=as_json)


def show(settings: Settings, *, rows: int = 20, as_json: bool = False) -> None:
    """Print the leaderboard of the settings' study on stdout."""
    from db.leaderboard import rank
    from kumiawase import tables
    from kumiawase.reading import open_store

    with open_store(settings) as store:
        board = rank(store, settings.study)
    if as_json:
        options.print_json(board.to_json())
    else:
        tables.leaderboard(board, rows)
