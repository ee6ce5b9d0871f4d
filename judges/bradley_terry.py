"""Strengths from duels: Bradley and Terry (1952) with a position term (Davidson, Beaver 1977).

logit P(first wins) = alpha + b_first - b_second; a tie is half a win of each; strengths sum to
zero; maximum likelihood without any prior. Elo = 1000 + 400 / ln 10 * b, as on Rakuda.

A model that won or lost everything has no finite strength, and two circles of models that never
met have none in common. The largest circle in which everyone has won against everyone over others
is fitted: that is also the limit of the likelihood, since decided duels then explain themselves.
Who stands outside is named with where it stands, and no prior invents a number for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, inf, log, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from judges.clusters import RESAMPLES, cluster_weights, interval
from judges.likelihood import Games, log_likelihood, maximise
from judges.match_graph import position_limits, reachable

_Floats = NDArray[np.float64]
_Indices = NDArray[np.intp]

Standing = Literal["above", "below", "apart"]

_ELO = 400 / log(10)
_CELLS = 40_000
"""Cells of win matrices fitted at once: what a processor's cache holds."""
_DUELS = 4_000_000
"""Weights of duels held at once, which bounds the memory of a fit."""


@dataclass(frozen=True, slots=True)
class Duel:
    """One comparison of two answers.

    Attributes:
        first, second: The models, in the order the judge saw them.
        worth: What the first won: 1, 0.5 for a tie, or 0.
        question: What was asked; duels of one question are resampled together.
    """

    first: str
    second: str
    worth: float
    question: str


@dataclass(frozen=True, slots=True)
class Strength:
    """A model's strength in logits with its 95 % interval.

    Attributes:
        value, low, high: Strengths sum to zero; ends are infinite where there is one question.
        group: From 1, the best; a group's models cannot be told apart from its first one.
        wins, losses, ties: Duels within the circle that was fitted.
    """

    model: str
    value: float
    low: float
    high: float
    group: int
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True, slots=True)
class Position:
    """What standing first is worth.

    Attributes:
        value, low, high: Logits with the 95 % interval over questions; positive favours the
            first. The value is infinite, and the interval everything, where the verdicts bound
            it at one end only, as those of a judge do that always says "first".
        ratio: Likelihood ratio, twice the log-likelihood gained by the term.
        p: Its probability under chi-squared with one degree of freedom, were there no effect;
            it takes duels for independent, which the interval does not.
    """

    value: float
    low: float
    high: float
    ratio: float
    p: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Strengths of those who can be compared, best first, and who cannot.

    Attributes:
        position: None where every order is given away by who meets whom.
        unranked: Model → `above` (beat some of the circle, directly or over others, and never
            lost to it), `below` (the reverse) or `apart` (nothing leads from one to the other).
        questions, duels: What the strengths rest on.
        log_likelihood: At the maximum, with the position term.
    """

    strengths: tuple[Strength, ...]
    position: Position | None
    unranked: dict[str, Standing]
    questions: int
    duels: int
    log_likelihood: float


def elo(strength: float) -> float:
    """Return a strength in logits as Elo points about 1000."""
    return 1000 + _ELO * strength


def fit(duels: Sequence[Duel], *, resamples: int = RESAMPLES, seed: int = 0) -> Ranking:
    """Return strengths, intervals over questions, groups and the effect of position.

    Two models are told apart where the 95 % interval of their difference, paired over the same
    resamples, leaves out zero; overlapping intervals say nothing of that. Groups are made from
    the top, as on the leaderboard: the first model told apart from a group's head heads the next.

    Raises:
        ValueError: No two models have both won against each other, directly or over others; a
            model meets itself; a worth is not 0 to 1.
    """
    table = _Table.of(duels)
    circle, unranked = _circle(table)
    table = table.within(circle)
    whole = table.games(np.ones((1, table.questions)))
    below, above = position_limits(whole.won[0], whole.played[0] - whole.won[0])
    fair = maximise(whole, np.zeros((1, len(circle) + 1)), positioned=False)
    full = maximise(whole, fair, positioned=True) if below or above else fair
    best = full if below and above else fair
    draws = _resampled(table, best[0], resamples, seed, positioned=below and above)
    found = log_likelihood(whole, full)
    position = None
    if below or above:
        gain = max(0.0, 2 * (found - log_likelihood(whole, fair)))
        position = _position(
            float(full[0, -1]), draws[:, -1], (below, above), gain, table.questions
        )
    strengths = _strengths(table, best[0, :-1], draws[:, :-1], table.questions)
    return Ranking(strengths, position, unranked, table.questions, len(table.worth), found)


class _Table(NamedTuple):
    """Duels as columns; models and questions are numbers in the order of their names."""

    models: list[str]
    first: _Indices
    second: _Indices
    worth: _Floats
    question: _Indices

    @classmethod
    def of(cls, duels: Sequence[Duel]) -> _Table:
        if not duels:
            raise ValueError("no duels")
        for duel in duels:
            if duel.first == duel.second:
                raise ValueError(f"{duel.first} meets itself")
            if not 0 <= duel.worth <= 1:
                raise ValueError(f"a duel's worth is 0 to 1, not {duel.worth:g}")
        models = sorted({name for duel in duels for name in (duel.first, duel.second)})
        numbers = {name: n for n, name in enumerate(models)}
        asked = {name: n for n, name in enumerate(sorted({duel.question for duel in duels}))}
        return cls(
            models,
            np.array([numbers[duel.first] for duel in duels]),
            np.array([numbers[duel.second] for duel in duels]),
            np.array([duel.worth for duel in duels], dtype=np.float64),
            np.array([asked[duel.question] for duel in duels]),
        )

    def within(self, circle: Sequence[int]) -> _Table:
        """Return the duels of some models with each other."""
        if len(circle) == len(self.models):
            return self
        inside = np.isin(self.first, circle) & np.isin(self.second, circle)
        return _Table(
            [self.models[n] for n in circle],
            np.searchsorted(circle, self.first[inside]),
            np.searchsorted(circle, self.second[inside]),
            self.worth[inside],
            np.unique(self.question[inside], return_inverse=True)[1],
        )

    @property
    def questions(self) -> int:
        return int(self.question.max()) + 1

    def games(self, weights: _Floats) -> Games:
        """Return the games under each draw's weights of the questions, [draws, questions]."""
        played = weights[:, self.question]
        return Games.of(len(self.models), self.first, self.second, played, self.worth)


