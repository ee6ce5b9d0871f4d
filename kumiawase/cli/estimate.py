"""`kumiawase estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from optimizer.estimate import Forecast, Range


@click.command("estimate")
@options.config
@options.study
@options.storage
@click.option("--trials", type=click.IntRange(0), help="Trials wanted in all.")
@options.as_json
def command(
    config: Path, study: str | None, storage: str | None, trials: int | None, as_json: bool
) -> None:
    """Say what a search will take, by role, before it is run; nothing is sent.

    The whole search is counted, with what the database holds of it already. Lengths and speeds
    are those of the requests in the database, of any study; where there are none they are
    assumed and the ranges are wide, until the search has measured its single models. A limit of
    the budget that is too small for all trials is named, with what would be enough.
    """
    from contextlib import nullcontext

    from db import engines
    from db.store import Store
    from kumiawase import settings
    from kumiawase.night import expected, forecasting, shortage

    chosen = settings.load(config, study=study, storage=storage, trials=trials)
    suite = chosen.suite()
    file = engines.sqlite_file(chosen.storage)
    new = file is not None and not file.exists()  # looking makes no database
    with nullcontext() if new else Store.open(chosen.storage) as store:
        found = forecasting.forecast(chosen, suite, store)
        short = shortage.shortages(chosen, suite, store, found)
        spent = store.spent(chosen.study).searched.calls if store else 0
    if as_json:
        told = {"calls_made": spent, "short": [one.to_json() for one in short]}
        options.print_json({"study": chosen.study, **found.to_json(), **told})
        return
    _print(found, f"{expected.duration(found.hours)} ({expected.basis(found)})")
    if spent:
        click.echo(f"study {chosen.study} has made {spent:,} of these calls already")
    for one in short:
        click.echo(one.line)


def _print(found: Forecast, time: str) -> None:
    from kumiawase import tables

    parts = [*found.by_role.items(), ("confirmation, of these", found.confirmation)]
    rows = [
        (name, _said(part.calls), _said(part.tokens), _said(part.usd, 2)) for name, part in parts
    ]
    rows.append(("all", _said(found.calls), _said(found.tokens), _said(found.usd, 2)))
    out = tables.console()
    out.print(tables.table(("role", "calls", "tokens", "USD"), rows, "calls tokens USD"))
    held_out = found.detectable
    click.echo(f"running time: {time}")
    click.echo(
        f"{held_out.items} held-out items show a difference of {10 * held_out.difference:.2f} of"
        f" 10 in four of five cases (deviation on one item {10 * held_out.sd:.2f},"
        f" {'measured' if held_out.measured else 'of real verdicts'}); smaller ones are likely"
        " to stay unproved"
    )


def _said(found: Range, digits: int = 0) -> str:
    value, low, high = (f"{x:,.{digits}f}" for x in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"
