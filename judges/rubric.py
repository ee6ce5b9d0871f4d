"""One model that rates an answer from 1 to 10 by a written standard.

The explanation comes first and the verdict last as `[[n]]`, the form of FastChat's LLM judge
(Zheng et al. 2023, arXiv 2306.05685); reference and points follow its reference-guided grading
and ELYZA-tasks-100.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterable
from typing import Final, TypeVar

from data.digest import digest
from data.errors import ContextOverflowError, EmptyReplyError, FilteredError, VerdictError
from data.suites.item import Item
from endpoints.request import Completer, Request
from judges import prompts
from judges.score import Score
from judges.verdict import PARSER_VERSION, fence, read_rating
from moa.answer import Answer

_T = TypeVar("_T")

LOWEST: Final = 1
HIGHEST: Final = 10
EMPTY: Final = "the answer is empty"

_LANGUAGES = {
    "ja": "日本語",
    "en": "英語",
    "zh": "中国語",
    "ko": "韓国語",
    "de": "ドイツ語",
    "fr": "フランス語",
    "es": "スペイン語",
}


async def together(coroutines: Iterable[Coroutine[None, None, _T]]) -> list[_T]:
    """Wait for all of them, then raise the first error: nothing is left running behind."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    out: list[_T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        out.append(result)
    return out


class RubricJudge:
    """Rates each turn of an answer; the item is worth the mean of its turns over ten."""

    def __init__(
        self,
        completer: Completer,
        model: str,
        *,
        identity: str,
        family: str,
        max_tokens: int,
        temperature: float = 0.0,
    ) -> None:
        """Make a judge of one model.

        Args:
            completer: Sends its requests.
            model: The model's name in kumiawase.yaml.
            identity: What is really served under that name; part of the digest.
            family: The model's family, for panels.
            max_tokens: Most tokens of a verdict with its explanation.
            temperature: Sampling temperature.
        """
        self._completer = completer
        self._max_tokens, self._temperature = max_tokens, temperature
        self.name, self.family = model, family
        self.digest = digest(
            {
                "kind": "rubric",
                "model": identity,
                "prompts": prompts.digests(prompts.RUBRIC),
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
        try:
            completion = await self._completer.complete(self._request(item, answer, turn))
        except (EmptyReplyError, FilteredError, ContextOverflowError) as error:
            # What this model makes of this answer, now and later; other errors say nothing of it.
            return Score.unscored(self.name, error.outcome, str(error))
        try:
            if completion.cut:
                raise VerdictError("the reply was cut before its verdict")
            rating = read_rating(completion.text, LOWEST, HIGHEST)
        except VerdictError as error:
            return Score.unscored(self.name, f"no verdict: {error}", completion.text)
        return Score(self.name, rating / HIGHEST, explanation=completion.text)

    def _request(self, item: Item, answer: Answer, turn: int) -> Request:
        # One user message: some chat templates refuse a system message, others drop it.
        return Request(
            model=self.name,
            role="judge",
            messages=({"role": "user", "content": rubric_prompt(item, answer.texts, turn)},),
            temperature=self._temperature,
            max_tokens=self._max_tokens,
        )


def rubric_prompt(item: Item, texts: tuple[str, ...], turn: int) -> str:
    """Return what a judge is shown for one turn of an answer, counted from 0."""
    return prompts.fill(
        prompts.text("rubric_ja"),
        language=_LANGUAGES.get(item.language, f"指定された言語({item.language})"),
        context=_context(item, texts, turn),
        question=item.turns[turn],
        gold=_gold(item, turn),
        answer=fence(texts[turn]),
    )


def _context(item: Item, texts: tuple[str, ...], turn: int) -> str:
    documents = "\n\n".join(f"[{d.id}] {d.title}\n{d.text}" for d in item.documents)
    tools = "\n".join(_json(tool.get("function", tool)) for tool in item.tools)
    history = "\n\n".join(
        f"利用者:\n{item.turns[t]}\n\nAI:\n{fence(texts[t])}" for t in range(turn)
    )
    return (
        _part("documents_ja", documents=documents)
        + _part("tools_ja", tools=tools)
        + _part("history_ja", history=history)
    )


def _gold(item: Item, turn: int) -> str:
    """Return what is known of a right answer; a target is the last turn's."""
    last = turn == len(item.turns) - 1
    target = "" if item.target is None or not last else _json(item.target)
    reference = item.reference[turn] if turn < len(item.reference) else ""
    return (
        _part("target_ja", target=target)
        + _part("reference_ja", reference=reference)
        + _part("points_ja", points="\n".join(f"・{point}" for point in item.rubric))
    )


def _part(name: str, **value: str) -> str:
    return prompts.fill(prompts.text(name), **value) + "\n" if any(value.values()) else ""


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
