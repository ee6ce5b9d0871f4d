"""Quality against cost in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from db.of_ten import OF
from db.pareto import Offer, Trade
from kumiawase import tables

FRONT = 8  # points of the front shown


def show(trade: Trade | None, out: Console) -> None:
    """Print what a study offers for how much; nothing while nothing is ranked."""
    if trade is not None:
        for line in _lines(trade):
            out.print(tables.plain(line))


def _lines(trade: Trade) -> Iterator[str]:
    unit = trade.unit
    yield f"the best, {_named(trade.best)}, takes {_priced(trade.best.cost, unit)} an answer" + (
        _ratios(dict(trade.best.cheaper), unit)
    )
    if trade.gap is not None:
        gap = trade.gap
        saved = {"the best": trade.saving, **trade.cheapest.cheaper}
        yield (
            f"cheapest that is not proved worse: {_named(trade.cheapest)} at"
            f" {_priced(trade.cheapest.cost, unit)}{_ratios(saved, unit)}; it is off the best by"
            f" {OF * gap.value:+.2f} [{OF * gap.low:+.2f}, {OF * gap.high:+.2f}]"
        )
    points = [
        f"{p.digest[: tables.ID]} {OF * p.value:.2f} at {_priced(p.cost, unit)}"
        for p in trade.front[-FRONT:]
    ]
    yield f"front of score against cost: {', '.join(points)}"


def _named(offer: Offer) -> str:
    return offer.digest[: tables.ID]


def _priced(cost: float, unit: str) -> str:
    return f"${cost:.3g}" if unit == "usd" else f"{cost:.3g} s"


def _ratios(cheaper: dict[str, float | None], unit: str) -> str:
    """Return how many times cheaper than others it is, or dearer."""
    less, more = ("cheaper", "dearer") if unit == "usd" else ("faster", "slower")
    told = [
        f"{max(ratio, 1 / ratio):.3g} times {less if ratio >= 1 else more} than {name}"
        for name, ratio in cheaper.items()
        if ratio
    ]
    return f" ({', '.join(told)})" if told else ""
