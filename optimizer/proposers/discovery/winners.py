"""Ensembles that win items, though their mean may be no best one.

GEPA's parents (Agrawal et al. 2025, arXiv:2507.19457): for each item the ensembles nobody beats
there; dominated ones dropped; the rest drawn in proportion to the items they win. What wins where
the best fail shows which models complement each other.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping

_TIE = 1e-9


def wins(scores: Mapping[str, Mapping[str, float]]) -> Counter[str]:
    """Return how many items each ensemble wins or shares.

    Args:
        scores: Digest → item → score 0..1.
    """
    return Counter(digest for front in _fronts(scores) for digest in front)


def undominated(scores: Mapping[str, Mapping[str, float]]) -> Counter[str]:
    """Return how many items each ensemble wins or shares, dominated ones left out.

    An ensemble is dominated where on every item it wins another one that stays wins as well; the
    weakest are looked at first.

    Args:
        scores: Digest → item → score 0..1.
    """
    fronts = _fronts(scores)
    staying = set().union(*fronts) if fronts else set()
    for digest in sorted(staying, key=lambda d: (_mean(scores[d]), d)):
        own = [front for front in fronts if digest in front]
        if all(front & staying - {digest} for front in own):
            staying.discard(digest)
    return Counter(digest for front in fronts for digest in front & staying)


def drawn(
    won: Mapping[str, int], number: int, without: Collection[str], rng: random.Random
) -> list[str]:
    """Return so many winners, each drawn in proportion to the items it wins."""
    left = {digest: items for digest, items in sorted(won.items()) if digest not in without}
    found: list[str] = []
    while left and len(found) < number:
        (one,) = rng.choices(list(left), weights=list(left.values()))
        found.append(one)
        del left[one]
    return found


def _fronts(scores: Mapping[str, Mapping[str, float]]) -> list[set[str]]:
    items = sorted({item for row in scores.values() for item in row})
    return [_front(scores, item) for item in items]


def _front(scores: Mapping[str, Mapping[str, float]], item: str) -> set[str]:
    had = {digest: row[item] for digest, row in scores.items() if item in row}
    best = max(had.values())
    return {digest for digest, value in had.items() if value >= best - _TIE}


def _mean(row: Mapping[str, float]) -> float:
    return sum(row.values()) / len(row)
