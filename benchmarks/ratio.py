"""What a benchmark tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """A measurement over its floor; milliseconds and megabytes would only tell of the machine.

    Attributes:
        what, floor: Names of the two, with their values.
        value: Measurement over floor.
        goal: Most it may be.
        notes: What else was seen in the run.
    """

    what: str
    floor: str
    value: float
    goal: float
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.value <= self.goal

    def lines(self) -> list[str]:
        """Return the ratio as text."""
        verdict = "met" if self.met else "MISSED"
        ratio = f"{self.what} / {self.floor} = {self.value:.3f}"
        return [
            f"{ratio}   goal <= {self.goal:.4g}: {verdict}",
            *(f"    {note}" for note in self.notes),
        ]
