"""Proposers that learn nothing: draws among the unseen, the inbox, a share of the trials."""

from __future__ import annotations

import random

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.proposers import Proposer
from optimizer.proposers.moves import mutated, neighbours, shape_of
from optimizer.seeds import seed_of
from optimizer.space import Space

DRAWS = 1000  # draws without an unseen ensemble that mean the space is exhausted
FARTHER = 100  # draws two moves away from a repeat whose neighbours are all seen


class Random:
    """Draws ensembles uniformly over depth, sizes and members."""

    name = "random"

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return unseen ensembles; none where `DRAWS` draws found none."""
        rng = random.Random(seed_of(self._seed, archive.asked))
        drawn = (self._space.sample(rng) for _ in range(DRAWS))
        unseen = (e for e in drawn if not archive.taken(e.digest))
        found: dict[str, Ensemble] = {}
        for ensemble in unseen:
            found[ensemble.digest] = ensemble
            if len(found) == k:
                break
        return list(found.values())


class Inbox:
    """Hands on what discovery proposed, in its order."""

    name = "discovery"

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return what nobody has tried."""
        return [e for e in archive.inbox.values() if not archive.taken(e.digest)][:k]


class Sometimes:
    """Lets another proposer have a share of the trials.

    Args:
        proposer: Who proposes then.
        share: How often, 0 to 1.
        seed: Decides when.
    """

    def __init__(self, proposer: Proposer, share: float, seed: int) -> None:
        self._proposer, self._share, self._seed = proposer, share, seed
        self.name = proposer.name

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return what the other proposes, or nothing."""
        drawn = random.Random(seed_of(self._seed, -1 - archive.asked)).random()
        return await self._proposer.propose(archive, k) if drawn < self._share else []


def nearest(ensemble: Ensemble, archive: Archive, space: Space, seed: int) -> Ensemble | None:
    """Return an unseen ensemble as few moves away as there is one; None within two."""
    if not space.contains(ensemble):
        return None
    rng = random.Random(seed_of(seed, archive.asked))
    shape = shape_of(ensemble)
    near = list(dict.fromkeys(neighbours(shape, space)))
    rng.shuffle(near)
    farther = (mutated(rng.choice(near), space, rng) for _ in range(FARTHER))
    for found in (*near, *farther) if near else ():
        if not archive.taken(found.ensemble.digest):
            return found.ensemble
    return None
