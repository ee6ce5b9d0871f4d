"""What a study has spent, and who is at work on it."""

from __future__ import annotations

import os
import re
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from db.records import Health, Reason, Share, Spent, Usage, Worker
from db.statements import Work
from db.tables import AttemptRow, CompletionRow, EvaluationRow, ScoreRow, WorkerRow

LONGEST = 240  # characters of a detail by which failures are told apart
MOST_REASONS = 10


def spent(study: str) -> Work[Spent]:
    """Return what a study has spent, by role, by model and by outcome."""
    parts = AttemptRow.role, AttemptRow.model, AttemptRow.outcome
    tokens = func.sum(AttemptRow.prompt_tokens + AttemptRow.completion_tokens)
    query = (
        select(*parts, func.count(), tokens, func.sum(AttemptRow.usd))
        .where(AttemptRow.study == study)
        .group_by(*parts)
        .order_by(*parts)
    )
    seconds = select(func.sum(WorkerRow.seconds)).where(WorkerRow.study == study)

    def work(connection: Connection) -> Spent:
        total = Share()
        by_role: dict[str, Share] = defaultdict(Share)
        by_model: dict[str, Share] = defaultdict(Share)
        by_outcome: Counter[str] = Counter()
        for role, model, outcome, sent, used, usd in connection.execute(query):
            share = Share(sent, used, usd)
            total += share
            by_role[role] += share
            by_model[model] += share
            by_outcome[outcome] += share.calls
        running = connection.execute(seconds).scalar_one() or 0.0
        return Spent(
            total.calls,
            total.tokens,
            total.usd,
            running,
            dict(by_role),
            dict(by_model),
            dict(by_outcome),
        )

    return work


def usage(study: str | None) -> Work[list[Usage]]:
    """Return what each model took in each role, in one study or all; ends unknown left out."""
    sums = (
        AttemptRow.prompt_tokens,
        AttemptRow.completion_tokens,
        AttemptRow.seconds,
        AttemptRow.usd,
    )
    kept = func.length(CompletionRow.text)
    reply = and_(CompletionRow.key == AttemptRow.key, AttemptRow.outcome == "ok")
    known = AttemptRow.outcome != "sent"
    query = (
        select(
            AttemptRow.model,
            AttemptRow.role,
            func.count().label("calls"),
            *(func.sum(column).label(column.key) for column in sums),
            func.coalesce(func.sum(kept), 0).label("characters"),
            func.count(kept).label("replies"),
        )
        .outerjoin(CompletionRow, reply)
        .where(known if study is None else and_(known, AttemptRow.study == study))
        .group_by(AttemptRow.model, AttemptRow.role)
        .order_by(AttemptRow.model, AttemptRow.role)
    )
    return lambda connection: [Usage(**row) for row in connection.execute(query).mappings()]


def unknown(study: str) -> Work[list[Usage]]:
    """Return how many requests of each kind were sent whose end nobody saw."""
    parts = AttemptRow.model, AttemptRow.role
    query = (
        select(*parts, func.count().label("calls"))
        .where(AttemptRow.study == study, AttemptRow.outcome == "sent")
        .group_by(*parts)
    )
    return lambda connection: [Usage(**row) for row in connection.execute(query).mappings()]


def running(connection: Connection) -> float:
    """Return for how many seconds searches have been running, of all studies."""
    return connection.execute(select(func.sum(WorkerRow.seconds))).scalar_one() or 0.0


def health(study: str) -> Work[list[Health]]:
    """Return how each endpoint fared in a study."""
    parts = AttemptRow.endpoint, AttemptRow.outcome
    seconds = func.sum(AttemptRow.seconds), func.max(AttemptRow.seconds)
    query = (
        select(*parts, func.count(), *seconds)
        .where(AttemptRow.study == study, AttemptRow.outcome != "sent")
        .group_by(*parts)
        .order_by(*parts)
    )

    def work(connection: Connection) -> list[Health]:
        found: dict[str, Health] = {}
        for endpoint, outcome, calls, took, longest in connection.execute(query):
            known = found.get(endpoint, Health(endpoint, 0, {}, 0.0, 0.0))
            good = outcome == "ok"
            found[endpoint] = Health(
                endpoint,
                known.calls + calls,
                known.failed if good else {**known.failed, outcome: calls},
                known.lost + (0.0 if good else took),
                longest if good else known.slowest,
            )
        return list(found.values())

    return work


def failures(study: str) -> Work[list[Reason]]:
    """Return why requests of a study brought no completion, the most frequent first."""
    parts = AttemptRow.model, AttemptRow.outcome, AttemptRow.detail
    query = (
        select(*parts, func.count())
        .where(AttemptRow.study == study, AttemptRow.outcome.not_in(("ok", "sent")))
        .group_by(*parts)
    )

    def work(connection: Connection) -> list[Reason]:
        found = connection.execute(query)
        return _most((f"{model}: {end}", detail, n) for model, end, detail, n in found)

    return work


def unscored(study: str) -> Work[list[Reason]]:
    """Return why answers of a study have no score, the most frequent first."""
    query = (
        select(ScoreRow.reason, func.count())
        .join(EvaluationRow, EvaluationRow.id == ScoreRow.evaluation)
        .where(EvaluationRow.study == study, ScoreRow.position == 0, ScoreRow.value.is_(None))
        .group_by(ScoreRow.reason)
    )

    def work(connection: Connection) -> list[Reason]:
        return _most(("unscored", text, n) for text, n in connection.execute(query))

    return work


def _most(reasons: Iterable[tuple[str, str, int]]) -> list[Reason]:
    """Return the most frequent reasons; details that differ in numbers only are one.

    The first detail stands for all of its kind.
    """
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for what, detail, number in reasons:
        kind = (what, re.sub(r"\d+", "", detail)[:LONGEST])
        counts[kind] += number
        examples.setdefault(kind, f"{what}: {detail[:LONGEST]}")
    return [Reason(number, examples[kind]) for kind, number in counts.most_common(MOST_REASONS)]


def register(worker: str, study: str) -> Work[None]:
    """Write down that this process starts work on a study."""
    now = time.time()
    row: dict[str, Any] = {
        "id": worker,
        "study": study,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": now,
        "seen": now,
        "seconds": 0.0,
    }

    def work(connection: Connection) -> None:
        connection.execute(insert(WorkerRow), row)

    return work


def beat(worker: str, seconds: float, *, finished: bool) -> Work[None]:
    """Write down that a worker lives, and for how long it has been running."""
    now = time.time()
    values: dict[str, float] = {"seen": now, "seconds": seconds}
    if finished:
        values["finished"] = now
    statement = update(WorkerRow).where(WorkerRow.id == worker).values(**values)

    def work(connection: Connection) -> None:
        connection.execute(statement)

    return work


def dismiss(worker: str) -> Work[None]:
    """Forget a worker."""
    statement = delete(WorkerRow).where(WorkerRow.id == worker)

    def work(connection: Connection) -> None:
        connection.execute(statement)

    return work


def workers(study: str) -> Work[list[Worker]]:
    """Return the processes that have worked on a study, oldest first."""
    columns = (getattr(WorkerRow, field.name) for field in fields(Worker))
    query = select(*columns).where(WorkerRow.study == study).order_by(WorkerRow.started)
    return lambda connection: [Worker(*row) for row in connection.execute(query)]
