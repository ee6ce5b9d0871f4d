"""One model that compares an answer with a fixed baseline's, in both orders.

Five verdicts from A>>B to B>>A are Arena-Hard's (Li et al. 2024, arXiv 2406.11939); judging in
both orders and calling it a tie where they name different winners is MT-Bench's remedy for
position bias (Zheng et al. 2023, arXiv 2306.05685).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise as neighbours
from statistics import fmean
from typing import Any, Final

from data.digest import digest
from data.suites.item import Item
from endpoints.request import Completer
from endpoints.specs import VerdictForm
from judges import prompts
from judges.asking import Asker, Form, Heard, together
from judges.score import Score
from judges.showing import attachments, gold, language
from judges.verdict import PARSER_VERSION, PREFERENCES, fence, read_preference
from moa.answer import Answer
from moa.conversation import Conversation
from moa.ensemble import Ensemble

Answering = Callable[[Ensemble, Conversation], Awaitable[Answer]]
"""Lets an ensemble answer: `moa.engine.Engine.answer`. What was answered before is not paid."""

PAIRWISE: Final = "pairwise"
FIRST: Final = "shown first"
SECOND: Final = "shown second"

VALUES = {2: 1.0, 1: 0.75, 0: 0.5, -1: 0.25, -2: 0.0}
"""What steps ahead of the baseline are worth; an item is worth the mean of its two orders."""

_FORM = Form(read_preference, "preference", PREFERENCES, "extract_preference_ja")
_WRITTEN = {steps: written for written, steps in PREFERENCES.items()}


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How far a judge's verdicts depended on the order of the answers.

    Attributes:
        comparisons: Items with a verdict in both orders.
        disagreements: How many of them named different winners, which made them ties.
        position: How much more an answer was worth shown first than shown second, -1 to 1, as
            a mean over the comparisons; None without any.
    """

    comparisons: int
    disagreements: int
    position: float | None

    @classmethod
    def of(cls, scores: Iterable[Sequence[Score]]) -> PositionBias:
        """Read them off kept scores, one sequence an item; items judged otherwise are left out."""
        pairs = [pair for item in scores for pair in _in_both_orders(item)]
        apart = [first - second for first, second in pairs]
        disagreements = sum(_winner(first) != _winner(second) for first, second in pairs)
        return cls(len(pairs), disagreements, fmean(apart) if apart else None)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, the position effect of ten."""
        effect = None if self.position is None else round(10 * self.position, 4)
        return asdict(self) | {"position": effect}


class PairwiseJudge:
    """Says how far an answer is ahead of a baseline's: 0 to 1, and 0.5 is as good."""

    name = PAIRWISE

    def __init__(
        self,
        completer: Completer,
        model: str,
        *,
        baseline: Ensemble,
        answering: Answering,
        identity: str,
        baseline_identity: str,
        max_tokens: int,
        temperature: float = 0.0,
        verdicts: VerdictForm = "marker",
    ) -> None:
        """Make a judge of one model and one baseline.

        Args:
            completer: Sends its requests.
            model: The model's name in kumiawase.yaml.
            baseline: What every answer is compared with.
            answering: Lets the baseline answer.
            identity: What is really served under the model's name; part of the digest.
            baseline_identity: What decides the baseline's answers besides the ensemble.
            max_tokens: Most tokens of a verdict with its explanation.
            temperature: Sampling temperature.
            verdicts: How it is to write them.
        """
        self._asker = Asker(completer, model, max_tokens, temperature, verdicts)
        self._verdicts: VerdictForm = verdicts
        self._model, self._baseline, self._answering = model, baseline, answering
        self.digest = digest(
            {
                "kind": PAIRWISE,
                "model": identity,
                "baseline": [baseline.to_json(), baseline_identity],
                "prompts": prompts.digests(prompts.PAIRWISE),
                "values": [VALUES[steps] for steps in sorted(VALUES)],
                "verdicts": verdicts,
                "parser": PARSER_VERSION,
                "max_tokens": max_tokens,
                "temperature": temperature,
            }
        )

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return the item's score and behind it those of the two orders.

        Where the orders name different winners, a tie counting as none, the item is worth 0.5.
        The baseline's own answer is worth that as well, an empty answer 0, any other against an
        empty one 1; none of these costs a call. Without a verdict in both orders the item is
        unscored.

        Raises:
            RequestError: An endpoint failed, the judge's or the baseline's.
            BudgetSpentError: A request could not be paid.
            UserError: Only the user can mend what is wrong.
        """
        other = await self._answering(self._baseline, Conversation.of(item))
        known = _known(answer.texts, other.texts)
        if known is not None:
            return (known,)
        first, second = await together(
            self._asker.ask(pairwise_prompt(item, *shown, self._verdicts), _FORM)
            for shown in ((answer.texts, other.texts), (other.texts, answer.texts))
        )
        orders = (self._order(FIRST, first, 1), self._order(SECOND, second, -1))
        return (_pooled(orders, (first, second)), *orders)

    def _order(self, order: str, heard: Heard[int], sign: int) -> Score:
        name = f"{self._model}, {order}"
        if heard.verdict is None:
            return Score.unscored(name, heard.reason, heard.words)
        return Score(name, VALUES[sign * heard.verdict], explanation=heard.words)


def pairwise_prompt(
    item: Item,
    first: tuple[str, ...],
    second: tuple[str, ...],
    verdicts: VerdictForm = "marker",
) -> str:
    """Return what a judge is shown of two answers, one text a turn each."""
    return prompts.fill(
        prompts.text("pairwise_ja"),
        language=language(item),
        context=attachments(item),
        question=_numbered(item.turns),
        gold=gold(item, _numbered(item.reference)),
        first=_numbered([fence(text, "回答A") for text in first]),
        second=_numbered([fence(text, "回答B") for text in second]),
        closing=prompts.text(f"{verdicts}_preference_ja"),
    )


def _numbered(texts: Sequence[str]) -> str:
    if len(texts) < 2:
        return "".join(texts)
    return "\n\n".join(f"({number})\n{text}" for number, text in enumerate(texts, start=1))


def _known(ours: Sequence[str], theirs: Sequence[str]) -> Score | None:
    """Return the score that needs no judge, if there is one."""
    ours, theirs = [text.strip() for text in ours], [text.strip() for text in theirs]
    if ours == theirs:
        return Score(PAIRWISE, 0.5, explanation="the same answer as the baseline's")
    if not any(ours):
        return Score(PAIRWISE, 0.0, explanation="the answer is empty")
    if not any(theirs):
        return Score(PAIRWISE, 1.0, explanation="the baseline's answer is empty")
    return None


def _pooled(orders: Sequence[Score], heard: Sequence[Heard[int]]) -> Score:
    values = [order.value for order in orders if order.value is not None]
    if len(values) < len(orders):
        missing = next(order for order in orders if order.value is None)
        return Score.unscored(PAIRWISE, f"{missing.judge}: {missing.reason}")
    said = ", then ".join(_WRITTEN[one.verdict] for one in heard if one.verdict is not None)
    if len({_winner(value) for value in values}) > 1:
        told = f"{said}: the orders name different winners, a tie"
        return Score(PAIRWISE, 0.5, explanation=told)
    return Score(PAIRWISE, fmean(values), explanation=said)


def _winner(value: float) -> int:
    """Return 1 where an answer beat the baseline, -1 where it lost, 0 for a tie."""
    return (value > VALUES[0]) - (value < VALUES[0])


def _in_both_orders(scores: Sequence[Score]) -> Iterable[tuple[float, float]]:
    for one, other in neighbours(scores):
        ordered = one.judge.endswith(f", {FIRST}") and other.judge.endswith(f", {SECOND}")
        if ordered and one.value is not None and other.value is not None:
            yield one.value, other.value
