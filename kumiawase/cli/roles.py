"""`kumiawase roles`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("roles")
@options.config
@options.study
@options.storage
@options.as_json
def command(config: Path, study: str | None, storage: str | None, as_json: bool) -> None:
    """Show which model proposes well and which aggregates well.

    From the study's own ensembles, on its search items; scores run from 0 to 10, intervals are
    95 %. `as proposer` is what a model adds to the rest of an ensemble, `as aggregator` what it
    adds over the mean aggregator; both are drawn towards 0 where little was tried. `alone` is its
    score as a single model.
    """
    from kumiawase import settings
    from kumiawase.reading import open_store
    from kumiawase.views import roles

    chosen = settings.load(config, study=study, storage=storage)
    with open_store(chosen) as store:
        found = roles.read(store, chosen)
    if as_json:
        options.print_json(found.to_json())
    else:
        roles.show(found)
