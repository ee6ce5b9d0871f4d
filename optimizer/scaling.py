"""One scale for the judges of a panel, frozen before anything is decided by them."""

from __future__ import annotations

from collections.abc import Iterable

from data.suites.item import Split
from db.pins import JudgeRole, scale_of
from db.store import Store
from judges.common_scale import CommonScale
from judges.panel import PanelJudge
from judges.score import Judge
from moa.ensemble import Ensemble


class Scaling:
    """Fits a panel's scale once a study and reads it again ever after.

    What was scored before lies under another judge digest and stays as it is: the same answers
    are scored again, by verdicts that are in the store. So a crash at any moment leaves either
    no scale, or the scale and scores that belong to it.

    Args:
        store: Keeps the scale, with the pins.
        judge: The judge as evaluations know it, rules before the panel.
        panel: The panel in it; frozen here if the store holds its scale.
        study: Name of the study.
        role: What the panel judges.
    """

    def __init__(
        self, store: Store, judge: Judge, panel: PanelJudge, study: str, role: JudgeRole
    ) -> None:
        self._store = store
        self._judge = judge
        self._panel = panel
        self._study = study
        self._role: JudgeRole = role
        kept = scale_of(store.pins(study), role)
        if kept is not None:
            panel.freeze(CommonScale.from_json(kept))

    @property
    def open(self) -> bool:
        """Whether marks still count as they are."""
        return self._panel.scale is None

    async def freeze(self, half: Split, ensembles: Iterable[Ensemble]) -> CommonScale:
        """Fit the scale on what ensembles were given on a half, and keep it."""
        raw, scores = self._judge.digest, []
        for ensemble in ensembles:
            kept = self._store.evaluation(self._study, half, raw, ensemble.digest)
            if kept is not None:
                scores += [result.scores for result in self._store.results(kept.id)]
        fitted = self._panel.fitted(scores)
        self._panel.freeze(fitted)
        value = {**fitted.to_json(), "digest": self._judge.digest}
        scale = CommonScale.from_json(await self._store.scale(self._study, self._role, value))
        self._panel.freeze(scale)
        return scale
