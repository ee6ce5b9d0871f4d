"""What a search is measured on: a problem whose truth is known, behind the program's own parts."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.digest import digest
from data.suites import Item, Split, Suite
from db.records import Evaluation, Proposal, Result, State
from judges.inspection import Inspection
from judges.score import Score
from judges.statistics import Estimate
from moa.answer import Answer
from moa.conversation import Conversation
from moa.ensemble import Ensemble
from optimizer.space import Space

Floats = NDArray[np.float64]


class Problem(Protocol):
    """Ensembles with a noisy score on each item and a true worth, 0-10."""

    seed: int
    space: Space
    suite: Suite
    best: float

    def scores(self, ensemble: Ensemble, half: Split) -> Floats:
        """Return the judge's scores 0..1, the same every time, in the suite's order."""

    def worth(self, ensemble: Ensemble) -> float:
        """Return what the ensemble is worth on items no search sees, without noise."""


def calls_of(ensemble: Ensemble, *, shared: bool) -> Iterator[Hashable]:
    """Yield what distinguishes each request of an answer: as the key of a completion does."""
    read: Hashable = ()
    for layer in ensemble.layers:
        for agent in layer:
            for draw in range(agent.n):
                yield (read, agent.model, agent.temperature, agent.prompt, draw)
        read = (read, layer)
    last = ensemble.aggregator
    key = (read, last.model, last.temperature, last.prompt, 0)
    yield key if shared else ("aggregator", key)


@dataclass
class Ledger:
    """Counts what is paid: distinct requests an item, verdicts on distinct answers among them.

    Attributes:
        stored: Whether a request made before is free.
        shared: Whether proposers and aggregators have one bound of tokens.
    """

    stored: bool = True
    shared: bool = False
    paid: int = 0
    items: int = 0
    _known: set[Hashable] = field(default_factory=set)
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def pay(self, ensemble: Ensemble, item: str) -> None:
        """Pay for an answer to an item and for its verdict."""
        self.items += 1
        calls = list(calls_of(ensemble, shared=self.shared))
        for call in (*calls, ("verdict", calls[-1])):
            number = self._numbers.setdefault(call, len(self._numbers))
            if not self.stored or (number, item) not in self._known:
                self._known.add((number, item))
                self.paid += 1


class Engine:
    """Keeps the part of `moa.engine.Engine` that evaluations use: answers cost virtual time."""

    def __init__(self, problem: Problem, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ids = {item.turns[0]: item.id for item in problem.suite.items}

    async def answer(self, ensemble: Ensemble, conversation: Conversation) -> Answer:
        """Pay for the ensemble's calls and return an answer that says who gave it."""
        item = self._ids[conversation.turns[0]]
        self._ledger.pay(ensemble, item)
        jitter = int(digest([ensemble.digest, item])[:4], 16) / 0xFFFF
        await asyncio.sleep((1 + len(ensemble.layers)) * (0.5 + jitter))
        return Answer(
            texts=(ensemble.digest,),
            aggregator=ensemble.aggregator.model,
            models=ensemble.models,
            keys=(),
            lost=(),
            cut=False,
            seconds=1.0,
            calls=ensemble.calls,
            prompt_tokens=0,
            completion_tokens=0,
            usd=0.0,
        )


class Judge:
    """Keeps `judges.score.Judge`: says what the problem says."""

    name, digest = "problem", "problem"

    def __init__(self, problem: Problem, known: dict[str, Ensemble]) -> None:
        self._problem, self._known = problem, known
        halves: tuple[Split, Split] = ("search", "held_out")
        self._columns = {
            item.id: number
            for half in halves
            for number, item in enumerate(problem.suite.half(half))
        }

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return the score of an answer."""
        scores = self._problem.scores(self._known[answer.texts[0]], item.split)
        return (Score(self.name, float(scores[self._columns[item.id]])),)


class Store:
    """Keeps the part of `db.store.Store` that evaluations use, in memory."""

    def __init__(self) -> None:
        self.ensembles: dict[str, Ensemble] = {}
        self.begun: list[tuple[str, str]] = []
        self._rows: dict[tuple[str, str], Evaluation] = {}
        self._results: dict[int, list[Result]] = {}
        self._proposals: list[Proposal] = []

    def answers(self, _study: str, _half: Split, _digest: str) -> dict[str, Answer]:
        """Return what other judges have seen: there is one."""
        return {}

    def proposals(self, _study: str) -> list[Proposal]:
        """Return what discovery proposed, oldest first."""
        return self._proposals

    async def propose(self, _study: str, proposal: Proposal) -> None:
        """Keep a proposal."""
        self._proposals.append(proposal)

    async def begin(
        self, study: str, half: Split, judge: str, name: str, ensemble: Ensemble, origin: str
    ) -> Evaluation:
        """Start an evaluation, or return the one there is."""
        key = (half, ensemble.digest)
        self.ensembles[ensemble.digest] = ensemble
        if key not in self._rows:
            self.begun.append(key)
            self._rows[key] = Evaluation(
                len(self._rows), study, half, judge, name, ensemble.digest, ensemble, origin,
                "RUNNING",
            )  # fmt: skip
        return self._rows[key]

    def results(self, evaluation: int) -> list[Result]:
        """Return what was kept."""
        return self._results.get(evaluation, [])

    async def add(
        self, evaluation: int, item: Item, answer: Answer, scores: tuple[Score, ...]
    ) -> Result:
        """Keep an answer with its scores."""
        result = Result(item.id, item.category, answer, scores, Inspection())
        self._results.setdefault(evaluation, []).append(result)
        return result

    async def close_evaluation(
        self,
        evaluation: int,
        state: State,
        estimate: Estimate | None,
        *,
        items: int,
        unscored: int,
        marked: int,
    ) -> None:
        """Do nothing: nobody reads it again."""


def suite_of(texts: Sequence[tuple[str, Split, str]], weights: dict[str, float]) -> Suite:
    """Return a suite of (category, half, text)."""
    items = tuple(
        Item(f"{half}-{number}", category, (text,), half)
        for number, (category, half, text) in enumerate(texts)
    )
    return Suite("benchmark", digest([item.id for item in items]), items, weights)
