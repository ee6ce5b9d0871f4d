"""Optuna's study and our tables in one database, used at the same time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from optuna import Study
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sqlalchemy import create_engine, make_url

from data.errors import ConfigError, StoreError, StudyError
from db.locks import study_lock
from db.records import Trial
from db.store import Store
from db.studies import (
    MOST_RETRIES,
    RETRIES,
    given_up,
    importance,
    open_study,
    release,
    study_names,
    trials,
)
from tests.conftest import ROOT
from tests.support.postgres import any_database, database, engine_of
from tests.support.rows import MOA, answer, attempt, completion, item, scores

HOLD = """
import sys, time
from db.locks import study_lock
with study_lock(sys.argv[1], sys.argv[2]):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with any_database(request.param, tmp_path) as found:
        yield found


def close(study: Study) -> None:
    engine_of(study).dispose()


async def test_both_write_at_once(url: str) -> None:
    with Store.open(url) as store:
        study = await asyncio.to_thread(open_study, url, "試験", RandomSampler(seed=0))

        def search() -> None:
            for _ in range(10):
                trial = study.ask()
                value = trial.suggest_int("x", 0, 100)
                trial.set_user_attr("digest", f"d{trial.number}")
                trial.set_user_attr("origin", "random")
                study.tell(trial, value)

        async def answers() -> None:
            begun = await store.begin("試験", "search", "j", "rubric", MOA, "random")
            for n in range(100):
                await store.settle(attempt(str(n), str(n)), completion(str(n)))
                await store.add(begun.id, item(f"i{n}"), answer(), scores())

        await asyncio.gather(asyncio.to_thread(search), answers())
        expected = [Trial(n, "COMPLETE", f"d{n}", "random") for n in range(10)]
        assert trials(store, "試験") == expected
        assert len(store.results(1)) == 100
        assert store.spent("s").calls == 100
        assert trials(store, "other") == []
        assert study_names(store) == ["試験"]
        close(study)


def test_a_trial_left_running_is_asked_again_as_it_was(url: str) -> None:
    with Store.open(url) as store:
        study = open_study(url, "s", RandomSampler(seed=0))
        study.tell(study.ask(), 0.5)
        left = [study.ask() for _ in range(2)]
        asked = [trial.suggest_int("x", 0, 10**9) for trial in left]
        assert [trial.state for trial in trials(store, "s")] == ["COMPLETE", "RUNNING", "RUNNING"]
        close(study)
        again = open_study(url, "s", RandomSampler(seed=1))
        states = [trial.state for trial in again.get_trials()]
        assert states == [TrialState.COMPLETE, TrialState.WAITING, TrialState.WAITING]
        found = [again.ask() for _ in range(2)]
        assert [trial.number for trial in found] == [1, 2]
        assert [trial.suggest_int("x", 0, 10**9) for trial in found] == asked
        assert again.ask().number == 3
        close(again)


def test_a_database_without_a_study_has_no_trials(url: str) -> None:
    with Store.open(url) as store:
        assert trials(store, "s") == []
        assert study_names(store) == []


async def test_studies_are_known_by_their_pins_too(url: str) -> None:
    with Store.open(url) as store:
        await store.pin("い", {"seed": 0})
        await store.pin("あ", {"seed": 0})
        assert study_names(store) == ["あ", "い"]


async def test_a_study_that_was_pinned_and_no_more_has_no_importances(url: str) -> None:
    with Store.open(url) as store:
        await store.pin("s", {"seed": 0})
        assert importance(url, "s") == {}


