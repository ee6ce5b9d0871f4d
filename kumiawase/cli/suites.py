"""`kumiawase suites`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from data.suites import Suite


@click.command("suites")
@click.argument("name", required=False)
@click.option("--format", "format_", help="Format of the file NAME.")
@options.as_json
def command(name: str | None, format_: str | None, as_json: bool) -> None:
    """List the suites that can be asked; with NAME, count what is in one.

    NAME is a suite of ours or a file.
    """
    import json
    from dataclasses import asdict

    from data.suites import BUNDLED, load_suite, published
    from kumiawase import tables

    if name is not None:
        suite = load_suite({"path": name, "format": format_} if format_ else name, Path())
        _count(suite, as_json=as_json)
        return
    if as_json:
        ours = [{"name": n} for n in BUNDLED]
        click.echo(json.dumps({"bundled": ours, "published": [asdict(s) for s in published()]}))
        return
    out = tables.console()
    for bundled in BUNDLED:
        out.print(f"{bundled} (ours)", markup=False)
    rows = [(s.format, s.title, str(s.items), s.published_at, s.licence) for s in published()]
    out.print(tables.table(("format", "suite", "items", "published at", "licence"), rows, "items"))


def _count(suite: Suite, *, as_json: bool) -> None:
    import json

    from kumiawase import tables

    categories = dict.fromkeys(item.category for item in suite.items)
    counted = {c: [i for i in suite.items if i.category == c] for c in categories}
    rows = [
        {
            "category": category,
            "search": sum(i.split == "search" for i in items),
            "held_out": sum(i.split == "held_out" for i in items),
            "rule": sum(i.rule is not None for i in items),
            "rubric": sum(bool(i.rubric) for i in items),
            "two_turns": sum(len(i.turns) > 1 for i in items),
        }
        for category, items in counted.items()
    ]
    if as_json:
        found = {"name": suite.name, "digest": suite.digest, "categories": rows}
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    out = tables.console()
    out.print(f"{suite.name}: {len(suite.items)} items, digest {suite.digest}", markup=False)
    numbers = "search held_out rule rubric two_turns"
    cells = [[str(v) for v in row.values()] for row in rows]
    out.print(tables.table(list(rows[0]), cells, numbers))
