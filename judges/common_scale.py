"""One scale for several judges: mild and harsh, wide and narrow ones made comparable.

Each judge's marks are put on the panel's own location and scale by a straight line, which is a
z-score of each judge before pooling. Judges need not have seen the same answers: spreads are
linked over the answers two judges share (mean/sigma linking of tests with common items, Kolen
and Brennan 2014, chapter 4), locations by the additive two-way model mark = answer + judge with
missing cells, least squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

ENOUGH = 16  # answers two judges must share: their spreads are then known to a fifth
FLAT = 0.02  # spread below which a judge tells answers apart by less than a fifth of a mark
STRETCH = 3.0  # a narrow judge's noise grows with its marks: never by more than this
FADE = 0.1  # below the lowest mark there is only the empty answer, worth 0 under every scale


@dataclass(frozen=True, slots=True)
class Line:
    """How one judge's marks are read: `offset + slope * mark`; `note` says what could not be."""

    slope: float = 1.0
    offset: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class CommonScale:
    """What several judges' marks are worth on one scale.

    Attributes:
        lines: Judge → its line.
        answers: How many answers it was fitted on.
        away: Judges that gave too few marks for a line, for their endpoint failed.
    """

    lines: Mapping[str, Line]
    answers: int
    away: tuple[str, ...] = ()

    def read(self, judge: str, mark: float) -> float:
        """Return a mark of 0..1 on the common scale, 0..1; never falls as the mark rises."""
        line = self.lines[judge]
        straight = min(1.0, max(0.0, line.offset + line.slope * mark))
        return straight * min(1.0, mark / FADE)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; `from_json` reads it back to the last digit."""
        lines = {name: asdict(line) for name, line in sorted(self.lines.items())}
        return {"answers": self.answers, "judges": lines, "away": list(self.away)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return what `to_json` wrote."""
        lines = {name: Line(**line) for name, line in value["judges"].items()}
        return cls(lines, value["answers"], tuple(value["away"]))


def fit(answers: Sequence[Mapping[str, float]], families: Mapping[str, str]) -> CommonScale:
    """Fit the lines.

    Args:
        answers: For each answer judge → mark, 0..1. A mark of 0 is left out: an empty answer is
            worth nothing to everybody and tells nothing of a judge.
        families: Judge → its family; families weigh the same in the panel's own location and
            scale, which are those of its marks as they are (the scale as a geometric mean).

    Returns:
        Lines for all judges of `families`. One that shares too few answers with the others keeps
        its marks as they are; one without spread is shifted, not stretched.
    """
    names = sorted(families)
    marks = np.array(
        [[seen.get(name, 0.0) for name in names] for seen in answers], dtype=np.float64
    ).reshape(len(answers), len(names))
    marks[marks <= 0] = np.nan
    linked = _linked(marks)
    lines = dict.fromkeys(names, Line(note="too few answers shared with other judges: unscaled"))
    if linked:
        inner = [names[j] for j in linked]
        lines |= dict(zip(inner, _fit(marks[:, linked], _shares(inner, families)), strict=True))
    return CommonScale(lines, int(np.isfinite(marks).any(axis=1).sum()))


def _linked(marks: _Floats) -> list[int]:
    """Return the largest set of judges that answers in common connect; empty if none are."""
    seen = np.isfinite(marks)
    shared = seen.T.astype(np.int64) @ seen
    reach = shared >= ENOUGH
    for _ in range(len(shared)):
        reach = reach @ reach
    widest = max(range(len(reach)), key=lambda j: int(reach[j].sum()), default=None)
    found = [] if widest is None else np.flatnonzero(reach[widest]).tolist()
    return found if len(found) > 1 else []


def _fit(marks: _Floats, shares: _Floats) -> list[Line]:
    logs, flat = _spreads(marks)
    telling = np.where(flat, 0.0, shares)
    wanted = float(telling @ logs) / max(float(telling.sum()), 1e-9)
    slopes = np.where(flat, 1.0, np.clip(np.exp(wanted - logs), 1 / STRETCH, STRETCH))
    read = marks * slopes
    effects = _effects(read)
    own, mapped = (np.nanmean(m, axis=0) for m in (marks, read - effects))
    offsets = shares @ (own - mapped) - effects
    held = np.isclose(slopes, STRETCH) | np.isclose(slopes, 1 / STRETCH)
    return [
        Line(round(float(slope), 6), round(float(offset), 6), _note(bool(f), bool(h)))
        for slope, offset, f, h in zip(slopes, offsets, flat, held, strict=True)
    ]


def _spreads(marks: _Floats) -> tuple[_Floats, NDArray[np.bool_]]:
    """Return the log of each judge's spread against the others', and who has none."""
    flat = np.nanstd(marks, axis=0) < FLAT
    judges = marks.shape[1]
    rows, ratios = [np.zeros(judges)], [0.0]
    for j, k in combinations(np.flatnonzero(~flat), 2):
        both = np.isfinite(marks[:, j]) & np.isfinite(marks[:, k])
        if both.sum() < ENOUGH:
            continue
        first, second = np.std(marks[both][:, [j, k]], axis=0)
        if min(first, second) > 0:
            weight = float(np.sqrt(both.sum()))
            row = np.zeros(judges)
            row[[j, k]] = weight, -weight
            rows.append(row)
            ratios.append(weight * float(np.log(first / second)))
    logs: _Floats = np.linalg.lstsq(np.array(rows), np.array(ratios))[0]
    return logs, flat


def _effects(marks: _Floats) -> _Floats:
    """Return how much milder each judge is than the rest, summing to zero.

    The answers' own worth is swept out of the normal equations, so that what is solved is only
    as large as the panel.
    """
    seen = np.isfinite(marks)
    voices = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    centred = np.where(seen, marks - np.nansum(marks, axis=1, keepdims=True) / voices, 0.0)
    weights = seen / voices
    normal = np.diag(seen.sum(axis=0)) - seen.T.astype(np.float64) @ weights
    effects: _Floats = np.linalg.lstsq(normal, centred.sum(axis=0))[0]
    return effects


def _shares(names: Sequence[str], families: Mapping[str, str]) -> _Floats:
    own = [families[name] for name in names]
    return np.array([1 / (own.count(family) * len(set(own))) for family in own])


def _note(flat: bool, held: bool) -> str:
    if flat:
        return "gave nearly the same mark to every answer: shifted, not stretched"
    return f"its spread is far from the others': stretched {STRETCH:g} times at most" * held
