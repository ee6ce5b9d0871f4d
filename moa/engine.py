"""How an ensemble answers a conversation.

The scheme is Mixture-of-Agents (Wang et al. 2024, arXiv:2406.04692): every agent of a layer
answers the same conversation; from the second layer on, and for the aggregator, the answers of
the layer before stand as numbered references in the system message. docs/design/engine.md
says where we follow the reference implementation and where not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from data.errors import ContextOverflowError, EmptyReplyError, FilteredError, RequestError
from endpoints.request import Completer, Completion, Message, Request
from moa.answer import Answer, Lost
from moa.conversation import Conversation
from moa.ensemble import Agent, Ensemble

# What a model does to its own reference: the item goes on without it. Every other failure is
# the endpoint's, and then there is no answer rather than a worse one.
_LOSSES = (EmptyReplyError, FilteredError, ContextOverflowError)


@dataclass(frozen=True, slots=True)
class MaxTokens:
    """Most tokens of one reply, by what it is for."""

    proposer: int = 1024
    aggregator: int = 2048


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
    seconds: float = 0.0
    cut: bool = False

    def take(self, completions: Sequence[Completion]) -> None:
        self.completions.extend(completions)
        self.seconds += max((c.seconds for c in completions), default=0.0)


class Engine:
    """Lets ensembles answer.

    Args:
        completer: Turns a request into a completion.
        prompts: Aggregate-and-synthesize texts by digest.
        max_tokens: Bounds of the replies.
        quorum: Least share of a layer's references that an answer may be made of when an
            endpoint fails; 1 where answers are scored, less where somebody waits for one.
        native_tools: Models that take a conversation's tools as such, not as text.
    """

    def __init__(
        self,
        completer: Completer,
        prompts: Mapping[str, str],
        max_tokens: MaxTokens,
        *,
        quorum: float = 1.0,
        native_tools: frozenset[str] = frozenset(),
    ) -> None:
        self._native_tools = native_tools
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
            references: list[str] = []
            for number, layer in enumerate(ensemble.layers, 1):
                references = await self._propose(layer, number, messages, references, course)
            texts += (await self._synthesize(ensemble.aggregator, messages, references, course),)
        return _answer(ensemble, texts, course)

    async def _propose(
        self,
        layer: Sequence[Agent],
        number: int,
        messages: Sequence[Message],
        references: Sequence[str],
        course: _Course,
    ) -> list[str]:
        """Ask one layer; return its references in canonical order, never in order of arrival."""
        draws = [(agent, draw) for agent in layer for draw in range(agent.n)]
        replies = await asyncio.gather(
            *(
                self._complete(self._proposal(agent, messages, references, draw), course)
                for agent, draw in draws
            ),
            return_exceptions=True,
        )
        failed = [r for r in replies if isinstance(r, RequestError) and not isinstance(r, _LOSSES)]
        if failed and len(draws) - len(failed) < self._quorum * len(draws):
            raise failed[0]
        kept: list[Completion] = []
        for (agent, draw), reply in zip(draws, replies, strict=True):
            reason = _loss(reply)
            if reason:
                course.lost.append(Lost(course.turn, number, agent.model, draw, reason))
            elif isinstance(reply, Completion):
                kept.append(reply)
        course.take([reply for reply in replies if isinstance(reply, Completion)])
        return [completion.text.strip() for completion in kept]

    async def _synthesize(
        self,
        agent: Agent,
        messages: Sequence[Message],
        references: Sequence[str],
        course: _Course,
    ) -> str:
        """Ask the aggregator. What it fails to say is an empty answer: a bad one, but its own."""
        request = Request(
            agent.model,
            "aggregator",
            self._with_references(agent, messages, references),
            agent.temperature,
            self._max_tokens.aggregator,
        )
        try:
            completion = await self._complete(request, course)
        except _LOSSES:
            return ""
        course.take([completion])
        course.cut |= completion.cut
        return completion.text.strip()

    async def _complete(self, request: Request, course: _Course) -> Completion:
        if course.tools and request.model in self._native_tools:
            request = with_tools(request, course.native, course.tools)
        return await self._completer.complete(request)

    def _proposal(
        self, agent: Agent, messages: Sequence[Message], references: Sequence[str], draw: int
    ) -> Request:
        return Request(
            agent.model,
            "proposer",
            self._with_references(agent, messages, references),
            agent.temperature,
            self._max_tokens.proposer,
            draw,
        )

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


def _loss(reply: Completion | BaseException) -> str:
    """Return why a reply is no reference, or nothing; raise what is no failure of a request."""
    if isinstance(reply, Completion):
        return "cut" if reply.cut else ""
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
    )
