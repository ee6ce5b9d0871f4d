"""What a search will take, before it is run: calls, tokens, money and hours by role.

How many distinct requests there will be comes from imagined searches (`optimizer.simulation`,
`optimizer.distinct`); what each takes from what was measured, else from stated assumptions
(`optimizer.prices`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Final

from data.suites import Suite
from data.suites.item import Split
from endpoints.request import Role
from judges.combined import needs_judge
from judges.power import detectable
from optimizer.distinct import Halves, Judges, Kind, Requests, distinct
from optimizer.imagined import INTERACTION_SD, VERDICT_SD
from optimizer.items import stratified
from optimizer.outcome import Outcome
from optimizer.prices import Tariff
from optimizer.simulation import FEWEST, Asked, Crew, Scope, asked
from optimizer.space import Space

LEAST, MOST = 5, 9  # searches imagined, lest one that goes astray decides; and of all of them
QUICK, SLOW = 540, 240  # trials: of proposers that take no time, and of a surrogate
ASKED: Final = 1.15  # by as much a search goes another way: docs/design/night.md
MEASURED: Final = 1.15  # factor by which a measured length or speed may be off, either way
ASSUMED: Final = 2.5
BUSY: Final = 0.75  # share of its slots an endpoint is kept at, where nothing was measured
TURN: Final = 5  # trials between two discovery turns
ROLES: Final[tuple[Role, ...]] = ("proposer", "aggregator", "judge", "discovery")

# Two models' answers to one item under one judge, from real verdicts (docs/design/rehearsal.md).
PAIRED_SD: Final = (2 * (INTERACTION_SD**2 + VERDICT_SD**2)) ** 0.5


@dataclass(frozen=True, slots=True)
class Range:
    """What is expected, and between what it should lie."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Range:
        """Return it in another unit."""
        return Range(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Part:
    """What one role takes."""

    calls: Range
    tokens: Range
    usd: Range


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest true difference that the held-out items show in four of five suites.

    Attributes:
        difference: Of 1.
        sd: Of the difference on one item, of 1.
        items: Held-out items.
        measured: Whether `sd` was, in this study; else it is that of real verdicts.
    """

    difference: float
    sd: float
    items: int
    measured: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a search takes in all, requests that the database may hold already included.

    Attributes:
        by_role: Role → its part; the confirmation's requests are in them.
        confirmation: The part of all roles that the confirmation takes.
        hours: On endpoints that are as fast as those measured or assumed.
        measured: Whether lengths, and whether speeds, were measured in this database.
    """

    calls: Range
    tokens: Range
    usd: Range
    hours: Range
    by_role: Mapping[str, Part]
    confirmation: Part
    detectable: Detectable
    measured: Mapping[str, bool]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be estimated.

    Attributes:
        crew: Makes who proposes, fresh for each imagined search.
        judges: Half → the model of each verdict on an answer, by the ensemble that gave it.
        limits: Most tokens of a proposer's and of an aggregator's reply.
        contexts: Model → tokens of prompt and reply together, where known.
        discoverer: The model that proposes, if one does.
        slots: Endpoint → most requests in flight.
        endpoints: Model → its endpoint.
        parallel: Requests in flight on average as measured; None where they were not.
        paired_sd: Of the difference between two ensembles on one item, if measured.
        seed: The study's; it decides the order of the items.
        known: What the study has evaluated on the search items already, oldest first.
        again: The search's judge where another one confirms: it reads the leading answers, too.
    """

    space: Space
    suite: Suite
    scope: Scope
    crew: Callable[[], Crew]
    judges: Mapping[Split, Judges]
    limits: tuple[int, int]
    contexts: Mapping[str, int | None]
    discoverer: str | None
    slots: Mapping[str, int]
    endpoints: Mapping[str, str]
    parallel: float | None
    paired_sd: float | None
    seed: int
    known: Sequence[Outcome] = ()
    again: Judges | None = None


@dataclass(slots=True)
class _Sum:
    """What some requests take."""

    calls: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0

    def add(self, calls: float, tokens: float, usd: float) -> None:
        self.calls += calls
        self.tokens += tokens
        self.usd += usd


class _Bill:
    """What one imagined search takes."""

    def __init__(
        self, question: Question, tariff: Tariff, requests: Mapping[Kind, Requests]
    ) -> None:
        self.roles: dict[str, _Sum] = defaultdict(_Sum)
        self.confirmation, self.total = _Sum(), _Sum()
        self._busy: dict[str, float] = defaultdict(float)
        self._question, self._tariff = question, tariff
        for kind, some in requests.items():
            self._charge(kind, some)
        if question.discoverer is not None:
            turns = question.scope.trials // TURN
            nothing = Requests(turns, 0)
            self._charge(Kind(question.discoverer, "discovery", (), "search"), nothing)

    @property
    def seconds(self) -> float:
        """Seconds of the clock: the slowest endpoint decides, or what was measured together."""
        if self._question.parallel is not None:
            return sum(self._busy.values()) / self._question.parallel
        slots = self._question.slots
        return max((busy / (BUSY * slots[e]) for e, busy in self._busy.items()), default=0.0)

    def _charge(self, kind: Kind, some: Requests) -> None:
        if not some.number:
            return
        limit = self._question.limits[kind.role == "aggregator"]
        context = self._question.contexts.get(kind.model)
        take = self._tariff.forecast(
            kind.model, kind.role, kind.reads, some.characters / some.number, limit, context
        )
        n = some.number
        part = n, n * (take.prompt + take.reply), n * take.usd
        self.roles[kind.role].add(*part)
        self.total.add(*part)
        if kind.half == "held_out":
            self.confirmation.add(*part)
        self._busy[self._question.endpoints[kind.model]] += n * take.seconds


class Imagination:
    """What imagined searches ask; imagined again only where trials have told more.

    What a request takes is measured while a search runs, and priced anew without it.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], list[Mapping[Kind, Requests]]] = {}

    def requests(self, question: Question) -> list[Mapping[Kind, Requests]]:
        """Return what each search asks."""
        tried = sum(outcome.origin != "baseline" for outcome in question.known)
        key = question.scope.trials, tried if tried >= FEWEST else 0
        if key not in self._kept:
            self._kept[key] = list(_imagined(question))
        return self._kept[key]


