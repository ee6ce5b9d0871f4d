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


class Several:
    """Tells several observers of each event, in the order given."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def notice(self, event: object) -> None:
        """Pass one event on."""
        for observer in self._observers:
            observer.notice(event)
