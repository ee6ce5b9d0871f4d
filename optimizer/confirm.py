"""The best ensembles again, on items the search never saw.

The best of many noisy scores is partly luck (winner's curse): only scores on held-out items
can be believed, and only next to the baselines' scores on the same items.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.evaluation import Outcome

LEADING = 2
"""Ensembles that both judges read on the held-out items: the best, and the best single model."""


def candidates(
    archive: Archive,
    best: Sequence[Outcome],
    k: int,
    compared: Sequence[str],
    members: Collection[str],
) -> list[Ensemble]:
    """Return what is confirmed: baselines that are compared with, then the best.

    Args:
        archive: The search's outcomes.
        best: Those evaluated in full, best hope first.
        k: How many of the best, baselines not counted.
        compared: Models named under `baselines` in kumiawase.yaml.
        members: The pool's models, of which a compared one may be one.

    Returns:
        Every compared model alone, ranked or not; the pool's best single model; the Self-MoA;
        then the k best others, best first.
    """
    if k == 0:
        return []
    ranked = archive.best(len(archive))
    pool = [o for o in ranked if not o.ensemble.layers and _writer(o) in members]
    chosen = [o.ensemble for o in archive.all() if _is_alone(o) and _writer(o) in compared]
    chosen += [o.ensemble for o in pool[:1]]
    chosen += [o.ensemble for o in ranked if _is_self(o)]
    chosen = list({e.digest: e for e in chosen}.values())
    digests = {e.digest for e in chosen}
    chosen += [o.ensemble for o in best if o.ensemble.digest not in digests][:k]
    return chosen


def _writer(outcome: Outcome) -> str:
    return outcome.ensemble.aggregator.model


def _is_alone(outcome: Outcome) -> bool:
    return outcome.origin == "baseline" and not outcome.ensemble.layers


def _is_self(outcome: Outcome) -> bool:
    return (
        outcome.origin == "baseline"
        and bool(outcome.ensemble.layers)
        and len(outcome.ensemble.models) == 1
    )


def reserve(
    calls: int | None,
    items: int,
    pool: int,
    k: int,
    width: int,
    judges: int = 1,
    again: int = 0,
) -> int:
    """Return how many calls to keep back for a confirmation, at most a third of the budget.

    Each proposer answers each held-out turn once for all ensembles; each ensemble adds its
    aggregation, its verdicts and, in part, a layer of its own.

    Args:
        calls: The budget.
        items: Turns on the held-out half.
        pool: Proposers.
        k: Ensembles to confirm, baselines included.
        width: Most agents in a layer.
        judges: Models that judge each answer.
        again: Models of the search's judge, which reads the answers of `LEADING` ensembles.
    """
    if calls is None or k == 0:
        return 0
    each = pool + k * (1 + judges + width // 2) + LEADING * again
    return min(calls // 3, items * each)
