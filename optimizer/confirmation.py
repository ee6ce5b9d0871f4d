"""The confirmation: the best and the baselines on held-out items, by another judge."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from data.errors import KumiawaseError
from data.observer import Observer
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.confirm import candidates
from optimizer.evaluation import Evaluator, all_of
from optimizer.events import EnsembleClosed, PhaseStarted, ScaleFrozen
from optimizer.outcome import Outcome
from optimizer.patience import Patience
from optimizer.scaling import Scaling


class StalledError(KumiawaseError):
    """Evaluation after evaluation failed: some endpoint is down."""


class Confirmation:
    """Scores ensembles on the held-out items; what is kept of it costs nothing.

    Args:
        archive: What the search found.
        confirmer: Evaluates on the held-out items, by the judge that reports.
        second: The same by the search's judge, where that is another one.
        scaling: Of the judge that reports, where it is a panel of its own.
        patience: What failed is tried again as long as it lasts.
        observer: Hears of everything.
    """

    def __init__(
        self,
        archive: Archive,
        confirmer: Evaluator,
        second: Evaluator | None,
        scaling: Scaling | None,
        patience: Patience,
        observer: Observer,
    ) -> None:
        self._archive = archive
        self._confirmer = confirmer
        self._second = second
        self._scaling = scaling
        self._patience = patience
        self._observer = observer

    async def run(
        self,
        best: Sequence[Outcome],
        k: int,
        compared: Sequence[str],
        members: Collection[str],
        *,
        one_by_one: bool,
    ) -> None:
        """Confirm what everything is compared with and the k best.

        Args:
            best: Ensembles evaluated in full, best hope first.
            k: Ensembles besides the baselines.
            compared: Models scored for comparison.
            members: The pool.
            one_by_one: What may end too soon does one ensemble after the other: some whole beat
                all in part.

        Raises:
            StalledError: Too few held-out items were answered.
            BudgetSpentError: What was finished is kept.
        """
        ensembles = candidates(self._archive, best, k, compared, members)
        self._observer.notice(PhaseStarted("confirmation", len(ensembles)))
        groups = [[e] for e in ensembles] if one_by_one else [ensembles]
        if self._scaling is not None and self._scaling.open:
            await self._scale(self._scaling, groups)
        outcomes = await self._evaluated(self._confirmer, groups, "confirmation")
        if len(outcomes) < len(ensembles):
            raise StalledError(
                f"{len(ensembles) - len(outcomes)} ensembles could not be confirmed: too few"
                " held-out items were answered; `kumiawase status` says why; run the same command"
                " again later"
            )
        if self._second is not None:
            await self._again(self._second, leading(outcomes, members))

    async def _scale(self, scaling: Scaling, groups: Sequence[Sequence[Ensemble]]) -> None:
        """Judge the baselines by marks as they are, to know what the marks are worth."""
        alone = [[e for e in group if self._origin(e) == "baseline"] for group in groups]
        seen = await self._evaluated(self._confirmer, alone)
        whole = [outcome.ensemble for outcome in seen if outcome.state == "COMPLETE"]
        if whole:
            self._observer.notice(ScaleFrozen(await scaling.freeze("held_out", whole)))

    async def _again(self, second: Evaluator, ensembles: Sequence[Ensemble]) -> None:
        """Let the search's judge read the answers that the gain is told of."""
        self._observer.notice(PhaseStarted("second opinion", len(ensembles)))
        seen = await self._evaluated(second, [[e] for e in ensembles], "second opinion")
        if len(seen) < len(ensembles):
            raise StalledError(
                "the search's judge could not score the best ensembles on the held-out items;"
                " `kumiawase status` says why; run the same command again later"
            )

    async def _evaluated(
        self, evaluator: Evaluator, groups: Sequence[Sequence[Ensemble]], phase: str = ""
    ) -> list[Outcome]:
        """Evaluate group after group; return what did not fail, told of where a phase is named."""
        outcomes: list[Outcome] = []
        failed: list[Ensemble] = []

        async def evaluate(ensemble: Ensemble) -> None:
            outcome = await evaluator.evaluate(ensemble, self._origin(ensemble))
            if outcome.state == "FAILED":
                failed.extend([ensemble] if outcome.curable else [])
                return
            outcomes.append(outcome)
            if phase:
                self._observer.notice(EnsembleClosed(phase, None, outcome))

        for group in groups:
            await all_of(evaluate(ensemble) for ensemble in group)
        while failed and await self._patience.wait():
            again = failed[:]
            failed.clear()
            await all_of(evaluate(ensemble) for ensemble in again)
        return outcomes

    def _origin(self, ensemble: Ensemble) -> str:
        known = self._archive.get(ensemble.digest)
        assert known is not None
        return known.origin


def leading(outcomes: Sequence[Outcome], members: Collection[str]) -> list[Ensemble]:
    """Return the best combination that was confirmed and the best single model of the pool.

    Both, or none: the gain of one over the other is what two judges are asked about.
    """
    ranked = sorted(
        (o for o in outcomes if o.ranked), key=lambda o: (-(o.value or 0.0), o.ensemble.digest)
    )
    combined = [o.ensemble for o in ranked if o.ensemble.layers]
    alone = [
        o.ensemble
        for o in ranked
        if not o.ensemble.layers and o.ensemble.aggregator.model in members
    ]
    return [combined[0], alone[0]] if combined and alone else []
