"""What evaluating an ensemble came to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from db.records import MARKED, Evaluation, Result
from judges.statistics import COVERAGE, Estimate
from moa.ensemble import Ensemble

State = Literal["COMPLETE", "PRUNED", "FAILED"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An ensemble evaluated, in whole or until it was pruned.

    Attributes:
        estimate: Score 0..1 with its 95 % interval; None where no item was scored.
        scores: Item id → score 0..1, unscored items left out.
        value: What the sampler is told: the estimate, or for a pruned ensemble the incumbent's
            value plus the paired difference.
        usd, seconds: Means over the answers.
        silent: Members that left a request unanswered for good.
        refused: Items without a result for which a server would refuse a request again: it
            answers others. One that refuses all may be a gateway whose model is being loaded.
    """

    ensemble: Ensemble
    origin: str
    state: State
    estimate: Estimate | None
    scores: Mapping[str, float]
    items: int
    marked: int
    value: float | None
    usd: float = 0.0
    seconds: float = 0.0
    silent: frozenset[str] = frozenset()
    refused: int = 0

    @classmethod
    def of(cls, record: Evaluation, results: Sequence[Result]) -> Outcome:
        """Return the outcome of an evaluation that was closed COMPLETE or PRUNED."""
        found = None
        scores = {r.item_id: r.value for r in results if r.value is not None}
        if record.value is not None and record.low is not None and record.high is not None:
            found = Estimate(record.value, record.low, record.high, len(scores))
        return cls(
            ensemble=record.ensemble,
            origin=record.origin,
            state="PRUNED" if record.state == "PRUNED" else "COMPLETE",
            estimate=found,
            scores=scores,
            items=record.items,
            marked=record.marked,
            value=record.value,
            **costs(results),
        )

    @property
    def ranked(self) -> bool:
        """Whether it may become the incumbent: whole, scored, and of answers as they should be."""
        return (
            self.state == "COMPLETE"
            and len(self.scores) >= COVERAGE * self.items > 0
            and self.marked <= MARKED * self.items
        )

    @property
    def curable(self) -> bool:
        """Whether a failed evaluation may do better once endpoints are back."""
        return self.state == "FAILED" and self.items - self.refused >= COVERAGE * self.items


class Costs(TypedDict):
    """Means over answers: US dollars and seconds."""

    usd: float
    seconds: float


def costs(results: Collection[Result]) -> Costs:
    """Return what an answer cost on average."""
    number = max(len(results), 1)
    usd, seconds = (sum(getattr(r.answer, k) for r in results) for k in ("usd", "seconds"))
    return {"usd": usd / number, "seconds": seconds / number}
