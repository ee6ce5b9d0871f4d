"""What it costs to keep a paid reply at once, in the least that any keeping costs.

64 requests wait at a time; each settles its attempt with its reply and is told once that is
committed. The floor writes the same rows in batches of 1,000 over sqlite3, for nobody who waits.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path
from statistics import median

from benchmarks import server
from benchmarks.ratio import Ratio
from db.store import Store
from endpoints.request import Attempt, Completion

GOAL = 3.0
REPLIES = 4000
WAITING = 64
BATCH = 1000
TURNS = 7

Row = tuple[Attempt, Completion]


def run() -> list[Ratio]:
    """Keep the same replies by both ways in turn, each time in a new file."""
    ours, raw = [], []
    for turn in range(TURNS + 1):
        rows = [_row(turn, number) for number in range(REPLIES)]
        with tempfile.TemporaryDirectory() as folder:
            with Store.open(f"sqlite:///{folder}/k.sqlite") as store:
                spent = asyncio.run(_ours(store, rows))
            floor = _raw(Path(folder) / "floor.sqlite", rows)
        if turn:
            ours.append(spent / REPLIES)
            raw.append(floor / REPLIES)
    each = [a / b for a, b in zip(ours, raw, strict=True)]
    return [
        Ratio(
            f"group commit {1e6 * median(ours):.0f} us of CPU a reply",
            f"raw inserts, {BATCH} a transaction {1e6 * median(raw):.0f} us",
            median(each),
            GOAL,
            (f"turns: {', '.join(f'{ratio:.2f}' for ratio in each)}",),
        )
    ]


def _row(turn: int, number: int) -> Row:
    key = f"sha256:{turn:032x}{number:032x}"
    line = Attempt(
        f"{turn}-{number}", key, "bench", "proposer", "m", "e", 1.0, "ok", 1.5, 400, 300
    )
    return line, Completion(key, server.TEXT, "stop", 400, 300, False, 1.5, 0.001, "m")


async def _ours(store: Store, rows: Sequence[Row]) -> float:
    left = iter(rows)

    async def worker() -> None:
        for line, reply in left:
            await store.settle(line, reply)

    begun = time.process_time()
    await asyncio.gather(*(worker() for _ in range(WAITING)))
    return time.process_time() - begun


def _raw(file: Path, rows: Sequence[Row]) -> float:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    statements = []
    for table, kind, key in (("attempts", Attempt, "id"), ("completions", Completion, "key")):
        names = [field.name for field in fields(kind)]
        columns = ", ".join(f"{name} PRIMARY KEY" if name == key else name for name in names)
        connection.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join("?" * len(names))
        statements.append(f"INSERT INTO {table} VALUES ({marks})")
    connection.execute("CREATE INDEX by_study ON attempts (study)")
    connection.execute("CREATE INDEX by_key ON attempts (key)")
    flat = [(astuple(line), astuple(reply)) for line, reply in rows]
    begun = time.process_time()
    for first in range(0, len(rows), BATCH):
        connection.execute("BEGIN")
        for place, statement in enumerate(statements):
            connection.executemany(statement, [row[place] for row in flat[first : first + BATCH]])
        connection.execute("COMMIT")
    seconds = time.process_time() - begun
    connection.close()
    return seconds
