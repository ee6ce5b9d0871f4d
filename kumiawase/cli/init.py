"""`kumiawase init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from data.errors import EndpointError
    from kumiawase.drafts.servers import Found


@click.command("init")
@options.config
@click.option(
    "--url", "urls", multiple=True, help="Base URL of a server, e.g. http://gpu:8000/v1."
)
@click.option(
    "--key-env",
    "keys",
    multiple=True,
    metavar="NAME",
    help="Variable that holds the key of the --url before it; one for each, or '' for none.",
)
@click.option("--pool", help="Write a pool to start from instead; `list` shows them.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
def command(
    config: Path, urls: tuple[str, ...], keys: tuple[str, ...], pool: str | None, force: bool
) -> None:
    """Write a kumiawase.yaml for the models found.

    Asks the given URLs, or else the usual local ports (vLLM, llama.cpp, Ollama, LM Studio,
    SGLang), which models they serve. With --pool it writes down models to start, and how. A
    file that is there is kept, unless it is a template that nobody has filled in yet.
    """
    from data.errors import ConfigError
    from kumiawase.cli.models import show_pools

    if pool == "list":
        show_pools(as_json=False)
        return
    if pool is not None and (urls or keys):
        raise ConfigError("does not go with --url", place="--pool", remedy="leave one of them out")
    if keys and len(keys) != len(urls):
        raise ConfigError(
            f"{len(keys)} for {len(urls)} --url",
            place="--key-env",
            remedy="give one for each --url, '' where no key is needed",
        )
    if config.exists() and not force and not _untouched(config):
        raise ConfigError(
            "is there already", place=str(config), remedy="write over it with --force"
        )
    if pool is not None:
        _write_pool(config, pool, force=force)
    else:
        _write_found(config, urls, keys)
    click.echo(f"wrote {config}; next: kumiawase doctor", err=True)


def _untouched(config: Path) -> bool:
    """Tell whether a file is what an `init` wrote that found nothing, and nobody filled in."""
    from kumiawase.drafts import servers

    try:
        return servers.untouched(config.read_text(encoding="utf-8"), _openai())
    except (OSError, UnicodeDecodeError):
        return False


def _write_found(config: Path, urls: tuple[str, ...], keys: tuple[str, ...]) -> None:
    import asyncio

    from data.errors import EndpointError
    from kumiawase.drafts import servers

    found = asyncio.run(servers.probe(urls, keys))
    missing = {servers.base_url(url) for url in urls} - {f.base_url for f in found}
    if missing:
        raise EndpointError(
            f"nobody answers at {min(missing)}", place="--url", remedy="start the server first"
        )
    for server in found:
        if server.locked and urls:
            raise _locked(server)
        click.echo(_told(server), err=True)
    _write(config, servers.compose(found, openai=bool(_openai()), openai_url=_openai()))
    if not any(server.models for server in found):
        click.echo("no model is served on this machine: fill in endpoints and models", err=True)


def _write_pool(config: Path, name: str, *, force: bool) -> None:
    from data import pools
    from data.errors import ConfigError
    from kumiawase.drafts import pools as presets

    known = pools.load()
    if name not in known:
        raise ConfigError(
            f"no pool {name!r}", place="--pool", remedy=f"known are {', '.join(known)}"
        )
    _write(config, presets.compose(known[name], openai_url=_openai()))
    for template in presets.chat_templates(known[name]):
        file = config.parent / template
        if force or not file.exists():
            _write(file, pools.chat_template(template))
            click.echo(f"wrote {file}, for models without a chat template", err=True)


def _locked(server: Found) -> EndpointError:
    from data.errors import EndpointError

    if server.api_key_env is None:
        fault, remedy = "wants a key", "name the variable that holds it with --key-env NAME"
    else:
        fault, remedy = f"refuses the key in {server.api_key_env}", "set it again"
    return EndpointError(f"{server.base_url} {fault}", place="--url", remedy=remedy)


def _told(server: Found) -> str:
    head = f"{server.name} {server.base_url}:"
    if server.locked:
        return f"{head} wants a key, left out; --url {server.base_url} --key-env NAME adds it"
    return f"{head} {len(server.models)} models"


def _openai() -> str:
    """Return the base URL of OpenAI where its key is set, else an empty text."""
    import os

    from kumiawase.drafts import draft

    if not os.environ.get("OPENAI_API_KEY"):
        return ""
    return os.environ.get("OPENAI_BASE_URL") or draft.OPENAI


def _write(file: Path, text: str) -> None:
    from data.errors import ConfigError

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", place=str(file)) from None
