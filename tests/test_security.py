"""What docs/security.md promises and no other test says: keys, paths, code, modes, terminals."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from data.digest import text_digest
from db import engines
from db.locks import study_lock
from db.store import Store
from judges import prompts
from kumiawase.cli import cli
from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.server import serve
from moa.engine import inject
from tests.conftest import ROOT
from tests.support.fake_endpoint import FakeEndpoint, fake_endpoint
from tests.support.program import Run, prepare, run, settings

CANARY = "canary-9d41f7c2ab83e650"  # as no text of ours, and no model, would write it
PASSWORD = "s3cretpassw0rd"
PACKAGES = ("kumiawase", "optimizer", "db", "judges", "moa", "endpoints", "data")


# -- S1, S3, S11, S19: a whole search with a key, on a server that repeats it


@asynccontextmanager
async def spying(folder: Path) -> AsyncIterator[FakeEndpoint]:
    """A proxy before the simulated pool: it fails now and then, with the key in its error."""
    async with (
        serve(Pool(0), time_scale=0.0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        fake_endpoint() as proxy,
    ):

        async def forward(request: web.Request) -> web.StreamResponse:
            if "hook" in request.query:
                return web.Response()
            if len(proxy.calls) % 9 == 0:
                said = f"\x1b]52;c;x\x07 {request.headers['Authorization']} {CANARY}"
                return web.Response(status=500, text=json.dumps({"error": {"message": said}}))
            raw = await request.read()
            async with session.post(request.path, data=raw) as reply:
                return web.Response(body=await reply.read(), status=reply.status)

        proxy.default = forward
        (folder / "hook.txt").write_text(f"{proxy.url}/chat/completions?hook={CANARY}")
        yield proxy


VERBS = (  # those of a line at the same time
    (("search",),),
    (("status",), ("status", "--json"), ("export", "-o", "best.yaml")),
    (("ask", "best.yaml", "質問"), ("estimate", "--json")),
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Run], list[Any]]:
    """Run every verb with a key at the most talkative setting there is."""
    folder = tmp_path_factory.mktemp("canary")

    async def all_verbs() -> tuple[dict[str, Run], list[Any]]:
        async with spying(folder) as proxy:
            content = settings(proxy.url)
            content["endpoints"]["pool"] |= {"api_key_env": "CANARY_KEY", "usd_per_hour": 2}
            content |= {
                "budget": {"usd": 100, "hours": 9, "until": "2199-01-01 00:00", "calls": 90_000},
                "notify": {"webhook_env": "CANARY_HOOK"},
            }
            prepare(folder, content)
            hook = (folder / "hook.txt").read_text()
            (folder / "hook.txt").unlink()
            variables = {
                "CANARY_KEY": CANARY,
                "CANARY_HOOK": hook,
                "OPENAI_LOG": "debug",
            }
            found: dict[str, Run] = {}
            for verbs in VERBS:
                runs = (asyncio.to_thread(run, folder, *verb, **variables) for verb in verbs)
                names = (" ".join(verb) for verb in verbs)
                found |= dict(zip(names, await asyncio.gather(*runs), strict=True))
            return found, proxy.calls

    ended, calls = asyncio.run(all_verbs())
    return folder, ended, calls


def test_the_key_was_sent_and_is_nowhere_but_in_the_environment(
    searched: tuple[Path, dict[str, Run], list[Any]],
) -> None:
    folder, ended, calls = searched
    assert {verb: r.code for verb, r in ended.items() if r.code} == {}, ended["search"].err
    assert sum(call.headers.get("authorization") == f"Bearer {CANARY}" for call in calls) > 50
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {"best.yaml", "kumiawase.sqlite", "kumiawase.sqlite.log.jsonl"} <= {
        f.name for f in files
    }
    for file in files:
        assert CANARY.encode() not in file.read_bytes(), file
    for verb, found in ended.items():
        assert CANARY not in found.out + found.err, verb


def test_what_a_server_says_in_an_error_never_reaches_the_terminal_as_it_is(
    searched: tuple[Path, dict[str, Run], list[Any]],
) -> None:
    _, ended, _ = searched
    assert "server_error" in ended["status"].out
    for verb, found in ended.items():
        assert "\x1b]52" not in found.out, verb
        if verb != "search":  # OpenAI's own debug log, asked for, is theirs
            assert "\x1b" not in found.err, verb


def test_all_that_is_kept_is_the_owners_alone(
    searched: tuple[Path, dict[str, Run], list[Any]],
) -> None:
    folder, _, _ = searched
    kept = [f for f in folder.iterdir() if f.name.startswith("kumiawase.sqlite")]
    assert len(kept) >= 3
    assert {f.name: stat.S_IMODE(f.stat().st_mode) for f in kept} == dict.fromkeys(
        (f.name for f in kept), 0o600
    )


def test_the_morning_is_told_in_the_log_by_status_and_to_the_webhook(
    searched: tuple[Path, dict[str, Run], list[Any]],
) -> None:
    folder, ended, calls = searched
    log = (folder / "kumiawase.sqlite.log.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line)["event"] for line in log]
    assert (events[0], events[-1]) == ("start", "end")
    assert {"phase", "ensemble closed", "request failed"} <= set(events)
    assert "estimate:" in ended["search"].err
    assert "estimate against reality:" in ended["search"].err
    status = ended["status --json"].json
    assert status["trials"]["wanted"] == status["trials"]["done"] + status["trials"]["pruned"] == 4
    (endpoint,) = status["endpoints"]
    assert endpoint["failed"].keys() == {"server_error"}
    assert 0.05 < endpoint["error_rate"] < 0.2
    assert (endpoint["max_concurrency"], endpoint["away_now"]) == (64, {})
    assert {level["name"] for level in status["limits"]} == {"calls", "usd", "hours", "until"}
    assert 0 < status["spent"]["usd"] <= 2 * status["spent"]["seconds"] / 3600
    assert status["estimate"]["calls"]["took"] == status["spent"]["calls"]
    texts = [call.body["text"] for call in calls if call.body and "text" in call.body]
    assert len(texts) == 1
    assert "(exit 0): done. " in texts[0]


def test_no_option_takes_a_key() -> None:
    context = click.Context(cli)
    commands = [cli.get_command(context, verb) for verb in cli.list_commands(context)]
    names = {opt for c in commands if c for param in c.params for opt in param.opts}
    assert {n for n in names if re.search("key|token|secret|password", n)} == {"--key-env"}


# -- S6: names are no paths


NAMES = ("../../evil", "/etc/evil", "a\\..\\b", "C:evil", "evil. . .", "夜/朝", "x" * 180)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_of_any_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    url = f"sqlite:///{folder / 'k.sqlite'}"
    with Store.open(url) as store, study_lock(url, name):
        assert store.pins(name) == {}
    assert {f.parent for f in tmp_path.rglob("*") if f.is_file()} == {folder}
    known = text_digest(name).removeprefix("sha256:")[:12]
    assert (folder / f"k.sqlite.{known}.lock").exists()


# -- S7: templates do not read what they are filled with


HOSTILE = "{{7*7}} {0.__class__} {answer} {question} %(x)s ${HOME} {% raw %}"


def test_no_template_evaluates_what_models_and_users_write() -> None:
    messages = inject(
        ({"role": "user", "content": HOSTILE},), [HOSTILE, HOSTILE], f"合成 {HOSTILE}"
    )
    whole = "".join(message["content"] for message in messages)
    assert whole.count(HOSTILE) == 4
    filled = prompts.fill("{question}|{answer}", question=HOSTILE, answer=HOSTILE)
    assert filled == f"{HOSTILE}|{HOSTILE}"


# -- S8, S20: no code from data


_FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
}
_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jinja2", "joblib"}


def sources() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def test_no_package_runs_text_unpickles_or_opens_a_shell() -> None:
    assert len(sources()) > 100
    found = [f"{file.name}: {fault}" for file in sources() for fault in faults(file.read_text())]
    assert found == []
    assert faults("import pickle\neval('1')\nsubprocess.run('x', shell=True)\nyaml.load(f)") == [
        "pickle",
        "eval",
        "shell=True",
        "yaml.load",
    ]


def faults(source: str) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                found += [n.name for n in names if n.name.partition(".")[0] in _MODULES]
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in _MODULES:
                found.append(module)
            case ast.Call(func, _, keywords):
                name = ast.unparse(func)
                found += [name] if name in _FORBIDDEN else []
                found += ["shell=True" for k in keywords if ast.unparse(k) == "shell=True"]
    return found


def test_a_database_loads_no_extension(tmp_path: Path) -> None:
    engine = engines.create(f"sqlite:///{tmp_path / 'k.sqlite'}")
    with engine.connect() as connection, pytest.raises(SQLAlchemyError, match="not authorized"):
        connection.execute(text("SELECT load_extension('libc')"))
    engine.dispose()


# -- S12: what listens


async def test_the_simulated_pool_listens_on_loopback_alone() -> None:
    async with serve(Pool(0), time_scale=0.0) as port, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/v1/models") as reply:
            assert reply.status == 200
        with pytest.raises(aiohttp.ClientError):
            # All of 127/8 is this machine: a server on 0.0.0.0 would answer here.
            await session.get(f"http://127.0.0.2:{port}/v1/models")


# -- the document


def test_every_promise_has_its_paragraph_and_every_test_it_names_is_there() -> None:
    document = (ROOT / "docs" / "security.md").read_text("utf-8")
    rows = [line for line in document.splitlines() if line.startswith("| S")]
    assert [row.split("|")[1].strip() for row in rows] == [f"S{n}" for n in range(1, 22)]
    tests = "".join(f.read_text("utf-8") for f in (ROOT / "tests").glob("test_*.py"))
    named = {word.strip("`,.;()") for word in document.split() if word.startswith("`test_")}
    assert len(named) > 25
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
