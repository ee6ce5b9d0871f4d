"""`kumiawase ask`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("ask")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("question")
@options.config
@click.option(
    "--trust",
    "trusted",
    metavar="HOST",
    multiple=True,
    help="Send the keys that FILE names to this host.",
)
@options.as_json
def command(
    file: Path, question: str, config: Path, trusted: tuple[str, ...], as_json: bool
) -> None:
    """Ask an exported ensemble a question; `-` reads it from stdin.

    A key goes only where your own settings send it, or to a host you name with --trust.
    """
    import asyncio
    import sys

    from kumiawase import asking, consent, tables
    from kumiawase.export import bundle

    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise click.UsageError("the question is empty")
    exported = bundle.read(file)
    consent.check(exported.endpoints.values(), str(file), config, trusted)
    answer = asyncio.run(asking.ask(exported, text))
    lost = [f"{one.model} (layer {one.layer}): {one.reason}" for one in answer.lost]
    shortened = [cut.label for cut in answer.shortened]
    if as_json:
        found = {
            "text": answer.texts[-1],
            "cut": answer.cut,
            "lost": lost,
            "shortened": shortened,
            "calls": answer.calls,
            "tokens": answer.prompt_tokens + answer.completion_tokens,
            "usd": answer.usd,
            "seconds": round(answer.seconds, 3),
        }
        options.print_json(found)
        return
    text = answer.texts[-1]
    if sys.stdout.isatty():
        text = tables.visible(text)
    click.echo(text.encode("utf-8", "backslashreplace").decode())
    click.echo(f"{answer.calls} calls, {answer.seconds:.1f} s", err=True)
    for line in (*(f"lost {one}" for one in lost), *(f"shortened {one}" for one in shortened)):
        click.echo(tables.visible(line), err=True)
