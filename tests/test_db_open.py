"""Opening a database: who may read it, what is refused and in which words, and its schema."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from data.errors import ConfigError
from db import engines, schema
from db.store import Store
from db.tables import REVISION, VERSION_TABLE, Base
from tests.conftest import ROOT
from tests.support.postgres import any_database

OPTUNA = ("trial", "stud", "version_info", "alembic_version")


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


def refusal(url: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Store.open(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "日本語 の%フォルダ.sqlite"
    with Store.open(url_of(file)) as store:
        assert store.pins("s") == {}
        modes = [stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()]
    assert modes == [0o600] * len(modes)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    line = refusal(url_of(tmp_path / "absent" / "k.sqlite"))
    assert line.startswith(str(tmp_path / "absent" / "k.sqlite"))
    assert "create it" in line


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "a folder" in refusal(url_of(tmp_path))


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "k.sqlite"
    file.write_bytes("これはデータベースではない".encode() * 100)
    assert f"{file}: cannot be used (file is not a database)" in refusal(url_of(file))
    assert file.read_bytes() == "これはデータベースではない".encode() * 100


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "k.sqlite"
    Store.open(url_of(file)).close()
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    assert "newer kumiawase (revision 9999" in refusal(url_of(file))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_read_only_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "k.sqlite"
    file.touch(mode=0o400)
    if os.geteuid() != 0:
        assert "cannot be written" in refusal(url_of(file))
        return
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    os.seteuid(65534)  # nobody: root may write anything
    try:
        assert "cannot be written (Permission denied)" in refusal(url_of(file))
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:p@h/d", "nonsense"])
def test_other_databases_are_refused(url: str) -> None:
    assert "sqlite:///FILE" in refusal(url)


def test_a_password_is_masked() -> None:
    line = refusal("postgresql+psycopg://user:geheim@127.0.0.1:9/kumiawase")
    assert "geheim" not in line
    assert "user:***@127.0.0.1:9/kumiawase" in line
    assert "mysql://u:***@h/d" in refusal("mysql://u:p@h/d")


def test_two_processes_may_create_one_file_at_once(tmp_path: Path) -> None:
    code = f"from db.store import Store; Store.open({url_of(tmp_path / 'k.sqlite')!r}).close()"
    command = [sys.executable, "-W", "error", "-c", code]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait(300) for process in running] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_migrations_make_the_tables(kind: str, tmp_path: Path) -> None:
    with any_database(kind, tmp_path) as url:
        Store.open(url).close()
        engine = engines.create(url)
        with engine.connect() as connection:
            options = {"version_table": VERSION_TABLE, "compare_type": True}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, Base.metadata) == []
            scripts = ScriptDirectory.from_config(schema.config(connection))
            assert scripts.get_current_head() == REVISION
        engine.dispose()


def test_no_table_takes_a_name_of_optuna() -> None:
    names = [*Base.metadata.tables, VERSION_TABLE]
    assert [name for name in names if name.startswith(OPTUNA)] == []
    words = "completions attempts evaluations answers scores proposals prompts endpoint_facts"
    words += " pins workers notes model_facts fits"
    assert set(names) == {*words.split(), VERSION_TABLE}


def test_connections_write_ahead_and_wait(tmp_path: Path) -> None:
    engine = engines.create(url_of(tmp_path / "k.sqlite"))
    pragmas = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    engine.dispose()
    assert found == ["wal", 1, 60_000, 1]


def test_a_transaction_that_reads_first_holds_the_lock_already(tmp_path: Path) -> None:
    file = tmp_path / "k.sqlite"
    engine = engines.create(url_of(file))
    other = sqlite3.connect(file, timeout=0)
    with engine.connect() as connection, engines.transaction(connection):
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("CREATE TABLE t (a)")
        connection.exec_driver_sql("CREATE TABLE ours (a)")
    other.execute("CREATE TABLE t (a)")
    other.close()
    engine.dispose()
