"""A request, its completion, one attempt at it, and what the package asks of those above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict

Role = Literal["proposer", "aggregator", "judge", "discovery", "audit"]


class Message(TypedDict):
    """One chat message; never changed once it is part of a request."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one model.

    Attributes:
        model: The model's name in kumiawase.yaml.
        role: What the request is for; kept in the ledger, never sent.
        messages: The conversation, oldest first.
        temperature: Sampling temperature.
        max_tokens: Most tokens of the reply.
        draw: Index of this draw among equal requests; sent as `seed` above temperature 0.
        tools: OpenAI tool definitions, for a model that takes them as such; a model that does
            not reads of them in the messages.
        schema: JSON schema that the server is to hold the reply to; part of a request's key
            where there is one.
    """

    model: str
    role: Role
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    draw: int = 0
    tools: tuple[Mapping[str, Any], ...] = ()
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A checked reply: its text is never empty.

    Attributes:
        key: Digest of everything that decides the reply.
        text: As received, less reasoning; what is longer than any reply is cut, with a mark.
        finish_reason: As the server said; "length" is a cut reply.
        prompt_tokens, completion_tokens: The server's count, or our estimate where it gave none.
        estimated: True where the token counts are our estimate.
        seconds: From sending to the whole reply; time in our queue is not in it.
        usd: What it cost when it was paid.
        served: The model the server says has answered.
    """

    key: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    seconds: float
    usd: float
    served: str

    @property
    def said(self) -> str:
        """The text as prompts and judges can hold it: no NUL, no lone surrogate."""
        return whole_characters(self.text)

    @property
    def cut(self) -> bool:
        """Whether the reply ran into its token limit."""
        return self.finish_reason == "length"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request sent: a line of the ledger.

    Attributes:
        id: Unique.
        started: Seconds since the epoch, UTC.
        outcome: "sent" until it is settled; then "ok", the outcome of a `RequestError`, or
            "cancelled". The meter also sees "unsent": set aside, then never sent, costs nothing.
        detail: What the server said, where it was not a completion.
    """

    id: str
    key: str
    study: str
    role: Role
    model: str
    endpoint: str
    started: float
    outcome: str = "sent"
    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    usd: float = 0.0
    detail: str = ""


def whole_characters(text: str) -> str:
    """Return text that UTF-8 and every library can hold: no lone surrogates, no NUL."""
    text = text.replace("\x00", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Completer(Protocol):
    """Turns requests into completions: all that engines and judges know of endpoints."""

    async def complete(self, request: Request) -> Completion:
        """Return the completion of `request`, stored or new.

        Raises:
            RequestError: No completion could be had.
            BudgetSpentError: It could not be paid.
            EndpointError: The user must act first.
        """


class CompletionStore(Protocol):
    """Keeps completions for ever and every attempt at one; failures are never completions."""

    def get(self, key: str) -> Completion | None:
        """Return the completion under `key`, without waiting."""

    async def claim(self, attempt: Attempt) -> Completion | None:
        """Write the attempt down before it is sent, and return once that is safe.

        Returns:
            The completion, if another process has stored it meanwhile; then nothing is
            written and the request need not be sent.
        """

    async def settle(self, attempt: Attempt, completion: Completion | None) -> None:
        """Write down how the attempt ended, with its completion if there is one.

        Both are in one transaction; the call returns once it is committed.
        """


class Meter(Protocol):
    """Knows what may still be spent."""

    def reserve(self, request: Request) -> None:
        """Set aside the cost of one attempt at `request`.

        Raises:
            BudgetSpentError: A limit would be passed.
        """

    def settle(self, attempt: Attempt) -> None:
        """Replace what was set aside by what the attempt really cost."""


class EndpointFacts(Protocol):
    """Keeps what was learned of servers, each named by its identity."""

    def facts(self, endpoint: str) -> dict[str, Any]:
        """Return everything known of a server, by the name of the fact."""

    async def learn(self, endpoint: str, found: Mapping[str, Any]) -> None:
        """Keep what was found, as JSON values; the latest counts."""
