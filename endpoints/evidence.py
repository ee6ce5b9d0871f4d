"""Asking one model something, and what its server betrays of the prompt it made.

A model may obey nothing (a random one never does), so a question is best answered by the
server's own evidence: the prompt its chat template makes, or how its count of the prompt's tokens
moves when one part of the messages changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from data.errors import EmptyReplyError, RequestError
from endpoints.dialects.wire import folded
from endpoints.endpoint import Endpoint
from endpoints.reply import Reply
from endpoints.request import Message
from endpoints.specs import ModelSpec

MARKER = "みかづき4173"
DEADLINE = 120.0  # a first call may have to load the model
SHORT_REPLY = 64
FEWEST_TOKENS = 10  # that a sentence more makes, in any vocabulary


class Evidence(NamedTuple):
    """Whether a part of the messages reaches the model, and how we know; None if we do not."""

    arrived: bool | None
    how: str


class Witness:
    """One model of one server.

    Args:
        endpoint: Its server; what it teaches is kept there.
        model: The model.
        limit: Most tokens of a reply where a short one will do.
    """

    def __init__(self, endpoint: Endpoint, model: ModelSpec, limit: int = SHORT_REPLY) -> None:
        self.endpoint = endpoint
        self.model = model
        self.limit = limit

    @property
    def folds(self) -> bool:
        """Whether a system turn is folded into the user's, as things stand."""
        return self.endpoint.dialects.of(self.model.served_name).fold

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        limit: int | None = None,
        temperature: float = 0.0,
        **more: object,
    ) -> Reply:
        """Return the model's reply.

        Raises:
            RequestError: There is none.
        """
        body: dict[str, Any] = {
            "model": self.model.served_name,
            "messages": list(messages),
            "temperature": temperature,
            "max_tokens": limit or self.limit,
            **more,
        }
        body |= self.model.extra_body
        body = {name: value for name, value in body.items() if value is not None}
        return await self.endpoint.send(body, min(self.endpoint.spec.timeout, DEADLINE))

    async def text(self, messages: Sequence[Message]) -> str:
        """Return the reply's text, empty where the model says nothing.

        Raises:
            RequestError: The server did not take the request, or failed.
        """
        try:
            return (await self.reply(messages)).text
        except EmptyReplyError:
            return ""

    async def prompt(self, messages: Sequence[Message]) -> str | None:
        """Return the prompt the server makes of messages, if it shows it and it is theirs."""
        sent = folded(messages) if self.folds else tuple(messages)
        prompt = await self.endpoint.rendered(self.model, sent)
        last = sent[-1]["content"].splitlines()[-1]
        return prompt if prompt is not None and last in prompt else None

    async def arrives(self, longer: Sequence[Message], shorter: Sequence[Message]) -> Evidence:
        """Return whether what only `longer` holds reaches the model; `MARKER` is part of it."""
        prompt = await self.prompt(longer)
        if prompt is not None:
            return Evidence(MARKER in prompt, "the server shows the prompt")
        long, short = [await self._count(messages) for messages in (longer, shorter)]
        if long is None or short is None:
            return Evidence(None, "the server counts no tokens, and the model repeats no marker")
        how = f"{long} prompt tokens with it, {short} without"
        if long - short >= FEWEST_TOKENS:
            return Evidence(True, how)
        return Evidence(False if abs(long - short) <= 1 else None, how)

    async def heeded_if_folded(self, messages: Sequence[Message]) -> Evidence:
        """Return whether a system text that is not heeded is heeded in the user turn."""
        try:
            text = await self.text(folded(messages))
        except RequestError as error:
            return Evidence(None, f"{error.outcome}: {error}")
        if MARKER in text:
            return Evidence(False, "the same text is heeded in the user turn")
        return Evidence(None, "the model repeats no marker, wherever it stands")

    async def _count(self, messages: Sequence[Message]) -> int | None:
        try:
            usage = (await self.reply(messages, limit=1)).usage
        except RequestError as error:
            usage = error.usage
        return usage[0] if usage else None
