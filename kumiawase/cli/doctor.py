"""`kumiawase doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("doctor")
@options.config
@options.storage
@options.as_json
def command(config: Path, storage: str | None, as_json: bool) -> int:
    """Try every model of kumiawase.yaml as a search would use it.

    Some ten short requests find out how each server treats system turns, history, newlines,
    seeds, context and JSON schemas. What is found is kept, and heeded by later searches. Shown
    is a line a model, then what wants mending or heeding, and the verdict last; --json has all.
    Licences that forbid commercial use are named. Exit code 1 if a model cannot be used.
    """
    import asyncio
    from dataclasses import asdict

    from kumiawase import checkup, licences, settings, tables
    from kumiawase.views import doctor

    chosen = settings.load(config, storage=storage)
    found = asyncio.run(checkup.examine(chosen))
    if as_json:
        options.print_json([asdict(one) for one in found])
    else:
        out = tables.console()
        out.print(doctor.models(found))
        for line in doctor.lines(found):
            out.print(tables.plain(line))
    for line in licences.warnings(chosen.form.models.items()):
        click.echo(f"licence: {line}", err=True)
    if not as_json:
        click.echo(tables.visible(doctor.verdict(found)))
    return 0 if all(one.ok for one in found) else 1
