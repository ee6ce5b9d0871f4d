"""Judges that a test makes up: marks by a formula, where a model would be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from data.errors import ServerFailedError
from data.suites.item import Item
from judges.panel import PanelJudge
from judges.score import Score
from moa.answer import Answer

Marks = Callable[[Item, Answer], float | None]


@dataclass
class TableMember:
    """Keeps `judges.panel.Member`: marks by a function; remembers what it saw.

    Attributes:
        away: Whether its endpoint fails.
    """

    name: str
    family: str
    marks: Marks
    seen: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False

    @property
    def digest(self) -> str:
        return f"table {self.name}"

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        if self.away:
            raise ServerFailedError("502")
        self.seen.append((item.id, answer.texts[-1]))
        value = self.marks(item, answer)
        if value is None:
            return (Score.unscored(self.name, "no verdict"),)
        return (Score(self.name, value),)


def panel(
    *members: TableMember, families: Mapping[str, str] | None = None, own: bool = False
) -> PanelJudge:
    """Return a panel, or a pool that judges itself if `own`."""
    return PanelJudge(members, families or {}, exclude_own_family=own)


def mark(value: float) -> float:
    """Return a rating as a model gives it: of ten, whole, one at least."""
    return min(10, max(1, round(10 * value))) / 10
