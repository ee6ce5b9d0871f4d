"""How many requests ensembles need, equal requests counted once.

For given ensembles and items that is the least any program can send: one request more is a
fault (no single flight, an unstable key) or a retry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from data.digest import digest
from data.suites.item import Item, Split
from endpoints.request import Role
from moa.conversation import Conversation
from moa.ensemble import Agent, Ensemble
from optimizer.simulation import Asked

Judges = Callable[[Ensemble], Sequence[str]]
"""The model of each verdict on an answer, by the ensemble that gave it."""


class Kind(NamedTuple):
    """Requests that differ in the item alone.

    Attributes:
        model: Who is asked.
        role: What for.
        reads: Models whose replies stand in the prompt, one entry a reply.
        half: Held-out items are the confirmation's.
    """

    model: str
    role: Role
    reads: tuple[str, ...]
    half: Split


@dataclass(slots=True)
class Requests:
    """How many of a kind, and the characters that items put into their prompts."""

    number: int = 0
    characters: int = 0


class Halves:
    """The items of both halves in the order in which every ensemble walks them.

    Args:
        items: Half → its items.
        judged: Whether an item needs a judge, or a rule says it all.
    """

    def __init__(
        self, items: Mapping[Split, Sequence[Item]], judged: Callable[[Item], bool]
    ) -> None:
        self._sums = {
            (half, part): [(0, 0), *accumulate((f(item) for item in some), _plus)]
            for half, some in items.items()
            for part, f in (
                ("first", lambda item: (1, _prompt(item, 0))),
                ("later", _later),
                ("judged", lambda item: _judged(item) if judged(item) else (0, 0)),
            )
        }

    def between(
        self, half: Split, part: Literal["first", "later", "judged"], begin: int, end: int
    ) -> tuple[int, int]:
        """Return turns and characters of the items from `begin` to `end`."""
        sums = self._sums[half, part]
        return sums[end][0] - sums[begin][0], sums[end][1] - sums[begin][1]


def distinct(
    asked: Iterable[Asked],
    halves: Halves,
    judges: Mapping[Split, Judges],
    limits: tuple[int, int],
    again: Judges | None = None,
) -> dict[Kind, Requests]:
    """Return the requests that ensembles need, by kind.

    Args:
        asked: Ensembles, and how many items each answers.
        halves: The items.
        judges: Who judges on each half.
        limits: Most tokens of a proposer's and of an aggregator's reply: where they are equal, a
            single model's answer and a proposal are one request.
        again: Who judges a second time what is to be judged again.
    """
    found = _Count(halves, limits)
    for one in asked:
        second = (again,) if again is not None and one.again else ()
        found.ensemble(one, judges[one.half], *second)
    return found.requests


class _Count:
    def __init__(self, halves: Halves, limits: tuple[int, int]) -> None:
        self._halves = halves
        self._limits = limits
        self._paid: Counter[tuple[Split, str]] = Counter()  # request → items it is paid for
        self.requests: dict[Kind, Requests] = {}

    def ensemble(self, one: Asked, *judges: Judges) -> None:
        """Count one ensemble on the first items of a half."""
        ensemble = one.ensemble
        references: list[tuple[str, str]] = []
        for layer in ensemble.layers:
            references = [
                self._agent(one, agent, draw, "proposer", references)
                for agent in layer
                for draw in range(agent.n)
            ]
        answer, writer = self._agent(one, ensemble.aggregator, 0, "aggregator", references)
        for place, several in enumerate(judges):
            for number, judge in enumerate(several(ensemble)):
                kind = Kind(judge, "judge", (writer,), one.half)
                request = digest([judge, place, number, answer])
                self._pay(kind, "judged", request, one.items)

    def _agent(
        self,
        one: Asked,
        agent: Agent,
        draw: int,
        role: Literal["proposer", "aggregator"],
        references: Sequence[tuple[str, str]],
    ) -> tuple[str, str]:
        """Count one draw of an agent; return what stands for its reply, and who wrote it."""
        limit = self._limits[role == "aggregator"]
        read = [name for name, _ in references]
        request = digest([agent.model, agent.temperature, draw, limit, agent.prompt, read])
        kind = Kind(agent.model, role, tuple(model for _, model in references), one.half)
        self._pay(kind, "first", request, one.items)
        # A later turn holds the ensemble's own answers: no other ensemble asks the same.
        later = kind._replace(reads=(*kind.reads, one.ensemble.aggregator.model))
        self._pay(later, "later", digest([request, one.ensemble.digest]), one.items)
        return request, agent.model

    def _pay(
        self, kind: Kind, part: Literal["first", "later", "judged"], request: str, items: int
    ) -> None:
        paid = self._paid[kind.half, request]
        if items > paid:
            number, characters = self._halves.between(kind.half, part, paid, items)
            self._paid[kind.half, request] = items
            if number:
                total = self.requests.setdefault(kind, Requests())
                total.number += number
                total.characters += characters


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _prompt(item: Item, turn: int) -> int:
    """Return the characters of the prompt of a turn, the answers before it left out."""
    messages = Conversation.of(item).messages(("",) * turn)
    return sum(len(message["content"]) for message in messages)


def _later(item: Item) -> tuple[int, int]:
    turns = range(1, len(item.turns))
    return len(turns), sum(_prompt(item, turn) for turn in turns)


def _judged(item: Item) -> tuple[int, int]:
    """Return turns and characters of what a judge reads of an item besides the answer."""
    turns = range(len(item.turns))
    gold = sum(map(len, (*item.rubric, *item.reference)))
    return len(turns), sum(_prompt(item, turn) for turn in turns) + gold * len(turns)
