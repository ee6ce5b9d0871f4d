"""The discovery turn of a search that is measured: the program's own, and the simulated model."""

from __future__ import annotations

import asyncio
from typing import cast

from benchmarks.search.problem import Ledger, Problem, Store
from data.digest import digest
from db.store import Store as KeptStore
from endpoints.request import Completion, Request
from endpoints.specs import ModelSpec
from kumiawase.rehearsal import discoverer
from moa import prompts
from optimizer.proposers.discovery import Discovery

_SECONDS = 2.0  # a turn, in virtual time; an answer of one model takes one


class _Discoverer:
    """Keeps `Completer`: the rehearsal's discoverer, each of its replies a paid call."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger, self._seed = ledger, seed

    async def complete(self, request: Request) -> Completion:
        """Return proposals for what the page tells."""
        self._ledger.paid += 1
        page = "\n".join(str(m["content"]) for m in request.messages if m["role"] == "user")
        key = digest([self._seed, page])
        await asyncio.sleep(_SECONDS)
        text = discoverer.proposals(page, key)
        return Completion(key, text, "stop", 0, 0, False, _SECONDS, 0.0, request.model)


def discovery(problem: Problem, ledger: Ledger, store: Store, seed: int) -> Discovery:
    """Return the turn; it sees what the store holds and nothing of the problem."""
    space = problem.space
    names = {*space.proposers, *space.aggregators}
    return Discovery(
        _Discoverer(ledger, seed),
        "discoverer",
        space,
        {name: ModelSpec(name, "pool", name, name) for name in names},
        cast("KeptStore", store),
        "s",
        texts=dict(prompts.library()),
        strata={item.id: item.category for item in problem.suite.half("search")},
        weights=problem.suite.weights,
        seed=seed,
    )
