"""From the body of a request to its reply: a function of nothing else.

Which role a model plays is read from what it is asked: scored ensembles make it a discoverer, a
request for `[[n]]` a judge, references in the system message an aggregator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from data.digest import digest
from kumiawase.rehearsal import discoverer, draws, judging, obeying, speech
from kumiawase.rehearsal.pool import CUT, FAMILIES, POOR, Pool, Questions, SimModel
from kumiawase.rehearsal.speech import Voice
from kumiawase.rehearsal.world import Question, World, bare, stated

_TOKENS_A_MESSAGE = 4
_PACE_SD = 0.35  # of a reply's time, in logs


class Message(BaseModel):
    """A chat message; what comes with it besides is not looked at."""

    model_config = ConfigDict(frozen=True)

    role: str
    content: str = ""


class Body(BaseModel):
    """The part of a request that a simulated model looks at.

    Attributes:
        manner: How a discoverer proposes; set by `extra_body` of the model in kumiawase.yaml.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    messages: tuple[Message, ...] = Field(min_length=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    response_format: dict[str, Any] | None = None
    manner: discoverer.Manner = "sound"

    @property
    def draw(self) -> int:
        """What separates this draw from others; nothing at temperature 0."""
        return (self.seed or 0) if self.temperature > 0 else 0

    @property
    def limit(self) -> int | None:
        """Most tokens of the reply."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def properties(self) -> Mapping[str, Mapping[str, Any]] | None:
        """What the reply's object must hold, where a JSON schema asks for one."""
        asked = (self.response_format or {}).get("json_schema", {})
        properties: Mapping[str, Mapping[str, Any]] | None = asked.get("schema", {}).get(
            "properties"
        )
        return properties

    @property
    def identity(self) -> str:
        """Digest of all that may change the reply but the token limit."""
        messages = [[message.role, message.content] for message in self.messages]
        return digest([self.model, messages, self.temperature, self.draw])

    def last(self) -> str:
        """Return the last user message."""
        texts = [m.content for m in self.messages if m.role == "user"]
        return texts[-1] if texts else self.messages[-1].content


@dataclass(frozen=True, slots=True)
class Reply:
    """A simulated model's reply.

    Attributes:
        paces: The time it takes, in units of the server's time scale.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    paces: float


class OverflowedError(Exception):
    """The prompt and the tokens asked for do not fit the context; says so as vLLM does."""


class Talker:
    """Lets the models of a pool reply."""

    def __init__(self, pool: Pool, world: World) -> None:
        self._pool, self._world = pool, world

    def reply(self, body: Body) -> Reply:
        """Return the reply to a request.

        Raises:
            KeyError: No such model.
            OverflowedError: It does not fit the model's context.
        """
        model = self._pool.models[body.model]
        prompt = sum(model.tokens(m.content) + _TOKENS_A_MESSAGE for m in body.messages)
        limit = _fitting(model, prompt, body.limit)
        whole = self._text(model, body, limit)
        if body.properties is not None:
            whole = obeying.held_to(body.properties, whole)
        characters = math.floor(limit / model.tokens_per_character)
        text = whole[:characters]
        wait = draws.normal(self._pool.seed, "pace", body.identity)
        return Reply(
            text=text,
            finish_reason="stop" if text == whole else "length",
            prompt_tokens=prompt,
            completion_tokens=max(1, model.tokens(text)),
            paces=model.pace * math.exp(_PACE_SD * wait),
        )

    def _text(self, model: SimModel, body: Body, limit: int) -> str:
        message = body.last()
        told = "\n".join(m.content for m in body.messages if m.role == "user")
        if discoverer.asked(told):
            return discoverer.proposals(told, body.identity, body.manner)
        if judging.asked(message):
            return judging.verdict(self._pool, model, message, body.identity)
        question = self._question(message, body)
        voice = self._voice(model, body, question)
        text = self._answer(model, body, question, voice)
        missing = 1 - limit / max(limit, model.tokens(text))
        if not missing:
            return text
        worse = round(max(voice.margin - CUT * missing, -7.99), 2)
        return self._answer(model, body, question, replace(voice, margin=worse))

    def _question(self, message: str, body: Body) -> Question:
        turns = sum(m.role == "user" for m in body.messages)
        return self._world.question(message, turns)

    def _voice(self, model: SimModel, body: Body, question: Question) -> Voice:
        items = Questions(self._pool.seed, (question.key,), (question.category,))
        heard = _heard(body.messages)
        family = FAMILIES.index(model.family)
        if not heard:
            margins = self._pool.answer(model, body.temperature, body.draw, items)
            return Voice(float(margins[0]), 0, family)
        generation = 1 + max(voice.generation if voice else 0 for voice in heard)
        references = [np.array([voice.margin if voice else POOR]) for voice in heard]
        margins = self._pool.synthesis(
            model, body.temperature, body.draw, references, generation, items
        )
        return Voice(float(margins[0]), generation, family)

    def _answer(self, model: SimModel, body: Body, question: Question, voice: Voice) -> str:
        item, right = question.item, voice.margin > 0
        read = body.identity if voice.generation else ""  # a synthesis is worded by all it reads
        salt = (self._pool.seed, model.name, question.key, body.draw, voice.generation, read)
        if item is not None and bare(item):
            return speech.silent_mark(voice) + stated(item, right=right, salt=salt)
        longer = math.exp(0.15 * draws.normal("length", *salt)) * (1.15 if voice.generation else 1)
        parts = [
            speech.mark(voice),
            "" if item is None else stated(item, right=right, salt=salt),
            speech.prose(round(model.length * longer), *salt),
        ]
        return "\n".join(part for part in parts if part)


def _heard(messages: Sequence[Message]) -> list[Voice | None]:
    first = messages[0]
    return speech.references(first.content) if first.role == "system" else []


def _fitting(model: SimModel, prompt: int, limit: int | None) -> int:
    """Return how many tokens the reply may have."""
    asked = max(1, model.context - prompt) if limit is None else limit
    if prompt + asked > model.context:
        raise OverflowedError(
            f"This model's maximum context length is {model.context} tokens. However, you "
            f"requested {prompt + asked} tokens ({prompt} in the messages, {asked} in the "
            "completion). Please reduce the length of the messages or completion."
        )
    return asked
