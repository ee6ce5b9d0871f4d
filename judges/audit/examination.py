"""Asking the judge what the plan says, and gathering the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from data.suites.item import Item
from endpoints.request import Completer, Completion, Request
from judges.asking import together
from judges.audit.evidence import Evidence, Given, Pair, Second
from judges.audit.plan import Plan
from judges.canaries import Twin
from judges.pairwise import PAIRWISE
from judges.score import Judge
from moa.answer import Answer


class Redrawn:
    """Keeps `Completer`: asks for another draw of every request, kept apart from the first."""

    def __init__(self, completer: Completer) -> None:
        self._completer = completer

    async def complete(self, request: Request) -> Completion:
        """Return the completion of the request's next draw."""
        return await self._completer.complete(replace(request, draw=request.draw + 1))


@dataclass(frozen=True, slots=True)
class Judges:
    """Who is asked.

    Attributes:
        judge: The judge under audit.
        again: The same with other draws.
        other: Another judge, of another family; None where there is none, and `alone` says why.
        own: Whether an answer is of the judge's family.
    """

    judge: Judge
    again: Judge
    other: Judge | None
    alone: str
    own: Callable[[Given], bool]


async def examine(given: Sequence[Given], plan: Plan, judges: Judges) -> Evidence:
    """Ask all that the plan says and return the evidence.

    Raises:
        RequestError: An endpoint failed; what was answered is kept, so that asking again is
            asking for the rest.
        BudgetSpentError: A verdict could not be paid.
        UserError: Only the user can mend what is wrong.
    """
    judge, name, other = judges.judge, judges.judge.name, judges.other
    compared = [(one, other) for one in plan.compared] if other else []
    first = await together(_judged(judge, one) for one in plan.once)
    repeats = await together(_twice(judge, judges.again, one) for one in plan.again)
    fresh = {id(old): new for old, new in zip(plan.once, first, strict=True)}
    known = [fresh.get(id(one), one) for one in given]
    said = {_key(one.item, one.answer): one.value(name) for one in known if one.scores}
    pairs = await together(_pair(judge, twin, said) for twin in plan.twins)
    both = await together(_second(judge, two, one, judges.own(one)) for one, two in compared)
    for twin, plain, changed in pairs:
        said[_key(twin.item, twin.plain)] = plain
        said[_key(twin.item, twin.twin)] = changed
    values = [*said.values(), *(second for _, second in repeats)]
    return Evidence(
        judge=name,
        given=known,
        asked=len(values),
        unread=values.count(None),
        repeats=[(a, b) for a, b in repeats if a is not None and b is not None],
        pairs=[Pair(t, a, b) for t, a, b in pairs if a is not None and b is not None],
        seconds=[second for second in both if second],
        alone=judges.alone,
        pairwise=name == PAIRWISE,
    )


async def _judged(judge: Judge, one: Given) -> Given:
    return replace(one, scores=await judge.score(one.item, one.answer))


async def _twice(judge: Judge, again: Judge, one: Given) -> tuple[float | None, float | None]:
    known = one.value(judge.name)
    first = known if known is not None else await _value(judge, one.item, one.answer)
    return first, await _value(again, one.item, one.answer)


async def _pair(
    judge: Judge, twin: Twin, said: Mapping[tuple[str, str], float | None]
) -> tuple[Twin, float | None, float | None]:
    plain = said.get(_key(twin.item, twin.plain))
    if plain is None:
        plain = await _value(judge, twin.item, twin.plain)
    return twin, plain, await _value(judge, twin.item, twin.twin)


async def _second(judge: Judge, other: Judge, one: Given, own: bool) -> Second | None:
    value, judged = await together(_value(each, one.item, one.answer) for each in (judge, other))
    if value is None or judged is None:
        return None
    return Second(one.item.id, own, value, judged)


async def _value(judge: Judge, item: Item, answer: Answer) -> float | None:
    return (await judge.score(item, answer))[0].value


def _key(item: Item, answer: Answer) -> tuple[str, str]:
    return item.id, answer.digest
