"""`kumiawase models`."""

from __future__ import annotations

import click

from kumiawase.cli import options


@click.command("models")
@click.option("--search", default="", help="Parts of a name or family, e.g. '7b swallow'.")
@click.option("--licence", default="", help="Part of a licence, e.g. apache.")
@click.option("--pools", is_flag=True, help="Show the pools to start from instead.")
@options.as_json
def command(search: str, licence: str, pools: bool, as_json: bool) -> None:
    """Show what the catalogue knows of Japanese models; a blank means unknown.

    --json also tells on what each fact rests.
    """
    from dataclasses import asdict

    from data import catalogue
    from kumiawase import tables

    if pools:
        show_pools(as_json=as_json)
        return
    found = catalogue.search(search, licence)
    if as_json:
        shown = [{**asdict(e), "commercial_use": e.commercial_use} for e in found]
        options.print_json(shown)
        return
    rows = [
        (
            e.id,
            e.family,
            "" if e.params_b is None else f"{e.params_b:g}",
            "" if e.context is None else str(e.context),
            e.licence,
            e.commercial_use or "",
        )
        for e in found
    ]
    columns = ("model", "family", "billion", "context", "licence", "commercial")
    tables.console().print(tables.table(columns, rows, "billion context"))


def show_pools(*, as_json: bool) -> None:
    """Print the pools that `init --pool` writes down."""
    from data import pools
    from kumiawase.drafts import pools as presets

    found = pools.load().values()
    if as_json:
        shown = [
            {
                "name": pool.name,
                "about": pool.about,
                "needs": pool.needs,
                "members": [
                    {**m.model_dump(), "size_gb": m.size_gb, "gpus": m.gpus} for m in pool.members
                ],
            }
            for pool in found
        ]
        options.print_json(shown)
        return
    for pool in found:
        click.echo(f"{pool.name}: {pool.about}\n  {pool.needs}")
        for member in pool.members:
            click.echo(f"  - {presets.about(member)}")
        click.echo(f"  kumiawase init --pool {pool.name}\n")
