"""Completions by key, and the ledger's lines as they are written."""

from __future__ import annotations

import time
from dataclasses import fields
from threading import Lock
from typing import Any

from sqlalchemy import Engine, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from data.errors import StoreError
from db import engines
from db.statements import Put, insert_new, row_of, upsert
from db.tables import AttemptRow, CompletionRow
from db.types import decode
from endpoints.request import Attempt, Completion

_COLUMNS = tuple(getattr(CompletionRow, field.name) for field in fields(Completion))


class Lookup:
    """Reads completions by key in the loop's own thread.

    It speaks to the driver: through SQLAlchemy the same read takes three times as long, and a
    search that resumes does thousands.
    """

    def __init__(self, engine: Engine, url: str) -> None:
        query = select(*_COLUMNS).where(CompletionRow.key == bindparam("key"))
        compiled = query.compile(engine)
        self._sql, self._positional = str(compiled), bool(compiled.positional)
        self._engine, self._url = engine, url
        self._failures: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._lock = Lock()
        self._connection: Any = None

    def get(self, key: str) -> Completion | None:
        """Return the completion under `key`.

        Raises:
            StoreError: The database cannot be read, also not over a new connection.
        """
        with self._lock:
            try:
                row = self._fetch(key)
            except self._failures:
                self._drop()
                row = self._again(key)
        return None if row is None else _completion(row)

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._drop()

    def _fetch(self, key: str) -> Any:  # noqa: ANN401 - a driver's row
        if self._connection is None:
            self._connection = self._engine.raw_connection()
        parameters = (key,) if self._positional else {"key": key}
        return self._connection.driver_connection.execute(self._sql, parameters).fetchone()

    def _again(self, key: str) -> Any:  # noqa: ANN401 - a driver's row
        try:
            return self._fetch(key)
        except SQLAlchemyError as error:
            raise engines.failure(self._url, error) from error
        except self._failures as error:
            raise StoreError(f"{engines.place(self._url)}: {error}") from error

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection = None


def claim(attempt: Attempt) -> Put:
    """Write down an attempt that is about to be sent."""
    return insert_new, AttemptRow, row_of(attempt)


def settle(attempt: Attempt, completion: Completion | None) -> list[Put]:
    """Write down how an attempt ended, with its completion; a key's first completion stays."""
    rows: list[Put] = [(upsert, AttemptRow, row_of(attempt))]
    if completion is not None:
        reply = {**row_of(completion), "model": attempt.model, "stored": time.time()}
        rows.append((insert_new, CompletionRow, reply))
    return rows


def _completion(row: Any) -> Completion:  # noqa: ANN401 - a driver's row
    key, text, finish, prompt, reply, estimated, seconds, usd, served = row
    return Completion(
        key,
        decode(text),
        decode(finish),
        prompt,
        reply,
        bool(estimated),
        seconds,
        usd,
        decode(served),
    )
