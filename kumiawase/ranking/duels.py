"""Models by what a judge chose between their answers: Bradley and Terry with a position term."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from data.verdicts import Comparison
from data.verdicts.load import Repeated
from judges.agreement import Consistency, consistency
from judges.bradley_terry import Duel, Position, Strength, fit
from judges.statistics import COVERAGE

SIGNIFICANT = 0.05
"""Probability below which an effect of position is told."""

_OUTSIDE = {
    "above": "never lost to those ranked, so that no strength is high enough",
    "below": "never won against those ranked, so that no strength is low enough",
    "apart": "nothing leads from it to those ranked",
}


@dataclass(frozen=True, slots=True)
class DuelRow:
    """A model and its strength.

    Attributes:
        rank, group: None for one that is not ranked, for the `reason`; equals share a group.
        strength: None where the verdicts bound none.
        wins, losses, ties: Over all its sound comparisons.
        items: Questions in which it was compared.
        unscored: Comparisons without a verdict that counts.
        coverage: Share of its comparisons that have one.
        faults: Kind → how many.
    """

    model: str
    strength: Strength | None
    wins: int
    losses: int
    ties: int
    items: int
    unscored: int
    coverage: float
    faults: Mapping[str, int]
    reason: str = ""
    rank: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class DuelTable:
    """Models, best first, and what was found of their judge.

    Attributes:
        position: None where nothing can be said of it.
        consistency: Pairs seen in both orders; their number may be 0.
        fault: Why there are no strengths at all; empty otherwise.
    """

    rows: list[DuelRow]
    position: Position | None
    consistency: Consistency
    fault: str = ""


def duel_table(
    comparisons: Sequence[Comparison],
    settled: Sequence[Comparison],
    repeated: Sequence[Repeated],
    *,
    ranked: bool,
) -> DuelTable:
    """Return the models by strength; last those that cannot be ranked.

    Args:
        comparisons: As they stand.
        settled: One for each judge, pair and order.
        repeated: Of which there were several.
        ranked: Whether the comparisons compare at all.
    """
    own, faults = _by_model(settled), _faults(comparisons, repeated)
    seen = consistency(_duel(one, f"{one.task}") for one in settled if one.value is not None)
    try:
        found = fit([_duel(one, one.task.item) for one in settled if one.value is not None])
    except ValueError as error:
        rows = [_row(model, own[model], faults[model]) for model in own]
        return DuelTable(sorted(rows, key=_order), None, seen, str(error))
    strengths = {one.model: one for one in found.strengths}
    rows = []
    for model, games in own.items():
        outside = found.unranked.get(model)
        row = _row(model, games, faults[model], strengths.get(model))
        rows.append(replace(row, reason=_OUTSIDE[outside]) if outside else row)
    return DuelTable(_ranked(rows) if ranked else sorted(rows, key=_order), found.position, seen)


def _duel(one: Comparison, question: str) -> Duel:
    return Duel(one.first, one.second, one.value or 0.0, question)


def _by_model(settled: Iterable[Comparison]) -> dict[str, list[Comparison]]:
    found: dict[str, list[Comparison]] = defaultdict(list)
    for one in settled:
        for model in one.models:
            found[model].append(one)
    return found


def _faults(
    comparisons: Iterable[Comparison], repeated: Iterable[Repeated]
) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in comparisons:
        if one.fault is not None:
            for model in one.models:
                found[model][str(one.fault)] += 1
    for again in repeated:
        for model in again.rulings[0].models:
            found[model]["repeated"] += len(again.rulings) - 1
    return found


def _row(
    model: str,
    games: Sequence[Comparison],
    faults: Mapping[str, int],
    strength: Strength | None = None,
) -> DuelRow:
    sound = [one for one in games if one.value is not None]
    own = [one.value if one.first == model else 1 - (one.value or 0.0) for one in sound]
    share = len(sound) / len(games)
    few = f"{len(sound)} of {len(games)} comparisons count, under {COVERAGE:.0%}"
    return DuelRow(
        model=model,
        strength=strength,
        wins=sum(value == 1 for value in own),
        losses=sum(value == 0 for value in own),
        ties=sum(value not in {0, 1} for value in own),
        items=len({one.task.item for one in sound}),
        unscored=len(games) - len(sound),
        coverage=share,
        faults=faults,
        reason=few if share < COVERAGE else "",
    )


def _order(row: DuelRow) -> tuple[bool, float, str]:
    if row.strength is None:  # by what it won, so that the table reads well
        return True, row.losses - row.wins, row.model
    return bool(row.reason), -row.strength.value, row.model


def _ranked(rows: Iterable[DuelRow]) -> list[DuelRow]:
    return [
        row
        if row.reason or row.strength is None
        else replace(row, rank=rank, group=row.strength.group)
        for rank, row in enumerate(sorted(rows, key=_order), start=1)
    ]
