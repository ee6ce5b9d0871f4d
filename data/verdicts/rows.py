"""What a file of verdicts says, one row a verdict, whoever published it."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

_ABSENT = -1.0  # what FastChat and Rakuda write where no verdict could be read


class Fault(StrEnum):
    """What is wrong with a verdict as it stands."""

    UNPARSED = "unparsed"
    OUT_OF_RANGE = "out of range"
    AS_TEXT = "as text"


class Scale(NamedTuple):
    """The marks a judge may give, both ends included."""

    low: float
    high: float


class Task(NamedTuple):
    """What was to be judged: an item of a suite, and its turn or criterion."""

    suite: str
    item: str
    part: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what a verdict was given; verdicts on a task compare only under equal terms.

    Attributes:
        judge: Name of the judge; empty where the file does not name it.
        setting: What else the file names: the prompt, the baseline, who played the user.
        prompt, question: Digests of the texts behind those names; empty where not in the file.
    """

    judge: str
    setting: str = ""
    prompt: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's mark for one answer.

    Attributes:
        place: `file:line`.
        take: Which of several runs of one judge on one answer.
        value: The mark as it stands, even out of range; None where there is none to be read.
        answer: Digest of the answer; empty where not in the file.
        at: When it was given, in seconds of any one clock.
    """

    place: str
    model: str
    task: Task
    terms: Terms
    value: float | None
    fault: Fault | None = None
    take: str = ""
    answer: str = ""
    at: float | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """Whose answer was judged."""
        return (self.model,)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for verdicts that repeat one another."""
        return (self.model, self.task, self.terms.judge, self.take)

    @property
    def sound(self) -> bool:
        """Whether the mark counts."""
        return self.value is not None and self.fault is not Fault.OUT_OF_RANGE


@dataclass(frozen=True, slots=True)
class Comparison:
    """A judge's choice between two answers, in the order in which they were shown.

    Attributes:
        place: `file:line`.
        value: What the first won: 1, 0, or 0.5 for a draw; None where nothing can be read.
    """

    place: str
    first: str
    second: str
    task: Task
    terms: Terms
    value: float | None
    fault: Fault | None = None
    at: float | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """Whose answers were compared."""
        return (self.first, self.second)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for verdicts that repeat one another."""
        return (self.first, self.second, self.task, self.terms.judge)

    @property
    def sound(self) -> bool:
        """Whether the choice counts."""
        return self.value is not None


Ruling = Verdict | Comparison


def read_mark(
    raw: object, scale: Scale, *, text: bool = False
) -> tuple[float | None, Fault | None]:
    """Return a mark as a number, and what is wrong with it.

    Args:
        raw: The cell as it stands in the file.
        scale: The marks that could be given.
        text: Whether the file knows nothing but text, as CSV does.
    """
    number = _number(raw)
    if number is None or (number == _ABSENT and scale.low >= 0):
        return None, Fault.UNPARSED
    if not scale.low <= number <= scale.high:
        return number, Fault.OUT_OF_RANGE
    return number, Fault.AS_TEXT if isinstance(raw, str) and not text else None


def _number(raw: object) -> float | None:
    if isinstance(raw, str):
        raw = unicodedata.normalize("NFKC", raw).strip()
    elif isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
