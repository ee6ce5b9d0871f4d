"""Evolution over sets: moves and crossover from the best."""

from __future__ import annotations

import random

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.proposers.moves import Shape, crossed, mutated, shape_of
from optimizer.proposers.random import Random
from optimizer.seeds import seed_of
from optimizer.space import Space

PARENTS = 20  # best ensembles that breed; before there are so many, trials are drawn at random
CROSSED = 0.3  # share of the children that have two parents
TWICE = 0.3  # share of the children that are moved twice
TRIES = 50  # children drawn until one is unseen


class Evolution:
    """Breeds from the best ensembles so far, pruned ones by their estimate.

    Args:
        space: What may be proposed.
        seed: Decides every draw.
    """

    name = "evolution"

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed
        self._random = Random(space, seed)

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return unseen children of the best, or random draws while there are few parents."""
        known = [o for o in archive.all() if o.value is not None]
        known = [o for o in known if self._space.contains(o.ensemble)]
        if len(known) < PARENTS:
            return await self._random.propose(archive, k)
        best = sorted(known, key=lambda o: (-(o.value or 0.0), o.ensemble.digest))[:PARENTS]
        parents = [shape_of(o.ensemble) for o in best]
        rng = random.Random(seed_of(self._seed, archive.asked))
        children: dict[str, Ensemble] = {}
        for _ in range(TRIES * k):
            child = self._child(parents, rng).ensemble
            if not archive.taken(child.digest):
                children[child.digest] = child
            if len(children) == k:
                break
        return list(children.values())

    def _child(self, parents: list[Shape], rng: random.Random) -> Shape:
        child = _winner(parents, rng)
        if rng.random() < CROSSED:
            child = crossed(child, _winner(parents, rng), self._space, rng)
        for _ in range(1 + (rng.random() < TWICE)):
            child = mutated(child, self._space, rng)
        return child


def _winner(parents: list[Shape], rng: random.Random) -> Shape:
    """Return the better of two drawn at random; parents are sorted, best first."""
    return parents[min(rng.randrange(len(parents)), rng.randrange(len(parents)))]
