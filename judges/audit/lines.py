"""A line of the audit: a value, how sure it is, and whether it passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from judges.audit.standards import STANDARDS, Standard

State = Literal["pass", "fail", "undecided", "not applicable"]

SURE: Final = 2.807
"""Standard errors of a 99.5 % interval: a dozen lines at 95 % would fail one good judge in two,
and a line that stays open is looked at again with more twins."""
POWER: Final = 1.282
"""Standard errors more, for an effect that is found nine times of ten."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing asked of a judge, and the answer.

    Attributes:
        value: In the standard's unit; None where it could not be measured.
        error: Its standard error, where it has one.
        verdicts: Verdicts, or pairs of them, that it rests on.
        note: What else was seen, or why nothing was.
    """

    name: str
    state: State
    value: float | None = None
    error: float | None = None
    verdicts: int = 0
    note: str = ""

    @property
    def standard(self) -> Standard:
        """What is asked."""
        return STANDARDS[self.name]

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 99.5 % interval."""
        if self.value is None or self.error is None:
            return None
        return self.value - SURE * self.error, self.value + SURE * self.error

    @property
    def detectable(self) -> float | None:
        """The smallest effect that would be found nine times of ten."""
        return None if self.error is None else (SURE + POWER) * self.error

    @property
    def wanted(self) -> int | None:
        """How many verdicts would decide an undecided line."""
        if self.state != "undecided":
            return None
        if not self.detectable or self.detectable <= self.standard.harm:
            return max(self.standard.needed, self.verdicts)
        return round(self.verdicts * (self.detectable / self.standard.harm) ** 2)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        standard, interval = self.standard, self.interval
        return {
            "name": self.name,
            "state": self.state,
            "value": self.value,
            "ci": list(interval) if interval else None,
            "unit": standard.unit,
            "limit": standard.limit,
            "limit_is": "least" if standard.least else "most",
            "smallest_detectable": self.detectable,
            "verdicts": self.verdicts,
            "verdicts_wanted": self.wanted,
            "note": self.note,
            "why": standard.why,
            "meaning": standard.meaning,
        }


def effect(name: str, value: float, error: float, verdicts: int, note: str = "") -> Line:
    """Return the line of an effect that should be none.

    It fails where it is above its limit and surely above zero, and is undecided where a harmful
    effect could have been missed.
    """
    standard = STANDARDS[name]
    if verdicts < standard.needed:
        state: State = "undecided"
    elif value > standard.limit and value > SURE * error:
        state = "fail"
    else:
        state = "undecided" if (SURE + POWER) * error > standard.harm else "pass"
    return Line(name, state, value, error, verdicts, note)


def level(
    name: str,
    value: float,
    verdicts: int,
    note: str = "",
    *,
    slack: float = 0.0,
    holds: bool = True,
) -> Line:
    """Return the line of a level that must be kept.

    Args:
        name: Of the line.
        value: What was found.
        verdicts: What it rests on.
        note: What else was seen.
        slack: How far beyond the limit still passes, being within the error of counting.
        holds: What else must be so.
    """
    standard = STANDARDS[name]
    beyond = standard.limit - value if standard.least else value - standard.limit
    state: State = "pass" if beyond <= slack and holds else "fail"
    if verdicts < standard.needed:
        state = "undecided"
    return Line(name, state, value, None, verdicts, note)


def absent(name: str, note: str) -> Line:
    """Return the line of something that this judge or this study cannot show."""
    return Line(name, "not applicable", note=note)
