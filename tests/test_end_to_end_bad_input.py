"""Bad input ends with exit code 2 and one line: place, fault, remedy. Nothing is lost by it."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fake_endpoint import fake_endpoint, sends
from tests.support.program import (
    JUDGE,
    MEMBERS,
    Pool,
    Run,
    command,
    environment,
    pool,
    prepare,
    query,
    run,
    settings,
    started,
)

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # prctl(2), capabilities(7): what lets root write
LINE = re.compile(r"kumiawase: (?P<place>[^;]+?): (?P<fault>[^;]+(;[^;]+)*); (?P<remedy>[^;]+)\n")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with pool(tmp_path_factory.mktemp("pool") / "log.jsonl") as found:
        yield found


@pytest.fixture(scope="module")
def finished(served: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished search and the export of an ensemble that has a prompt."""
    folder = tmp_path_factory.mktemp("finished")
    search = {"trials": 1, "layers": 1, "width": 2, "n": 1, "confirm": 1}
    prepare(folder, settings(served.url, search=search))
    assert run(folder, "search").code == 0
    moa = query(folder, "SELECT digest FROM evaluations WHERE ensemble LIKE '%prompt%' LIMIT 1")
    assert run(folder, "export", moa[0][0], "-o", "best.yaml").code == 0
    return folder


def refused(found: Run, *words: str, only: bool = True) -> None:
    """Check that a command ended with one line that holds all the words."""
    assert found.code == 2, found.err
    assert found.out == ""
    assert "Traceback" not in found.err
    line = found.err.splitlines(keepends=True)[-1]
    assert LINE.fullmatch(line), line
    assert not only or line == found.err
    for word in words:
        assert word in line


# -- kumiawase.yaml


def test_a_missing_config(tmp_path: Path) -> None:
    refused(run(tmp_path, "search"), "kumiawase.yaml: no such file", "`kumiawase init`")


def text(change: Callable[[dict[str, Any]], object]) -> str:
    content = settings("http://127.0.0.1:9/v1")
    change(content)
    return yaml.safe_dump(content, sort_keys=False)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("study: [a\nmodels: {", (".yaml:2: no YAML", "mend")),
        ("", ("holds no settings", "`kumiawase init`")),
        (text(lambda c: c.update(serch={})), ("unknown key 'serch'", "did you mean 'search'?")),
        (
            text(lambda c: c["search"].update(trails=3)),
            ("unknown key 'search.trails'", "did you mean 'trials'?"),
        ),
        (text(lambda _: None) + "study: a\nstudy: b\n", ("key 'study' stands twice", "remove")),
        (
            text(lambda c: c["judge"].update(models=["sim/juge"])),
            ("model 'sim/juge' is not defined", f"did you mean '{JUDGE}'?"),
        ),
        (
            text(lambda c: c["models"][MEMBERS[0]].update(endpoint="nowhere")),
            ("endpoint 'nowhere' is not defined", "known are pool"),
        ),
        (text(lambda c: c.pop("models")), ("'models' is missing", "add it")),
        (text(lambda c: c["search"].update(trials="many")), ("'search.trials'", "mend the value")),
        (text(lambda c: c.update(suite="nowhere.jsonl")), ("nowhere.jsonl", "no such file")),
        (text(lambda c: c.update(storage="mysql://x/y")), ("mysql://x/y", "sqlite:///FILE")),
    ],
)
def test_a_config_that_does_not_fit(tmp_path: Path, written: str, words: tuple[str, ...]) -> None:
    (tmp_path / "kumiawase.yaml").write_text(written, encoding="utf-8")
    prepared = {"id": "a", "category": "c", "text": "質問"}
    lines = [json.dumps(prepared | {"id": name}) for name in "ab"]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    refused(run(tmp_path, "search"), *words)
    assert not (tmp_path / "kumiawase.sqlite").exists()


