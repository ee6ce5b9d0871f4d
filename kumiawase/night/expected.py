"""What a search was expected to take, kept for its end and for `status`, and how far off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from data.digest import digest
from db.records import Spent
from kumiawase.settings import Settings
from kumiawase.tables import duration as clock

if TYPE_CHECKING:
    from optimizer.estimate import Forecast, Range

_MANY: Final = 9.0  # off by so much it is no percentage any more
NOTE: Final = "estimate"  # the note that keeps it


def kept(settings: Settings, found: Forecast) -> dict[str, Any]:
    """Return the note that keeps a forecast, with what it was made for."""
    return {"for": _scope(settings), "forecast": found.to_json()}


def kept_for(settings: Settings, note: Mapping[str, Any] | None) -> bool:
    """Return whether a note's forecast is of the search that the settings describe."""
    return note is not None and note["for"] == _scope(settings)


def line(found: Forecast) -> str:
    """Return a forecast in one line."""
    held_out, least = found.detectable.items, 10 * found.detectable.difference
    return (
        f"estimate: {_said(found.calls, '{:,.0f}')} calls, {_said(found.usd, '${:,.2f}')},"
        f" {duration(found.hours)} ({basis(found)}); {held_out} held-out items show"
        f" differences from {least:.1f} of 10"
    )


def basis(found: Forecast) -> str:
    """Return on what a forecast rests."""
    if not found.measured["lengths"]:
        return "lengths and speeds assumed"
    return "measured" if found.measured["speeds"] else "lengths measured, speeds assumed"


def duration(found: Range) -> str:
    """Return hours as `h:mm:ss` with their range."""
    value, low, high = (clock(3600 * x) for x in (found.value, found.low, found.high))
    return f"{value} [{low}-{high}]"


def against(note: Mapping[str, Any], spent: Spent) -> dict[str, dict[str, float]]:
    """Return by quantity what was expected, what it took, and how far off that was."""
    return {
        name: {**one, "off": one["expected"] / one["took"] - 1 if one["took"] else 0.0}
        for name, one in so_far(note, spent).items()
    }


def so_far(note: Mapping[str, Any], spent: Spent) -> dict[str, dict[str, float]]:
    """Return by quantity what is expected of the whole, and what was taken so far."""
    search = spent.searched
    took = {"calls": float(search.calls), "usd": search.usd, "hours": spent.seconds / 3600}
    return {
        name: {"expected": note["forecast"][name]["value"], "took": value}
        for name, value in took.items()
    }


def miss(note: Mapping[str, Any], spent: Spent) -> str:
    """Return in one line how far off a forecast was."""
    return told(against(note, spent))


def told(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return in one line what `against` or `so_far` found.

    A part is never compared with the whole: what a search will have taken is known at its end.
    """
    forms: Mapping[str, Callable[[float], str]] = {
        "calls": "{:,.0f} calls".format,
        "usd": "${:,.2f}".format,
        "hours": lambda hours: clock(3600 * hours),
    }
    parts = [
        f"{form(one['expected'])} for {form(one['took'])} ({_off(one['off'])})"
        if "off" in one
        else f"{form(one['took'])} of {form(one['expected'])}"
        for name, one in found.items()
        if one["took"]
        for form in (forms[name],)
    ]
    ended = any("off" in one for one in found.values())
    return f"estimate {'against reality' if ended else 'so far'}: {', '.join(parts) or 'nothing'}"


def _off(share: float) -> str:
    return f"{share:+.0%}" if share < _MANY else f"{1 + share:,.0f} times"


def _scope(settings: Settings) -> str:
    form = settings.form
    asked = form.model_dump(mode="json", exclude={"storage", "study", "budget", "notify"})
    return digest(asked | {"endpoints": sorted(form.endpoints)})


def _said(found: Range, form: str) -> str:
    ends = f"{form.format(found.low)}-{form.format(found.high)}"
    return f"{form.format(found.value)} [{ends}]"
