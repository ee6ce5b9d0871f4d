"""What an ensemble's answers show, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Any

from judges.inspection import Inspection

_OFTEN = 3  # items from which one and the same answer is none


@dataclass(frozen=True, slots=True)
class Style:
    """How an answer is dressed, on average."""

    chars: float = 0.0
    headings: float = 0.0
    lists: float = 0.0
    bold: float = 0.0

    def to_json(self) -> dict[str, float]:
        """Return it as JSON."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Remarks:
    """Answers of an ensemble by what they show, on search and held-out items together.

    Attributes:
        flagged: Those with text that would speak for a judge.
        off_language: Those in another language than was expected.
        mixed, empty, looping, refused, cut: As `Inspection` has them.
        constant: Those said word for word to three items or more, short ones left out.
    """

    answers: int = 0
    flagged: int = 0
    off_language: int = 0
    mixed: int = 0
    empty: int = 0
    looping: int = 0
    refused: int = 0
    cut: int = 0
    constant: int = 0
    style: Style = field(default_factory=Style)

    @classmethod
    def of(cls, shown: Iterable[Inspection]) -> Remarks:
        """Count what answers show."""
        found = list(shown)
        said = Counter(one.said for one in found if one.said)
        names = ("off_language", "mixed", "empty", "looping", "refused", "cut")
        return cls(
            answers=len(found),
            flagged=sum(bool(one.forged) for one in found),
            constant=sum(times for times in said.values() if times >= _OFTEN),
            style=_style(found),
            **{name: sum(map(attrgetter(name), found)) for name in names},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields `flagged`, `off_language`, `defects` and `style` of a row."""
        names = ("mixed", "empty", "looping", "refused", "cut", "constant")
        return {
            "flagged": self.flagged,
            "off_language": self.off_language,
            "defects": {name: getattr(self, name) for name in names},
            "style": self.style.to_json(),
        }


def _style(found: list[Inspection]) -> Style:
    names = ("chars", "headings", "lists", "bold")
    answers = max(len(found), 1)
    return Style(**{name: sum(map(attrgetter(name), found)) / answers for name in names})
