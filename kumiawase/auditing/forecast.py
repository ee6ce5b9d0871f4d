"""What would have to be paid, found out by asking nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace

from data.errors import RequestError
from data.suites import Item
from endpoints.completions import Completions
from endpoints.request import Completer, Completion, Request
from judges.score import Judge, Score
from moa.answer import Answer


class UnpaidError(RequestError):
    """What is asked is not in the store, and this is only a forecast."""


class Forecast:
    """Keeps `Completer`: replies from the store, and counts what is not in it."""

    def __init__(self, completions: Completions) -> None:
        self._completions = completions
        self.keys: set[str] = set()

    async def complete(self, request: Request) -> Completion:
        """Return a completion that is stored.

        Raises:
            RequestError: It would have to be paid.
        """
        found = self._completions.stored(request)
        if found is None:
            self.keys.add(self._completions.key(request))
            raise UnpaidError("not asked yet")
        return found


@dataclass(frozen=True, slots=True)
class Charged:
    """Keeps `Completer`: verdicts of an audit are in the ledger as such, and no search's."""

    completer: Completer

    async def complete(self, request: Request) -> Completion:
        """Return the completion of a request."""
        return await self.completer.complete(replace(request, role="audit"))


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Keeps `Judge`: one that leaves unscored what would cost a call."""

    judge: Judge

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    @property
    def digest(self) -> str:
        """The judge's."""
        return self.judge.digest

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return its scores, as far as they are paid."""
        try:
            return await self.judge.score(item, answer)
        except UnpaidError:
            return (Score.unscored(self.judge.name, "not asked yet"),)
