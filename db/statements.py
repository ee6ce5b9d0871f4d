"""Statements that SQLite and PostgreSQL know under the same name in two dialects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from db.tables import Base
from endpoints.request import Attempt, Completion

T = TypeVar("T")
Work = Callable[[Connection], T]
Insert = postgresql.Insert | sqlite.Insert
Verb = Callable[[Connection, type[Base]], Insert]
Put = tuple[Verb, type[Base], dict[str, Any]]  # one row and how it is written

_FIELDS = {
    kind: (tuple(names), attrgetter(*names))
    for kind, names in ((kind, [f.name for f in fields(kind)]) for kind in (Attempt, Completion))
}


def insert_new(connection: Connection, table: type[Base]) -> Insert:
    """Return an INSERT that leaves a row alone whose key is there already."""
    return _insert_new(connection.dialect.name, table)


def upsert(connection: Connection, table: type[Base]) -> Insert:
    """Return an INSERT that replaces the row whose primary key is there already."""
    return _upsert(connection.dialect.name, table)


def row_of(record: Attempt | Completion) -> dict[str, Any]:
    """Return the fields of a flat dataclass; `asdict` copies, at five times the price."""
    names, values = _FIELDS[type(record)]
    return dict(zip(names, values(record), strict=True))


@cache
def _insert_new(dialect: str, table: type[Base]) -> Insert:
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def _upsert(dialect: str, table: type[Base]) -> Insert:
    insert = _insert(dialect, table)
    keys = [column.name for column in table.__table__.primary_key]
    rest = {c.name: c for c in insert.excluded if c.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=rest)


def _insert(dialect: str, table: type[Base]) -> Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