def _circle(table: _Table) -> tuple[list[int], dict[str, Standing]]:
    """Return the largest circle, by models and then by duels, and who stands outside it."""
    size = len(table.models)
    won = np.zeros((size, size))
    np.add.at(won, (table.first, table.second), table.worth)
    np.add.at(won, (table.second, table.first), 1 - table.worth)
    reach = reachable(won)
    mutual = reach & reach.T
    duels = (mutual @ (won + won.T) * mutual).sum(axis=1)
    head = max(range(size), key=lambda n: (mutual[n].sum(), duels[n], -n))
    if mutual[head].sum() < 2:
        raise ValueError(
            "no two models have both won against each other, directly or over others: "
            f"strengths of {', '.join(table.models)} have no finite estimate"
        )
    unranked: dict[str, Standing] = {
        name: "below" if reach[head, n] else "above" if reach[n, head] else "apart"
        for n, name in enumerate(table.models)
        if not mutual[head, n]
    }
    return np.flatnonzero(mutual[head]).tolist(), unranked


def _resampled(
    table: _Table, best: _Floats, resamples: int, seed: int, *, positioned: bool
) -> _Floats:
    weights = cluster_weights(table.questions, resamples, seed)
    batch = max(1, min(_CELLS // len(table.models) ** 2, _DUELS // len(table.worth)))
    return np.concatenate(
        [
            maximise(table.games(some), np.tile(best, (len(some), 1)), positioned=positioned)
            for some in np.split(weights, range(batch, resamples, batch))
        ]
    )


def _position(
    value: float, draws: _Floats, bounded: tuple[bool, bool], gain: float, questions: int
) -> Position:
    p = erfc(sqrt(gain / 2))
    if not all(bounded):
        end = inf if bounded[0] else -inf
        return Position(end, -inf, inf, gain, p)
    low, high = interval(np.array(value), draws, questions)
    return Position(value, float(low), float(high), gain, p)


def _strengths(
    table: _Table, values: _Floats, draws: _Floats, questions: int
) -> tuple[Strength, ...]:
    low, high = interval(values, draws, questions)
    order = np.argsort(-values, kind="stable").tolist()
    groups = _groups(order, values, draws, questions)
    return tuple(
        Strength(
            table.models[n],
            float(values[n]),
            float(low[n]),
            float(high[n]),
            groups[n],
            *_tally(table, n),
        )
        for n in order
    )


def _groups(
    order: Sequence[int], values: _Floats, draws: _Floats, questions: int
) -> dict[int, int]:
    groups: dict[int, int] = {}
    head, number = order[0], 1
    for n in order:
        ahead = np.array(values[head] - values[n])
        if n != head and interval(ahead, draws[:, head] - draws[:, n], questions)[0] > 0:
            head, number = n, number + 1
        groups[n] = number
    return groups


def _tally(table: _Table, model: int) -> tuple[int, int, int]:
    own = np.concatenate(
        [table.worth[table.first == model], 1 - table.worth[table.second == model]]
    )
    return int((own > 0.5).sum()), int((own < 0.5).sum()), int((own == 0.5).sum())
