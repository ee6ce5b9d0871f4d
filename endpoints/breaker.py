"""Whether a model answers at all, and who may find out."""

from __future__ import annotations

from data.errors import (
    ConnectionFailedError,
    RequestError,
    ServerFailedError,
    TimedOutError,
    TransientError,
)

FAILURES = 3  # in a row, without a reply between them, hold the other requests back
FIRST_PROBE = 0.5  # seconds from then to the first probe; twice as long after each
LONGEST_PROBE = 30.0

# Nothing came from the model. Whatever else it says, a refusal or nonsense, it is there.
_AWAY = (ConnectionFailedError, TimedOutError, ServerFailedError)


class Breaker:
    """Circuit breaker of one model at one endpoint.

    Closed, it lets every request through. It opens after `FAILURES` failures in a row, or when a
    request timed out and the model has said nothing since it was sent; then one request at a time
    is let through as a probe, at growing intervals, and the others wait. When the model has been
    silent for one deadline they need not wait any longer: the model is *given up*, until a probe
    is answered. So a dead model costs one deadline, however many requests there are.

    Args:
        deadline: Seconds of one attempt, and of patience.
        first_probe: Seconds to the first probe.
    """

    def __init__(self, deadline: float, first_probe: float = FIRST_PROBE) -> None:
        self._deadline = deadline
        self._first_probe = first_probe
        self._heard = float("-inf")
        self._close()

    def _close(self) -> None:
        self.open = False
        self.given_up = False
        self.probing = False
        self.probes = 0  # that failed since it opened
        self.due = float("-inf")  # when the next probe may go
        self.last: TransientError | None = None
        self._since: float | None = None
        self._failed = float("-inf")
        self._failures = 0

    def admits(self, now: float) -> bool:
        """Whether a request may be sent."""
        return not self.open or (not self.probing and now >= self.due)

    def hopeless(self, now: float) -> bool:
        """Whether a request that comes now would wait for nothing."""
        return self.given_up and not self.probing and now < self.due

    def learn(
        self, error: RequestError | None, sent: float, now: float, *, probe: bool, waiting: int
    ) -> None:
        """Take note of how a request ended.

        Args:
            error: What went wrong; None for a completion.
            sent: When it was sent.
            now: On the same clock.
            probe: Whether it was the probe.
            waiting: Requests for the model that are held back.
        """
        if not isinstance(error, _AWAY):
            self._heard = now
            self._close()
            return
        self.last = error
        if self._since is None or sent - self._failed > 2 * LONGEST_PROBE:
            # Nobody asked meanwhile, for a pause or another model's turn: that was no silence.
            self._since, self._failures = max(sent, self._heard), 0
        self._failures += 1
        self._failed = now
        self._judge(error, now, probe=probe, waiting=waiting)

    def _judge(self, error: TransientError, now: float, *, probe: bool, waiting: int) -> None:
        assert self._since is not None
        silent = now - self._since >= 0.99 * self._deadline
        in_a_row = self._failures >= FAILURES and not isinstance(error, TimedOutError)
        probe = probe and self.open  # an older request may have found the model meanwhile
        if probe:
            self.probing = False
            self.probes += 1
        if probe or (not self.open and (silent or in_a_row)):
            self.open = True
            self.due = now + min(self._first_probe * 2**self.probes, LONGEST_PROBE)
        # One request that never ends must not fail all that wait behind it in a single file.
        self.given_up |= self.open and silent and (self._failures > 1 or not waiting)
