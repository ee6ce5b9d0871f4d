"""Options that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

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


def print_json(value: object) -> None:
    """Print a result as one JSON document on stdout."""
    import json

    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as a model may send it
        text = json.dumps(value)
    click.echo(text)


def let_go(stream: TextIO) -> None:
    """Let what is left to print go nowhere, so that the flush at the exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
