"""Whether the budget lets the search do what it is asked for, and what would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from data.suites import Suite
from db.store import Store
from kumiawase.limits import limits_of
from kumiawase.night.forecasting import forecast
from kumiawase.settings import Settings
from kumiawase.settings.until import moment
from kumiawase.tables import duration
from kumiawase.wiring import reserve_of, tariff_of
from optimizer.budget import MOST_KEPT
from optimizer.estimate import Forecast


@dataclass(frozen=True, slots=True)
class Short:
    """A limit of the budget that ends the search before its trials are done.

    Attributes:
        limit: Its name in kumiawase.yaml.
        budget: What it allows; of `until` the hours to it.
        needed: What all trials and their confirmation would need, in the same unit.
        trials: About how many trials it lets the search reach, of `wanted`.
    """

    limit: str
    budget: float
    needed: float
    trials: int
    wanted: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {name: getattr(self, name) for name in ("limit", "budget", "needed", "trials")}

    @property
    def line(self) -> str:
        """It in one line, with what to change."""
        unit = {"calls": "{:,.0f}".format, "usd": "${:,.2f}".format}.get(self.limit, _hours)
        reached = f"about {self.trials} of {self.wanted} trials"
        if not self.trials:
            reached = "its baselines, before any trial"
        small, more = ("soon", "a later one") if self.limit == "until" else ("small", "more")
        fewer = ", or fewer search.trials" if self.wanted else ""
        return (
            f"budget.{self.limit} is too {small}: by this estimate {unit(self.budget)} end the"
            f" search at {reached}; all need about {unit(self.needed)}: write {more}{fewer}"
        )


class _Take(NamedTuple):
    """What the search and its confirmation take of one quantity."""

    search: float
    confirmation: float


def shortages(
    settings: Settings, suite: Suite, store: Store | None, found: Forecast
) -> list[Short]:
    """Return the limits that will end the search early by its forecast.

    Args:
        settings: The search.
        suite: Its suite.
        store: The database, where there is one.
        found: What the whole search takes.
    """
    wanted, limits = settings.form.search.trials, dict(_limits(settings, store))
    whole = _takes(found)
    kept = reserve_of(settings, suite).amount(None, None, tariff_of(settings, store))
    hours = whole["hours"].search * kept.calls / max(whole["calls"].search, 1.0)
    reserve = {"calls": kept.calls, "usd": kept.usd, "hours": hours, "until": hours}
    short = [
        name
        for name, limit in limits.items()
        if limit < _needed(whole[name], min(reserve[name], limit / MOST_KEPT))
    ]
    if not short:
        return []
    none = _takes(forecast(settings, suite, store, trials=0))
    return [
        Short(
            name,
            limits[name],
            _enough(whole[name], reserve[name]),
            _reached(limits[name], reserve[name], none[name].search, whole[name].search, wanted),
            wanted,
        )
        for name in short
    ]


def _limits(settings: Settings, store: Store | None) -> Iterator[tuple[str, float]]:
    form = settings.form.budget
    if form.calls is not None:
        yield "calls", form.calls
    if form.usd is not None:
        yield "usd", form.usd
    if form.hours is not None:
        yield "hours", form.hours
    if form.until is not None:
        now = datetime.now().astimezone()
        pinned = limits_of(settings, store).until if store else None
        at = moment(form.until, now).timestamp() if pinned is None else pinned
        run = store.spent(settings.study).seconds if store else 0.0
        yield "until", max(at - now.timestamp() + run, 0.0) / 3600


def _takes(found: Forecast) -> dict[str, _Take]:
    hours, calls = found.hours.value, found.confirmation.calls.value
    share = calls / found.calls.value if found.calls.value else 0.0
    time = _Take(hours * (1 - share), hours * share)
    usd = found.confirmation.usd.value
    return {
        "calls": _Take(found.calls.value - calls, calls),
        "usd": _Take(found.usd.value - usd, usd),
        "hours": time,
        "until": time,
    }


def _needed(take: _Take, reserve: float) -> float:
    """Return what is needed where so much is kept back until the trials are done."""
    return take.search + max(take.confirmation, reserve)


def _enough(take: _Take, reserve: float) -> float:
    """Return the smallest limit that is enough; of any at most a third is kept back."""
    part = take.search * MOST_KEPT / (MOST_KEPT - 1)
    return max(take.search + take.confirmation, min(part, take.search + reserve))


def _reached(limit: float, reserve: float, none: float, whole: float, wanted: int) -> int:
    """Return the trials that are reached where each takes the same beyond the baselines."""
    bound = limit - min(reserve, limit / MOST_KEPT)
    share = (bound - none) / (whole - none) if whole > none else 1.0
    return max(0, min(wanted, int(wanted * share)))


def _hours(value: float) -> str:
    return duration(3600 * value)
