"""Optuna's study in the same database: opened and read."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, and_, column, func, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from data.errors import StudyError
from db import engines, locks
from db.beginning import STUDIES, TRIALS
from db.records import Trial
from db.store import Store
from db.tables import AttemptRow, EvaluationRow, PinRow
from db.types import read_json

if TYPE_CHECKING:
    import optuna
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial

DIGEST, ORIGIN = "digest", "origin"  # names of the user attributes every trial carries
RETRIES = "retries"  # and of the one a trial gets when the process at work on it has died
MOST_RETRIES = 3  # in a row in which the study got no reply; then the trial is given up

_ATTRIBUTES = table(
    "trial_user_attributes", column("trial_id"), column("key"), column("value_json")
)


def open_study(store_url: str, name: str, sampler: BaseSampler | None = None) -> Study:
    """Open or create Optuna's study, to be maximised.

    Trials that a dead process left RUNNING are set WAITING: they are asked again with the same
    number and parameters. One that has brought its process down again and again, without a new
    reply since, is FAIL. Hold `db.locks.study_lock` around it.

    Raises:
        StoreError: The database fails.
    """
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = _storage(store_url)
        study = optuna.create_study(
            storage=storage,
            sampler=sampler,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            _retry(storage, name, trial)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error if isinstance(error, SQLAlchemyError) else SQLAlchemyError(str(error))
        raise engines.failure(store_url, cause) from error
    return study


def importance(store_url: str, name: str) -> dict[str, float]:
    """Return how much each parameter decides whether a trial is among the best tenth.

    Parameter → share of the whole, by PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255); empty
    with fewer than two complete trials. Nothing is changed, whoever is searching the study.

    Raises:
        StoreError: The database fails.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = _storage(store_url)
        try:
            return _importance(storage, name)
        finally:
            storage.engine.dispose()
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error if isinstance(error, SQLAlchemyError) else SQLAlchemyError(str(error))
        raise engines.failure(store_url, cause) from error


def _storage(url: str) -> RDBStorage:
    """Return Optuna's storage; it makes its tables without a lock, and two at once fail."""
    from optuna.storages import RDBStorage

    with locks.one_by_one(url):
        return RDBStorage(url, engine_kwargs=engines.arguments(url))


def _importance(storage: RDBStorage, name: str) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:  # pinned, and ended before it was searched
        return {}
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 2:
        return {}
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def given_up(trial: FrozenTrial) -> bool:
    """Return whether a trial is not to be tried again, its ensemble neither."""
    found = trial.user_attrs.get(RETRIES, {})
    return int(found.get("fruitless", 0)) > MOST_RETRIES


def release(study: Study, trials: Iterable[optuna.Trial]) -> None:
    """Set trials that were asked and not told WAITING, so that none stays RUNNING.

    Where the database fails they stay as they are, for `open_study` to find.
    """
    import optuna

    with suppress(SQLAlchemyError, optuna.exceptions.StorageInternalError):
        for trial in trials:
            _set(study._storage, trial._trial_id, "WAITING")  # noqa: SLF001


def _retry(storage: RDBStorage, study: str, trial: FrozenTrial) -> None:
    """Let a trial be asked again, or give it up."""
    query = select(func.count()).where(AttemptRow.study == study, AttemptRow.outcome == "ok")
    with storage.engine.connect() as connection:
        paid = connection.execute(query).scalar_one()
    before = trial.user_attrs.get(RETRIES, {})
    fruitless = before.get("fruitless", 0) + 1 if paid == before.get("paid", 0) else 0
    counts = {"times": before.get("times", 0) + 1, "fruitless": fruitless, "paid": paid}
    storage.set_trial_user_attr(trial._trial_id, RETRIES, counts)  # noqa: SLF001
    _set(storage, trial._trial_id, "FAIL" if fruitless > MOST_RETRIES else "WAITING")  # noqa: SLF001


def _set(storage: BaseStorage, trial_id: int, state: str) -> None:
    from optuna.trial import TrialState

    storage.set_trial_state_values(trial_id, TrialState[state])


def study_names(store: Store) -> list[str]:
    """Return the names of all studies in the database, sorted."""
    return store.read(_names)


def begun(store: Store, name: str) -> dict[str, Any]:
    """Return the pins of a study, its suite and judge among them.

    Raises:
        StudyError: No search has begun under this name; tells which others there are.
    """
    pins = store.pins(name)
    if {"suite", "judge"} <= pins.keys():
        return pins
    others = [other for other in study_names(store) if other != name]
    remedy = f"there are: {', '.join(others)}" if others else "start one with `kumiawase search`"
    raise StudyError("no search has begun", place=f"study {name!r}", remedy=remedy)


def trials(store: Store, name: str) -> list[Trial]:
    """Return Optuna's trials of a study by number; none where no search has begun."""

    def work(connection: Connection) -> list[Trial]:
        if not inspect(connection).has_table("trials"):
            return []
        return [
            Trial(row.number, row.state, _text(row.digest), _text(row.origin), _times(row.retries))
            for row in connection.execute(_query(name))
        ]

    return store.read(work)


def _names(connection: Connection) -> list[str]:
    names = set(connection.scalars(select(PinRow.study).distinct()))
    names.update(connection.scalars(select(EvaluationRow.study).distinct()))
    if inspect(connection).has_table("studies"):
        names.update(connection.scalars(select(STUDIES.c.study_name)))
    return sorted(names)


def _query(name: str) -> Select[Any]:
    keys = DIGEST, ORIGIN, RETRIES
    attributes = [_ATTRIBUTES.alias(key) for key in keys]
    joined = TRIALS.join(STUDIES, TRIALS.c.study_id == STUDIES.c.study_id)
    for attribute, key in zip(attributes, keys, strict=True):
        same = and_(attribute.c.trial_id == TRIALS.c.trial_id, attribute.c.key == key)
        joined = joined.outerjoin(attribute, same)
    values = [a.c.value_json.label(key) for a, key in zip(attributes, keys, strict=True)]
    columns = TRIALS.c.number, TRIALS.c.state, *values
    return (
        select(*columns)
        .select_from(joined)
        .where(STUDIES.c.study_name == name)
        .order_by(TRIALS.c.number)
    )


def _times(value_json: str | None) -> int:
    return 0 if value_json is None else int(read_json(value_json)["times"])


def _text(value_json: str | None) -> str | None:
    return None if value_json is None else str(read_json(value_json))
