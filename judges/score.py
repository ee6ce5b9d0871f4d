"""A score, and what a judge is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from data.suites.item import Item
from moa.answer import Answer


@dataclass(frozen=True, slots=True)
class Score:
    """One judge's worth of one answer, or why there is none.

    Attributes:
        judge: Who scored: a model's name, `rule`, or a panel's name.
        value: 0 to 1 (rating over the top of its scale); None means unscored.
        reason: Why it is unscored; empty otherwise.
        explanation: The judge's words, or what a rule saw.
    """

    judge: str
    value: float | None
    reason: str = ""
    explanation: str = ""

    @classmethod
    def unscored(cls, judge: str, reason: str, explanation: str = "") -> Score:
        """Return a score that is missing, with the reason."""
        return cls(judge, None, reason, explanation)


class Judge(Protocol):
    """Scores answers; it sees the item with its target, rubric and reference."""

    @property
    def name(self) -> str:
        """How tables call it."""

    @property
    def digest(self) -> str:
        """Digest of everything that decides its verdicts: kind, models, prompts, parser."""

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return the item's score first and, behind it, the scores it was made of.

        Raises:
            RequestError: An endpoint failed, so that nothing is known of the answer: it is to be
                judged again later. What the judge itself brings no verdict for (nothing or
                nothing readable said, reply filtered, prompt too long) is an unscored `Score`.
            BudgetSpentError: A verdict could not be paid.
            UserError: Only the user can mend what is wrong.
        """
