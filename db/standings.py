"""The leaderboard as callers get it, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data.suites.item import Split
from db.contender import Bounds
from db.gains import Gain
from db.inflation import Chosen
from db.lengths import Lengths
from db.of_ten import OF, difference_json, estimate_json, of_ten
from db.own_family import Residual
from db.pareto import Trade
from db.records import Spent
from db.remarks import Remarks
from db.seen import Seen
from judges.statistics import Difference, Estimate
from moa.ensemble import Ensemble


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A confirmation: score 0..1 with its interval on the held-out items.

    Attributes:
        micro, bounds, adjusted: As in `Standing`.
    """

    estimate: Estimate
    items: int
    judge: str
    micro: float | None = None
    bounds: Bounds | None = None
    adjusted: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form of CONTRACT `held_out`."""
        return {
            **estimate_json(self.estimate),
            "items": self.items,
            "judge": self.judge,
            **_beside(self.micro, self.bounds, self.adjusted),
        }


@dataclass(frozen=True, slots=True)
class PerAnswer:
    """Means over an ensemble's answers."""

    calls: float
    tokens: float
    usd: float

    def to_json(self) -> dict[str, float]:
        """Return the form of CONTRACT `per_answer`."""
        return {
            "calls": round(self.calls, 3),
            "tokens": round(self.tokens, 1),
            "usd": round(self.usd, 9),
        }


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles over an ensemble's answers, in seconds."""

    p50: float
    p95: float

    def to_json(self) -> dict[str, float]:
        """Return the form of CONTRACT `latency_s`."""
        return {"p50": round(self.p50, 3), "p95": round(self.p95, 3)}


@dataclass(frozen=True, slots=True)
class Standing:
    """A row: an ensemble and where it stands. Scores 0..1.

    Attributes:
        rank, group: None for one that cannot be ranked; equals share a group. There are no groups
            where scores of other judges or suites stand side by side.
        trial: Optuna's number; None for a baseline.
        estimate, items, unscored, coverage, marked: On the search items.
        held_out: None unless it is confirmed.
        study: Where it was found; several studies are joined by " + ".
        micro: The mean over items, while what is ranked is the mean over categories.
        bounds: The score with the unscored items at worst and at best.
        adjusted: The score were its answers as long as the others', by the board's `lengths`.
        vs: Model → paired difference against it alone, on held-out items where both have them.
        seen: Its evaluations, on search and held-out items.
    """

    rank: int | None
    group: int | None
    trial: int | None
    ensemble: Ensemble
    digest: str
    origin: str
    state: str
    estimate: Estimate | None
    items: int
    unscored: int
    coverage: float
    marked: int
    held_out: HeldOut | None
    vs: Mapping[str, Difference]
    by_category: Mapping[str, float]
    per_answer: PerAnswer
    latency: Latency
    pareto: bool
    study: str = ""
    micro: float | None = None
    bounds: Bounds | None = None
    adjusted: float | None = None
    seen: tuple[Seen, ...] = ()

    @property
    def remarks(self) -> Remarks:
        """What its answers show, counted when somebody asks: a long board shows its first rows."""
        return Remarks.of(shown for half in self.seen for shown in half.inspections)

    def to_json(self) -> dict[str, Any]:
        """Return a row of CONTRACT `leaderboard --json`."""
        return {
            "rank": self.rank,
            "group": self.group,
            "trial": self.trial,
            "ensemble": self.ensemble.to_json(),
            "digest": self.digest,
            "origin": self.origin,
            "state": self.state,
            **estimate_json(self.estimate),
            "items": self.items,
            "unscored": self.unscored,
            "coverage": round(self.coverage, 4),
            "marked": self.marked,
            "held_out": self.held_out.to_json() if self.held_out else None,
            "vs": {model: difference_json(versus) for model, versus in self.vs.items()},
            "by_category": {name: of_ten(value) for name, value in self.by_category.items()},
            "per_answer": self.per_answer.to_json(),
            "latency_s": self.latency.to_json(),
            "pareto": self.pareto,
            "study": self.study,
            **_beside(self.micro, self.bounds, self.adjusted),
            **self.remarks.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """What a study has found.

    Attributes:
        study: Its name; several studies ranked together are joined by " + ".
        suite, judge, report_judge: As the study pins them, the first of several.
        confirmations: Ensembles scored on held-out items so far, baselines not counted.
        gain: What two judges make of the best ensemble; None with one judge.
        own_family: What each judge of a panel gives to its own family, in a single study.
        scales: Role → how its judges' marks are read, where they were put on one scale; none of
            scores that cannot be compared.
        lengths: Half → what the length of answers goes with; none of scores that cannot be
            compared.
        mixed: Why the rows cannot be compared, where that was asked for all the same.
        pareto: Quality against cost; None while nothing is ranked.
        chosen: The best by search score, and how much of it is expected to be luck.
    """

    study: str
    suite: Mapping[str, Any]
    judge: Mapping[str, Any]
    report_judge: Mapping[str, Any] | None
    verdict: str
    confirmations: int
    spent: Spent
    rows: tuple[Standing, ...]
    gain: Gain | None = None
    own_family: tuple[Residual, ...] = ()
    scales: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lengths: Mapping[Split, Lengths] = field(default_factory=dict)
    mixed: tuple[str, ...] = ()
    pareto: Trade | None = None
    chosen: Chosen | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form of CONTRACT `leaderboard --json`: scores 0-10, intervals 95 %."""
        return {
            "study": self.study,
            "suite": {
                key: self.suite[key]
                for key in ("name", "digest", "search_items", "held_out_items")
            },
            "judge": _judge(self.judge),
            "report_judge": _judge(self.report_judge) if self.report_judge else None,
            "verdict": self.verdict,
            "confirmations": self.confirmations,
            "spent": _spent(self.spent),
            "rows": [row.to_json() for row in self.rows],
            "gain": self.gain.to_json() if self.gain else None,
            "own_family": [residual.to_json() for residual in self.own_family],
            "scales": {role: dict(scale) for role, scale in self.scales.items()},
            "length": {half: found.to_json() for half, found in self.lengths.items()},
            "mixed": list(self.mixed),
            "pareto": self.pareto.to_json() if self.pareto else None,
            "chosen": self.chosen.to_json(OF) if self.chosen else None,
        }


def _beside(micro: float | None, bounds: Bounds | None, adjusted: float | None) -> dict[str, Any]:
    return {
        "micro": None if micro is None else of_ten(micro),
        "adjusted": None if adjusted is None else of_ten(adjusted),
        "bounds": [of_ten(end) for end in bounds] if bounds else None,
    }


def _judge(pinned: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: pinned[key] for key in ("kind", "models", "digest")}
    return {**kept, **{key: pinned[key] for key in ("baseline", "parts") if key in pinned}}


def _spent(spent: Spent) -> dict[str, Any]:
    return {
        "calls": spent.calls,
        "usd": round(spent.usd, 9),
        "seconds": round(spent.seconds, 3),
        "by_role": {
            role: {"calls": share.calls, "tokens": share.tokens, "usd": round(share.usd, 9)}
            for role, share in spent.by_role.items()
        },
    }