# -- the suite


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", ("questions.jsonl: no items",)),
        ('{"id": "a", "category": "c", "text": "質問"}\n{"id": "b",\n', ("questions.jsonl:2:",)),
        ('{"id": "a", "category": "c", "text": "質問"}\n', ("no held_out items",)),
    ],
    ids=["empty", "no JSON", "no half"],
)
def test_a_suite_that_cannot_be_used(tmp_path: Path, written: str, words: tuple[str, ...]) -> None:
    prepare(tmp_path, settings("http://127.0.0.1:9/v1"))
    (tmp_path / "questions.jsonl").write_text(written, encoding="utf-8")
    refused(run(tmp_path, "search"), *words)


# -- endpoints


def test_an_endpoint_where_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        prepare(tmp_path, settings(url))
        found = run(tmp_path, "search")
    refused(found, "endpoint pool", url, "nobody answers", "start the server", only=False)


async def test_a_wrong_key_is_named_by_its_variable_and_never_shown(tmp_path: Path) -> None:
    error = {"error": {"message": "Incorrect API key provided: sk-se****et", "code": 401}}
    async with fake_endpoint() as fake:
        fake.default = sends(error, 401)
        content = settings(fake.url)
        content["endpoints"]["pool"]["api_key_env"] = "POOL_KEY"
        prepare(tmp_path, content)
        missing = await asyncio.to_thread(run, tmp_path, "search", POOL_KEY="")
        wrong = await asyncio.to_thread(run, tmp_path, "search", POOL_KEY="sk-secret")
    refused(missing, "POOL_KEY", only=False)
    refused(wrong, "endpoint pool", "refuses the key in POOL_KEY", only=False)
    assert "sk-secret" not in wrong.err


# -- studies and the database


