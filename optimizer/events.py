"""What a search tells its observer."""

from __future__ import annotations

from dataclasses import dataclass

from judges.common_scale import CommonScale
from optimizer.outcome import Outcome


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A part of the search began, with how many ensembles.

    The parts: single models, common scale (the same, where several judges got one), baselines
    (made of them), trials, confirmation, second opinion (of the search's judge).
    """

    name: str
    ensembles: int


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial's ensemble is being evaluated."""

    number: int
    label: str
    origin: str


@dataclass(frozen=True, slots=True)
class EnsembleClosed:
    """An ensemble was evaluated; `number` is None for a baseline or a confirmation."""

    phase: str
    number: int | None
    outcome: Outcome
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class ScaleFrozen:
    """The judges of a panel got one scale; what they scored so far is scored again on it."""

    scale: CommonScale


@dataclass(frozen=True, slots=True)
class DiscoveryDone:
    """A discovery turn ended."""

    accepted: int
