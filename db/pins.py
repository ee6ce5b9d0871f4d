"""What a study is, field by field, and what was learned of servers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, select

from data.digest import canonical_json
from data.errors import StudyError
from db.statements import Work, insert_new, upsert
from db.tables import EndpointFactRow, PinRow
from db.types import read_json

_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_SHORT = 60  # characters of a value that a message shows


def read(study: str) -> Work[dict[str, Any]]:
    """Return a study's pins; empty for one never searched."""
    query = select(PinRow.field, PinRow.value).where(PinRow.study == study)
    return lambda connection: {field: value for field, value in connection.execute(query)}


def pin(study: str, fields: Mapping[str, Any]) -> Work[None]:
    """Write fields down the first time, compare them ever after.

    Raises:
        StudyError: A field differs; none is written.
    """

    def work(connection: Connection) -> None:
        kept = read(study)(connection)
        for field, value in fields.items():
            if field in kept:
                _compare(study, field, kept[field], value)
        rows = [
            {"study": study, "field": field, "value": value, "pinned": time.time()}
            for field, value in fields.items()
            if field not in kept
        ]
        if rows:
            connection.execute(insert_new(connection, PinRow), rows)

    return work


def facts(endpoint: str) -> Work[dict[str, Any]]:
    """Return what is known of the server that `endpoint` stands for."""
    columns = EndpointFactRow.fact, EndpointFactRow.value
    query = select(*columns).where(EndpointFactRow.endpoint == endpoint)
    return lambda connection: {fact: value for fact, value in connection.execute(query)}


def learn(endpoint: str, found: Mapping[str, Any]) -> Work[None]:
    """Keep what was learned of a server; the latest counts."""
    now = time.time()
    rows = [
        {"endpoint": endpoint, "fact": fact, "value": value, "learned": now}
        for fact, value in found.items()
    ]

    def work(connection: Connection) -> None:
        if rows:
            connection.execute(upsert(connection, EndpointFactRow), rows)

    return work


def _compare(study: str, field: str, kept: object, given: object) -> None:
    difference = _difference(kept, read_json(canonical_json(given).decode()), field)
    if difference:
        raise StudyError(
            difference,
            place=f"study {study!r}",
            remedy="undo the change, or give --study NEW (replies paid for are used again)",
        )


def _difference(kept: object, given: object, path: str) -> str:
    """Return the first place where two JSON values differ, in words; empty if none."""
    if kept == given:
        return ""
    if isinstance(kept, dict) and isinstance(given, dict):
        for key in sorted(kept.keys() | given.keys()):
            found = _difference(kept.get(key), given.get(key), f"{path}.{key}")
            if found:
                return found
    if isinstance(kept, str) and isinstance(given, str) and _DIGEST.fullmatch(kept):
        return f"`{path}` is not what it was"  # a digest tells a person nothing
    if kept is None or given is None:
        return f"`{path}` was {'added' if kept is None else 'removed'}"
    return f"`{path}` was {_short(kept)} and is now {_short(given)}"


def _short(value: object) -> str:
    text = "absent" if value is None else orjson.dumps(value).decode()
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
