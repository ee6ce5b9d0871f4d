"""What an ensemble's answers show, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

from judges.inspection import Inspection

_OFTEN = 3  # items from which one and the same answer is none
_DEFECTS = ("mixed", "empty", "looping", "refused", "cut")
_STYLE = ("chars", "headings", "lists", "bold")
_ALWAYS = (*_STYLE, "said")
CHARS = _ALWAYS.index("chars")
"""Where `kept` has the number of signs."""


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
    def of(cls, shown: Iterable[Sequence[Any]]) -> Remarks:
        """Count what answers show, each in the form of `kept`."""
        found = list(shown)
        if not found:
            return cls()
        *style, said, rest = zip(*found, strict=True)
        holding = Counter(chain.from_iterable(rest))
        means = {name: sum(n) / len(found) for name, n in zip(_STYLE, style, strict=True)}
        return cls(
            answers=len(found),
            flagged=holding["forged"],
            off_language=holding["off_language"],
            constant=sum(n for text, n in Counter(said).items() if text and n >= _OFTEN),
            style=Style(**means),
            **{name: holding[name] for name in _DEFECTS},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields `flagged`, `off_language`, `defects` and `style` of a row."""
        defects = (*_DEFECTS, "constant")
        return {
            "flagged": self.flagged,
            "off_language": self.off_language,
            "defects": {name: getattr(self, name) for name in defects},
            "style": self.style.to_json(),
        }


def kept(inspection: Inspection) -> list[Any]:
    """Return an inspection as it is stored, a hundred thousand times in a study.

    Its style, `said`, and what else holds of it: seldom anything.
    """
    found = inspection.to_json()
    always = [found.pop(name) for name in _ALWAYS]
    return [*always, {name: value for name, value in found.items() if value}]


def shown(stored: Sequence[Any]) -> Inspection:
    """Return the inspection that `kept` was given."""
    *always, rest = stored
    return Inspection.from_json({"forged": (), **dict(zip(_ALWAYS, always, strict=True)), **rest})
