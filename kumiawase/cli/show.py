"""`kumiawase show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from db.records import Evaluation, Proposal, Result


@click.command("show")
@click.argument("id_", metavar="[ID]", required=False)
@options.config
@options.study
@options.storage
@click.option("--item", help="Show the answer and the verdicts of this item.")
@options.as_json
def command(
    id_: str | None,
    config: Path,
    study: str | None,
    storage: str | None,
    item: str | None,
    as_json: bool,
) -> None:
    """Show one ensemble with its answers and verdicts, by default the best.

    ID is a trial number or an id from the leaderboard: the first characters of a digest.
    """
    from kumiawase import reading, settings

    chosen = settings.load(config, study=study, storage=storage)
    with reading.open_store(chosen) as store:
        digest = (
            reading.find(store, chosen.study, id_).digest
            if id_
            else reading.best(store, chosen.study)
        )
        halves = [e for e in store.evaluations(chosen.study) if e.digest == digest]
        found = [(e, store.results(e.id)) for e in halves]
        proposals = [p for p in store.proposals(chosen.study) if p.digest == digest]
    if item is not None:
        found = [(e, [r for r in results if r.item_id == item]) for e, results in found]
        if not any(results for _, results in found):
            raise click.UsageError(f"no answer to item {item!r}; `show` without --item lists them")
    if as_json:
        options.print_json(_json(found, proposals))
    else:
        _print(found, proposals, whole=item is not None)


def _json(
    found: list[tuple[Evaluation, list[Result]]], proposals: list[Proposal]
) -> dict[str, Any]:
    from dataclasses import asdict

    first = found[0][0]
    return {
        "ensemble": first.ensemble.to_json(),
        "digest": first.digest,
        "origin": first.origin,
        "proposals": [asdict(p) for p in proposals],
        "evaluations": [
            {
                "half": e.half,
                "state": e.state,
                "judge": e.judge_name,
                "score": None if e.value is None else round(10 * e.value, 4),
                "items": [_item(r) for r in results],
            }
            for e, results in found
        ],
    }


def _item(result: Result) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "item": result.item_id,
        "category": result.category,
        "score": None if result.value is None else round(10 * result.value, 4),
        "texts": list(result.answer.texts),
        "lost": [asdict(lost) for lost in result.answer.lost],
        "cut": result.answer.cut,
        "shortened": [asdict(cut) for cut in result.answer.shortened],
        "verdicts": [asdict(score) for score in result.scores],
    }


def _print(
    found: list[tuple[Evaluation, list[Result]]], proposals: list[Proposal], *, whole: bool
) -> None:
    from judges.statistics import Estimate
    from kumiawase import tables
    from kumiawase.export.bundle import dump

    out = tables.console()
    first = found[0][0]
    out.print(tables.plain(f"{first.ensemble.label}\ndigest {first.digest}, from {first.origin}"))
    out.print(tables.plain(dump(first.ensemble.to_json())))
    for proposal in proposals:
        out.print(tables.plain(f"{proposal.name}: {proposal.thought}\n"))
    for evaluation, results in found:
        kept = evaluation.value is not None
        value = (
            Estimate(
                evaluation.value or 0, evaluation.low or 0, evaluation.high or 0, len(results)
            )
            if kept
            else None
        )
        half = "held-out items" if evaluation.half == "held_out" else "search items"
        out.print(
            f"{half}: {tables.score(value)}, {evaluation.state.lower()}, {len(results)} items,"
            f" judged by {evaluation.judge_name}",
            markup=False,
        )
        out.print(
            tables.table(("item", "category", "score", "answer"), map(_line, results), "score")
        )
        for result in results if whole else ():
            _whole(result)


def _line(result: Result) -> tuple[str, ...]:
    text = " ⏎ ".join(" ".join(text.split()) for text in result.answer.texts)
    value = "—" if result.value is None else f"{10 * result.value:.1f}"
    return (result.item_id, result.category, value, text[:70] + "…" * (len(text) > 70))


def _whole(result: Result) -> None:
    from kumiawase import tables

    out = tables.console()
    for text in result.answer.texts:
        out.print(tables.plain(f"\n{text}"))
    for lost in result.answer.lost:
        out.print(tables.plain(f"lost: layer {lost.layer}, {lost.model}: {lost.reason}"))
    for cut in result.answer.shortened:
        out.print(tables.plain(f"shortened: {cut.label}"))
    for score in result.scores:
        value = f"unscored ({score.reason})" if score.value is None else f"{10 * score.value:.1f}"
        out.print(tables.plain(f"\n{score.judge}: {value}\n{score.explanation}"))
