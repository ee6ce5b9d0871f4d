"""A completer that says what a test wrote down, and the answers a judge is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from data.digest import digest
from endpoints.request import Completion, Request
from moa.answer import Answer

Reply = str | Completion | Exception
Script = Callable[[Request], Reply]


@dataclass
class ScriptedCompleter:
    """Keeps `Completer`: replies by `script`, remembers what it was asked."""

    script: Script
    requests: list[Request] = field(default_factory=list)

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        reply = self.script(request)
        if isinstance(reply, Exception):
            raise reply
        return completion(reply) if isinstance(reply, str) else reply

    @property
    def prompts(self) -> list[str]:
        """The last message of each request."""
        return [request.messages[-1]["content"] for request in self.requests]


def saying(*replies: Reply) -> ScriptedCompleter:
    """Return a completer that says these one after the other, the last one for ever."""
    rest = list(replies)
    return ScriptedCompleter(lambda _: rest.pop(0) if len(rest) > 1 else rest[0])


def completion(text: str, *, finish_reason: str = "stop", served: str = "m") -> Completion:
    """Return a completion of a text."""
    return Completion(digest(text), text, finish_reason, 10, 5, False, 0.1, 0.0, served)


def answer(*texts: str, aggregator: str = "writer") -> Answer:
    """Return an answer of one text a turn."""
    return Answer(
        texts, aggregator, frozenset({aggregator}), ("k",), (), False, 0.1, 1, 10, 5, 0.0
    )
