"""`kumiawase leaderboard`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from db.standings import Leaderboard
    from kumiawase.settings import Settings

ROWS = 20


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
@click.option("--rows", type=click.IntRange(1), default=ROWS, show_default=True, help="Most rows.")
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
    board = _ranked(chosen, *studies[1:], mixed=allow_mixed)
    _print(board, rows, as_json=as_json)


def at_end(settings: Settings, code: int, *, as_json: bool) -> int:
    """Print the leaderboard a search ends with on stdout; return the search's exit code.

    The code says how the search ended: before there was a study to show, or with nobody left
    to read of it.
    """
    from data.errors import StudyError

    try:
        board = _ranked(settings)
    except StudyError:
        if code == 0:
            raise
        return code
    try:
        _print(board, ROWS, as_json=as_json)
    except OSError:  # a reader that has left, a terminal that is closed, a full disk
        options.let_go(sys.stdout)
    return code


def _ranked(settings: Settings, *others: str, mixed: bool = False) -> Leaderboard:
    """Return the leaderboard of the settings' study, ranked with others if given."""
    from db.leaderboard import rank
    from kumiawase.reading import open_store

    with open_store(settings) as store:
        return rank(store, settings.study, *others, mixed=mixed)


def _print(board: Leaderboard, rows: int, *, as_json: bool) -> None:
    from kumiawase import tables
    from kumiawase.views import leaderboard, trade

    if as_json:
        options.print_json(board.to_json())
    else:
        leaderboard.show(board, rows)
        trade.show(board.pareto, tables.console())
