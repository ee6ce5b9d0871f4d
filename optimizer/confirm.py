"""The best ensembles again, on items the search never saw.

The best of many noisy scores is partly luck (winner's curse): only scores on held-out items
can be believed, and only next to the baselines' scores on the same items.
"""

from __future__ import annotations

from collections.abc import Sequence

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.evaluation import Outcome


def candidates(archive: Archive, k: int, compared: Sequence[str]) -> list[Ensemble]:
    """Return what is confirmed: baselines that are compared with, then the best by search score.

    Args:
        archive: The search's outcomes.
        k: How many of the best, baselines not counted.
        compared: Models named under `baselines` in kumiawase.yaml.

    Returns:
        The best single model of the pool, its Self-MoA, every compared model alone, then the k
        best others, best first.
    """
    if k == 0:
        return []
    ranked = archive.best(len(archive))
    alone = [o for o in ranked if not o.ensemble.layers]
    members = [o for o in alone if o.ensemble.aggregator.model not in compared]
    chosen = [o.ensemble for o in alone if o.ensemble.aggregator.model in compared]
    if members:
        best = members[0].ensemble.aggregator.model
        chosen.append(members[0].ensemble)
        chosen += [o.ensemble for o in ranked if o.origin == "baseline" and _is_self(o, best)]
    digests = {e.digest for e in chosen}
    chosen += [o.ensemble for o in ranked if o.ensemble.digest not in digests][:k]
    return chosen


def _is_self(outcome: Outcome, model: str) -> bool:
    return bool(outcome.ensemble.layers) and outcome.ensemble.models == {model}


def reserve(calls: int | None, items: int, pool: int, k: int, width: int) -> int:
    """Return how many calls to keep back for a confirmation, at most a third of the budget.

    Each proposer answers each held-out turn once for all ensembles; each ensemble adds its
    aggregation, its verdict and, in part, a layer of its own.

    Args:
        calls: The budget.
        items: Turns on the held-out half.
        pool: Proposers.
        k: Ensembles to confirm, baselines included.
        width: Most agents in a layer.
    """
    if calls is None or k == 0:
        return 0
    return min(calls // 3, items * (pool + k * (2 + width // 2)))
