"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

config = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=Path("kumiawase.yaml"),
    show_default=True,
    help="The settings file.",
)
study = click.option("--study", help="Name of the study, instead of the settings' own.")
storage = click.option("--storage", help="URL of the database, instead of the settings' own.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
