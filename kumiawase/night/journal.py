"""The log of a night: JSON lines beside the database, bounded; no key, prompt or answer."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from endpoints.flight import AttemptSettled, EndpointPaused
from endpoints.scheduler import ModelAway, ModelBack
from endpoints.tokens import TokenizerLost
from optimizer.events import DiscoveryDone, EnsembleClosed, PhaseStarted

LARGEST: Final = 5_000_000  # bytes of one file
OLD: Final = 3  # files kept besides
LONGEST: Final = 200  # characters of a reason: what a server says may hold anything


class Journal:
    """An `Observer` that writes down what is worth a line in the morning.

    A request that failed is one line with how it ended, never what it said: a server's message
    may quote the prompt. Where the file cannot be written the search goes on without.

    Attributes:
        fault: Why nothing is written; empty where it is.
    """

    def __init__(self, handler: logging.Handler, fault: str = "") -> None:
        self._handler = handler
        self.fault = fault

    def notice(self, event: object) -> None:
        """Write one event down, if it is worth a line."""
        match event:
            case AttemptSettled(attempt) if attempt.outcome != "ok":
                self.write(
                    "request failed",
                    model=attempt.model,
                    endpoint=attempt.endpoint,
                    role=attempt.role,
                    outcome=attempt.outcome,
                    seconds=round(attempt.seconds, 3),
                )
            case PhaseStarted(name, ensembles):
                self.write("phase", phase=name, ensembles=ensembles)
            case EnsembleClosed():
                self._closed(event)
            case DiscoveryDone(accepted):
                self.write("discovery", accepted=accepted)
            case EndpointPaused(endpoint, seconds, reason):
                self.write("pause", endpoint=endpoint, seconds=round(seconds, 3), reason=reason)
            case ModelAway(model, endpoint, reason):
                self.write("model away", model=model, endpoint=endpoint, reason=reason[:LONGEST])
            case ModelBack(model, endpoint):
                self.write("model back", model=model, endpoint=endpoint)
            case TokenizerLost(model, reason):
                self.write("tokenizer lost", model=model, reason=reason[:LONGEST])

    def write(self, event: str, **fields: object) -> None:
        """Write a line of one's own."""
        self._handler.handle(logging.makeLogRecord({"msg": event, "fields": fields}))

    def _closed(self, event: EnsembleClosed) -> None:
        outcome = event.outcome
        self.write(
            "ensemble closed",
            phase=event.phase,
            trial=event.number,
            state=outcome.state,
            digest=outcome.ensemble.digest,
            origin=outcome.origin,
            score=None if outcome.value is None else round(10 * outcome.value, 3),
            items=outcome.items,
            unscored=outcome.items - len(outcome.scores),
            marked=outcome.marked,
            duplicate=event.duplicate,
        )


@contextmanager
def opened(file: Path, study: str, redact: Callable[[str], str]) -> Iterator[Journal]:
    """Yield a journal that is appended to a file, the owner's alone; closed at the end."""
    handler: logging.Handler = logging.NullHandler()
    fault = ""
    try:
        handler = _Handler(file, maxBytes=LARGEST, backupCount=OLD, encoding="utf-8")
    except OSError as error:
        fault = f"{file}: {error.strerror}"
    handler.setFormatter(_Lines(study, redact))
    try:
        yield Journal(handler, fault)
    finally:
        handler.close()


class _Handler(RotatingFileHandler):
    """Files for their owner alone; a full disk must not end a search, nor fill its terminal."""

    def _open(self) -> TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding="utf-8",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""


class _Lines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, study: str, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._study, self._redact = study, redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, every text in it redacted."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = getattr(record, "fields", {})
        line = {"time": at, "study": self._study, "event": record.getMessage(), **fields}
        return json.dumps({key: self._clean(value) for key, value in line.items()})

    def _clean(self, value: object) -> object:
        return self._redact(value) if isinstance(value, str) else value
