"""How the rooms tell what happens, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Hears of events as they happen; it must neither block nor raise.

    An event is a frozen dataclass defined in the package that tells it.
    """

    def notice(self, event: object) -> None:
        """Take note of one event."""


class Silent:
    """Hears everything and says nothing."""

    def notice(self, event: object) -> None:
        """Forget the event."""
