"""`kumiawase models`."""

from __future__ import annotations

import click

from kumiawase.cli import options


@click.command("models")
@click.option("--search", default="", help="Part of a name, family or note, e.g. 7b.")
@click.option("--licence", default="", help="Part of a licence, e.g. apache.")
@options.as_json
def command(search: str, licence: str, as_json: bool) -> None:
    """Show what the catalogue knows of Japanese models; a blank means unknown."""
    import json
    from dataclasses import asdict

    from data import catalogue
    from kumiawase import tables

    found = catalogue.search(search, licence)
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in found], ensure_ascii=False))
        return
    rows = [
        (
            e.id,
            e.family,
            "" if e.params_b is None else f"{e.params_b:g}",
            "" if e.context is None else str(e.context),
            e.licence,
        )
        for e in found
    ]
    columns = ("model", "family", "billion", "context", "licence")
    tables.console().print(tables.table(columns, rows, "billion context"))
