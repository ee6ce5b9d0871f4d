"""What searches of a study leave for later ones and for those who look: no part of what it is."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, select

from db.statements import Work, upsert
from db.tables import NoteRow


def write(study: str, name: str, value: object) -> Work[None]:
    """Keep a value; the latest under a name counts."""
    row = {"study": study, "name": name, "value": value, "written": time.time()}

    def work(connection: Connection) -> None:
        connection.execute(upsert(connection, NoteRow), row)

    return work


def read(study: str) -> Work[dict[str, Any]]:
    """Return all values by name."""
    query = select(NoteRow.name, NoteRow.value).where(NoteRow.study == study)
    return lambda connection: {name: value for name, value in connection.execute(query)}
