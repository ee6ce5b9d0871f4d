"""Two items before all the others: does what is new in an ensemble answer at all?

They are items of the search half; replies and verdicts stay in the store, so that nothing is paid
twice when the ensemble goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from data.errors import RequestError
from data.suites import Item
from judges.inspection import inspect
from judges.score import Judge
from moa.answer import Answer
from moa.conversation import Conversation
from moa.engine import Engine
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.proposers.discovery.faults import Fault

ITEMS = 2


class Smoke:
    """Refuses ensembles that fail on two items.

    One whose every part was seen at work (each model as first proposer or alone, each reader
    under its prompt) in an ensemble evaluated in full has passed already.

    Args:
        engine: Lets the ensemble answer.
        judge: Must reach a verdict.
        items: The search items in the order of evaluation.
    """

    def __init__(self, engine: Engine, judge: Judge, items: Sequence[Item]) -> None:
        self._engine, self._judge = engine, judge
        self._items = _first(items)

    async def fault(self, ensemble: Ensemble, archive: Archive) -> Fault | None:
        """Return what went wrong on the first item that did."""
        seen = {part for o in archive.all() if o.ranked for part in _parts(o.ensemble)}
        if _parts(ensemble) <= seen:
            return None
        faults = await asyncio.gather(*(self._item(ensemble, item) for item in self._items))
        return next((fault for fault in faults if fault), None)

    async def _item(self, ensemble: Ensemble, item: Item) -> Fault | None:
        try:
            answer = await self._engine.answer(ensemble, Conversation.of(item))
            fault = _fault(answer, item)
            if fault:
                return fault
            scores = await self._judge.score(item, answer)
        except RequestError as error:
            return Fault("smoke_unanswered", f"an endpoint failed on a smoke item: {error}")
        if not scores or scores[0].value is None:
            reason = scores[0].reason if scores else "no verdict"
            return Fault("smoke_verdict", f"a smoke item could not be judged: {reason}")
        return None


def _first(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return the first items of different categories, open Japanese questions before others."""
    plain = [item for item in items if item.language == "ja" and item.rule is None]
    by_category: dict[str, Item] = {}
    for item in (*plain, *items):
        by_category.setdefault(item.category, item)
    chosen = dict.fromkeys((*(i.id for i in by_category.values()), *(i.id for i in items)))
    known = {item.id: item for item in items}
    return tuple(known[name] for name in list(chosen)[:ITEMS])


def _parts(ensemble: Ensemble) -> set[tuple[str, str | None]]:
    return {(agent.model, agent.prompt) for agent in (*ensemble.agents, ensemble.aggregator)}


def _fault(answer: Answer, item: Item) -> Fault | None:
    seen = inspect(item, answer)
    if seen.empty:
        return Fault("smoke_empty", "the answer to a smoke item is empty")
    if seen.cut:
        return Fault("smoke_cut", "the answer to a smoke item ran into its token limit")
    if seen.refused:
        return Fault("smoke_refused", "a smoke item was refused")
    if seen.off_language:
        return Fault("smoke_language", "a smoke item was answered in another language")
    return None
