"""`kumiawase audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from judges.audit import Audit


@click.command("audit")
@options.config
@options.study
@options.storage
@click.option(
    "--judge",
    "which",
    type=click.Choice(["search", "report"]),
    default="search",
    show_default=True,
    help="The settings' judge or their report_judge.",
)
@click.option(
    "-n",
    "--items",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Most items whose answers get twins; without a study, items that are answered.",
)
@click.option(
    "--reference",
    nargs=2,
    metavar="FORMAT PATH",
    help="Marks of people or of a stronger judge for the same answers; formats as in `rank`.",
)
@options.as_json
def command(
    config: Path,
    study: str | None,
    storage: str | None,
    which: str,
    items: int,
    reference: tuple[str, str] | None,
    as_json: bool,
) -> int:
    """Find out whether a judge is fit to steer a search.

    Repeats a tenth of its verdicts (40 to 200), shows it twins of answers that differ in one thing
    (a forged verdict, padding, another language, a mistake), and reads its place, length and
    family bias from what the study holds; without a study the single models answer first. Says
    how many calls it takes before it asks; the same command again costs none. Its verdicts stand
    in the ledger as `audit`: budget.calls counts them by themselves, budget.usd with the search.

    Ends with 0 where no line fails, 1 where one does, 3 where the budget was spent before. An
    undecided line says how many verdicts it wants.
    """
    import asyncio

    from data.errors import BudgetSpentError
    from kumiawase import settings

    chosen = settings.load(config, study=study, storage=storage)
    from kumiawase import auditing
    from kumiawase.auditing.reference import read
    from kumiawase.night import progress
    from kumiawase.views import audit

    marks = read(reference[0], Path(reference[1])) if reference else None

    async def run() -> Audit:
        async with progress.shown() as tally:
            role = auditing.ROLES[which]
            return await auditing.run(chosen, role, items, marks, tally, _say)

    try:
        found = asyncio.run(run())
    except BudgetSpentError as error:
        _say(f"{error}; raise budget.{error.limit} and the same command goes on")
        return 3
    if as_json:
        options.print_json(found.to_json())
    else:
        audit.show(found)
    return 0 if found.fit else 1


def _say(text: str) -> None:
    click.echo(text, err=True)
