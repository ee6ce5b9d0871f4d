"""The leaderboard as callers get it, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.records import Spent
from judges.statistics import Difference, Estimate
from moa.ensemble import Ensemble

OF = 10  # scores are kept 0..1 and shown 0..10


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A confirmation: score 0..1 with its interval on the held-out items."""

    estimate: Estimate
    items: int
    judge: str

    def to_json(self) -> dict[str, Any]:
        """Return the form of CONTRACT `held_out`."""
        return {**_shown(self.estimate), "items": self.items, "judge": self.judge}


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
        rank, group: None for one that cannot be ranked; equals share a group.
        trial: Optuna's number; None for a baseline.
        estimate, items, unscored, coverage, marked: On the search items.
        vs: Model → paired difference against it alone, on held-out items where both have them.
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
            **_shown(self.estimate),
            "items": self.items,
            "unscored": self.unscored,
            "coverage": round(self.coverage, 4),
            "marked": self.marked,
            "held_out": self.held_out.to_json() if self.held_out else None,
            "vs": {model: _versus(versus) for model, versus in self.vs.items()},
            "by_category": {name: _of_ten(value) for name, value in self.by_category.items()},
            "per_answer": self.per_answer.to_json(),
            "latency_s": self.latency.to_json(),
            "pareto": self.pareto,
        }


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """What a study has found.

    Attributes:
        suite, judge, report_judge: As the study pins them.
        confirmations: Ensembles scored on held-out items so far, baselines not counted.
    """

    study: str
    suite: Mapping[str, Any]
    judge: Mapping[str, Any]
    report_judge: Mapping[str, Any] | None
    verdict: str
    confirmations: int
    spent: Spent
    rows: tuple[Standing, ...]

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
        }


def _of_ten(value: float) -> float:
    return round(value * OF, 4)


def _shown(estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {"score": None, "ci": None}
    ends = [_of_ten(estimate.low), _of_ten(estimate.high)]
    return {"score": _of_ten(estimate.value), "ci": ends}


def _versus(versus: Difference) -> dict[str, Any]:
    return {
        "difference": _of_ten(versus.value),
        "ci": [_of_ten(versus.low), _of_ten(versus.high)],
        "wins": versus.wins,
        "losses": versus.losses,
        "ties": versus.ties,
    }


def _judge(pinned: Mapping[str, Any]) -> dict[str, Any]:
    return {key: pinned[key] for key in ("kind", "models", "digest")}


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
