"""Asking a model for a verdict, and once more for nothing but the verdict it has given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from data.errors import ContextOverflowError, EmptyReplyError, FilteredError, VerdictError
from endpoints.request import Completer, Completion, Request
from endpoints.specs import VerdictForm
from judges import prompts
from judges.schema import read, schema
from judges.verdict import fence

_T = TypeVar("_T")

# What a model makes of a prompt, now and later; other errors say nothing of it.
_OWN_FAILURES = (EmptyReplyError, FilteredError, ContextOverflowError)


@dataclass(frozen=True, slots=True)
class Form(Generic[_T]):
    """A kind of verdict.

    Attributes:
        read: Returns the verdict behind the marker in a reply, or raises `VerdictError`.
        name: The property that holds the verdict, where a schema asks for it.
        allowed: What may stand there, and the verdict that it is.
        extract: Name of the prompt that asks for the verdict in a judge's own words.
        values: What that prompt is filled with besides those words.
    """

    read: Callable[[str], _T]
    name: str
    allowed: Mapping[int, _T] | Mapping[str, _T]
    extract: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of an explanation with the verdict behind it."""
        return schema(self.name, self.allowed)

    def of_object(self, reply: str) -> _T:
        """Return the verdict of the object that ends a reply, or raise `VerdictError`."""
        return read(reply, self.name, self.allowed)


@dataclass(frozen=True, slots=True)
class Heard(Generic[_T]):
    """What came of asking.

    Attributes:
        verdict: None where there is none; then `reason` says why.
        words: The judge's, or the error's.
    """

    verdict: _T | None
    reason: str
    words: str


class Asker:
    """One model that is asked for verdicts.

    Args:
        completer: Sends its requests.
        model: The model's name in kumiawase.yaml.
        max_tokens: Most tokens of a verdict with its explanation.
        temperature: Sampling temperature.
        verdicts: How it is to write them.
    """

    def __init__(
        self,
        completer: Completer,
        model: str,
        max_tokens: int,
        temperature: float,
        verdicts: VerdictForm,
    ) -> None:
        self._completer, self._model = completer, model
        self._max_tokens, self._temperature = max_tokens, temperature
        self._by_schema = verdicts == "schema"

    async def ask(self, prompt: str, form: Form[_T]) -> Heard[_T]:
        """Return the verdict on what a prompt shows.

        A reply that holds none is shown to the model once more, which is to copy its verdict;
        a reply that was cut is not, because it broke off before there was one. The copy is asked
        for behind a marker in any case: a schema would force a verdict where there is none.

        Raises:
            RequestError: The endpoint failed; a later attempt may bring the verdict.
            BudgetSpentError: A request could not be paid.
            UserError: Only the user can mend what is wrong.
        """
        held_to = form.schema if self._by_schema else None
        try:
            completion = await self._complete(prompt, held_to)
        except _OWN_FAILURES as error:
            return Heard(None, error.outcome, str(error))
        words = completion.said
        if completion.cut:
            return Heard(None, "no verdict: the reply was cut before its verdict", words)
        try:
            return Heard(form.of_object(words) if held_to else form.read(words), "", words)
        except VerdictError as error:
            return await self._extracted(words, form, f"no verdict: {error}")

    async def _extracted(self, words: str, form: Form[_T], reason: str) -> Heard[_T]:
        template = prompts.text(form.extract)
        prompt = prompts.fill(template, review=fence(words, "講評"), **form.values)
        try:
            completion = await self._complete(prompt)
            if not completion.cut:
                found = form.read(completion.said)
                return Heard(found, "", f"{words}\n\n{completion.said}")
        except (*_OWN_FAILURES, VerdictError):
            pass  # the first reply says more about why there is none
        return Heard(None, reason, words)

    async def _complete(self, prompt: str, held_to: Mapping[str, Any] | None = None) -> Completion:
        # One user message: some chat templates refuse a system message, others drop it.
        request = Request(
            model=self._model,
            role="judge",
            messages=({"role": "user", "content": prompt},),
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            schema=held_to,
        )
        return await self._completer.complete(request)


async def together(coroutines: Iterable[Coroutine[None, None, _T]]) -> list[_T]:
    """Wait for all of them, then raise the first error: nothing is left running behind."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    out: list[_T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        out.append(result)
    return out
