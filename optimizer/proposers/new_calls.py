"""How many calls an ensemble would add to those the store holds.

A request is known by its model, temperature, draw, prompt, bound of tokens and the references
it reads, which are known by the layers before it. So ensembles that begin alike share calls, and
where proposers and aggregators have the same bound, what an aggregator wrote over a set is a
proposal of a second layer over that set. All ensembles walk the items in one order: of each call
it is enough to know on how many items it was paid. Turns after the first hold the ensemble's own
earlier answers, so nobody shares them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from optimizer.proposers.moves import Shape


@dataclass(frozen=True, slots=True)
class Effort:
    """What an evaluation in full is made of.

    Attributes:
        items: Search items.
        later_turns: Turns of all items after their first.
        verdicts: Calls of the judge; items that a rule decides have none.
        shared: Whether a proposer and an aggregator that are asked the same send the same
            request: their bounds of tokens are equal.
    """

    items: int
    later_turns: int = 0
    verdicts: int = 0
    shared: bool = False


class NewCalls:
    """Counts calls by what they read, never by their text."""

    def __init__(self, effort: Effort) -> None:
        self._effort = effort
        self._paid: defaultdict[int, int] = defaultdict(int)  # call → items it was paid on
        self._numbers: dict[Hashable, int] = {}

    def pay(self, shape: Shape, items: int) -> None:
        """Take note of an ensemble that was evaluated on the first `items` items."""
        for call in self._calls(shape):
            self._paid[call] = max(self._paid[call], items)

    def new(self, shape: Shape) -> int:
        """Return the calls an evaluation in full would add, verdicts included."""
        whole = self._effort.items
        first = sum(whole - min(whole, self._paid.get(call, 0)) for call in self._calls(shape))
        return first + self._effort.later_turns * shape.calls + self._effort.verdicts

    def paid(self, shape: Shape) -> bool:
        """Tell whether the shape's last call was paid on every item."""
        *_, last = self._calls(shape)
        return self._paid.get(last, 0) >= self._effort.items

    def _calls(self, shape: Shape) -> Iterator[int]:
        read = 0
        for layer in shape.layers:
            for model in layer.models:
                for draw in range(layer.n):
                    key = (read, model, layer.temperature, layer.prompt, draw)
                    yield self._number(("proposer", *key))
            read = self._number(("layer", read, layer))
        role = "proposer" if self._effort.shared else "aggregator"
        yield self._number((role, read, shape.aggregator, shape.temperature, shape.prompt, 0))

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers) + 1)
