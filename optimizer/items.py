"""The items of a half: in which order they are walked, and what each counts."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from data.digest import digest
from data.suites import Item, Suite
from data.suites.item import Split


def stratified(items: Sequence[Item], seed: int) -> list[Item]:
    """Return the one order in which every ensemble walks the items: category by category in turn.

    The order within a category is drawn from the seed.
    """
    piles: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        piles[item.category].append(item)
    for category, pile in piles.items():
        random.Random(digest([seed, category])).shuffle(pile)
    rounds = max((len(pile) for pile in piles.values()), default=0)
    return [pile[r] for r in range(rounds) for pile in piles.values() if r < len(pile)]


def item_shares(suite: Suite, half: Split) -> dict[str, float]:
    """Return what each item counts in an ensemble's score, by its id; they sum to one."""
    items = suite.half(half)
    counts = Counter(item.category for item in items)
    total = sum(suite.weights[category] for category in counts)
    return {i.id: suite.weights[i.category] / counts[i.category] / total for i in items}
