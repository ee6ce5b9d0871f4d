"""An item's score: its rule, a judge, or both."""

from __future__ import annotations

from data.digest import digest
from data.suites.item import Item
from judges.language import LanguageGate
from judges.panel import PanelJudge
from judges.rules import RULES_VERSION, check_item
from judges.score import Judge, Score
from moa.answer import Answer


class CombinedJudge:
    """Lets rules speak where items have them and asks another judge for the rest."""

    def __init__(self, judge: Judge) -> None:
        """Put rules before a judge."""
        self._judge = judge
        self.name = judge.name

    @property
    def digest(self) -> str:
        """Digest of the rules' version and of the other judge."""
        return digest({"rules": RULES_VERSION, "judge": self._judge.digest})

    @property
    def behind(self) -> Judge:
        """The judge itself, without rules and language gate before it."""
        return self._judge.judge if isinstance(self._judge, LanguageGate) else self._judge

    @property
    def panel(self) -> PanelJudge | None:
        """The several judges behind the rules, if there are several."""
        judge = self.behind
        return judge if isinstance(judge, PanelJudge) and len(judge.families) > 1 else None

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return the item's score and behind it those it was made of.

        A rule alone costs no call; with a rubric besides, the item is worth the mean of rule and
        judge, and unscored without the judge's verdict; without a rule the judge alone decides.

        Raises:
            RequestError: The judge's endpoint failed.
            BudgetSpentError: A verdict could not be paid.
            UserError: Only the user can mend what is wrong.
        """
        if item.rule is None:
            return await self._judge.score(item, answer)
        rule = check_item(item, answer.texts[-1])
        if not needs_judge(item):
            return (rule,)
        judged = await self._judge.score(item, answer)
        return (_mean(f"{rule.judge}+{self.name}", rule, judged[0]), rule, *judged)


def needs_judge(item: Item) -> bool:
    """Return whether more than a rule decides what an answer to an item is worth."""
    return item.rule is None or bool(item.rubric)


def _mean(name: str, rule: Score, judged: Score) -> Score:
    if rule.value is None or judged.value is None:
        return Score.unscored(name, judged.reason or rule.reason, judged.explanation)
    explanation = f"rule {10 * rule.value:g}, {judged.judge} {10 * judged.value:g}"
    return Score(name, (rule.value + judged.value) / 2, explanation=explanation)
