"""`doctor` tries every model over HTTP, says what it found, and keeps it for the search."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread
import pytest
from aiohttp import web

from db.records import Spent
from db.standings import Latency, Leaderboard, PerAnswer, Standing
from db.store import Store
from endpoints.dialects.learned import folds
from endpoints.dialects.wire import Dialect
from endpoints.endpoint import Endpoint
from kumiawase import settings
from kumiawase.cli import cli
from kumiawase.export import bundle
from moa import prompts
from moa.ensemble import Agent, Ensemble
from tests.conftest import ROOT
from tests.support.dialects import Server, dropping, without_system
from tests.support.fake_endpoint import fake_endpoint, sends
from tests.support.llama import ANSWER_GRAMMAR, CONTEXT, llama_pool


class Result(NamedTuple):
    """How the verb ended."""

    exit_code: int
    stdout: str


Doctor = Callable[..., Awaitable[Result]]


@pytest.fixture
def tried(capsys: pytest.CaptureFixture[str]) -> Doctor:
    async def run(config: Path, *options: str) -> Result:
        words = ["doctor", "-c", str(config), *options]
        code = await anyio.to_thread.run_sync(lambda: cli.main(words, standalone_mode=False))
        return Result(code, capsys.readouterr().out)

    return run


def written(folder: Path, url: str, **models: dict[str, Any]) -> Path:
    file = folder / "kumiawase.yaml"
    models = {name: {"endpoint": "e", "family": name, **model} for name, model in models.items()}
    content = {"endpoints": {"e": {"base_url": url}}, "models": models}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    async with fake_endpoint() as fake:
        fake.default = server.handle
        yield fake.url


async def test_what_is_found_is_shown_kept_and_heeded(tried: Doctor, tmp_path: Path) -> None:
    server = Server(dropping, refuses=("max_tokens",))
    async with serving(server) as url:
        config = written(tmp_path, url, a={}, b={"served_name": "served-b"})
        result = await tried(config, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [(one["model"], one["endpoint"], one["ok"]) for one in found] == [
        ("a", "e", True),
        ("b", "e", True),
    ]
    assert found[0]["finding"].startswith("富士山です。")
    system = next(f for f in found[0]["findings"] if f["check"] == "system turn")
    assert system["state"] == "warn"
    chosen = settings.load(config)
    with Store.open(chosen.storage) as store:
        assert store.facts(url)["doctor a"] == found[0]["findings"]
        endpoint = Endpoint(chosen.endpoints["e"], models=chosen.models.values(), facts=store)
        learned = Dialect("max_completion_tokens", fold=True)
        assert endpoint.dialects.of("served-b") == learned
        await endpoint.close()
        assert folds(store, url, "served-b")
        assert not folds(store, url, "another")


async def test_the_table_says_what_is_done_about_each_finding(
    tried: Doctor, tmp_path: Path
) -> None:
    async with serving(Server(without_system)) as url:
        result = await tried(written(tmp_path, url, a={}, b={}))
    assert result.exit_code == 0
    assert "the server refuses one" in result.stdout
    assert "folded into the user turn from now on" in result.stdout
    assert "富士山です。" in result.stdout


async def test_a_model_that_cannot_be_used_is_exit_code_one(tried: Doctor, tmp_path: Path) -> None:
    async with serving(Server(without_system)) as url:
        config = written(tmp_path, url, a={"system_role": "send"}, b={})
        result = await tried(config, "--json")
    assert result.exit_code == 1
    assert [one["ok"] for one in json.loads(result.stdout)] == [False, True]


async def test_nobody_there_is_exit_code_one(tried: Doctor, tmp_path: Path) -> None:
    result = await tried(written(tmp_path, "http://127.0.0.1:9/v1", a={}, b={}))
    assert result.exit_code == 1
    fault, verdict = result.stdout.splitlines()[-2:]
    assert fault.startswith("FAILS answer: connection")
    remedy = "start the server, or mend base_url of endpoint e (http://127.0.0.1:9/v1)"
    assert remedy in fault
    assert verdict == "doctor: 1 fault, mend it before the search: answer (all 2 models)"


@pytest.mark.parametrize("wrong", ["", "/v1/chat"])
async def test_a_wrong_path_is_told_with_the_right_one(
    tried: Doctor, tmp_path: Path, wrong: str
) -> None:
    server = Server(dropping)

    async def routed(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": "a"}, {"id": "b"}]})
        if request.path == "/v1/chat/completions":
            return await server.handle(request)
        raise web.HTTPNotFound

    async with fake_endpoint() as fake:
        fake.default = routed
        url = fake.url.removesuffix("/v1") + wrong
        result = await tried(written(tmp_path, url, a={}, b={}))
    assert result.exit_code == 1
    assert f"404: Not Found; set base_url: {fake.url} (all 2 models)" in result.stdout


async def test_an_address_that_is_set_already_is_no_remedy(tried: Doctor, tmp_path: Path) -> None:
    async def routed(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": "a"}, {"id": "b"}]})
        return web.json_response({"error": {"message": "model is not loaded"}}, status=404)

    async with fake_endpoint() as fake:
        fake.default = routed
        result = await tried(written(tmp_path, f"{fake.url}/", a={}, b={}))
    assert result.exit_code == 1
    assert "set base_url" not in result.stdout
    remedy = rf"mend base_url of endpoint e \({fake.url}/?\), or served_name"
    assert re.search(remedy, result.stdout)


async def test_a_key_that_is_wanted_is_asked_for(tried: Doctor, tmp_path: Path) -> None:
    async with fake_endpoint() as fake:
        fake.default = sends({"error": "no key"}, 401)
        result = await tried(written(tmp_path, fake.url, a={}, b={}))
    assert "name the variable that holds the key as api_key_env of endpoint e" in result.stdout


async def test_what_is_healthy_takes_a_line_and_the_verdict_stands_last(
    tried: Doctor, tmp_path: Path
) -> None:
    async with serving(Server(dropping)) as url:
        result = await tried(written(tmp_path, url, a={"context": 4096}, b={"context": 4096}))
    head, a, b, *told, verdict = result.stdout.splitlines()
    assert head.split() == ["model", "context", "seconds", "reply"]
    assert [line.split()[:3] for line in (a, b)] == [["a", "WARN", "4096"], ["b", "WARN", "4096"]]
    assert [line.split()[0] for line in told] == ["WARN", "note"]
    assert verdict == "doctor: 2 of 2 models answer, with 1 warning"


async def test_what_the_catalogue_knows_of_system_turns_is_done(
    tried: Doctor, tmp_path: Path
) -> None:
    server = Server(without_system)
    async with serving(server) as url:
        name = "google/gemma-2-27b-it"
        result = await tried(written(tmp_path, url, a={"served_name": name}, b={}), "--json")
    found = json.loads(result.stdout)[0]["findings"]
    system = next(f for f in found if f["check"] == "system turn")
    assert system == {
        "check": "system turn",
        "state": "ok",
        "found": "folded into the user turn, as settings or catalogue say",
        "action": "",
    }
    for call in server.calls:
        if call["model"] == name:
            assert all(message["role"] != "system" for message in call["messages"])


@pytest.mark.parametrize("grammar", [True, False], ids=["kana", "noise"])
async def test_llama_cpp_passes(tried: Doctor, tmp_path: Path, grammar: bool) -> None:
    extra = {"extra_body": {"grammar": ANSWER_GRAMMAR}} if grammar else {}
    with llama_pool(tmp_path, "tiny-a") as urls:
        config = written(
            tmp_path,
            urls["tiny-a"],
            one={"served_name": "tiny-a", **extra},
            two={"served_name": "tiny-a", "context": 2 * CONTEXT, **extra},
        )
        result = await tried(config, "--json")
    assert result.exit_code == 0
    one, two = json.loads(result.stdout)
    assert one["context"] == CONTEXT
    states = {f["check"]: f["state"] for f in one["findings"]}
    assert states.pop("Japanese") == ("ok" if grammar else "unknown")
    assert set(states.values()) == {"ok"}
    wider = next(f for f in two["findings"] if f["check"] == "context")
    assert wider["action"] == f"set context: {CONTEXT}"


@pytest.mark.parametrize("number", range(3))
def test_the_worked_examples_of_karakuri_are_settings(tmp_path: Path, number: int) -> None:
    text = (ROOT / "docs" / "karakuri.md").read_text(encoding="utf-8")
    example = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[number]
    judge = "judge: {kind: rubric, models: [judge]}\n"
    others = "  judge: {endpoint: local}\n"
    file = tmp_path / "kumiawase.yaml"
    file.write_text(
        f"endpoints: {{local: {{base_url: 'http://h/v1'}}}}\n{judge}{example}{others}", "utf-8"
    )
    for name, model in settings.load(file).models.items():
        if name != "judge":
            assert model.family == "KARAKURI LM"
            assert all(isinstance(word, str) for word in model.extra_body["stop"])


def test_an_export_carries_what_was_found_of_system_turns(tmp_path: Path) -> None:
    config = written(tmp_path, "http://h/v1", a={}, b={"system_role": "send"})
    prompt = next(iter(prompts.library()))
    ensemble = Ensemble(((Agent("a", 0.0), Agent("b", 0.0)),), Agent("a", 0.0, prompt=prompt))
    row = Standing(
        *(1, 1, 1, ensemble, ensemble.digest, "random", "COMPLETE", None, 0, 0, 0.0, 0, None),
        *({}, {}, PerAnswer(3, 0, 0), Latency(0, 0), False),
    )
    pinned = {"name": "s", "digest": "d", "search_items": 1, "held_out_items": 1}
    judge = {"kind": "self", "models": [], "digest": "d"}
    board = Leaderboard("default", pinned, judge, None, "none", 0, Spent(), (row,))
    file = tmp_path / "best.yaml"
    bundle.write(file, settings.load(config), board, row, prompts.library(), frozenset({"a", "b"}))
    models = bundle.read(file).models
    assert (models["a"].system_role, models["b"].system_role) == ("fold", "send")
