"""An ensemble with all its evaluations, and how two of them compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from db.seen import Seen
from judges.statistics import Difference, Estimate, difference
from moa.ensemble import Ensemble


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """An ensemble on the search items, on the held-out items, or both.

    Attributes:
        trial: Optuna's number; None for a baseline and for one that no trial points to.
        main: What its row tells of: the search items where it saw them.
        estimate, confirmation: Its score 0..1 on the search and on the held-out items.
        weights: Category → its share.
    """

    ensemble: Ensemble
    digest: str
    trial: int | None
    main: Seen
    search: Seen | None
    held_out: Seen | None
    estimate: Estimate | None
    confirmation: Estimate | None
    weights: Mapping[str, float]

    @property
    def origin(self) -> str:
        """Who proposed it."""
        return self.main.evaluation.origin

    @property
    def single(self) -> str | None:
        """The model's name where the ensemble is one model alone."""
        return None if self.ensemble.layers else self.ensemble.aggregator.model

    @property
    def confirmed(self) -> bool:
        """Whether its held-out score counts."""
        kept = self.held_out
        return kept is not None and kept.evaluation.state == "COMPLETE" and kept.rankable

    @property
    def ranked(self) -> bool:
        """Whether it has a rank at all."""
        return self.confirmed or (self.search is not None and self.search.rankable)

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

        None where they share no scored item.
        """
        if self.confirmed and other.confirmed:
            return _paired(self.held_out, other.held_out, self.weights)
        return _paired(self.search, other.search, self.weights)

    def told_from(self, other: Contender) -> bool:
        """Whether the two differ beyond doubt; confirmed and not is a difference too."""
        if self.confirmed != other.confirmed:
            return True
        found = self.versus(other)
        return found is not None and not found.low <= 0 <= found.high


def contenders(
    evaluations: Iterable[Seen], pins: Mapping[str, Any], trials: Mapping[str, int]
) -> list[Contender]:
    """Return the ensembles of a study in the order of the leaderboard.

    Args:
        evaluations: Of all halves and judges.
        pins: The study's; say under which judge each half counts.
        trials: Digest → number of the first trial that points to it.
    """
    judges = {"search": pins["judge"]["digest"]}
    judges["held_out"] = (pins.get("report_judge") or pins["judge"])["digest"]
    halves: dict[str, dict[str, Seen]] = {}
    for one in evaluations:
        kept = one.evaluation
        if kept.judge == judges[kept.half]:
            halves.setdefault(kept.digest, {})[kept.half] = one
    weights = pins["suite"]["weights"]
    found = (_contender(digest, both, trials, weights) for digest, both in halves.items())
    return sorted(found, key=lambda one: one.place)


def cost(one: Seen, in_money: bool) -> float:
    """Return what an answer costs in USD or, where nothing is paid, in seconds."""
    return (one.usd if in_money else sum(one.seconds)) / max(len(one.seconds), 1)


def _contender(
    digest: str,
    halves: Mapping[str, Seen],
    trials: Mapping[str, int],
    weights: Mapping[str, float],
) -> Contender:
    search, held_out = halves.get("search"), halves.get("held_out")
    main = halves["search"] if search else halves["held_out"]
    return Contender(
        ensemble=main.evaluation.ensemble,
        digest=digest,
        trial=None if main.evaluation.origin == "baseline" else trials.get(digest),
        main=main,
        search=search,
        held_out=held_out,
        estimate=search.estimate(weights) if search else None,
        confirmation=held_out.estimate(weights) if held_out else None,
        weights=weights,
    )


def _paired(a: Seen | None, b: Seen | None, weights: Mapping[str, float]) -> Difference | None:
    if a is None or b is None or not a.scores.keys() & b.scores.keys():
        return None
    return difference(a.scores, b.scores, a.strata, weights)