def test_optuna_writes_ahead_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'k.sqlite'}"
    Store.open(url).close()
    study = open_study(url, "s")
    engine = engine_of(study)
    with engine.connect() as connection:
        pragmas = ("journal_mode", "synchronous", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    engine.dispose()
    assert found == ["wal", 1, 60_000]


def test_one_search_a_study(url: str, tmp_path: Path) -> None:
    name = "../試験"
    command = [sys.executable, "-c", HOLD, url, name]
    holder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    refused = pytest.raises(StudyError, match=f"process {holder.pid}\\b.* is searching it")
    with refused, study_lock(url, name):
        pass
    with study_lock(url, "another"):
        pass
    holder.kill()
    holder.communicate()
    free_again(url, name)
    refused = pytest.raises(StudyError, match="is searching it")
    with study_lock(url, name), refused, study_lock(url, name):
        pass
    assert {file.suffix for file in tmp_path.iterdir()} <= {".lock"}


def test_searches_that_make_the_tables_at_the_same_time_wait_for_each_other(url: str) -> None:
    names = [f"s{number}" for number in range(4)]
    together = Barrier(len(names))

    def begin(name: str) -> str:
        together.wait()
        study = open_study(url, name, RandomSampler())
        study._storage.remove_session()  # noqa: SLF001 - of this thread
        close(study)
        return study.study_name

    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(begin, names)) == names


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_cannot_be_locked_is_no_other_search(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    url = f"sqlite:///{tmp_path / 'k.sqlite'}"
    with study_lock(url, "s"):
        (lock,) = tmp_path.iterdir()
    lock.unlink()
    make(lock)
    with pytest.raises(ConfigError, match="cannot be locked") as caught, study_lock(url, "s"):
        pass
    assert str(caught.value).startswith(str(lock))


def test_a_server_that_ends_idle_sessions_leaves_a_search_its_lock() -> None:
    with database() as url:
        engine, idle = (create_engine(url, isolation_level="AUTOCOMMIT") for _ in range(2))
        name = make_url(url).database
        with engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET idle_session_timeout = '1s'")
            with study_lock(url, "s"), idle.connect() as other:
                pid = other.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
                left = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"
                ends = time.monotonic() + 60
                while connection.exec_driver_sql(left).scalar_one():  # idle since after the lock
                    assert time.monotonic() < ends
                    time.sleep(0.05)
                other.invalidate()
                query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                assert connection.exec_driver_sql(query).scalar_one() == 1
        idle.dispose()
        engine.dispose()


def test_a_server_without_room_for_a_lock_says_so_in_one_line() -> None:
    with database() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        name = make_url(url).database
        with engine.connect() as connection:
            connection.exec_driver_sql(
                f"ALTER DATABASE {name} SET search_path = public, pg_catalog"
            )
            connection.exec_driver_sql(
                "CREATE FUNCTION pg_try_advisory_lock(int, int) RETURNS bool LANGUAGE plpgsql"
                " AS $$ BEGIN RAISE 'out of shared memory'; END $$"
            )
        engine.dispose()
        with (
            pytest.raises(StoreError, match="out of shared memory") as caught,
            study_lock(url, "s"),
        ):
            pass
        assert "\n" not in str(caught.value)


def free_again(url: str, name: str) -> None:
    """Wait until the database has heard that a process died."""
    for _ in range(6000):
        try:
            with study_lock(url, name):
                return
        except StudyError:
            time.sleep(0.01)
    pytest.fail("the lock outlives its process")


def test_a_trial_that_brings_its_process_down_is_given_up_in_the_end(url: str) -> None:
    with Store.open(url) as store:
        study = open_study(url, "s", RandomSampler(seed=0))
        trial = study.ask()
        trial.set_user_attr("digest", MOA.digest)
        found = study.get_trials()[0]
        close(study)
        for death in range(2 * MOST_RETRIES + 3):
            if death == MOST_RETRIES:  # it gets somewhere, once: then it counts anew
                asyncio.run(store.settle(attempt(outcome="ok"), completion()))
            study = open_study(url, "s")
            (found,) = study.get_trials()
            if found.state == TrialState.FAIL:
                break
            assert found.state == TrialState.WAITING
            assert study.ask().number == 0
            close(study)
        assert trials(store, "s") == [Trial(0, "FAIL", MOA.digest, None, 2 * MOST_RETRIES + 2)]
        assert given_up(found)
        close(study)


def test_trials_that_were_not_told_are_released(url: str) -> None:
    study = open_study(url, "s", RandomSampler(seed=0))
    asked = [study.ask(), study.ask()]
    study.tell(asked[0], 0.5)
    release(study, asked[1:])
    close(study)
    again = open_study(url, "s")
    states = [trial.state for trial in again.get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.WAITING]
    assert RETRIES not in again.get_trials()[1].user_attrs  # nobody has died
    close(again)
