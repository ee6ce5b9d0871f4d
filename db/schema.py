"""Brings a database to the newest revision of our tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from data.errors import ConfigError
from db import engines
from db.tables import REVISION, VERSION_TABLE

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x6B756D69  # "kumi": admits one migrating process to a PostgreSQL database


def migrate(engine: Engine, url: str) -> None:
    """Create or upgrade our tables; a database at the newest revision is only looked at.

    Raises:
        ConfigError: Nobody answers, the file is no database, cannot be written, or is newer than
            this program.
    """
    try:
        with engine.connect() as connection:
            if _revision(connection) != REVISION:
                with engines.transaction(connection):
                    _upgrade(connection, url)
    except SQLAlchemyError as error:
        raise _unusable(url, error) from error


def config(connection: Connection) -> Config:
    """Return Alembic's settings for our scripts on this connection."""
    from alembic.config import Config  # slow, and needed once in the life of a file

    found = Config()
    folder = Path(__file__).parent / "migrations"
    found.set_main_option("script_location", str(folder).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    found.attributes["connection"] = connection
    return found


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection, url: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    found, settings = _revision(connection), config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigError(
            f"written by a newer kumiawase (revision {found}, known is {REVISION})",
            place=engines.place(url),
            remedy="upgrade kumiawase or change `storage`",
        )
    command.upgrade(settings, "head")


def _unusable(url: str, error: SQLAlchemyError) -> ConfigError:
    remedy = "start the server or mend `storage`"
    if engines.sqlite_file(url) is not None:
        remedy = "make it writable, move it away or change `storage`"
    fault = "cannot be used" if isinstance(error, DatabaseError) else "failed"
    return ConfigError(
        f"{fault} ({engines.reason(error)})", place=engines.place(url), remedy=remedy
    )
