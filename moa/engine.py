"""How an ensemble answers a conversation.

The scheme is Mixture-of-Agents (Wang et al. 2024, arXiv:2406.04692): every agent of a layer
answers the same conversation; from the second layer on, and for the aggregator, the answers of
the layer before stand as numbered references in the system message. docs/design/engine.md
says where we follow the reference implementation and where not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from data.errors import ContextOverflowError, EmptyReplyError, FilteredError, RequestError
from endpoints.request import Completer, Completion, Message, Request
from moa.answer import Answer, Lost, Shortened
from moa.conversation import Conversation
from moa.ensemble import Agent, Ensemble
from moa.fitting import Fitted, Fitter

# What a model does to its own reference: the item goes on without it. Every other failure is
# the endpoint's, and then there is no answer rather than a worse one.
_LOSSES = (EmptyReplyError, FilteredError, ContextOverflowError)


@dataclass(frozen=True, slots=True)
class MaxTokens:
    """Most tokens of one reply, by what it is for."""

    proposer: int = 1024
    aggregator: int = 2048


@dataclass(frozen=True, slots=True)
class _Reference:
    """A reply that the next layer reads."""

    text: str
    layer: int
    model: str
    draw: int


@dataclass(frozen=True, slots=True)
class _Heard:
    """A completion, the request it answers, and whether the server cut the prompt by itself."""

    completion: Completion
    fitted: Fitted
    prompt_cut: bool


@dataclass(slots=True)
class _Course:
    """What one answer was made of so far.

    Attributes:
        tools: The conversation's.
        native: This turn's messages for models that take tools as such.
    """

    tools: tuple[Mapping[str, Any], ...] = ()
    native: tuple[Message, ...] = ()
    turn: int = 0
    completions: list[Completion] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    shortened: dict[Shortened, None] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False

    def take(self, layer: int, heard: Sequence[_Heard], references: Sequence[_Reference]) -> None:
        """Take note of a layer's replies and of how much they were made of."""
        completions = [one.completion for one in heard]
        self.completions.extend(completions)
        self.seconds += max((c.seconds for c in completions), default=0.0)
        for one in heard:
            request = one.fitted.request
            if one.prompt_cut:
                lost = Lost(self.turn, layer, request.model, request.draw, "prompt_cut")
                self.lost.append(lost)
            for read, kept in zip(references, one.fitted.kept, strict=False):
                if kept.characters:
                    whence = (self.turn, read.layer, read.model, read.draw)
                    cut = Shortened(*whence, request.model, kept.before, kept.after)
                    self.shortened[cut] = None


