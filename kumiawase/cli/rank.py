"""`kumiawase rank`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("rank")
@click.argument("format_", metavar="FORMAT")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--judge", "judges", multiple=True, help="Only this judge; several: their mean.")
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    help="MT-Bench's questions: rank fastchat-single by the mean of their categories.",
)
@click.option("--allow-mixed", is_flag=True, help="Rank what does not compare; marks the table.")
@options.as_json
def command(
    format_: str,
    paths: tuple[Path, ...],
    judges: tuple[str, ...],
    questions: Path | None,
    allow_mixed: bool,
    as_json: bool,
) -> None:
    """Rank models from verdicts that others published: files, or folders of them.

    FORMAT is rakuda, shaberi, japanese-rp-bench, fastchat-single, fastchat-pairwise, alpaca-eval
    or gpt4-autoeval. Marks are shown as published and with faults taken out; comparisons as
    strengths in which the order of the answers has no part. Intervals are 95 %; rows that share
    a group cannot be told apart. Under 95 % of the verdicts a model has no rank. Verdicts of
    different judges, prompts or baselines are refused.
    """
    from data.verdicts import known_format
    from kumiawase.ranking import reports, views
    from kumiawase.ranking.board import board

    form = known_format(format_)
    if questions is not None and form.name != "fastchat-single":
        raise click.UsageError("--questions belongs to fastchat-single")
    found = board(form, paths, judges=judges, questions=questions, allow_mixed=allow_mixed)
    if as_json:
        options.print_json(reports.as_json(found))
    else:
        views.show(found)
