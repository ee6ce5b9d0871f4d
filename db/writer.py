"""The one writer: a thread, a queue, many callers' rows in one commit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from data.errors import StoreError
from db import engines
from db.engines import transaction
from db.statements import Put, Verb, Work
from db.tables import Base

T = TypeVar("T")

_LARGEST = 512  # writes in one commit; a longer transaction would make Optuna's wait


@dataclass(slots=True, eq=False)
class _Job:
    work: Work[Any] | None
    rows: tuple[Put, ...]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: Exception | None = None

    def answer(self) -> None:
        """Tell the caller, in its own loop; one that has gone away is not told."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Runs every write of this process, as many in one transaction as are waiting.

    Args:
        engine: In autocommit; the writer says BEGIN and COMMIT itself.
        url: For messages.
    """

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._url = url
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=self._serve, name="kumiawase-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """Run `work` inside a transaction and return its result once that is committed.

        Work may run again, alone, when other work in its transaction fails. Cancelling the
        caller does not cancel the write.

        Raises:
            StoreError: The database could not take it; nothing of it is kept.
        """
        result: T = await self._submit(work, ())
        return result

    async def put(self, *rows: Put) -> None:
        """Write rows, and return once they are committed.

        Rows of all callers that are waiting go into one statement for each kind: half the
        price of a statement each.

        Raises:
            StoreError: The database could not take them; none is kept.
        """
        await self._submit(None, rows)

    def close(self) -> None:
        """Commit all that was asked for and end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _submit(self, work: Work[Any] | None, rows: tuple[Put, ...]) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreError(f"{engines.place(self._url)}: already closed")
        loop = asyncio.get_running_loop()
        job = _Job(work, rows, loop.create_future(), loop)
        self._queue.put(job)
        return job.future

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            jobs, last = self._waiting(first)
            self._write(jobs)
            _answer(jobs)
            if last:
                return

    def _waiting(self, first: _Job) -> tuple[list[_Job], bool]:
        """Return what is waiting by now, and whether the writer is to end after it."""
        jobs = [first]
        while len(jobs) < _LARGEST:
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs, False
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _write(self, jobs: list[_Job]) -> None:
        """Commit the jobs together or, where that fails, each alone."""
        error = self._commit(jobs)
        if error is None:
            return
        if len(jobs) == 1:
            jobs[0].error = error
            return
        lasting: Exception | None = None
        for job in jobs:
            job.error = lasting or self._commit([job])
            if _is_the_databases(job.error):
                lasting = job.error  # a lock held for a minute is not waited for once a job

    def _commit(self, jobs: list[_Job]) -> Exception | None:
        """Run the jobs in one transaction; return what made it fail."""
        try:
            with self._engine.connect() as connection, transaction(connection):
                _insert(connection, jobs)
                for job in jobs:
                    if job.work is not None:
                        job.result = job.work(connection)
        except SQLAlchemyError as error:
            return engines.failure(self._url, error)
        except Exception as error:  # noqa: BLE001 - a fault of the caller's work is the caller's
            return error
        return None


def _is_the_databases(error: Exception | None) -> bool:
    """Whether the next write would fail as well: locked, full, gone."""
    return error is not None and isinstance(error.__cause__, OperationalError)


def _insert(connection: Connection, jobs: list[_Job]) -> None:
    """Write the rows of all jobs, in an order that all processes keep.

    PostgreSQL lets two searches that write the same replies in other orders wait for each other.
    """
    by_kind: dict[tuple[Verb, type[Base]], list[dict[str, Any]]] = {}
    for job in jobs:
        for verb, table, row in job.rows:
            by_kind.setdefault((verb, table), []).append(row)
    for verb, table in sorted(by_kind, key=_name):
        rows = sorted(by_kind[verb, table], key=_key(table))
        connection.execute(verb(connection, table), rows)


def _name(kind: tuple[Verb, type[Base]]) -> tuple[str, str]:
    verb, table = kind
    return table.__tablename__, verb.__name__


@cache
def _key(table: type[Base]) -> itemgetter[Any]:
    return itemgetter(*(column.name for column in table.__table__.primary_key))


def _answer(jobs: list[_Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, mine in by_loop.items():
        with suppress(RuntimeError):  # a loop that has ended waits for nothing
            loop.call_soon_threadsafe(_tell, mine)


def _tell(jobs: list[_Job]) -> None:
    for job in jobs:
        job.answer()
