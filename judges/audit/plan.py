"""Which answers an audit has judged, and how often."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean
from typing import Final

from data.digest import digest
from data.suites.item import Item
from judges.audit.evidence import Given
from judges.canaries import INJECTED, Kind, Twin, english, injected, nulls, padded, planted
from judges.pairwise import PAIRWISE
from moa.answer import Answer

ITEMS: Final = 64
"""Items by default: padding then shows 0.2 a doubling, where pairs differ by 0.8 of 10 or less."""

MOST_ROUNDS: Final = 4
"""Answers to an item that get twins of a kind, where the judge's noise leaves it undecided."""

REPEATED: Final = 0.1  # of the verdicts, and
REPEATS: Final = (40, 200)  # at least and at most, where there are so many
NULLS: Final = 12
WRONG: Final = 48
RELATIVES: Final = 8  # answers to an item of the judge's family, and of others


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked.

    Attributes:
        once: All answers, where the judge has seen none of them.
        again: Answers whose verdict is asked for once more.
        twins: Twins; their plain answers are judged too.
        compared: Answers for another judge as well.
    """

    once: tuple[Given, ...]
    again: tuple[Given, ...]
    twins: tuple[Twin, ...]
    compared: tuple[Given, ...]


def plan(
    given: Sequence[Given],
    judge: str,
    own: Callable[[Given], bool],
    *,
    items: int = ITEMS,
    rounds: Mapping[Kind, int] | None = None,
) -> Plan:
    """Return what to ask; the same answers make the same plan.

    Twins are made of the answers of the weaker half of the authors first: where an answer
    has the top mark already no forgery can gain. Authors are chosen by their means, never
    answers by their marks, which would take a judge's noise for an effect.

    Args:
        given: Answers, those of one item next to each other or not.
        judge: The name under which the judge scores.
        own: Whether an answer is of the judge's family.
        items: Most items that twins and comparisons are made of.
        rounds: Kind → answers to each of them that get twins; one where nothing is said.
    """
    full = [one for one in given if all(text.strip() for text in one.answer.texts)]
    by_item = _by_item(full)
    chosen = dict(list(by_item.items())[:items])
    known = [(one.item, one.answer) for group in by_item.values() for one in group]
    ranked = _ranked(chosen, _weaker(full, judge))
    repeated = max(REPEATS[0], min(REPEATS[1], math.ceil(REPEATED * len(full))))
    fresh = not any(one.value(judge) is not None for one in given)
    return Plan(
        once=tuple(full) if fresh else (),
        again=tuple(_in_turn(by_item.values())[:repeated]),
        twins=(
            *_twins(ranked, rounds or {}, pairwise=judge == PAIRWISE),
            *planted(known, WRONG),
        ),
        compared=tuple(one for group in chosen.values() for one in _relatives(group, own)),
    )


def _twins(
    ranked: Sequence[Sequence[Given]], rounds: Mapping[Kind, int], *, pairwise: bool
) -> list[Twin]:
    def answers(kind: Kind) -> list[tuple[Item, Answer]]:
        chosen = _in_turn(group[: rounds.get(kind, 1)] for group in ranked)
        return [(one.item, one.answer) for one in chosen]

    found = [
        twin for kind in INJECTED for twin in injected(kind, answers(kind), pairwise=pairwise)
    ]
    return [
        *found,
        *nulls(answers("null answer")[:NULLS]),
        *english(),
        *padded(answers("padding")),
    ]


def _by_item(given: Iterable[Given]) -> dict[str, list[Given]]:
    """Return the answers of each item; items and answers in an order that means nothing."""
    groups: dict[str, list[Given]] = defaultdict(list)
    for one in sorted(given, key=lambda one: digest([one.author, one.item.id, one.answer.digest])):
        groups[one.item.id].append(one)
    return {name: groups[name] for name in sorted(groups, key=digest)}


def _weaker(given: Sequence[Given], judge: str) -> frozenset[str]:
    marks: dict[str, list[float]] = defaultdict(list)
    for one in given:
        value = one.value(judge)
        if value is not None:
            marks[one.author].append(value)
    ranked = sorted(marks, key=lambda author: (fmean(marks[author]), author))
    return frozenset(ranked[: math.ceil(len(ranked) / 2)])


def _ranked(groups: Mapping[str, list[Given]], weaker: frozenset[str]) -> list[list[Given]]:
    """Return the answers of each item, those of these authors first."""
    return [sorted(group, key=lambda one: one.author not in weaker) for group in groups.values()]


def _in_turn(groups: Iterable[Sequence[Given]]) -> list[Given]:
    rounds = zip_longest(*groups)
    return [one for each in rounds for one in each if one is not None]


def _relatives(group: Sequence[Given], own: Callable[[Given], bool]) -> list[Given]:
    """Return answers of an item for both judges: its family's and others', if there are both."""
    mine = [one for one in group if own(one)][:RELATIVES]
    rest = [one for one in group if not own(one)][:RELATIVES]
    return [*mine, *rest] if mine and rest else []
