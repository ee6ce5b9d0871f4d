"""What length goes with among the answers of a leaderboard, and scores freed of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.suites.item import Split
from db.contender import Contender
from db.matrix import Items
from db.of_ten import of_ten
from db.remarks import CHARS
from db.seen import Seen
from judges.length import Slope, length_slope, within

MOST = 100  # ensembles whose answers are looked at


@dataclass(frozen=True, slots=True)
class Lengths:
    """One half under the judge that counts for it.

    Attributes:
        ensembles: Those whose answers were looked at.
        slope: Score per doubling of an answer's length, items and ensembles held fixed.
        adjusted: Ensemble → its score less the slope times the doublings by which its answers
            are longer than those of all ensembles to the same items, weighed as its score is.
    """

    ensembles: int
    slope: Slope
    adjusted: Mapping[Contender, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the slope as JSON, of ten."""
        slope = self.slope
        return {
            "per_doubling": of_ten(slope.value),
            "ci": [of_ten(slope.low), of_ten(slope.high)],
            "answers": slope.answers,
            "items": slope.items,
            "ensembles": self.ensembles,
        }


def lengths(ranked: Sequence[Contender], half: Split) -> Lengths | None:
    """Return what length goes with on a half; None where items and ensembles explain it.

    Args:
        ranked: In the order of the leaderboard; the first so many that were seen on the whole
            half count. Their answers say enough of length, and reading all of a thousand
            ensembles would cost as much again as the leaderboard.
        half: Search or held-out items.
    """
    seen_whole = ((one, seen) for one in ranked if (seen := _whole(one, half)) is not None)
    whole = list(islice(seen_whole, MOST))
    if not whole:
        return None
    items = Items.of(_strata(seen for _, seen in whole), whole[0][0].weights)
    scores = items.table([seen.scores for _, seen in whole])
    sizes = np.log2(items.table([_sizes(seen) for _, seen in whole]))
    here = ~(np.isnan(scores) | np.isnan(sizes))
    model, item = np.nonzero(here)
    # Neither may have gaps: all answers of an ensemble, or to an item, may be empty.
    model, item = _ranks(here, 1)[model], _ranks(here, 0)[item]
    slope = length_slope(sizes[here], scores[here], item, model) if here.any() else None
    if slope is None:
        return None
    longer = np.where(np.isnan(scores), np.nan, 0.0)
    longer[here] = within(sizes[here], item)
    adjusted = items.means(scores) - slope.value * items.means(longer)
    ensembles = [one for one, _ in whole]
    return Lengths(len(whole), slope, dict(zip(ensembles, adjusted.tolist(), strict=True)))


def _strata(seen: Iterable[Seen]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in seen:
        found.update(one.strata)
    return found


def _ranks(here: NDArray[np.bool_], axis: int) -> NDArray[np.intp]:
    """Return numbers without a gap for what is there along the other axis."""
    return np.cumsum(np.any(here, axis=axis)) - 1


def _whole(one: Contender, half: Split) -> Seen | None:
    seen = one.search if half == "search" else one.held_out
    return seen if seen and seen.rankable and seen.evaluation.state == "COMPLETE" else None


def _sizes(seen: Seen) -> dict[str, int]:
    """Return the characters of each answer that has any."""
    shown = zip(seen.strata, seen.inspections, strict=True)
    return {item: one[CHARS] for item, one in shown if one[CHARS]}
