"""The best ensembles again, on items the search never saw.

The best of many noisy scores is partly luck (winner's curse): only scores on held-out items
can be believed, and only next to the baselines' scores on the same items.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean

from endpoints.request import Role
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.budget import MOST_KEPT, Amount, Prices
from optimizer.outcome import Outcome

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


@dataclass(frozen=True, slots=True)
class Reserve:
    """What a confirmation will ask, at most, and what is therefore kept back for it.

    Each proposer answers each held-out turn once for all ensembles; each ensemble adds its
    aggregation, its verdicts and, in part, a layer of its own.

    Attributes:
        turns: On the held-out half.
        ensembles: Confirmed, baselines included; 0 for no confirmation.
        width: Most agents in a layer.
        proposers, aggregators: Models.
        judges: The model of each verdict on a turn.
        again: The same of the search's judge, which reads the answers of `LEADING` ensembles.
    """

    turns: int
    ensembles: int
    width: int
    proposers: Sequence[str]
    aggregators: Sequence[str]
    judges: Sequence[str]
    again: Sequence[str] = ()

    def amount(self, calls: int | None, usd: float | None, prices: Prices) -> Amount:
        """Return what to keep back: the confirmation's cost, at most a third of each limit.

        Args:
            calls: The limit on calls.
            usd: The limit in money.
            prices: What requests cost.
        """
        if not self.ensembles:
            return Amount()
        whole = self.ensembles
        asked: tuple[tuple[Role, int, Sequence[str]], ...] = (
            ("proposer", len(self.proposers) + whole * (self.width // 2), self.proposers),
            ("aggregator", whole, self.aggregators),
            ("judge", whole * len(self.judges), self.judges),
            ("judge", LEADING * len(self.again), self.again),
        )
        number = self.turns * sum(each for _, each, _ in asked)
        money = self.turns * sum(
            each * fmean(prices.expected(model, role) for model in models)
            for role, each, models in asked
            if models
        )
        return Amount(
            number if calls is None else min(calls // MOST_KEPT, number),
            money if usd is None else min(usd / MOST_KEPT, money),
        )
