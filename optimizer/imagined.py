"""Models that are imagined, and judged: how good each might be, and what a synthesis adds."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from data.digest import digest
from data.suites import Suite
from judges.statistics import Estimate, mean
from moa.ensemble import Agent, Ensemble
from optimizer import racing
from optimizer.items import stratified
from optimizer.outcome import Outcome

Margins = NDArray[np.float64]

INTERACTION_SD: Final = (
    0.172  # of real verdicts, scale 0-1: docs/design/rehearsal.md says of which
)
VERDICT_SD: Final = 0.119

# What an answer is worth, in logits, as docs/design/rehearsal.md has it from real verdicts: a
# level, a model's skill and error on the item, how hard the item is, and the luck of the draw.
_LEVEL, _SKILL, _CATEGORY = 1.72, 0.25, 0.35
_FAMILY, _ERROR, _DIFFICULTY, _DRAW, _OFF = 0.60, 0.80, 1.40, 0.70, 0.60
# How a synthesis comes about, after the same: a model's own share of the way to the best
# reference, drawn down towards the weakest, some of its own opinion, and a loss for each
# reference above those it can weigh, for each layer behind it and for synthesizing at all.
_OWN, _WEAK, _BREADTH, _LOSS, _DEPTH, _CHANCE = 0.15, 0.30, 0.10, 0.12, 0.08, 0.30


@dataclass(frozen=True, slots=True)
class _Writer:
    """What a model makes of references: skill at answering says nothing of it."""

    found: float
    drawn: float
    weighed: int
    lost: float


class World:
    """Imagined models on the search items of a suite.

    Args:
        suite: Gives items, categories and weights.
        order: Seed of the order in which the items are walked.
        seed: Decides everything imagined.
        known: What was evaluated: single models on these very items are taken as they were.
        families: Model → its family, where known: relatives share a part of their errors.
    """

    def __init__(
        self,
        suite: Suite,
        order: int,
        seed: int,
        known: Sequence[Outcome] = (),
        families: Mapping[str, str] | None = None,
    ) -> None:
        self._seed, self._families = seed, families or {}
        self._items = stratified(suite.half("search"), order)
        self._names = [item.id for item in self._items]
        self._strata = {item.id: item.category for item in self._items}
        self._weights = suite.weights
        self._looks = racing.looks(self._items)
        self._own_margins: dict[tuple[str, float, int], Margins] = {}
        self._writers: dict[str, _Writer] = {}
        self._hard = _DIFFICULTY * self._noise("difficulty")
        self._ruled = np.array([1 - 0.5 * bool(i.rubric) if i.rule else 0.0 for i in self._items])
        every = set(self._names)
        baselines = [
            o for o in known if o.origin == "baseline"
        ]  # not a trial at another temperature
        alone = (o for o in baselines if not o.ensemble.layers and o.scores.keys() == every)
        self._known = {
            o.ensemble.aggregator.model: _margins([o.scores[name] for name in self._names])
            for o in alone
        }

    def outcome(self, ensemble: Ensemble, origin: str, incumbent: Outcome | None) -> Outcome:
        """Return how an ensemble fares, raced against an incumbent if there is one."""
        scored = self._scores(self._final(ensemble), ensemble)
        scores = dict(zip(self._names, scored.tolist(), strict=True))
        seen = len(scores)
        for look in self._looks[:-1] if incumbent else ():
            some = {name: scores[name] for name in self._names[:look]}
            assert incumbent is not None
            if racing.compare(
                some, incumbent.scores, len(self._looks), self._strata, self._weights
            ).hopeless:
                scores, seen = some, look
                break
        value = mean(scores, self._strata, self._weights)
        return Outcome(
            ensemble,
            origin,
            "COMPLETE" if seen == len(self._names) else "PRUNED",
            Estimate(value, value, value, seen),
            scores,
            seen,
            marked=0,
            value=value,
            usd=float(ensemble.calls),  # what `pareto` weighs: a request costs as much as another
        )

    def _scores(self, margins: Margins, ensemble: Ensemble) -> Margins:
        """Return scores 0-1: rules know right and wrong alone, a judge is off by some points."""
        noise = VERDICT_SD * self._noise("verdict", ensemble.digest)
        judged = np.clip(1 / (1 + np.exp(-margins)) + noise, 0.0, 1.0)
        scores: Margins = np.where(margins > 0, self._ruled, 0.0) + (1 - self._ruled) * judged
        return scores

    def _final(self, ensemble: Ensemble) -> Margins:
        references: list[Margins] = []
        for depth, layer in enumerate(ensemble.layers):
            references = [
                self._reply(agent, draw, references, depth)
                for agent in layer
                for draw in range(agent.n)
            ]
        return self._reply(ensemble.aggregator, 0, references, len(ensemble.layers))

    def _reply(
        self, agent: Agent, draw: int, references: Sequence[Margins], depth: int
    ) -> Margins:
        key = agent.model, agent.temperature, draw
        own = self._own_margins.get(key)
        if own is None:
            own = self._own_margins[key] = self._own(agent, draw)
        if not references:
            return own
        writer = self._writer(agent.model)
        middle = np.mean(references, axis=0)
        found = writer.found * (np.max(references, axis=0) - middle)
        drawn = writer.drawn * (middle - np.min(references, axis=0))
        lost = writer.lost + _BREADTH * max(0, len(references) - writer.weighed)
        lost += _DEPTH * (depth > 1)
        chance = _CHANCE * self._noise("synthesis", agent.model, depth)
        chance = chance + _DRAW * agent.temperature * self._noise("draw", agent.model, depth, draw)
        mixed: Margins = middle + found - drawn + _OWN * (own - middle) - lost + chance
        return mixed

    def _writer(self, model: str) -> _Writer:
        writer = self._writers.get(model)
        if writer is None:
            rng = random.Random(digest([self._seed, "writer", model]))
            writer = self._writers[model] = _Writer(
                found=1 / (1 + math.exp(0.2 - 0.9 * rng.gauss(0, 1))),
                drawn=_WEAK * (0.8 - 0.7 * rng.random()),
                weighed=rng.randint(3, 6),
                lost=_LOSS * rng.random(),
            )
        return writer

    def _own(self, agent: Agent, draw: int) -> Margins:
        chance = _DRAW * agent.temperature * self._noise("draw", agent.model, 0, draw)
        known = self._known.get(agent.model)
        if known is None:
            known = self._plain(agent.model)
            best = random.Random(digest([self._seed, "temperature", agent.model])).random()
            known = known - _OFF * (agent.temperature - best) ** 2
        margins: Margins = known + chance
        return margins

    def _plain(self, model: str) -> Margins:
        """Return the margins of a model at its best temperature."""
        skill = _LEVEL + _SKILL * float(self._noise("skill", model)[0])
        fields = {c: float(self._noise("field", model, c)[0]) for c in self._weights}
        skills = np.array([skill + _CATEGORY * fields[item.category] for item in self._items])
        family = _FAMILY * self._noise("family", self._families.get(model, model))
        error = family + _ERROR * self._noise("own", model)
        margins: Margins = skills + error - self._hard
        return margins

    def _noise(self, *parts: object) -> Margins:
        seed = int(digest([self._seed, *parts])[:12], 16)
        drawn: Margins = np.random.default_rng(seed).standard_normal(len(self._items))
        return drawn


def _margins(scores: Sequence[float]) -> Margins:
    """Return the margins of answers with these scores, no score believed to be all or nothing."""
    kept = np.clip(np.array(scores), 0.05, 0.95)
    margins: Margins = np.log(kept / (1 - kept))
    return margins
