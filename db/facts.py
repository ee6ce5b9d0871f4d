"""What a study's prompts are fitted by: frozen facts, corrections, and the fits themselves."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from db.statements import Put, Work, insert_new
from db.tables import FitRow, ModelFactsRow
from endpoints.facts import Kept, ModelFacts, Window


@dataclass(frozen=True, slots=True)
class Served:
    """A model as its server knows it, and the server as keys and pins do."""

    server: str
    name: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """A model's facts as a study found them, and the windows learned since, oldest first."""

    facts: ModelFacts
    corrections: tuple[Window, ...]


def freeze(study: str, found: Mapping[str, tuple[Served, ModelFacts]]) -> Work[None]:
    """Write facts down for models that have none.

    A study begins with the corrections of the latest one that knew the same of the same served
    model: it builds the same requests, and they are answered already.
    """
    now = time.time()

    def work(connection: Connection) -> None:
        for model, (served, facts) in found.items():
            row = {
                "study": study,
                "model": model,
                "server": served.server,
                "served": served.name,
                **asdict(facts),
                "corrections": list(map(asdict, inherited(served, facts)(connection))),
                "frozen": now,
            }
            connection.execute(insert_new(connection, ModelFactsRow), row)

    return work


def inherited(served: Served, facts: ModelFacts) -> Work[tuple[Window, ...]]:
    """Return the corrections of the latest study that knew the same of the same served model."""
    query = (
        select(ModelFactsRow.corrections)
        .where(
            ModelFactsRow.server == served.server,
            ModelFactsRow.served == served.name,
            ModelFactsRow.context.is_not_distinct_from(facts.context),
        )
        .order_by(ModelFactsRow.frozen.desc())
        .limit(1)
    )
    return lambda connection: _windows(connection.execute(query).scalar())


def frozen(study: str) -> Work[dict[str, Frozen]]:
    """Return the facts of a study's models."""
    query = select(ModelFactsRow.__table__).where(ModelFactsRow.study == study)
    return lambda connection: {
        row.model: Frozen(
            ModelFacts(row.context, row.tokenizer, row.ratio),
            _windows(row.corrections),
        )
        for row in connection.execute(query)
    }


def _windows(kept: Iterable[Mapping[str, Any]] | None) -> tuple[Window, ...]:
    return tuple(Window(**window) for window in kept or ())


def correct(study: str, model: str, window: Window) -> Work[tuple[Window, ...]]:
    """Add a window to the corrections of a model whose facts are frozen."""

    def work(connection: Connection) -> tuple[Window, ...]:
        windows = (*frozen(study)(connection)[model].corrections, window)
        connection.execute(
            update(ModelFactsRow)
            .where(ModelFactsRow.study == study, ModelFactsRow.model == model)
            .values(corrections=[asdict(one) for one in windows])
        )
        return windows

    return work


def fit(served: str, key: str) -> Work[tuple[Kept, ...] | None]:
    """Return how a prompt was fitted."""
    query = select(FitRow.kept).where(FitRow.model == served, FitRow.key == key)

    def work(connection: Connection) -> tuple[Kept, ...] | None:
        kept = connection.execute(query).scalar()
        return None if kept is None else tuple(Kept(*one) for one in kept)

    return work


def keep(served: str, key: str, kept: tuple[Kept, ...]) -> Put:
    """Keep how a prompt was fitted, unless it is kept already."""
    return insert_new, FitRow, {"model": served, "key": key, "kept": [list(one) for one in kept]}
