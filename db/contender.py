"""An ensemble with all its evaluations, and how two of them compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.suites.item import Split
from db.comparability import comparable_by
from db.pins import judged_by
from db.seen import Seen
from judges.statistics import Difference, Estimate, Paired, difference
from moa.ensemble import Ensemble

Bounds = tuple[float, float]

_AT_ONCE = 64  # ensembles compared with one in one go


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """An ensemble on the search items, on the held-out items, or both.

    Attributes:
        trial: Optuna's number; None for a baseline and for one that no trial points to.
        main: What its row tells of: the search items where it saw them.
        second: On the held-out items by the search's judge, where another one reports.
        estimate, confirmation: Its score 0..1 on the search and on the held-out items.
        bounds, confirmed_bounds: The same with the unscored items at worst and at best.
        key: What makes its scores comparable: suite and judges.
        weights: Category → its share.
        confirmed: Whether its held-out score counts.
        ranked: Whether it has a rank at all.
    """

    study: str
    ensemble: Ensemble
    digest: str
    trial: int | None
    main: Seen
    search: Seen | None
    held_out: Seen | None
    second: Seen | None
    estimate: Estimate | None
    confirmation: Estimate | None
    bounds: Bounds | None
    confirmed_bounds: Bounds | None
    key: str
    weights: Mapping[str, float]
    confirmed: bool
    ranked: bool

    @property
    def origin(self) -> str:
        """Who proposed it."""
        return self.main.evaluation.origin

    @property
    def single(self) -> str | None:
        """The model's name where the ensemble is one model alone."""
        return None if self.ensemble.layers else self.ensemble.aggregator.model

    @property
    def value(self) -> float | None:
        """Its score on the search items."""
        return self.estimate.value if self.estimate else None

    @property
    def place(self) -> tuple[int, float, str]:
        """What the ranking sorts by, best first."""
        if self.confirmed and self.confirmation is not None:
            return 0, -self.confirmation.value, self.digest
        score = -(self.value or 0.0)
        if not self.ranked:
            return 3, score, self.digest
        return 2 if self.main.evaluation.state == "PRUNED" else 1, score, self.digest

    def versus(self, other: Contender) -> Difference | None:
        """Return the paired difference: on held-out items where both are confirmed, else search.

        None where they share no scored item, or were scored by other judges or suites.
        """
        return Comparisons([self, other]).versus([(self, other)])[0]


class Comparisons:
    """Compares the ensembles of a field pair by pair; a thousand cost little more than one."""

    def __init__(self, field: Sequence[Contender]) -> None:
        self._paired: dict[str, Paired] = {}
        self._places: dict[Contender, tuple[int, int]] = {}
        for key in dict.fromkeys(one.key for one in field):
            self._paired[key] = self._rows([one for one in field if one.key == key])

    def versus(self, pairs: Sequence[tuple[Contender, Contender]]) -> list[Difference | None]:
        """Return what `Contender.versus` says of each pair."""
        found: list[Difference | None] = [None] * len(pairs)
        for key, rows in self._paired.items():
            mine = [n for n, (one, other) in enumerate(pairs) if one.key == other.key == key]
            gaps = rows.differences([self._pair(*pairs[n]) for n in mine])
            for n, gap in zip(mine, gaps, strict=True):
                found[n] = gap
        return found

    def first(self, one: Contender, others: Sequence[Contender], *, apart: bool) -> int:
        """Return the place of the first that differs from `one` beyond doubt, or does not.

        Confirmed and not confirmed differ. Where there is none it is the number of the others.
        """
        for start in range(0, len(others), _AT_ONCE):
            found = self._apart(one, others[start : start + _AT_ONCE])
            if apart in found:
                return start + found.index(apart)
        return len(others)

    def _apart(self, one: Contender, others: Sequence[Contender]) -> list[bool]:
        found = self.versus([(one, other) for other in others])
        return [
            one.confirmed != other.confirmed or (gap is not None and not gap.low <= 0 <= gap.high)
            for other, gap in zip(others, found, strict=True)
        ]

    def _rows(self, alike: Sequence[Contender]) -> Paired:
        """Take in the scores of ensembles of one suite: searched, held out; none share a row."""
        rows: list[Mapping[str, float]] = [{}]
        strata: dict[str, str] = {}
        for one in alike:
            places = []
            for half in (one.search, one.held_out):
                places.append(len(rows) if half else 0)
                if half:
                    rows.append(half.scores)
                    strata.update(half.strata)
            self._places[one] = places[0], places[1]
        return Paired(rows, strata, alike[0].weights)

    def _pair(self, one: Contender, other: Contender) -> tuple[int, int]:
        half = int(one.confirmed and other.confirmed)
        return self._places[one][half], self._places[other][half]


def contenders(
    study: str, evaluations: Sequence[Seen], pins: Mapping[str, Any], trials: Mapping[str, int]
) -> list[Contender]:
    """Return the ensembles of a study in the order of the leaderboard.

    Args:
        study: Its name.
        evaluations: Of all halves and judges.
        pins: The study's; say under which judge each half counts.
        trials: Digest → number of the first trial that points to it.
    """
    judges = judged_by(pins)
    halves: dict[str, _Halves] = {}
    known: dict[Split, dict[str, str]] = {"search": {}, "held_out": {}}
    for one in evaluations:
        kept = one.evaluation
        known[kept.half] |= one.strata
        mine = halves.setdefault(kept.digest, _Halves())
        if kept.judge == judges[kept.half]:
            setattr(mine, kept.half, one)
        elif kept.judge == judges["search"]:
            mine.second = one
    about = _About(study, pins["suite"]["weights"], known, comparable_by(pins), trials)
    counted = {d: both for d, both in halves.items() if both.search or both.held_out}
    found = (_contender(digest, both, about) for digest, both in counted.items())
    return sorted(found, key=lambda one: one.place)


def paired(a: Seen | None, b: Seen | None, weights: Mapping[str, float]) -> Difference | None:
    """Return the paired difference of two evaluations; None where they share no scored item."""
    if a is None or b is None or not a.scores.keys() & b.scores.keys():
        return None
    return difference(a.scores, b.scores, a.strata, weights)


@dataclass(slots=True)
class _Halves:
    search: Seen | None = None
    held_out: Seen | None = None
    second: Seen | None = None


@dataclass(frozen=True, slots=True)
class _About:
    """What all contenders of a study share."""

    study: str
    weights: Mapping[str, float]
    known: Mapping[Split, Mapping[str, str]]
    key: str
    trials: Mapping[str, int]


def _contender(digest: str, halves: _Halves, about: _About) -> Contender:
    search, held_out, weights = halves.search, halves.held_out, about.weights
    main = search or held_out
    assert main is not None
    confirmed = bool(held_out and held_out.evaluation.state == "COMPLETE" and held_out.rankable)
    return Contender(
        study=about.study,
        ensemble=main.evaluation.ensemble,
        digest=digest,
        trial=None if main.evaluation.origin == "baseline" else about.trials.get(digest),
        main=main,
        search=search,
        held_out=held_out,
        second=halves.second,
        estimate=search.estimate(weights) if search else None,
        confirmation=held_out.estimate(weights) if held_out else None,
        bounds=search.bounds(about.known["search"], weights) if search else None,
        confirmed_bounds=held_out.bounds(about.known["held_out"], weights) if held_out else None,
        key=about.key,
        weights=weights,
        confirmed=confirmed,
        ranked=confirmed or bool(search and search.rankable),
    )
