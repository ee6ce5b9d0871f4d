"""What stands below a leaderboard: how far its judges can be believed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from data.suites.item import Split
from db.gains import Gain
from db.lengths import Lengths
from db.of_ten import OF
from db.own_family import Residual
from db.standings import Leaderboard, Standing

_NAMED = 6  # characters of a digest by which a person names an ensemble
_MOST = 5  # ensembles whose worst and best case are told
_SEEN = 0.005  # of ten: what two decimals show
_ROLES = {"judge": "search judge", "report_judge": "report judge"}
_HALVES = {"search": "search", "held_out": "held-out"}


class _Interval(Protocol):
    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def lines(board: Leaderboard, shown: Sequence[Standing]) -> list[str]:
    """Return the lines below the rows that are shown."""
    return [
        *(_gain(board.gain) if board.gain else ()),
        *_bounds(shown),
        *([_MICRO] if has_micro(shown) else ()),
        *(_length(half, board.lengths[half]) for half in lengthy(board)),
        *_compared(board),
        *(f"{_ROLES[role]}: {_scale(scale)}" for role, scale in board.scales.items()),
        *_own_family(board.own_family),
    ]


_MICRO = "ranked by the mean over categories; micro is the mean over the same items, all alike"


def micro(row: Standing) -> float | None:
    """Return the mean over the items a row is ranked by."""
    return row.held_out.micro if row.held_out else row.micro


def has_micro(shown: Iterable[Standing]) -> bool:
    """Tell whether any row's mean over items is another than its mean over categories."""
    pairs = ((r.held_out.estimate if r.held_out else r.estimate, micro(r)) for r in shown)
    return any(e and m is not None and OF * abs(e.value - m) >= _SEEN for e, m in pairs)


def lengthy(board: Leaderboard) -> list[Split]:
    """Return the halves on which the length of answers goes with their scores beyond chance."""
    return [half for half, found in board.lengths.items() if found.slope.significant]


def adjusted(row: Standing, halves: Collection[Split]) -> float | None:
    """Return the score that ranks a row freed of length, where its half is one of these."""
    if row.held_out:
        return row.held_out.adjusted if "held_out" in halves else None
    return row.adjusted if "search" in halves else None


def _length(half: Split, found: Lengths) -> str:
    return (
        f"length: twice as long goes with {_span(found.slope)} of {OF} on {_HALVES[half]} items,"
        f" by the answers of the first {found.ensembles} ensembles seen on all of them;"
        " adj. is the score had all answered at the same length; whether the judge pays for"
        " length or longer answers say more, `audit` tells"
    )


def _gain(gain: Gain) -> list[str]:
    share = gain.gap.value / gain.search.value if gain.search.value > 0 else 0.0
    part = f", {100 * share:.0f} % of the gain" if 0 < share <= 1 else ""
    seen = f"{_span(gain.search)} as the search judge sees it ({_HALVES[gain.half]} items)"
    told = f"{_span(gain.report)} as the report judge sees it (held-out items)"
    return [
        f"gain of {gain.digest[:_NAMED]} over {gain.single}, of {OF}: {seen}, {told}",
        f"gap between the judges: {_span(gain.gap)}{part}",
    ]


def _bounds(shown: Sequence[Standing]) -> list[str]:
    """Return the scores of the half that ranks, with what is unscored at worst and at best."""
    found = []
    for row in shown:
        bounds = row.held_out.bounds if row.held_out else row.bounds
        if row.rank is not None and bounds and bounds[0] < bounds[1]:
            found.append(f"{row.digest[:_NAMED]} {OF * bounds[0]:.2f} to {OF * bounds[1]:.2f}")
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    told = ", ".join(found[:_MOST]) + more
    return [f"with the unscored items at worst and at best: {told}"] if found else []


def _compared(board: Leaderboard) -> list[str]:
    """Return what the scores of comparing judges are relative to."""
    judges = {"judge": board.judge, "report_judge": board.report_judge or {}}
    return [
        f"{_ROLES[role]}: compares with {pinned['baseline']}, an answer as good is worth"
        f" {OF / 2:g}; where a rule decides, the rule's share counts"
        for role, pinned in judges.items()
        if "baseline" in pinned and not board.mixed
    ]


def _scale(scale: Mapping[str, Any]) -> str:
    told = [
        f"{name} × {line['slope']:.2f} {OF * line['offset']:+.2f}"
        + (f" ({line['note']})" if line["note"] else "")
        for name, line in scale["judges"].items()
    ]
    told += [f"{name} did not answer: it judges nothing in this study" for name in scale["away"]]
    return f"one scale, frozen from {scale['answers']} answers of the baselines: {', '.join(told)}"


def _own_family(found: Sequence[Residual]) -> list[str]:
    told = [
        f"{one.judge} ({one.family}) {_span(one.difference)} on"
        f" {one.difference.items} {_HALVES[one.half]} items"
        for one in found
    ]
    return [f"own family, against other judges, of {OF}: {'; '.join(told)}"] if told else []


def _span(found: _Interval) -> str:
    return f"{OF * found.value:+.2f} [{OF * found.low:+.2f}, {OF * found.high:+.2f}]"