def test_a_study_that_was_pinned_differently(served: Pool, finished: Path) -> None:
    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "`suite.": lambda c: c.update(suite={"path": "questions.jsonl", "limit": 4}),
        "`judge.": lambda c: c["judge"].update(models=["sim/judge-2"]),
        "`space.": lambda c: c["search"].update(width=1),
        "`models.": lambda c: c["models"][MEMBERS[0]].update(served_name=MEMBERS[1]),
    }
    board, before = run(finished, "leaderboard", "--json").json, served.replies
    written = (finished / "kumiawase.yaml").read_text("utf-8")
    for field, change in changes.items():
        content = yaml.safe_load(written)
        change(content)
        (finished / "other.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        refused(run(finished, "search", "-c", "other.yaml"), "'default'", field, "--study NEW")
    assert run(finished, "leaderboard", "--json").json == board
    assert served.replies == before


def test_a_second_search_on_a_study_while_one_runs(tmp_path: Path) -> None:
    with pool(tmp_path / "log.jsonl", time_scale=60.0) as slow:
        prepare(tmp_path, settings(slow.url))
        with started(tmp_path, "search") as first:
            first.until(lambda: first.err, "the first search runs")
            second = run(tmp_path, "search")
            refused(second, f"process {first.process.pid}", "'default'", "--study NEW")
            assert run(tmp_path, "status", "--json").json["searching"] != []
            first.kill()


def test_a_folder_that_takes_no_database(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o555)
    # Nothing is closed to root but what the kernel keeps closed.
    closed = folder if os.geteuid() else Path("/proc")
    prepare(tmp_path, settings("http://127.0.0.1:9/v1", storage=f"sqlite:///{closed}/k.sqlite"))
    refused(run(tmp_path, "search"), f"{closed}/k.sqlite", "cannot be written", "`storage`")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    prepare(tmp_path, settings("http://127.0.0.1:9/v1"))
    (tmp_path / "kumiawase.sqlite").write_text("日記\n" * 300, encoding="utf-8")
    refused(run(tmp_path, "search"), "kumiawase.sqlite", "cannot be used", "`storage`")
    assert (tmp_path / "kumiawase.sqlite").read_text("utf-8") == "日記\n" * 300


def held_to_modes(folder: Path, *arguments: str) -> Run:
    """Run a command for which modes of files count, root's too."""
    prctl = ctypes.CDLL(None).prctl
    done = subprocess.run(
        command(arguments),
        cwd=folder,
        env=environment({}),
        capture_output=True,
        text=True,
        preexec_fn=lambda: prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE),
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def test_a_database_that_may_only_be_read(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    file = folder / "kumiawase.sqlite"
    file.chmod(0o444)
    before = file.read_bytes()
    for verb in ("search", "leaderboard"):
        refused(held_to_modes(folder, verb), f"{file}: cannot be written (Permission denied)")
    assert file.read_bytes() == before


def test_a_database_that_is_damaged_in_the_middle(
    served: Pool, finished: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    file = folder / "kumiawase.sqlite"
    whole = file.read_bytes()
    damaged = whole[:4096] + b"\xff" * (len(whole) - 4096)
    file.write_bytes(damaged)
    before = served.replies
    for verb in ("search", "leaderboard"):
        refused(run(folder, verb), str(file), "malformed", "`storage`")
    assert file.read_bytes() == damaged
    assert served.replies == before


def test_a_study_nobody_searched(finished: Path, tmp_path: Path) -> None:
    found = run(finished, "leaderboard", "--study", "other")
    refused(found, "no study 'other'", "known: default")
    prepare(tmp_path, settings("http://127.0.0.1:9/v1"))
    refused(run(tmp_path, "leaderboard"), "nothing was searched yet", "`kumiawase search`")
    assert not (tmp_path / "kumiawase.sqlite").exists()


# -- IDs and exported files


def test_an_unknown_id(finished: Path) -> None:
    for verb in (("show", "999"), ("show", "abcdef"), ("export", "999", "-o", "x.yaml")):
        refused(run(finished, *verb), "no ensemble", "trial number")
    assert not (finished / "x.yaml").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, m: c["models"].pop(m), ("no longer name", "under `models`")),
        (
            lambda c, m: c["models"][m].update(served_name="sim/other"),
            ("is not what was searched with", "served_name"),
        ),
        (
            lambda c, _: c.update(max_tokens={"proposer": 9}),
            ("max_tokens.proposer was 1024 and is now 9",),
        ),
    ],
    ids=["gone", "another", "limits"],
)
def test_an_export_of_what_was_not_searched(
    finished: Path, change: Callable[[dict[str, Any], str], object], words: tuple[str, ...]
) -> None:
    winner = yaml.safe_load((finished / "best.yaml").read_text("utf-8"))
    member = winner["ensemble"]["aggregator"]["model"]
    content = yaml.safe_load((finished / "kumiawase.yaml").read_text("utf-8"))
    change(content, member)
    (finished / "today.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    id_ = winner["provenance"]["digest"]
    found = run(finished, "export", id_, "-c", "today.yaml", "-o", "x.yaml")
    refused(found, "study 'default'", *words)
    assert not (finished / "x.yaml").exists()


async def test_an_export_while_nothing_is_ranked(tmp_path: Path) -> None:
    async with fake_endpoint() as fake:
        fake.default = sends({"error": {"message": "broken", "code": 400}}, 400)
        prepare(tmp_path, settings(fake.url))
        search = await asyncio.to_thread(run, tmp_path, "search")
    assert search.code == 1
    assert "Traceback" not in search.err
    assert "`kumiawase status`" in search.err
    refused(run(tmp_path, "export", "-o", "x.yaml"), "'default'", "no ensemble is ranked yet")
    assert "broken" in run(tmp_path, "status").out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["prompts"].update({next(iter(c["prompts"])): "短く。"}), ("its digest",)),
        (lambda c: c["models"].clear(), ("models",)),
        (lambda c: c["ensemble"]["aggregator"].update(model="other"), ("'other'", "`models`")),
        (lambda c: c["ensemble"].update(aggregator=7), ("aggregator",)),
        (lambda c: c["endpoints"]["pool"].update(base_url="file:///etc/passwd"), ("base_url",)),
        (lambda c: c.pop("ensemble"), ("is no exported ensemble", "`kumiawase export`")),
    ],
)
def test_an_exported_file_that_was_tampered_with(
    finished: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], words: tuple[str]
) -> None:
    content = yaml.safe_load((finished / "best.yaml").read_text("utf-8"))
    change(content)
    (tmp_path / "best.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    refused(run(tmp_path, "ask", "best.yaml", "質問"), "best.yaml", *words)