def estimate(question: Question, tariff: Tariff, imagination: Imagination) -> Forecast:
    """Return what a search will take, from imagined ones."""
    bills = [_Bill(question, tariff, some) for some in imagination.requests(question)]
    lengths = all(tariff.measured(role) for role in ("aggregator", "judge"))
    wide = MEASURED if lengths else ASSUMED
    speeds = lengths and question.parallel is not None

    def over(get: Callable[[_Bill], float], factor: float = 1.0) -> Range:
        values = [get(one) for one in bills]
        return Range(median(values), min(values) / factor, max(values) * factor)

    def part(get: Callable[[_Bill], _Sum]) -> Part:
        return Part(
            over(lambda one: get(one).calls, ASKED),
            over(lambda one: get(one).tokens, wide),
            over(lambda one: get(one).usd, wide),
        )

    whole = part(lambda one: one.total)
    return Forecast(
        calls=whole.calls,
        tokens=whole.tokens,
        usd=whole.usd,
        hours=over(lambda one: one.seconds / 3600, MEASURED**2 if speeds else ASSUMED),
        by_role={
            role: part(lambda one, name=role: one.roles[name])  # type: ignore[misc]
            for role in ROLES
            if any(one.roles[role].calls for one in bills)
        },
        confirmation=part(lambda one: one.confirmation),
        detectable=_detectable(question),
        measured={"lengths": lengths, "speeds": speeds},
    )


def _imagined(question: Question) -> Iterator[Mapping[Kind, Requests]]:
    """Yield what each of some imagined searches asks; a long one is drawn out from its middle."""
    order: dict[Split, Any] = {
        half: stratified(question.suite.half(half), question.seed)
        for half in ("search", "held_out")
    }
    halves = Halves(order, needs_judge)
    first, wanted = question.crew(), question.scope.trials
    together = SLOW if first.slow else QUICK
    known = sum(outcome.origin != "baseline" for outcome in question.known)
    trials = min(wanted, known + together // LEAST)  # what it does then it goes on doing
    scope = replace(question.scope, trials=trials)

    def counted(some: Sequence[Asked]) -> dict[Kind, Requests]:
        return distinct(some, halves, question.judges, question.limits, question.again)

    for number in range(min(MOST, together // max(trials - known, 1))):
        crew = question.crew()
        found = asked(question.space, question.suite, scope, crew, number, question.known)
        requests = counted(found)
        exhausted = sum(one.trial for one in found) < trials  # nothing is left to go on with
        if trials < wanted and not exhausted:
            search = [one for one in found if one.half == "search"]
            last = (trials - known) // 2
            held_out = [one for one in found if one.half == "held_out"]
            before = counted([*search[:-last], *held_out])
            requests = _drawn_out(requests, before, (wanted - trials) / last)
        yield requests


def _drawn_out(
    found: Mapping[Kind, Requests], before: Mapping[Kind, Requests], times: float
) -> dict[Kind, Requests]:
    """Return what is asked if what came after `before` comes so many times more."""
    none = Requests()
    pairs = {kind: (some, before.get(kind, none)) for kind, some in found.items()}
    return {
        kind: Requests(
            some.number + round(times * (some.number - old.number)),
            some.characters + round(times * (some.characters - old.characters)),
        )
        for kind, (some, old) in pairs.items()
    }


def _detectable(question: Question) -> Detectable:
    items = max(len(question.suite.half("held_out")), 1)
    sd = PAIRED_SD if question.paired_sd is None else question.paired_sd
    return Detectable(detectable(sd, items), sd, items, question.paired_sd is not None)
