"""One model that rates an answer by a written standard, in the manner the item asks for.

From 1 to 10 as FastChat's LLM judge does, reference-guided where the item has references (Zheng
et al. 2023, arXiv 2306.05685; the Japanese MT-Bench); from 1 to 5 by ELYZA-tasks-100's standard
with its deductions; or by the points that each criterion of Tengu-Bench earns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from data.digest import digest
from data.suites.item import Item, Scale
from endpoints.request import Completer
from endpoints.specs import VerdictForm
from judges import prompts
from judges.asking import Asker, Form, together
from judges.score import Score
from judges.showing import attachments, gold, language, part
from judges.verdict import PARSER_VERSION, fence, read_rating
from moa.answer import Answer

EMPTY = "the answer is empty"


@dataclass(frozen=True, slots=True)
class Manner:
    """One way to rate.

    Attributes:
        prompt: The prompt that says how.
        points: The prompt under which the item's rubric stands.
        mark: What its verdict is called.
        low, high: The scale; a score is the rating over `high`.
        foreign: What an answer in another language than the expected one is worth.
    """

    prompt: str
    points: str
    mark: str
    low: int
    high: int
    foreign: str

    @property
    def form(self) -> Form[int]:
        """The form of its verdicts."""
        values = {"low": str(self.low), "high": str(self.high)}
        read = partial(read_rating, low=self.low, high=self.high)
        allowed = {rating: rating for rating in range(self.low, self.high + 1)}
        return Form(read, "rating", allowed, "extract_rating_ja", values)


MANNERS: Mapping[Scale, Manner] = {
    "1-10": Manner("rubric_ja", "points_ja", "点数", 1, 10, "2点以下"),
    "1-5": Manner("rubric_five_ja", "points_ja", "点数", 1, 5, "1点"),
    "points": Manner("rubric_points_ja", "criteria_ja", "合計の点数", 0, 10, "0点"),
}


def manner_of(item: Item) -> Manner:
    """Return the manner in which an item is rated."""
    return MANNERS[item.scale or "1-10"]


class RubricJudge:
    """Rates each turn of an answer; the item is worth the mean of its turns."""

    def __init__(
        self,
        completer: Completer,
        model: str,
        *,
        identity: str,
        family: str,
        max_tokens: int,
        temperature: float = 0.0,
        verdicts: VerdictForm = "marker",
    ) -> None:
        """Make a judge of one model.

        Args:
            completer: Sends its requests.
            model: The model's name in kumiawase.yaml.
            identity: What is really served under that name; part of the digest.
            family: The model's family, for panels.
            max_tokens: Most tokens of a verdict with its explanation.
            temperature: Sampling temperature.
            verdicts: How it is to write them.
        """
        self._asker = Asker(completer, model, max_tokens, temperature, verdicts)
        self._verdicts: VerdictForm = verdicts
        self.name, self.family = model, family
        self.digest = digest(
            {
                "kind": "rubric",
                "model": identity,
                "prompts": prompts.digests(prompts.RUBRIC),
                "scales": {name: [m.low, m.high] for name, m in MANNERS.items()},
                "verdicts": verdicts,
                "parser": PARSER_VERSION,
                "max_tokens": max_tokens,
                "temperature": temperature,
            }
        )

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return the item's score.

        An empty text is worth 0 and costs no call. Without a verdict on every turn the item is
        unscored.

        Raises:
            RequestError: The endpoint failed; a later attempt may bring the verdict.
            BudgetSpentError: A verdict could not be paid.
            UserError: Only the user can mend what is wrong.
        """
        turns = range(len(answer.texts))
        return (self._item_score(await together(self._turn(item, answer, t) for t in turns)),)

    def _item_score(self, turns: list[Score]) -> Score:
        if len(turns) == 1:
            return turns[0]
        explanation = "\n\n".join(f"({n}) {t.explanation}" for n, t in enumerate(turns, start=1))
        values = [turn.value for turn in turns if turn.value is not None]
        if len(values) < len(turns):
            reason = next(turn.reason for turn in turns if turn.value is None)
            return Score.unscored(self.name, reason, explanation)
        return Score(self.name, sum(values) / len(values), explanation=explanation)

    async def _turn(self, item: Item, answer: Answer, turn: int) -> Score:
        if not answer.texts[turn].strip():
            return Score(self.name, 0.0, explanation=EMPTY)
        manner = manner_of(item)
        prompt = rubric_prompt(item, answer.texts, turn, self._verdicts)
        heard = await self._asker.ask(prompt, manner.form)
        if heard.verdict is None:
            return Score.unscored(self.name, heard.reason, heard.words)
        return Score(self.name, heard.verdict / manner.high, explanation=heard.words)


def rubric_prompt(
    item: Item, texts: tuple[str, ...], turn: int, verdicts: VerdictForm = "marker"
) -> str:
    """Return what a judge is shown for one turn of an answer, counted from 0.

    Earlier turns are shown with their references, as the two turns of MT-Bench are.
    """
    manner, spoken = manner_of(item), language(item)
    foreign = prompts.fill(prompts.text("foreign_ja"), language=spoken, foreign=manner.foreign)
    handling = prompts.fill(prompts.text("handling_ja"), begging=f"{manner.low}点")
    last = turn == len(item.turns) - 1
    return prompts.fill(
        prompts.text(manner.prompt),
        language=spoken,
        foreign=foreign,
        handling=handling,
        context=attachments(item) + _history(item, texts, turn),
        question=item.turns[turn],
        gold=gold(item, _reference(item, turn), target=last, points=manner.points),
        answer=fence(texts[turn]),
        closing=prompts.fill(
            prompts.text(f"{verdicts}_rating_ja"), mark=manner.mark, **manner.form.values
        ),
    )


def _history(item: Item, texts: tuple[str, ...], turn: int) -> str:
    return part("history_ja", history="\n\n".join(_said(item, texts, t) for t in range(turn)))


def _said(item: Item, texts: tuple[str, ...], turn: int) -> str:
    said = f"利用者:\n{item.turns[turn]}\n\nAI:\n{fence(texts[turn])}"
    reference = _reference(item, turn)
    return f"{said}\n\nこの質問への模範回答:\n{reference}" if reference else said


def _reference(item: Item, turn: int) -> str:
    return item.reference[turn] if turn < len(item.reference) else ""
