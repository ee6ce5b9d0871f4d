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
@click.option(
    "--study",
    "studies",
    multiple=True,
    help="Name of the study, instead of the settings' own; several are ranked together.",
)
@options.storage
@click.option(
    "--allow-mixed",
    is_flag=True,
    help="Show studies together even if other judges or suites scored them.",
)
@click.option("--rows", type=click.IntRange(1), default=20, show_default=True, help="Most rows.")
@options.as_json
def command(
    config: Path,
    studies: tuple[str, ...],
    storage: str | None,
    allow_mixed: bool,
    rows: int,
    as_json: bool,
) -> None:
    """Show the ensembles of a study, best first.

    Confirmed ensembles come first, by their score on held-out items. Scores run from 0 to 10,
    intervals are 95 %. Rows that share a group cannot be told apart.

    Studies can be ranked together if the same judges scored them on the same suite.
    """
    from kumiawase import settings

    study = studies[0] if studies else None
    chosen = settings.load(config, study=study, storage=storage)
    show(chosen, *studies[1:], mixed=allow_mixed, rows=rows, as_json=as_json)


def show(
    settings: Settings,
    *others: str,
    mixed: bool = False,
    rows: int = 20,
    as_json: bool = False,
) -> None:
    """Print the leaderboard of the settings' study on stdout, ranked with others if given."""
    from db.leaderboard import rank
    from kumiawase import tables, trade_view
    from kumiawase.reading import open_store

    with open_store(settings) as store:
        board = rank(store, settings.study, *others, mixed=mixed)
    if as_json:
        options.print_json(board.to_json())
    else:
        tables.leaderboard(board, rows)
        trade_view.show(board.pareto, tables.console())
