"""The end of a search is told as it was: exit code, last lines, message, `status`."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from data.errors import KumiawaseError
from data.observer import Silent
from db.pins import judged_by
from db.records import Worker
from db.store import Store
from kumiawase.night import ending, running, stopping
from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.server import serve
from kumiawase.settings import Settings, load
from kumiawase.views.overview import overview
from kumiawase.wiring import open_session
from moa.ensemble import single
from optimizer.confirmation import StalledError
from optimizer.search import Search
from tests.support.fake_endpoint import FakeEndpoint, fake_endpoint
from tests.support.program import JUDGE, MEMBERS, prepare, settings

ONE, TWO, DEAD = MEMBERS
SEARCH = {"trials": 1, "layers": 1, "width": 1, "n": 1, "temperatures": [0.0], "confirm": 0}


@asynccontextmanager
async def pool(*dead: str, held: asyncio.Event | None = None) -> AsyncIterator[FakeEndpoint]:
    """A simulated pool of which some models refuse; it also takes messages."""
    async with (
        serve(Pool(0), time_scale=0.0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        fake_endpoint() as proxy,
    ):

        async def forward(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            if not request.path.endswith("/chat/completions"):
                return web.Response(status=404)
            body = json.loads(raw)
            if "text" in body:
                return web.Response()
            if body["model"] in dead:
                return web.json_response({"error": {"message": "gone"}}, status=400)
            if held is not None:
                held.set()
                await asyncio.sleep(0.2)
            async with session.post(request.path, data=raw) as reply:
                return web.Response(body=await reply.read(), status=reply.status)

        proxy.default = forward
        yield proxy


def chosen(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch, *members: str, **changes: Any
) -> Settings:
    monkeypatch.setenv("HOOK", f"{url}/chat/completions")
    models = {name: {"endpoint": "pool"} for name in (*members, JUDGE)}
    content = settings(url, models=models, search=SEARCH, notify={"webhook_env": "HOOK"})
    del content["report_judge"]
    return load(prepare(folder, content | changes, items=4))


def messages(server: FakeEndpoint) -> list[str]:
    return [call.body["text"] for call in server.calls if call.body and "text" in call.body]


def shown(found: Settings) -> dict[str, Any]:
    with Store.open(found.storage) as store:
        return overview(found, store).to_json()


def trigger(found: Settings) -> sqlite3.Connection:
    """Let the database refuse every sign of life."""
    with Store.open(found.storage):
        pass
    connection = sqlite3.connect(found.storage.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute(
        "CREATE TRIGGER broken BEFORE UPDATE ON workers BEGIN SELECT RAISE(ABORT, 'broken'); END"
    )
    return connection


async def test_a_baseline_that_failed_is_named_and_not_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pool(DEAD) as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, DEAD, baselines=[DEAD])
        assert await running.run(found) == ending.INCOMPLETE
        (text,) = messages(server)
        said = "baselines that could not be evaluated: sim/senbei-8x7b"
        assert f"(exit 1): {said}" in text
        assert "done" not in text
        assert said in capsys.readouterr().err
        status = shown(found)
        assert status["lacking"] == [DEAD]
        assert "with exit code 1: baselines that could not be" in status["last_end"]
    async with pool() as server:  # the model is back, and the same command tries it again
        back = chosen(tmp_path, server.url, monkeypatch, ONE, DEAD, baselines=[DEAD])
        assert await running.run(back) == 0
        assert "(exit 0): done. " in messages(server)[0]
        status = shown(back)
        assert (status["lacking"], status["last_end"].endswith("code 0: done")) == ([], True)


async def test_a_run_that_asks_nothing_is_an_end_too_unless_it_is_but_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool() as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, TWO)
        assert await running.run(found) == 0
        calls = len(server.calls)
        ends = [shown(found)["last_end"]]
        with Store.open(found.storage) as store:
            stop = ending.of_stop(found, "SIGTERM")  # as if it had come at the very end
            await store.note(found.study, ending.NOTE, stop.note(1e9))
        for _ in range(2):
            assert await running.run(found) == 0
            with Store.open(found.storage) as store:
                ends.append(store.notes(found.study)[ending.NOTE])
        assert len(server.calls) == calls
    assert ends[0].endswith("with exit code 0: done")
    assert (ends[1]["code"], ends[1]["text"]) == (0, "done")
    assert ends[1] == ends[2]


def test_a_process_that_died_on_this_machine_is_at_work_no_more() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here, now = socket.gethostname(), time.time()

    def at_work(host: str, pid: int) -> bool:
        return Worker("w", "s", host, pid, now, now, None, 0.0).at_work

    assert at_work(here, os.getpid())
    assert not at_work(here, dead.pid)
    assert at_work("elsewhere", dead.pid)  # nobody can tell but by its silence


async def test_a_space_that_is_tried_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool() as server:
        search = SEARCH | {"trials": 50, "layers": 0}
        found = chosen(tmp_path, server.url, monkeypatch, ONE, search=search)
        assert await running.run(found) == 0
        (text,) = messages(server)
        assert "(exit 0): done: no ensemble is left to try after 0 of 50 trials. " in text
        calls = len(server.calls)
        assert await running.run(found) == 0  # a look at what is finished tells nobody
        assert len(server.calls) == calls


async def test_a_stop_is_told_and_so_is_the_next_run_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK", 0.01)
    held = asyncio.Event()
    async with pool(held=held) as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, TWO)
        search = asyncio.create_task(running.run(found))
        await held.wait()
        (tmp_path / "kumiawase.sqlite.stop").touch()
        assert await search == ending.INTERRUPTED
        (text,) = messages(server)
        assert "(exit 130): stopped by the file kumiawase.sqlite.stop; everything" in text
    assert "with exit code 130: stopped by the file" in shown(found)["last_end"]
    with Store.open(found.storage) as store:
        await store.register(found.study)  # and nothing more is heard of it
    connection = sqlite3.connect(tmp_path / "kumiawase.sqlite", isolation_level=None)
    assert shown(found)["last_end"] == ""  # at work, for all that is known
    connection.execute("UPDATE workers SET seen = seen - 1000 WHERE finished IS NULL")
    connection.close()
    assert shown(found)["last_end"].startswith("ended without a word")


async def test_a_database_that_fails_beside_the_search_hides_no_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pool(ONE, TWO) as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, TWO)
        connection = trigger(found)
        with pytest.raises(StalledError, match="no single model could be scored"):
            await running.run(found)
        assert "this run's end could not be kept" in capsys.readouterr().err
        (text,) = messages(server)
        assert "(exit 1): stopped by an error: no single model" in text
        connection.execute("DROP TRIGGER broken")
        connection.execute("UPDATE workers SET seen = seen - 1000")
        connection.close()
    assert "with exit code 1: stopped by an error: no single" in shown(found)["last_end"]


def test_a_run_that_is_killed_early_has_told_of_half_its_time() -> None:
    told, short = 0.0, running.HEARTBEAT
    for pause in islice(running.pauses(), 8):
        assert pause <= max(told + 1, 1.0)
        told, short = told + pause, pause
    assert short == running.HEARTBEAT


async def test_after_a_sign_of_life_that_failed_comes_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "HEARTBEAT", 0.02)
    held, said = asyncio.Event(), ""
    async with pool(held=held) as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, TWO)
        monkeypatch.delenv("HOOK")
        connection = trigger(found)
        search = asyncio.create_task(running.run(found))
        while "a sign of life could not be kept" not in said:
            assert not search.done()
            await asyncio.sleep(0.01)
            said += capsys.readouterr().err
        # While somebody is there to mend it, not in the morning.
        assert said.startswith("no message will be sent: notify: HOOK is not set; export it")
        connection.execute("DROP TRIGGER broken")
        while connection.execute("SELECT seconds FROM workers").fetchone() == (0.0,):
            assert not search.done()
            await asyncio.sleep(0.01)
        connection.close()
        assert await search == 0


async def test_a_cancellation_that_nobody_asked_for_is_no_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()
    async with pool(held=held) as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, TWO)
        search = asyncio.create_task(running.run(found))
        await held.wait()
        search.cancel()
        with pytest.raises(RuntimeError, match="cancelled from within"):
            await search
        assert "(exit 1): stopped by an error" in messages(server)[0]


async def test_the_collector_lets_what_was_loaded_rest_while_a_search_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()
    async with pool(held=held) as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, TWO)
        search = asyncio.create_task(running.run(found))
        await held.wait()
        loaded = gc.get_freeze_count()
        assert await search == 0
    assert loaded > 10_000
    assert gc.get_freeze_count() == 0


def test_what_a_server_says_in_an_error_is_bounded_and_masked() -> None:
    ended = ending.of_error(KumiawaseError("s3cret " * 1000), lambda t: t.replace("s3cret", "*"))
    assert len(ended.text) < 600
    assert "s3cret" not in ended.text


def test_an_error_is_told_in_one_line_that_says_something() -> None:
    assert ending.of_error(AssertionError(), str).text == "stopped by an error: AssertionError"
    assert ending.of_error(ValueError("a\n  b"), str).text == "stopped by an error: a b"


async def test_the_log_holds_no_part_of_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cut before it is masked keeps the beginning of a key."""
    monkeypatch.setenv("POOL_KEY", "k3y-of-the-pool")
    said = "x" * (ending.LONGEST - 7) + "k3y-of-the-pool"
    async with pool() as server:
        endpoints = {"pool": {"base_url": server.url, "api_key_env": "POOL_KEY"}}
        found = chosen(tmp_path, server.url, monkeypatch, ONE, endpoints=endpoints)

        async def fail(_: object) -> None:
            raise KumiawaseError(said)

        monkeypatch.setattr(Search, "run", fail)
        with pytest.raises(KumiawaseError):
            await running.run(found)
        assert "k3y" not in messages(server)[0]
    log = (tmp_path / "kumiawase.sqlite.log.jsonl").read_text("utf-8")
    assert "xxx***" in log
    assert "k3y" not in log


