"""The whole audit: its lines, and the verdict on the judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from judges.audit.checks import lines
from judges.audit.evidence import Evidence
from judges.audit.lines import Line
from judges.audit.plan import MOST_ROUNDS
from judges.canaries import INJECTED, Kind


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found of a judge."""

    lines: tuple[Line, ...]

    @property
    def failing(self) -> tuple[Line, ...]:
        """The lines that fail."""
        return tuple(line for line in self.lines if line.state == "fail")

    @property
    def undecided(self) -> tuple[Line, ...]:
        """The lines that need more verdicts."""
        return tuple(line for line in self.lines if line.state == "undecided")

    @property
    def fit(self) -> bool:
        """Whether no line fails."""
        return not self.failing

    def further(self, rounds: Mapping[Kind, int]) -> Mapping[Kind, int]:
        """Return how many answers to an item should get twins next, line by line.

        Args:
            rounds: How many got them; returned as it is where more would decide nothing.
        """
        kinds: dict[str, Kind] = {f"canary: {kind}": kind for kind in INJECTED}
        kinds["length"] = "padding"
        open_ = [kinds[line.name] for line in self.undecided if line.name in kinds]
        more = {kind: min(2 * rounds.get(kind, 1), MOST_ROUNDS) for kind in open_}
        return {**rounds, **more}

    @property
    def verdict(self) -> str:
        """The result in one line."""
        if self.failing:
            return f"not fit: {', '.join(line.name for line in self.failing)}"
        if self.undecided:
            names = ", ".join(line.name for line in self.undecided)
            return f"no line fails, but too little was seen to decide: {names}"
        return "fit: no line fails"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "fit": self.fit,
            "verdict": self.verdict,
            "lines": [line.to_json() for line in self.lines],
        }


def audit(evidence: Evidence) -> Audit:
    """Return what the evidence says of the judge."""
    return Audit(tuple(lines(evidence)))
