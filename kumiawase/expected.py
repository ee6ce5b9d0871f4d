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
    expected = note["forecast"]
    took = {"calls": float(spent.calls), "usd": spent.usd, "hours": spent.seconds / 3600}
    return {
        name: {
            "expected": expected[name]["value"],
            "took": value,
            "off": expected[name]["value"] / value - 1 if value else 0.0,
        }
        for name, value in took.items()
    }


def miss(note: Mapping[str, Any], spent: Spent) -> str:
    """Return in one line how far off a forecast was."""
    return missed(against(note, spent))


def missed(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return in one line what `against` found."""
    forms: Mapping[str, Callable[[float], str]] = {
        "calls": "{:,.0f} calls".format,
        "usd": "${:,.2f}".format,
        "hours": lambda hours: clock(3600 * hours),
    }
    parts = (
        f"{forms[name](v['expected'])} for {forms[name](v['took'])} ({v['off']:+.0%})"
        for name, v in found.items()
        if v["took"]
    )
    return f"estimate against reality: {', '.join(parts)}"


def _scope(settings: Settings) -> str:
    form = settings.form
    asked = form.model_dump(mode="json", exclude={"storage", "study", "budget", "notify"})
    return digest(asked | {"endpoints": sorted(form.endpoints)})


def _said(found: Range, form: str) -> str:
    ends = f"{form.format(found.low)}-{form.format(found.high)}"
    return f"{form.format(found.value)} [{ends}]"
