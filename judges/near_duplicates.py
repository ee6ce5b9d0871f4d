"""Items that ask the same thing in other words.

Two questions are compared by the words that carry their content and by pairs of neighbouring
ones. Each counts by how rare it is in the suite (log inverse document frequency), so that the
instruction all items share weighs nothing, and their overlap is measured against the shorter
question: one that is a part of the other is a duplicate (the containment of Broder 1997).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from judges.japanese import content_words

THRESHOLD = 0.55
"""Overlap from which two questions are one; docs/design/suite.md says how it was measured."""

_COMMON = 50
"""What occurs in more questions than this, and than a fiftieth of them, tells none apart."""

_Grams = frozenset[tuple[str, ...]]


class Pair(NamedTuple):
    """A question, the earlier one it is most like, and how much, 0 to 1."""

    earlier: int
    later: int
    overlap: float


def near_duplicates(
    texts: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    comparable: Callable[[int, int], bool] = lambda _a, _b: True,
) -> list[Pair]:
    """Return the questions that are near-duplicates of an earlier one.

    Args:
        texts: The questions; those without a word are duplicates of none.
        threshold: Least overlap.
        comparable: Whether the texts at two positions can be duplicates at all.
    """
    grams = [_grams(text) for text in texts]
    weights = _weights(grams)
    totals = [sum(weights.get(gram, 0.0) for gram in own) for own in grams]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    pairs = []
    for later, own in enumerate(grams):
        shared: dict[int, float] = defaultdict(float)
        for gram in own & weights.keys():
            for earlier in holders[gram]:
                shared[earlier] += weights[gram]
            holders[gram].append(later)
        found = [
            Pair(earlier, later, weight / min(totals[earlier], totals[later]))
            for earlier, weight in shared.items()
            if comparable(earlier, later)
        ]
        best = max(found, key=lambda pair: pair.overlap, default=None)
        if best is not None and best.overlap >= threshold:
            pairs.append(best)
    return pairs


def _grams(text: str) -> _Grams:
    words = content_words(text)
    return frozenset({(word,) for word in words} | set(pairwise(words)))


def _weights(grams: Sequence[_Grams]) -> dict[tuple[str, ...], float]:
    held = Counter(gram for own in grams for gram in own)
    most = max(_COMMON, len(grams) // _COMMON)
    return {
        gram: math.log((len(grams) + 1) / count) for gram, count in held.items() if count <= most
    }
