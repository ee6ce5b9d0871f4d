"""The command line: one module a verb, imported when the verb is used."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress

import click

from data.errors import KumiawaseError, UserError
from kumiawase.cli import options

# Verb → its line in --help. The module kumiawase.cli.<verb> holds the rest and its imports.
VERBS = {
    "init": "Write a kumiawase.yaml for the models found.",
    "doctor": "Find out how every model wants to be asked.",
    "estimate": "What a search will take, before it is run.",
    "search": "Search for the best ensemble; again to go on.",
    "rehearse": "The same search against simulated models.",
    "status": "What a study has done and spent.",
    "leaderboard": "The ensembles found, best first.",
    "show": "One ensemble with its answers and verdicts.",
    "roles": "Which model proposes well, which aggregates well.",
    "audit": "Whether a judge is fit to steer a search.",
    "rank": "Leaderboards from verdicts that others published.",
    "export": "Write an ensemble into one file that runs.",
    "ask": "Ask an exported ensemble a question.",
    "suites": "Suites that can be asked, and what is in them.",
    "models": "What is known of Japanese models.",
}


class _ReaderLeftError(Exception):
    """Whoever read our output left early, e.g. `| head`."""


class Verbs(click.Group):
    """Lists every verb without importing one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order a user meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"kumiawase.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or tell which one may have been meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], VERBS, 1)
            meant = f". Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"no verb {args[0]!r}{meant}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a verb; click itself would end with 1 when the reader leaves."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderLeftError from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs from the table above."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kumiawase", message="%(version)s")
def cli() -> None:
    """Find which combination of Japanese LLMs answers best, and take it home ready to run.

    Start with `kumiawase rehearse`, which needs no key, model or GPU; then `kumiawase init`.
    """


def main() -> None:
    """Run the command line.

    0 done, 1 error or not all could be evaluated, 2 bad input, 3 budget spent, 130 interrupted.
    """
    # Before numpy: on matrices of a few hundred rows its threads only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        _explain(error)
        sys.exit(2)
    except UserError as error:
        _say(error)
        sys.exit(2)
    except KumiawaseError as error:
        _say(error)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except _ReaderLeftError:
        options.let_go(sys.stdout)
        sys.exit(0)
    finally:
        try:
            sys.stderr.flush()
        except OSError:  # Python would try again, and end with 120 whatever the code was
            options.let_go(sys.stderr)


def _explain(error: click.ClickException) -> None:
    """Say in one line, as every other error is said, what is wrong with a command."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        with suppress(OSError):  # as in `_say`
            error.show()
        return
    said = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "kumiawase"
    fault, _, meant = said.partition(". Did you mean")
    remedy = f"did you mean{meant}" if meant else f"see {path} --help"
    _say(f"{fault[:1].lower()}{fault[1:]}; {remedy}")


def _say(error: object) -> None:
    from kumiawase.tables import visible  # it may quote what a server said

    with suppress(OSError):  # where nobody can read it the exit code still says what it was
        click.echo(f"kumiawase: {visible(str(error))}", err=True)
