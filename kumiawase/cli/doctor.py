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
    seeds, context and JSON schemas. What is found is kept, and heeded by later searches.
    Licences that forbid commercial use are named. Exit code 1 if a model cannot be used.
    """
    import asyncio
    from dataclasses import asdict

    from kumiawase import checkup, licences, settings, tables

    chosen = settings.load(config, storage=storage)
    found = asyncio.run(checkup.examine(chosen))
    if as_json:
        options.print_json([asdict(one) for one in found])
    else:
        words = {"ok": "ok", "note": "note", "unknown": "?", "warn": "WARN", "fails": "FAILS"}
        rows = [
            ("" if i else one.model, words[f.state], f.check, f.found, f.action)
            for one in found
            for i, f in enumerate(one.findings)
        ]
        columns = ("model", "", "check", "finding", "what is done about it")
        tables.console().print(tables.table(columns, rows))
    for line in licences.warnings(chosen.form.models.items()):
        click.echo(f"licence: {line}", err=True)
    return 0 if all(one.ok for one in found) else 1
