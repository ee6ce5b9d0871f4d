"""A rehearsal pool in process: its models' margins on a suite of open questions, no text.

The margins and the judge's noise are those of `kumiawase.rehearsal`; contexts and token limits do
not act. A whole ensemble is answered at once for all items, request by request, and what is paid
is counted as the store would: by distinct request.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable

import numpy as np

from benchmarks.search.problem import Floats, suite_of
from data.suites import Split
from kumiawase.rehearsal.best_known import best_known, limits_of
from kumiawase.rehearsal.pool import CATEGORIES, JUDGES, Margins, Pool, Questions, worth
from moa import prompts
from moa.ensemble import Agent, Ensemble
from optimizer.space import Space

EACH = 8  # items a category and half: as many as our own suite has


class Rehearsal:
    """One instance.

    Args:
        seed: Which of the pinned instances.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.pool = seed, Pool(seed)
        self.best = best_known(seed)[1]
        limits = limits_of(self.pool)
        prompt = prompts.digest("aggregate_ja")
        self.space = Space(
            limits.proposers, limits.aggregators, limits.layers, limits.width, limits.n,
            limits.temperatures, (prompt,),
        )  # fmt: skip
        halves: tuple[Split, Split] = ("search", "held_out")
        texts = [(c, half, f"{half} {c} {i}") for half in halves for c in CATEGORIES
                 for i in range(EACH)]  # fmt: skip
        self.suite = suite_of(texts, {c: 1 / len(CATEGORIES) for c in CATEGORIES})
        numbers = [CATEGORIES.index(item.category) for item in self.suite.half("search")]
        self._questions = {
            half: Questions(seed, [i.turns[0] for i in self.suite.half(half)], numbers)
            for half in halves
        }
        self._margins: dict[Hashable, Margins] = {}
        self._scores: dict[tuple[str, Hashable], Floats] = {}
        self._worths: dict[str, float] = {}

    def worth(self, ensemble: Ensemble) -> float:
        """Return the pool's own figure, 0-10."""
        digest = ensemble.digest
        if digest not in self._worths:
            self._worths[digest] = self.pool.quality(ensemble)
        return self._worths[digest]

    def scores(self, ensemble: Ensemble, half: Split) -> Floats:
        """Return the judge's ratings over ten."""
        read: Hashable = ()
        references: list[Margins] = []
        for depth, layer in enumerate(ensemble.layers):
            references = [
                self._reply(half, (read, agent, draw), references, depth)
                for agent in layer
                for draw in range(agent.n)
            ]
            read = (read, layer)
        key = (read, ensemble.aggregator, 0)
        if (half, key) not in self._scores:
            margins = self._reply(half, key, references, len(ensemble.layers))
            self._scores[half, key] = self._verdicts(half, key, margins)
        return self._scores[half, key]

    def _reply(
        self, half: Split, key: tuple[Hashable, Agent, int], references: list[Margins], depth: int
    ) -> Margins:
        if (half, key) not in self._margins:
            _, agent, draw = key
            model, items = self.pool.models[agent.model], self._questions[half]
            if references:
                found = self.pool.synthesis(
                    model, agent.temperature, draw, references, depth, items
                )
            else:
                found = self.pool.answer(model, agent.temperature, draw, items)
            self._margins[half, key] = found
        return self._margins[half, key]

    def _verdicts(self, half: Split, key: Hashable, margins: Margins) -> Floats:
        judge = self.pool.models[JUDGES[0]]
        told = zlib.crc32(repr((self.seed, half, key)).encode())
        noise = np.random.default_rng(told).normal(0, judge.verdict_sd, len(margins))
        return np.clip(np.rint(worth(margins) + noise), 1, 10) / 10
