"""What a search tells its observer."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.evaluation import Outcome


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A part of the search began, with how many ensembles.

    The parts: single models, baselines (made of them), trials, confirmation.
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
class DiscoveryDone:
    """A discovery turn ended."""

    accepted: int
