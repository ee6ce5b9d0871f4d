"""`kumiawase init`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("init")
@options.config
@click.option(
    "--url", "urls", multiple=True, help="Base URL of a server, e.g. http://gpu:8000/v1."
)
@click.option("--force", is_flag=True, help="Write over an existing file.")
def command(config: Path, urls: tuple[str, ...], force: bool) -> None:
    """Write a kumiawase.yaml for the models found.

    Asks the given URLs, or else the usual local ports (vLLM, llama.cpp, Ollama, LM Studio,
    SGLang), which models they serve.
    """
    import asyncio
    import os

    from data.errors import ConfigError
    from kumiawase import starting

    if config.exists() and not force:
        raise ConfigError(
            "is there already", place=str(config), remedy="write over it with --force"
        )
    found = asyncio.run(starting.probe(urls))
    missing = [url for url in urls if url.rstrip("/") not in {f.base_url for f in found}]
    if missing:
        raise ConfigError(
            f"nobody answers at {missing[0]}", place="--url", remedy="start the server first"
        )
    config.write_text(
        starting.compose(found, openai="OPENAI_API_KEY" in os.environ), encoding="utf-8"
    )
    for server in found:
        click.echo(f"{server.name} {server.base_url}: {len(server.models)} models", err=True)
    if not found:
        click.echo("no server answers on this machine: fill in endpoints and models", err=True)
    click.echo(f"wrote {config}; next: kumiawase doctor", err=True)
