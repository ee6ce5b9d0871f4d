"""`kumiawase show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kumiawase.cli import options

if TYPE_CHECKING:
    from db.records import Evaluation, Proposal, Result
    from kumiawase.settings import Settings


@click.command("show")
@click.argument("id_", metavar="[ID]", required=False)
@options.config
@options.study
@options.storage
@click.option("--item", help="Show the answer and the verdicts of this item.")
@click.option("--proposals", "every", is_flag=True, help="List all that discovery proposed.")
@options.as_json
def command(
    id_: str | None,
    config: Path,
    study: str | None,
    storage: str | None,
    item: str | None,
    every: bool,
    as_json: bool,
) -> None:
    """Show one ensemble with its answers and verdicts, by default the best.

    ID is a trial number or an id from the leaderboard: the first characters of a digest.
    """
    from kumiawase import reading, settings
    from kumiawase.views import discovery

    chosen = settings.load(config, study=study, storage=storage)
    if every:
        if id_ is not None or item is not None:
            raise click.UsageError("--proposals lists all: give neither ID nor --item")
        _every(chosen, as_json=as_json)
        return
    with reading.open_store(chosen) as store:
        digest = (
            reading.find(store, chosen.study, id_).digest
            if id_
            else reading.best(store, chosen.study)
        )
        halves = [e for e in reading.counted(store, chosen.study) if e.digest == digest]
        again = [e for e in reading.second_opinions(store, chosen.study) if e.digest == digest]
        found = [(e, store.results(e.id)) for e in (*halves, *again)]
        mine = len(halves)
        known = store.proposals(chosen.study)
        proposals = [p for p in known if p.digest == digest]
        texts, names = store.prompts(), discovery.prompt_names(known)
    if item is not None:
        found = [(e, [r for r in results if r.item_id == item]) for e, results in found]
        if not any(results for _, results in found):
            raise click.UsageError(f"no answer to item {item!r}; `show` without --item lists them")
    if as_json:
        told = _json(found[:mine], proposals)
        told["second_opinions"] = [_evaluation(*one) for one in found[mine:]]
        options.print_json(told)
    else:
        _head(found[0][0])
        for proposal in proposals:
            discovery.show_one(proposal, halves, texts, names)
        _print(found, whole=item is not None)


def _every(chosen: Settings, *, as_json: bool) -> None:
    from kumiawase import reading
    from kumiawase.views import discovery

    with reading.open_store(chosen) as store:
        proposals, seen = store.proposals(chosen.study), reading.counted(store, chosen.study)
    if as_json:
        options.print_json(discovery.to_json(proposals, seen))
    else:
        discovery.show_all(proposals, seen)


def _json(
    found: list[tuple[Evaluation, list[Result]]], proposals: list[Proposal]
) -> dict[str, Any]:
    from kumiawase.views import discovery

    first = found[0][0]
    return {
        "ensemble": first.ensemble.to_json(),
        "digest": first.digest,
        "origin": first.origin,
        "proposals": discovery.to_json(proposals, (e for e, _ in found)),
        "evaluations": [_evaluation(*one) for one in found],
    }


def _evaluation(evaluation: Evaluation, results: list[Result]) -> dict[str, Any]:
    value = evaluation.value
    return {
        "half": evaluation.half,
        "state": evaluation.state,
        "judge": evaluation.judge_name,
        "score": None if value is None else round(10 * value, 4),
        "orders": _orders(results),
        "items": [_item(r) for r in results],
    }


def _orders(results: list[Result]) -> dict[str, Any] | None:
    """Return how far verdicts depended on the order of two answers, where they were compared."""
    from judges.pairwise import PositionBias

    found = PositionBias.of(result.scores for result in results)
    return found.to_json() if found.comparisons else None


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
        "inspection": result.inspection.to_json(),
        "verdicts": [asdict(score) for score in result.scores],
    }


def _head(first: Evaluation) -> None:
    from kumiawase import tables
    from kumiawase.export.bundle import dump

    out = tables.console()
    out.print(tables.plain(f"{first.ensemble.label}\ndigest {first.digest}, from {first.origin}"))
    out.print(tables.plain(dump(first.ensemble.to_json())))


def _print(found: list[tuple[Evaluation, list[Result]]], *, whole: bool) -> None:
    from judges.statistics import Estimate
    from kumiawase import tables

    out = tables.console()
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
        if orders := _orders(results):
            out.print(
                "compared in both orders: {comparisons}; orders that named different winners,"
                " which made ties: {disagreements}; worth more when shown first by"
                " {position:+.2f} of 10".format(**orders)
            )
        out.print(
            tables.table(
                ("item", "category", "score", "remarks", "answer"), map(_line, results), "score"
            )
        )
        for result in results if whole else ():
            _whole(result)


def _line(result: Result) -> tuple[str, ...]:
    text = " ⏎ ".join(" ".join(text.split()) for text in result.answer.texts)
    value = "—" if result.value is None else f"{10 * result.value:.1f}"
    remarks = ", ".join(result.inspection.labels)
    return (result.item_id, result.category, value, remarks, text[:70] + "…" * (len(text) > 70))


def _whole(result: Result) -> None:
    from kumiawase import tables

    out = tables.console()
    for text in result.answer.texts:
        out.print(tables.plain(f"\n{text}"))
    for lost in result.answer.lost:
        out.print(tables.plain(f"lost: layer {lost.layer}, {lost.model}: {lost.reason}"))
    for cut in result.answer.shortened:
        out.print(tables.plain(f"shortened: {cut.label}"))
    if labels := result.inspection.labels:
        out.print(tables.plain(f"remarks: {', '.join(labels)}"))
    for score in result.scores:
        value = f"unscored ({score.reason})" if score.value is None else f"{10 * score.value:.1f}"
        out.print(tables.plain(f"\n{score.judge}: {value}\n{score.explanation}"))
