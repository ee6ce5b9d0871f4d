"""What a study is, field by field, and what was learned of servers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, select

from data.digest import canonical_json
from data.errors import StudyError
from data.suites.item import Split
from db.beginning import clear, vain
from db.statements import Work, insert_new, upsert
from db.tables import EndpointFactRow, PinRow
from db.types import read_json

JudgeRole = Literal["judge", "report_judge"]

_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_SHORT = 60  # characters of a value that a message shows


def read(study: str) -> Work[dict[str, Any]]:
    """Return a study's pins; empty for one never searched."""
    query = select(PinRow.field, PinRow.value).where(PinRow.study == study)
    return lambda connection: {field: value for field, value in connection.execute(query)}


def pin(study: str, fields: Mapping[str, Any], *, renew: bool = False) -> Work[None]:
    """Write fields down the first time, compare them ever after.

    Args:
        study: Whose fields.
        fields: What it is.
        renew: Begin a study anew that has brought neither answer nor trial, where a field
            differs or an audit alone knew it; for whoever holds the study's lock.

    Raises:
        StudyError: A field differs; none is written.
    """

    def work(connection: Connection) -> None:
        kept = read(study)(connection)
        differences = (
            _difference(kept[field], read_json(canonical_json(value).decode()), field)
            for field, value in fields.items()
            if field in kept
        )
        difference = next(filter(None, differences), "")
        if renew and (difference or not kept) and vain(study)(connection):
            clear(study)(connection)
            kept = {}
        elif difference:
            raise _changed(study, difference)
        rows = [
            {"study": study, "field": field, "value": value, "pinned": time.time()}
            for field, value in fields.items()
            if field not in kept
        ]
        if rows:
            connection.execute(insert_new(connection, PinRow), rows)

    return work


def scale(study: str, role: JudgeRole, value: Mapping[str, Any]) -> Work[dict[str, Any]]:
    """Write down the scale a panel's members are read on; the first stays, and is returned."""
    field = _scale(role)
    row = {"study": study, "field": field, "value": value, "pinned": time.time()}

    def work(connection: Connection) -> dict[str, Any]:
        connection.execute(insert_new(connection, PinRow), row)
        found: dict[str, Any] = read(study)(connection)[field]
        return found

    return work


def scale_of(pins: Mapping[str, Any], role: JudgeRole) -> Mapping[str, Any] | None:
    """Return the scale that `scale` wrote, or None before it."""
    return pins.get(_scale(role))


def judged_by(pins: Mapping[str, Any]) -> dict[Split, str]:
    """Return the digest of the judge whose scores count, for each half."""
    return {
        half: str((scale_of(pins, role) or pins[role])["digest"])
        for half, role in roles_of(pins).items()
    }


def roles_of(pins: Mapping[str, Any]) -> dict[Split, JudgeRole]:
    """Return whose scores count, for each half."""
    return {"search": "judge", "held_out": "report_judge" if pins.get("report_judge") else "judge"}


def _scale(role: JudgeRole) -> str:
    return f"{role}_scale"


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


def _changed(study: str, difference: str) -> StudyError:
    return StudyError(
        difference,
        place=f"study {study!r}",
        remedy="undo the change, or give --study NEW (replies paid for are used again)",
    )


def _difference(kept: object, given: object, path: str) -> str:
    """Return the first place where two JSON values differ, in words; empty if none."""
    found = first_difference(kept, given, path)
    if found is None:
        return ""
    path, kept, given = found
    if is_digest(kept):
        return f"`{path}` is not what it was"  # a digest tells a person nothing
    if kept is None or given is None:
        return f"`{path}` was {'added' if kept is None else 'removed'}"
    return f"`{path}` was {short(kept)} and is now {short(given)}"


def first_difference(
    first: object, second: object, path: str
) -> tuple[str, object, object] | None:
    """Return where two JSON values differ first, and what stands there; None if nowhere."""
    if first == second:
        return None
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted(first.keys() | second.keys())
        # Digests last: of two things that changed, the one that tells something is named.
        for key in sorted(keys, key=lambda key: is_digest(first.get(key))):
            found = first_difference(first.get(key), second.get(key), f"{path}.{key}")
            if found:
                return found
    return path, first, second


def is_digest(value: object) -> bool:
    """Tell whether a value is a digest, which tells a person nothing."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def short(value: object) -> str:
    """Return a JSON value as a message shows it."""
    text = "absent" if value is None else orjson.dumps(value).decode()
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