class Engine:
    """Lets ensembles answer.

    Args:
        completer: Turns a request into a completion.
        prompts: Aggregate-and-synthesize texts by digest.
        max_tokens: Bounds of the replies.
        quorum: Least share of a layer's references that an answer may be made of when an
            endpoint fails; 1 where answers are scored, less where somebody waits for one.
        native_tools: Models that take a conversation's tools as such, not as text.
        fitter: Cuts references to the windows of their readers; without one nothing is cut.
    """

    def __init__(
        self,
        completer: Completer,
        prompts: Mapping[str, str],
        max_tokens: MaxTokens,
        *,
        quorum: float = 1.0,
        native_tools: frozenset[str] = frozenset(),
        fitter: Fitter | None = None,
    ) -> None:
        self._native_tools = native_tools
        self._fitter = fitter
        self._quorum = quorum
        self._completer = completer
        self._prompts = prompts
        self._max_tokens = max_tokens

    async def answer(self, ensemble: Ensemble, conversation: Conversation) -> Answer:
        """Answer every turn of a conversation, each turn from the first layer on.

        The history of a later turn holds the user's turns and the aggregator's answers.

        Raises:
            RequestError: An endpoint failed for good; there is no answer then.
            BudgetSpentError: A request could not be paid.
        """
        course = _Course(conversation.tools)
        texts: tuple[str, ...] = ()
        for _ in conversation.turns:
            course.turn += 1
            messages = conversation.messages(texts)
            course.native = conversation.messages(texts, native_tools=True)
            references: list[_Reference] = []
            for number, layer in enumerate(ensemble.layers, 1):
                references = await self._propose(layer, number, messages, references, course)
            last = len(ensemble.layers) + 1
            aggregator = ensemble.aggregator
            texts += (await self._synthesize(aggregator, last, messages, references, course),)
        return _answer(ensemble, texts, course)

    async def _propose(
        self,
        layer: Sequence[Agent],
        number: int,
        messages: Sequence[Message],
        references: Sequence[_Reference],
        course: _Course,
    ) -> list[_Reference]:
        """Ask one layer; return its references in canonical order, never in order of arrival."""
        draws = [(agent, draw) for agent in layer for draw in range(agent.n)]
        replies = await asyncio.gather(
            *(
                self._ask(agent, "proposer", draw, messages, references, course)
                for agent, draw in draws
            ),
            return_exceptions=True,
        )
        failed = [r for r in replies if isinstance(r, RequestError) and not isinstance(r, _LOSSES)]
        if failed and len(draws) - len(failed) < self._quorum * len(draws):
            raise failed[0]
        kept: list[_Reference] = []
        for (agent, draw), reply in zip(draws, replies, strict=True):
            reason = _loss(reply)
            if reason:
                course.lost.append(Lost(course.turn, number, agent.model, draw, reason))
            elif isinstance(reply, _Heard):
                text = reply.completion.said.strip()
                kept.append(_Reference(text, number, agent.model, draw))
        course.take(number, [reply for reply in replies if isinstance(reply, _Heard)], references)
        return kept

    async def _synthesize(
        self,
        agent: Agent,
        number: int,
        messages: Sequence[Message],
        references: Sequence[_Reference],
        course: _Course,
    ) -> str:
        """Ask the aggregator. What it fails to say is an empty answer: a bad one, but its own."""
        try:
            heard = await self._ask(agent, "aggregator", 0, messages, references, course)
        except _LOSSES:
            return ""
        course.take(number, [heard], references)
        course.cut |= heard.completion.cut
        return heard.completion.said.strip()

    async def _ask(
        self,
        agent: Agent,
        role: Literal["proposer", "aggregator"],
        draw: int,
        messages: Sequence[Message],
        references: Sequence[_Reference],
        course: _Course,
    ) -> _Heard:
        """Ask one model, with what its window holds of the references; an overflow refits once."""
        texts = [reference.text for reference in references] if agent.prompt else []
        bounds = self._max_tokens
        limit = bounds.proposer if role == "proposer" else bounds.aggregator

        def build(texts: Sequence[str]) -> Request:
            read = self._with_references(agent, messages, texts)
            request = Request(agent.model, role, read, agent.temperature, limit, draw)
            if course.tools and agent.model in self._native_tools:
                return with_tools(request, course.native, course.tools)
            return request

        try:
            return await self._heard(build, texts)
        except RequestError as error:
            error.model = agent.model
            raise

    async def _heard(
        self, build: Callable[[Sequence[str]], Request], texts: Sequence[str]
    ) -> _Heard:
        if self._fitter is None:
            fitted = Fitted(build(texts))
            return _Heard(await self._completer.complete(fitted.request), fitted, prompt_cut=False)
        fitted = await self._fitter.fit(build, texts)
        try:
            completion = await self._completer.complete(fitted.request)
        except ContextOverflowError as error:
            again = await self._fitter.refit(build, texts, fitted, error)
            if again is None:
                raise
            fitted = again
            completion = await self._completer.complete(fitted.request)
        cut = await self._fitter.prompt_cut(fitted.request, completion)
        return _Heard(completion, fitted, cut)

    def _with_references(
        self, agent: Agent, messages: Sequence[Message], references: Sequence[str]
    ) -> tuple[Message, ...]:
        if agent.prompt is None or not references:
            return tuple(messages)
        return inject(messages, references, self._prompts[agent.prompt])


def inject(
    messages: Sequence[Message], references: Sequence[str], prompt: str
) -> tuple[Message, ...]:
    """Return the messages with the prompt and the numbered references in the system turn.

    A system message in first place keeps its text and gets them after one blank line;
    otherwise they become a new first message.
    """
    numbered = "".join(f"\n{number}. {text}" for number, text in enumerate(references, 1))
    block = prompt + numbered
    if messages and messages[0]["role"] == "system":
        system = f"{messages[0]['content']}\n\n{block}"
        return ({"role": "system", "content": system}, *messages[1:])
    return ({"role": "system", "content": block}, *messages)


def with_tools(
    request: Request, native: Sequence[Message], tools: tuple[Mapping[str, Any], ...]
) -> Request:
    """Return the request with its tools as such; references are in the system turn and stay."""
    turns = tuple(m for m in native if m["role"] != "system")
    return replace(request, messages=(*request.messages[: -len(turns)], *turns), tools=tools)


def _loss(reply: _Heard | BaseException) -> str:
    """Return why a reply is no reference, or nothing; raise what is no failure of a request."""
    if isinstance(reply, _Heard):
        return "cut" if reply.completion.cut else ""
    if isinstance(reply, RequestError):
        return reply.outcome
    raise reply


def _answer(ensemble: Ensemble, texts: tuple[str, ...], course: _Course) -> Answer:
    completions = course.completions
    return Answer(
        texts=texts,
        aggregator=ensemble.aggregator.model,
        models=ensemble.models,
        keys=tuple(c.key for c in completions),
        lost=tuple(course.lost),
        cut=course.cut,
        seconds=course.seconds,
        calls=len(completions),
        prompt_tokens=sum(c.prompt_tokens for c in completions),
        completion_tokens=sum(c.completion_tokens for c in completions),
        usd=sum(c.usd for c in completions),
        shortened=tuple(course.shortened),
    )
