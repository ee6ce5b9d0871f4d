"""What goes wrong at the simulated servers, how often, and when."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from data.errors import ConfigError
from kumiawase.rehearsal import draws
from kumiawase.rehearsal.pool import NAMES

FAULTS = {
    "429": "too many requests, with Retry-After",
    "5xx": "500, 502 or 503",
    "drop": "the connection ends before a reply",
    "reset": "the connection ends in the middle of the body",
    "hang": "no byte ever comes",
    "drip": "the body comes byte by byte, for ever",
    "half-json": "200, and the JSON ends in the middle",
    "html": "200, and a web page",
    "error-200": "200, and an error object",
    "empty": "an empty text",
    "null": "`choices` null, or a message without text",
    "refusal": "a refusal and no text",
    "filtered": "finish_reason content_filter",
    "cut": "half of the text, finish_reason length",
    "usage": "the right text, and a count of tokens that cannot be",
    "huge": "a text of 5 MB",
    "away": "the model answers nothing for a while, share of the time",
    "slow": "50 times slower",
}
HARMLESS = ("usage", "slow")  # the reply is right all the same

NIGHT = {
    "429": 0.025,
    "5xx": 0.025,
    "drop": 0.015,
    "reset": 0.015,
    "hang": 0.005,
    "drip": 0.005,
    "half-json": 0.01,
    "html": 0.01,
    "error-200": 0.01,
    "empty": 0.01,
    "null": 0.01,
    "refusal": 0.01,
    "filtered": 0.01,
    "cut": 0.01,
    "usage": 0.01,
    "huge": 0.002,
    "away": 0.014,
    "slow": 0.004,
}
"""20 % of the requests in all."""

PRESETS = {"night": NIGHT}
SPELL = 5.0  # seconds a model stays away

_FORM = "give night, or NAME=SHARE, or NAME@MODEL=SHARE, separated by commas"


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults with the share of the requests that each of them hits.

    Attributes:
        shares: Name → share, of every model.
        models: Model → name → share, of one model, which those of every model do not hit then.
        seed: Decides which requests are hit, by the order of their arrival.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read `night`, `hang=0.02,429=0.1` or `night,hang@sim/yokan-8b=1`.

        Raises:
            ConfigError: It cannot be read.
        """
        shares: dict[str, float] = {}
        models: dict[str, dict[str, float]] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            if part in PRESETS:
                shares |= PRESETS[part]
                continue
            named, _, share = part.partition("=")
            name, at, model = named.partition("@")
            into = models.setdefault(_member(model, text), {}) if at else shares
            into[_known(name, text)] = _share(share, text)
        for found in (shares, *models.values()):
            if sum(found.values()) > 1:
                raise _unreadable(text, "the shares add up to more than 1")
        return cls(shares, models)

    def drawer(self, clock: Callable[[], float] = time.monotonic) -> Callable[[str], str | None]:
        """Return what says, request by request of a model, which fault hits it.

        Args:
            clock: Seconds. Which model is away when is counted from now, so that the spells of
                one seed are the same in every run.
        """
        rng = random.Random(self.seed)
        start = clock()
        return lambda model: self._drawn(model, rng.random(), clock() - start)

    def _drawn(self, model: str, point: float, seconds: float) -> str | None:
        shares = self.models.get(model, self.shares)
        spell = int(seconds / SPELL)
        if draws.unit(self.seed, "away", model, spell) < shares.get("away", 0.0):
            return "away"
        for name, share in shares.items():
            if name != "away":
                point -= share
                if point < 0:
                    return name
        return None


def _known(name: str, text: str) -> str:
    if name not in FAULTS:
        raise _unreadable(text, f"no fault {name!r}; there are {', '.join(FAULTS)}")
    return name


def _member(name: str, text: str) -> str:
    if name not in NAMES:
        raise _unreadable(text, f"no model {name!r}; there are {', '.join(NAMES)}")
    return name


def _share(value: str, text: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise _unreadable(text, f"{value!r} is no share from 0 to 1")
    return share


def _unreadable(text: str, fault: str) -> ConfigError:
    return ConfigError(fault, place=f"--faults {text}", remedy=_FORM)