def test_nothing_is_told_of_a_study_that_nobody_has_searched() -> None:
    assert ending.told(None, []) == ""
    note = {"at": 7.0, "code": 3, "text": "t"}
    ended = Worker("w", "s", "h", 1, 5.0, 6.0, 7.0, 1.0)
    assert ending.told(note, [ended]).endswith("exit code 3: t")
    later = Worker("w", "s", "h", 1, 8.0, 8.5, 9.0, 1.0)
    assert ending.told(note, [ended, later]).startswith("ended 1970-01-01")
    assert "exit code" not in ending.told(note, [ended, later])


async def test_a_space_that_is_tried_out_but_for_failures_is_not_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool() as server:
        found = chosen(tmp_path, server.url, monkeypatch, ONE, TWO)
        async with open_session(found, Silent()) as session:
            judge = judged_by(session.store.pins(found.study))["search"]
            for number, origin in enumerate(("random", "baseline")):
                ensemble = single(ONE, number / 2)
                kept = await session.store.begin(
                    found.study, "search", judge, "j", ensemble, origin
                )
                await session.store.close_evaluation(
                    kept.id, "FAILED", None, items=2, unscored=2, marked=0
                )
            ended = ending.of_search(found, session, "exhausted")
    assert ended.code == ending.INCOMPLETE
    assert ended.text.startswith("no ensemble is left to try after 0 of 1 trials; 1 could not be")
