"""The default ranking: a Gaussian process over sets, and improvement per call not yet paid.

Candidates are set moves and crossover from the best, what discovery proposed, every aggregator
over the best sets and second layers made of answers already paid; the best of them are climbed
by set moves. Trials in flight count as seen at their posterior mean, so eight at once do not ask
for the same. docs/design/search.md holds the measurements each part rests on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.outcome import Outcome
from optimizer.proposers.moves import Layer, Shape, crossed, mutated, neighbours
from optimizer.proposers.new_calls import Effort, NewCalls
from optimizer.proposers.posterior import Memory, Posterior
from optimizer.proposers.screening import Screening
from optimizer.seeds import seed_of
from optimizer.space import Space

FEWEST = 16  # ensembles known before anything is modelled
ELITE = 8  # best by posterior mean, from which candidates are made
MOVED, CROSSED = 90, 20  # candidates of each kind
SETS = 4  # best sets of proposers that every aggregator is tried over
CLIMBED, STEPS = 2, 3  # candidates climbed, and how far
EXPLORED = 0.05  # share of the trials drawn at random beside it


class SetGP:
    """Proposes what promises most improvement per new call, and recommends by posterior mean.

    Args:
        space: What may be proposed.
        shares: Item id → its share of a score.
        effort: What an evaluation costs.
        seed: Decides every draw.
        priced: Whether improvement is divided by the new calls it costs.
    """

    name = "set-gp"

    def __init__(
        self,
        space: Space,
        shares: Mapping[str, float],
        effort: Effort,
        seed: int,
        *,
        priced: bool = True,
    ) -> None:
        self._space, self._seed, self._priced = space, seed, priced
        self._memory = Memory(space, shares)
        self._prices = NewCalls(effort)
        self._screening = Screening(space, seed)
        self._paid = 0  # outcomes the prices know of; an archive only grows

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return the k most promising unseen ensembles; screening ones while little is known."""
        seen = archive.snapshot()
        if len(self._memory.known(seen)) < FEWEST:
            return await self._screening.propose(seen, k)
        return await asyncio.to_thread(self._propose, seen, k)

    def recommend(self, archive: Archive) -> list[Outcome]:
        """Return the ensembles evaluated in full, best posterior mean first.

        The best observed mean is the luckiest one too; the posterior mean draws it towards what
        ensembles like it have scored. Ensembles outside the space keep their observed mean's
        place behind all others.
        """
        full = archive.best(len(archive))
        inside = [o for o in full if self._memory.shape(o.ensemble) is not None]
        if len(self._memory.known(archive)) < FEWEST or not inside:
            return full
        model = Posterior(self._memory, archive)
        means = model.means([shape for o in inside if (shape := self._memory.shape(o.ensemble))])
        order = np.argsort(-means, kind="stable")
        return [inside[i] for i in order] + [o for o in full if o not in inside]

    def _propose(self, archive: Archive, k: int) -> list[Ensemble]:
        model = Posterior(self._memory, archive)
        rng = random.Random(seed_of(self._seed, archive.asked))
        self._pay(archive)
        pool = _Ranked(model, archive, self._prices if self._priced else None)
        pool.add(self._candidates(model, archive, rng))
        for _ in range(STEPS):
            before = pool.best(CLIMBED)
            pool.add(near for shape in before for near in neighbours(shape, self._space))
            if pool.best(CLIMBED) == before:
                break
        return [shape.ensemble for shape in pool.best(k)]

    def _pay(self, archive: Archive) -> None:
        """Bring the prices up to date; what is in flight counts as paid."""
        known = self._memory.known(archive)
        for one in known[self._paid :]:
            self._prices.pay(one.shape, one.outcome.items)
        self._paid = len(known)
        for ensemble in archive.pending:
            shape_ = self._memory.shape(ensemble)
            if shape_ is not None:
                self._prices.pay(shape_, self._memory.items.count)

    def _candidates(
        self, model: Posterior, archive: Archive, rng: random.Random
    ) -> Iterator[Shape]:
        elite, space = model.elite[:ELITE], self._space
        for _ in range(MOVED):
            shape = rng.choice(elite)
            for _ in range(rng.randint(1, 3)):
                shape = mutated(shape, space, rng)
            yield shape
        for _ in range(CROSSED):
            yield crossed(rng.choice(elite), rng.choice(elite), space, rng)
        yield from (s for e in archive.inbox.values() if (s := self._memory.shape(e)))
        sets = list(dict.fromkeys(s.layers for s in model.elite if s.layers))[:SETS]
        for layers in sets:
            for writer in space.aggregators:
                for temperature in space.answering:
                    yield Shape(layers, writer, temperature, space.prompts[0])
        yield from self._stacked(model, sets)

    def _stacked(self, model: Posterior, sets: Sequence[tuple[Layer, ...]]) -> Iterator[Shape]:
        """Yield second layers of aggregators whose answers over a set are best and paid."""
        space = self._space
        for layers in sets:
            if len(layers) >= space.layers:
                continue
            over = [
                s for s in model.elite if s.layers == layers and s.aggregator in space.proposers
            ]
            for temperature in space.temperatures:
                same = [s for s in over if s.temperature == temperature]
                # Under another prompt it is another answer, and no model stands in a layer twice.
                writers = [s.aggregator for s in same if s.prompt == space.prompts[0]]
                for size in range(2, min(len(writers), space.width) + 1):
                    models = tuple(sorted(writers[:size]))
                    stacked = (*layers, Layer(models, 1, temperature, space.prompts[0]))
                    for last in islice(writers, SETS):
                        coldest = min(space.answering)
                        yield Shape(stacked, last, coldest, space.prompts[0])


class _Ranked:
    """Unseen candidates with their worth."""

    def __init__(self, model: Posterior, archive: Archive, prices: NewCalls | None) -> None:
        self._model, self._archive, self._prices = model, archive, prices
        self._worth: dict[Shape, float] = {}

    def add(self, shapes: Iterable[Shape]) -> None:
        """Rank those that are new."""
        new = [s for s in dict.fromkeys(shapes) if s not in self._worth]
        if not new:
            return
        worth = self._model.improvement(new)
        if self._prices is not None:
            worth = worth / np.array([max(1, self._prices.new(s)) for s in new])
        self._worth.update(zip(new, worth.tolist(), strict=True))

    def best(self, k: int) -> list[Shape]:
        """Return the k worthiest that nobody has tried."""
        ranked = sorted(self._worth, key=lambda s: -self._worth[s])
        unseen = (s for s in ranked if not self._archive.taken(s.ensemble.digest))
        return list(islice(unseen, k))
