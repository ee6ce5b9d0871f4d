"""What an audit has before it: answers, and what the judge said of them and of their twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from data.suites.item import Item
from judges.canaries import Twin
from judges.score import Score
from moa.answer import Answer

OF = 10.0  # what scores of 0 to 1 are shown out of


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that a study holds.

    Attributes:
        author: The ensemble that gave it.
        scores: What the judge said of it; empty until it was asked.
    """

    item: Item
    answer: Answer
    author: str
    scores: tuple[Score, ...] = ()

    @property
    def length(self) -> int:
        """Its characters, all turns together."""
        return sum(map(len, self.answer.texts))

    def value(self, judge: str) -> float | None:
        """Return what a judge of this name gave it, 0 to 1."""
        return next((s.value for s in self.scores if s.judge == judge), None)


@dataclass(frozen=True, slots=True)
class Pair:
    """A twin and what the judge gave both, 0 to 1."""

    twin: Twin
    plain: float
    changed: float

    @property
    def gain(self) -> float:
        """What the twin got more, of ten."""
        return OF * (self.changed - self.plain)


@dataclass(frozen=True, slots=True)
class Second:
    """An answer that two judges scored, 0 to 1; `own` if it is of the first one's family."""

    item: str
    own: bool
    value: float
    other: float


class Favour(NamedTuple):
    """What a judge of a panel gives its own family more than the others do, of ten."""

    judge: str
    value: float
    error: float
    items: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the lines are read from.

    Attributes:
        judge: The name under which the judge scores.
        given: Answers with its verdicts.
        asked, unread: Verdicts asked for, and those that could not be read.
        repeats: First and second verdict on the same answer, 0 to 1.
        pairs: Twins with their verdicts.
        seconds: Answers scored by another judge too.
        favours: The same of a panel's members, which score each other's answers anyway.
        alone: Why there is neither; empty where there is.
        pairwise: Whether the judge compares.
        known, reference: Answer → what the judge and the reference said; in any unit.
    """

    judge: str
    given: Sequence[Given]
    asked: int
    unread: int
    repeats: Sequence[tuple[float, float]]
    pairs: Sequence[Pair]
    seconds: Sequence[Second] = ()
    favours: Sequence[Favour] = ()
    alone: str = ""
    pairwise: bool = False
    known: Mapping[tuple[str, str], float] = field(default_factory=dict)
    reference: Mapping[tuple[str, str], float] = field(default_factory=dict)
