"""Each model once as the aggregator of one common set: answering is not synthesizing.

Rank as a single model says little about a model as aggregator (docs/design/search.md), so after
the single models every aggregator reads the same few good and complementary proposers. That
costs two calls an item and model, and the proposers of MoA-Lite have answered already.
"""

from __future__ import annotations

from collections.abc import Mapping

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.proposers.facts import Facts, Items, Known, Table
from optimizer.proposers.moves import Layer, Shape, shape_of
from optimizer.space import Space

SET = 5  # proposers in the common set, fewer where the space is narrower


class Audition:
    """Proposes every aggregator over the common set, then nothing more.

    The set is chosen from the single models' scores alone, which are there before the first
    trial, so it stays the same however long the search goes on.

    Args:
        space: What may be proposed.
        shares: Item id → its share of a score.
    """

    name = "audition"

    def __init__(self, space: Space, shares: Mapping[str, float]) -> None:
        self._space, self._items = space, Items(shares)

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return aggregators that were not auditioned, in the order of the space."""
        models = self._set(archive)
        if not models:
            return []
        hottest, coldest = max(self._space.temperatures), min(self._space.answering)
        layers = (Layer(models, 1, hottest, None),)
        prompt = self._space.prompts[0]
        shapes = (Shape(layers, m, coldest, prompt) for m in self._space.aggregators)
        ensembles = [shape.ensemble for shape in shapes]
        return [e for e in ensembles if not archive.taken(e.digest)][:k]

    def _set(self, archive: Archive) -> tuple[str, ...]:
        if not self._space.layers:
            return ()
        alone = [o for o in archive.all() if o.origin == "baseline" and not o.ensemble.layers]
        known = [Known(shape_of(o.ensemble), o, self._items.row(o.scores)) for o in alone]
        facts = Facts(self._items, known)
        return chosen(facts.alone, self._space)


def chosen(alone: Table, space: Space) -> tuple[str, ...]:
    """Return the set that covers the items best for its size, grown one model at a time."""
    known = [m for m in space.proposers if m in alone.models] if alone else []
    best: tuple[str, ...] = ()
    while len(best) < min(SET, space.width, len(known)):
        rest = (tuple(sorted((*best, m))) for m in known if m not in best)
        best = max(rest, key=lambda models: sum(alone.summary(models)[:2]))
    return best
