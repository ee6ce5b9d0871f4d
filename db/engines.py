"""How every connection to the database is made, and what is said when it fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from data.errors import ConfigError, StoreError

BUSY = 60  # seconds to wait for another writer's lock
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON")
_FORMS = "give sqlite:///FILE or postgresql+psycopg://…"


def place(url: str) -> str:
    """Return what messages call the database: its file, or its URL with the password masked."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "storage"
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed.database
    return parsed.render_as_string(hide_password=True)


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL, None for PostgreSQL.

    Raises:
        ConfigError: The URL is neither, or a SQLite URL without a file.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise ConfigError("not a database URL", place="storage", remedy=_FORMS) from None
    if backend == "postgresql":
        return None
    if backend != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise ConfigError("no database that can be used", place=place(url), remedy=_FORMS)
    return Path(str(parsed.database))


def arguments(url: str) -> dict[str, Any]:
    """Return the arguments of `create_engine` for this database, Optuna's engine included."""
    if sqlite_file(url) is None:
        return {"pool_pre_ping": True}
    return {"connect_args": {"timeout": BUSY}, "pool_events": [(_prepare, "connect")]}


def create(url: str) -> Engine:
    """Return an engine on which every statement is its own transaction unless BEGIN is said.

    Raises:
        ConfigError: The URL, or the folder in it, cannot be used.
    """
    file = sqlite_file(url)
    if file is not None:
        _touch(file)
    try:
        return sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", **arguments(url))
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"no driver ({error})", place=place(url), remedy="install kumiawase[postgresql]"
        ) from error


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what happens inside, or none of it.

    On SQLite the lock is taken at the start: a transaction that reads first and writes later is
    refused at once, without waiting, when another process wrote in between.
    """
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(SQLAlchemyError):  # the database may have ended it by itself (disk full)
            connection.rollback()
        raise


def failure(url: str, error: SQLAlchemyError) -> StoreError:
    """Return an error of the database as ours: one line with the file and what to do."""
    found = StoreError(f"{place(url)}: {reason(error)}; mend it and run the same command again")
    found.__cause__ = error
    return found


def reason(error: SQLAlchemyError) -> str:
    """Return what the database said, in one line, without the statement."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - any DBAPI connection
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _touch(file: Path) -> None:
    """Create the file for its owner alone; SQLite gives its -wal and -shm the same mode."""
    if not file.parent.is_dir():
        raise ConfigError(
            f"no folder {file.parent}", place=str(file), remedy="create it or change `storage`"
        )
    if file.is_dir():
        raise ConfigError("a folder, not a file", place=str(file), remedy="change `storage`")
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})",
            place=str(file),
            remedy="change its mode or `storage`",
        ) from error
