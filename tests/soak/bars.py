"""What a part of the soak tells: a measured figure against its bar."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that must not pass its bar.

    Attributes:
        what: What was measured.
        measured: The figure.
        most: What it may be at most; `least` where it is a floor.
    """

    what: str
    measured: float
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        """Whether the figure is within its bar."""
        low = self.least is None or self.measured >= self.least
        return low and (self.most is None or self.measured <= self.most)

    @property
    def line(self) -> str:
        """The figure, its bar and the verdict."""
        bar = f"<= {self.most:g}" if self.least is None else f">= {self.least:g}"
        if self.most is not None and self.most == self.least:
            bar = f"= {self.most:g}"
        verdict = "met" if self.met else "MISSED"
        return f"{self.what:<66} {self.measured:>9.4g}   {bar:<9} {verdict}"
