"""What a running search has done so far, counted from the events it tells."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from endpoints.flight import AttemptSettled, EndpointPaused
from endpoints.scheduler import ModelAway, ModelBack
from endpoints.tokens import TokenizerLost
from optimizer.evaluation import ItemDone
from optimizer.events import (
    DiscoveryDone,
    EnsembleClosed,
    PhaseStarted,
    ScaleFrozen,
    TrialStarted,
)
from optimizer.outcome import Outcome

HELD_OUT = ("confirmation", "second opinion")  # phases whose scores the search never learns of
WINDOW = 30.0  # seconds over which calls per second are averaged


@dataclass(slots=True)
class Tally:
    """An `Observer` that counts.

    Attributes:
        phase: As `PhaseStarted` names it; empty before the first.
        wanted: Ensembles the phase is to evaluate.
        closed: Ensembles it has evaluated.
        calls, usd, items: Totals of this run.
        outcomes: Attempts by how they ended.
        incumbent: Best ensemble evaluated in full.
        news: Hears a line whenever something worth a line happened.
    """

    news: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    phase: str = ""
    wanted: int = 0
    closed: int = 0
    running: int = 0
    pruned: int = 0
    calls: int = 0
    usd: float = 0.0
    items: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    incumbent: Outcome | None = None
    begun: float = field(init=False)
    phase_begun: float = field(init=False)
    _recent: deque[float] = field(default_factory=deque)
    _closed_before: int = 0  # trials of earlier runs
    _closed_then: int = 0  # when the phase began

    def __post_init__(self) -> None:
        self.begun = self.phase_begun = self.clock()

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return self.clock() - self.begun

    @property
    def rate(self) -> float:
        """Calls per second, lately."""
        now = self.clock()
        while self._recent and self._recent[0] < now - WINDOW:
            self._recent.popleft()
        return len(self._recent) / max(min(WINDOW, self.seconds), 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds the phase will still take at its pace so far; None while unknown."""
        done = self.closed - self._closed_then
        if done <= 0 or self.wanted <= self.closed:
            return None
        return (self.clock() - self.phase_begun) / done * (self.wanted - self.closed)

    def start_from(self, closed: int) -> None:
        """Say how many trials earlier runs have closed."""
        self._closed_before = closed

    def notice(self, event: object) -> None:
        """Count one event."""
        match event:
            case AttemptSettled(attempt):
                self._recent.append(self.clock())
                self.calls += 1
                self.usd += attempt.usd
                self.outcomes[attempt.outcome] += 1
            case ItemDone():
                self.items += 1
            case PhaseStarted(name, ensembles):
                self._enter(name, ensembles)
            case TrialStarted():
                self.running += 1
            case EnsembleClosed():
                self._close(event)
            case ScaleFrozen(scale):
                self.incumbent = None
                self.news(f"judges put on one scale by {scale.answers} answers")
            case DiscoveryDone(accepted):
                self.news(f"discovery: {accepted} new ensembles proposed")
            case EndpointPaused() | TokenizerLost() | ModelAway() | ModelBack():
                self.news(_health(event))

    def _enter(self, name: str, ensembles: int) -> None:
        self.phase, self.wanted, self.phase_begun = name, ensembles, self.clock()
        self.closed = self._closed_then = self._closed_before if name == "trials" else 0
        self.news(f"{name}: {ensembles} ensembles" + (f", {self.closed} done" * (self.closed > 0)))

    def _close(self, event: EnsembleClosed) -> None:
        outcome = event.outcome
        if event.duplicate:
            return
        self.closed += outcome.state != "FAILED" or event.number is None
        if event.number is not None:
            self.running -= 1
            self.pruned += outcome.state == "PRUNED"
        best = self.incumbent
        if event.phase in HELD_OUT or not outcome.ranked or outcome.value is None:
            return
        if best is None or best.value is None or outcome.value > best.value:
            self.incumbent = outcome
            self.news(f"incumbent {10 * outcome.value:.2f}: {outcome.ensemble.label}")


def _health(event: EndpointPaused | TokenizerLost | ModelAway | ModelBack) -> str:
    match event:
        case EndpointPaused(endpoint, seconds, reason):
            return f"endpoint {endpoint} asked for {seconds:.0f} s of rest ({reason})"
        case TokenizerLost(model, reason):
            return f"{model}: its server no longer counts tokens ({reason}); estimated"
        case ModelBack():
            return f"{event.model} at {event.endpoint} answers again"
    where = f"{event.model} at {event.endpoint}"
    return f"{where} does not answer ({event.reason}); trying it now and then"
