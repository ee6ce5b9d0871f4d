"""Models, a judge and a study in one process: what the tests of `optimizer` search over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from data.digest import digest
from data.suites.item import Item, Split, Suite
from db.records import Proposal
from db.store import Store
from db.studies import open_study, trials
from endpoints.request import Completion, Request
from judges.score import Score
from judges.statistics import Estimate
from moa.answer import Answer
from moa.engine import Engine, MaxTokens
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.budget import Budget
from optimizer.evaluation import Evaluator
from optimizer.outcome import Outcome
from optimizer.proposers import Discoverer, Proposer
from optimizer.proposers.random import Inbox
from optimizer.sampler import tpe
from optimizer.search import Plan, Search
from optimizer.space import Space
from optimizer.stepping import Together
from tests.support.completers import Reply, completion
from tests.support.rows import attempt
from tests.support.stores import Listener

STUDY, PROMPT = "s", "sha256:" + "a" * 64
SKILL = {"a": 0.4, "b": 0.5, "c": 0.6, "judge": 0.7}
SPACE = Space(("a", "b", "c"), ("a", "b", "c"), 1, 2, 2, (0.0, 0.7), (PROMPT,))


def suite(categories: int = 2, each: int = 4) -> Suite:
    """Return a suite with so many items a category and half."""
    halves: tuple[Split, Split] = ("search", "held_out")
    items = tuple(
        Item(f"{half}-{c}-{i}", f"分野{c}", (f"問い {half} {c} {i}",), half)
        for c in range(categories)
        for i in range(each)
        for half in halves
    )
    weights = {f"分野{c}": 1 / categories for c in range(categories)}
    return Suite("試験", digest([item.id for item in items]), items, weights)


def echo(request: Request) -> Reply:
    """Say something that only this request is answered by."""
    return f"{request.model}: {digest([request.messages, request.temperature, request.draw])}"


async def at_once(request: Request) -> None:  # noqa: ARG001 - a hook's signature
    """Let others go first, once."""
    await asyncio.sleep(0)


@dataclass
class Models:
    """Keeps `Completer`: equal requests are answered once and paid once.

    Attributes:
        says: The reply to a request; an exception is raised.
        before: Awaited before each reply.
        budget: What may be spent, if anything is counted.
        asked: Requests that were not answered before.
    """

    says: Callable[[Request], Reply] = echo
    before: Callable[[Request], Awaitable[None]] = at_once
    budget: Budget = field(default_factory=Budget)
    asked: list[Request] = field(default_factory=list)
    kept: dict[str, Completion] = field(default_factory=dict)

    async def complete(self, request: Request) -> Completion:
        key = digest(asdict(request))
        known = self.kept.get(key)
        if known is not None:
            return known
        self.budget.reserve(request)
        self.asked.append(request)
        try:
            await self.before(request)
            reply = self.says(request)
        finally:
            self.budget.settle(attempt())
        if isinstance(reply, Exception):
            raise reply
        found = completion(reply) if isinstance(reply, str) else reply
        return self.kept.setdefault(key, found)

    def about(self, item: Item) -> int:
        """Return how many requests were made for an item."""
        return sum(item.turns[0] in r.messages[-1]["content"] for r in self.asked)


def skilled(item: Item, answer: Answer) -> float | None:
    """Score by who took part, with noise that only the answer and the item decide."""
    members = sum(SKILL[m] for m in answer.models) / len(answer.models)
    noise = int(digest([item.id, answer.texts])[:4], 16) / 0xFFFF - 0.5
    return 0.5 * members + 0.5 * SKILL[answer.aggregator] + 0.2 * noise


@dataclass
class TableJudge:
    """Keeps `Judge`: scores by a function, None being unscored; remembers what it saw."""

    worth: Callable[[Item, Answer], float | None] = skilled
    name: str = "table"
    digest: str = "judge"
    seen: list[tuple[str, Answer]] = field(default_factory=list)

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        self.seen.append((item.id, answer))
        value = self.worth(item, answer)
        if value is None:
            return (Score.unscored(self.name, "no verdict"),)
        return (Score(self.name, value),)


class Lab:
    """A study in a real database; a second lab on the same folder is the next run of it."""

    def __init__(
        self,
        folder: Path,
        *,
        models: Models | None = None,
        judge: TableJudge | None = None,
        asked: Suite | None = None,
        space: Space = SPACE,
    ) -> None:
        self.url = f"sqlite:///{folder / 'study.sqlite'}"
        self.store = Store.open(self.url)
        self.models = models or Models()
        self.judge = judge or TableJudge()
        self.suite = asked or suite()
        self.space = replace(space)  # its menu of prompts may grow
        self.texts = {PROMPT: "まとめてください。"}
        self.heard = Listener()
        self.archive = Archive(
            Outcome.of(kept, self.store.results(kept.id))
            for kept in self.store.evaluations(STUDY, "search")
            if kept.state in ("COMPLETE", "PRUNED")
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def evaluator(
        self, half: Split = "search", seed: int = 0, together: Together | None = None
    ) -> Evaluator:
        """Return the evaluator of one half."""
        return Evaluator(
            self.store,
            self.engine(),
            self.judge,
            self.suite,
            half,
            study=STUDY,
            seed=seed,
            observer=self.heard,
            together=together,
        )

    def engine(self) -> Engine:
        """Return what lets ensembles answer."""
        return Engine(self.models, self.texts, MaxTokens())

    def search(
        self,
        *,
        trials: int = 6,
        in_flight: int = 8,
        confirm: int = 0,
        racing: bool = False,
        compared: Sequence[str] = (),
        seed: int = 0,
        sampled: bool = False,
        proposers: Sequence[Proposer] = (),
        recommend: Callable[[Archive], list[Outcome]] | None = None,
        discovery: Discoverer | None = None,
        patience: float = 0.0,
    ) -> Search:
        """Return a search with the random sampler, Optuna's TPE if `sampled`, or proposers.

        What discovery finds beside TPE is tried first.
        """
        return Search(
            open_study(self.url, STUDY),
            self.space,
            self.archive,
            self.evaluator("search"),
            self.evaluator("held_out"),
            self.models.budget,
            Plan(trials, in_flight, confirm, racing, tuple(compared), seed, patience=patience),
            proposers=(Inbox(),) if sampled and discovery else proposers,
            sample=tpe(seed) if sampled else None,
            discovery=discovery,
            recommend=recommend,
            observer=self.heard,
        )

    def trials(self) -> list[tuple[int, str, str | None, str | None]]:
        """Return number, state, digest and origin of every trial."""
        return [(t.number, t.state, t.digest, t.origin) for t in trials(self.store, STUDY)]

    def states(self) -> Counter[str]:
        """Return how many trials are in which state."""
        return Counter(state for _, state, _, _ in self.trials())

    def tried(self) -> list[str]:
        """Return the digests of the evaluations that are no baselines, oldest first."""
        kept = self.store.evaluations(STUDY, "search")
        return [e.digest for e in kept if e.origin != "baseline"]

    def fates(self) -> list[Proposal]:
        """Return what became of every proposal."""
        return self.store.proposals(STUDY)

    def told(self) -> dict[int, float | None]:
        """Return what Optuna was told, by the trial's number."""
        return {t.number: t.value for t in open_study(self.url, STUDY).get_trials()}

    def events(self, kind: type) -> list[object]:
        """Return the events of a kind that were heard."""
        return [event for event in self.heard.events if isinstance(event, kind)]


def outcome(
    ensemble: Ensemble, *scores: float, origin: str = "tpe", marked: int = 0, items: int = 0
) -> Outcome:
    """Return a finished evaluation with these scores on items 0, 1, …"""
    found = {str(i): value for i, value in enumerate(scores)}
    mean = sum(scores) / len(scores)
    estimate = Estimate(mean, mean - 0.1, mean + 0.1, len(scores))
    seen = items or len(scores)
    return Outcome(ensemble, origin, "COMPLETE", estimate, found, seen, marked, mean)
