"""What a search begins with while little is known: one layer, every model as often as the others.

A balanced screening design (Plackett and Burman 1946), drawn up as it goes: aggregator, size,
temperature and members that were tried least come next. After a dozen ensembles a surrogate can
tell good members from good aggregators; draws over all depths teach it less (measured:
docs/design/search.md).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.proposers.moves import Layer, Shape
from optimizer.proposers.random import Random
from optimizer.seeds import seed_of
from optimizer.space import Space

TIES = 20  # ways of breaking ties that are tried for an unseen ensemble
FEWEST = 2  # members of a set, where the space has as many

T = TypeVar("T", str, int, float)
Used = Counter[tuple[str, str | int | float]]


class Screening:
    """Balances what was tried so far; draws at random where that yields nothing new.

    Args:
        space: What may be proposed.
        seed: Decides between what was tried equally often.
    """

    name = "screening"

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed
        self._random = Random(space, seed)
        most = min(space.width, len(space.proposers))
        self._sizes = range(min(FEWEST, most), most + 1)

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return unseen ensembles, each made of what was tried least before it."""
        rng = random.Random(seed_of(self._seed, archive.asked))
        used = Used()
        for ensemble in (*(o.ensemble for o in archive.all()), *archive.pending):
            used.update(_parts(ensemble))
        found: dict[str, Ensemble] = {}
        for _ in range(TIES * k if self._space.layers else 0):
            ensemble = self._balanced(used, rng)
            if ensemble.digest not in found and not archive.taken(ensemble.digest):
                found[ensemble.digest] = ensemble
                used.update(_parts(ensemble))
            if len(found) == k:
                break
        return list(found.values()) or await self._random.propose(archive, k)

    def _balanced(self, used: Used, rng: random.Random) -> Ensemble:
        def least(role: str, options: Iterable[T]) -> Sequence[T]:
            return sorted(options, key=lambda option: (used[role, option], rng.random()))

        space = self._space
        size, *_ = least("size", self._sizes)
        temperature, *_ = least("temperature", space.temperatures)
        aggregator, *_ = least("aggregator", space.aggregators)
        models = tuple(sorted(least("member", space.proposers)[:size]))
        layer = Layer(models, 1, temperature, None)
        return Shape((layer,), aggregator, min(space.answering), space.prompts[0]).ensemble


def _parts(ensemble: Ensemble) -> Iterator[tuple[str, str | int | float]]:
    """Yield what an ensemble's first layer and its aggregator have tried."""
    if ensemble.layers:
        first = ensemble.layers[0]
        yield "aggregator", ensemble.aggregator.model
        yield "size", len(first)
        yield "temperature", first[0].temperature
        yield from (("member", agent.model) for agent in first)
