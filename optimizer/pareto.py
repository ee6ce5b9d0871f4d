"""The search under `objective: pareto`: good ensembles at every price, not one best one.

After ParEGO (Knowles 2006, IEEE TEC 10:50): every other trial is proposed for another objective,
the score less a weight times the logarithm of what an answer costs; the weight is drawn anew for
each. The trials between go by the score alone. Only proposers see such scores: what is stored,
told to Optuna, raced and confirmed are true ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, zip_longest

from db.pareto import Point, front
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.outcome import Outcome
from optimizer.proposers import Proposer
from optimizer.seeds import seed_of

#: Score 0..1 that a cost e times lower is worth: a tenth of the cost for 0.2, 0.7 or 2.3 points.
WEIGHTS = (0.01, 0.03, 0.1)
_FREE = 0.1  # of the cheapest single model's cost: what costs nothing counts as this


class Thrifty:
    """Lets proposers see scores less what the answers cost, in every other trial.

    Args:
        plain: Proposes by the score alone.
        weighed: Weight → who proposes under it. One each: a proposer may remember scores.
        seed: Decides which weight a trial has.
    """

    def __init__(self, plain: Proposer, weighed: Mapping[float, Proposer], seed: int) -> None:
        self._plain, self._weighed, self._seed = plain, weighed, seed

    @property
    def name(self) -> str:
        """The origin of the trials proposed."""
        return self._plain.name

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Return at most `k` unseen ensembles."""
        if archive.asked % 2:
            return await self._plain.propose(archive, k)
        rng = random.Random(seed_of(self._seed, archive.asked))
        weight = rng.choice(sorted(self._weighed))
        return await self._weighed[weight].propose(weighed(archive, weight), k)


def weighed(archive: Archive, weight: float) -> Archive:
    """Return a copy of an archive in which cost is part of every score."""
    seen, costs = archive.snapshot(), costs_of(archive.all())
    alone = [costs[o.ensemble.digest] for o in seen.all() if not o.ensemble.layers]
    least = min((cost for cost in alone if cost > 0), default=1.0) * _FREE
    for outcome in seen.all():
        malus = weight * math.log(max(costs[outcome.ensemble.digest], least) / least)
        scores = {item: score - malus for item, score in outcome.scores.items()}
        value = None if outcome.value is None else outcome.value - malus
        seen.add(replace(outcome, scores=scores, value=value))
    return seen


def costs_of(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return what an answer of each ensemble costs: USD or, where nothing is paid, seconds."""
    paid = any(o.usd > 0 for o in outcomes)
    return {o.ensemble.digest: o.usd if paid else o.seconds for o in outcomes}


def thrifty(
    recommend: Callable[[Archive], list[Outcome]],
) -> Callable[[Archive], list[Outcome]]:
    """Return a recommendation that is also of cheap ensembles.

    The best hope first, then the cheapest within its interval; the others by turns from the front
    of score against cost, best first, and from what was recommended.
    """

    def recommended(archive: Archive) -> list[Outcome]:
        found = recommend(archive)
        if not found or found[0].estimate is None:
            return found
        best, costs, low = found[0], costs_of(archive.all()), found[0].estimate.low
        within = [o for o in found if o.estimate is not None and o.estimate.value >= low]
        cheapest = min(within, key=lambda o: (costs[o.ensemble.digest], o.ensemble.digest))
        known = {o.ensemble.digest: o for o in found}
        points = (Point(costs[d], o.value or 0.0, d) for d, o in known.items())
        ahead = [known[point.digest] for point in reversed(front(points))]
        mixed = chain.from_iterable(zip_longest(ahead, found))
        order = dict.fromkeys(o.ensemble.digest for o in (best, cheapest, *mixed) if o)
        return [known[digest] for digest in order]

    return recommended
