"""`kumiawase doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("doctor")
@options.config
@options.as_json
def command(config: Path, as_json: bool) -> int:
    """Try every model of kumiawase.yaml once, with a short Japanese question.

    Exit code 1 if a model does not answer. Licences that forbid commercial use are named.
    """
    import asyncio
    from dataclasses import asdict

    from kumiawase import checkup, licences, settings, tables

    chosen = settings.load(config)
    found = asyncio.run(checkup.examine(chosen))
    if as_json:
        options.print_json([asdict(f) for f in found])
    else:
        rows = [
            (
                "ok" if f.ok else "FAILS",
                f.model,
                f.endpoint,
                "" if f.context is None else str(f.context),
                f"{f.seconds:.1f}",
                f.finding,
            )
            for f in found
        ]
        columns = ("", "model", "endpoint", "context", "seconds", "finding")
        tables.console().print(tables.table(columns, rows, "context seconds"))
    for line in licences.warnings(chosen.form.models.items()):
        click.echo(f"licence: {line}", err=True)
    return 0 if all(f.ok for f in found) else 1
