"""One search a study, and one maker of tables, whichever database it is."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from data.digest import text_digest
from data.errors import ConfigError, StudyError
from db import engines

_CLASS = 0x6B756D69  # "kumi", as in db.schema: keeps our advisory locks from other programs'
# A session holds the lock; its application_name says who that is.
_TAKE = sqlalchemy.text("SELECT pg_try_advisory_lock(:of, :known_by)")
_HOLDER = sqlalchemy.text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND datname = current_database() AND classid = :of AND objid = CAST(:known_by AS bigint)"
)
# Where a machine or the network dies nobody ends the session: by default the server would ask
# after two hours of silence. It must not end the session of a long search either.
_WATCH = sqlalchemy.text(
    "SELECT set_config(name, :value, false) FROM pg_settings WHERE name = :name"
)
_WATCHED = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_session_timeout": "0",  # unknown before PostgreSQL 14
}


@contextmanager
def study_lock(url: str, name: str) -> Iterator[None]:
    """Admit one search to a study.

    On SQLite by a lock on a file beside the database, on PostgreSQL by an advisory lock of a
    connection of its own. Either goes with its process, however that ends.

    Raises:
        StudyError: Another process searches this study.
        ConfigError: The file cannot be locked.
        StoreError: The database fails.
    """
    known_by = text_digest(name).removeprefix("sha256:")  # a study may be called anything
    file = engines.sqlite_file(url)
    if file is None:
        with _session(url, name, int(known_by[:7], 16)):
            yield
        return
    lock = file.with_name(f"{file.name}.{known_by[:12]}.lock")
    with ExitStack() as stack:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            stack.callback(os.close, handle)
            _take_file(handle, name)
        except OSError as error:
            raise ConfigError(
                f"cannot be locked ({error.strerror})",
                place=str(lock),
                remedy="remove it or change its mode, or keep `storage` on this machine's disk",
            ) from error
        yield


@contextmanager
def one_by_one(url: str) -> Iterator[None]:
    """Wait until no other process is inside, for what several must not make at the same time.

    On SQLite the folder of the database is locked, which leaves no file behind.

    Raises:
        SQLAlchemyError: The database fails.
    """
    file = engines.sqlite_file(url)
    if file is None:
        engine = sqlalchemy.create_engine(
            url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
        )
        with engine.connect() as connection:  # the lock goes with it
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_CLASS}, 0)")
            yield
        return
    handle = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _take_file(handle: int, name: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _taken(name, os.pread(handle, 20, 0).decode().strip()) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


@contextmanager
def _session(url: str, name: str, known_by: int) -> Iterator[None]:
    """Hold the connection whose end is the end of the lock."""
    who = f"{os.getpid()} on {socket.gethostname()}"[:63]
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=sqlalchemy.NullPool,
        connect_args={"application_name": who},
    )
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(engine.connect())
            for setting, value in _WATCHED.items():
                connection.execute(_WATCH, {"name": setting, "value": value})
            _take_advisory(connection, name, known_by)
        except SQLAlchemyError as error:
            raise engines.failure(url, error) from error
        yield


def _take_advisory(connection: Connection, name: str, known_by: int) -> None:
    key = {"of": _CLASS, "known_by": known_by}
    if not connection.execute(_TAKE, key).scalar_one():
        raise _taken(name, connection.execute(_HOLDER, key).scalar())


def _taken(name: str, holder: str | None) -> StudyError:
    return StudyError(
        f"process {holder or 'unknown'} is searching it",
        place=f"study {name!r}",
        remedy="wait, stop that process, or give --study NEW",
    )
