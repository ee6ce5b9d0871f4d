"""Asking an exported ensemble: it answers with what is there, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from data.errors import EndpointError, RequestError
from endpoints.specs import EndpointSpec, ModelSpec
from kumiawase.asking import ask
from kumiawase.cli import cli
from kumiawase.export.bundle import Bundle, dump
from kumiawase.settings.forms import MaxTokensForm
from moa.ensemble import Agent, Ensemble
from moa.prompts import library
from tests.support.fake_endpoint import Handler, completion, fake_endpoint, sends

PROMPT = next(iter(library()))
MODELS = ("a", "b", "c", "d")
ENSEMBLE = Ensemble((tuple(Agent(m, 0.7) for m in MODELS),), Agent("writer", 0.0, prompt=PROMPT))


def speaks(*broken: str) -> Handler:
    """Let each model say its name, but for those that refuse for good."""

    async def handler(request: web.Request) -> web.StreamResponse:
        model = (await request.json())["model"]
        if model in broken:
            return await sends({"error": "no"}, status=400)(request)
        return await sends(completion(f"{model}の答え"))(request)

    return handler


def bundle(url: str) -> Bundle:
    names = (*MODELS, "writer")
    models = {name: ModelSpec(name, "e", name, name) for name in names}
    endpoints = {"e": EndpointSpec("e", url)}
    return Bundle(
        ENSEMBLE, models, endpoints, library(), MaxTokensForm(proposer=11, aggregator=22)
    )


@pytest.mark.parametrize("broken", [(), ("a",), ("a", "b")])
async def test_half_of_a_layer_is_enough(broken: tuple[str, ...]) -> None:
    async with fake_endpoint() as server:
        server.default = speaks(*broken)
        answer = await ask(bundle(server.url), "質問です")
    assert answer.texts == ("writerの答え",)
    assert [lost.model for lost in answer.lost] == list(broken)
    assert [lost.reason for lost in answer.lost] == ["rejected"] * len(broken)
    (last,) = (call for call in server.calls if call.body["model"] == "writer")
    system = last.body["messages"][0]["content"]
    assert [f"{m}の答え" in system for m in MODELS] == [m not in broken for m in MODELS]
    assert {call.body["max_tokens"] for call in server.calls} == {11, 22}


@pytest.mark.parametrize("broken", [("a", "b", "c"), ("writer",)])
async def test_less_than_half_or_no_aggregator_is_no_answer(broken: tuple[str, ...]) -> None:
    async with fake_endpoint() as server:
        server.default = speaks(*broken)
        with pytest.raises(RequestError):
            await ask(bundle(server.url), "質問です")


async def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    found = bundle("http://127.0.0.1:9/v1")
    keyed = Bundle(
        found.ensemble,
        found.models,
        {"e": EndpointSpec("e", "http://127.0.0.1:9/v1", api_key_env="NO_SUCH_KEY")},
        found.prompts,
        found.max_tokens,
    )
    with pytest.raises(EndpointError, match="NO_SUCH_KEY is not set"):
        await ask(keyed, "質問です")


async def test_nothing_is_written_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    async with fake_endpoint() as server:
        server.default = speaks()
        first = await ask(bundle(server.url), "質問です")
        calls = len(server.calls)
        second = await ask(bundle(server.url), "質問です")
        assert len(server.calls) == 2 * calls  # not even remembered
    assert first.texts == second.texts
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - no loop to block


def written(folder: Path, url: str, b: str = "b") -> Path:
    content = {
        "ensemble": {
            "layers": [[{"model": "a", "temperature": 0.7}, {"model": b, "temperature": 0.7}]],
            "aggregator": {"model": "c", "temperature": 0.0},
        },
        "models": {name: {"endpoint": "e"} for name in ("a", b, "c")},
        "endpoints": {"e": {"base_url": url}},
    }
    file = folder / "best.yaml"
    file.write_text(dump(content), encoding="utf-8")
    return file


@pytest.mark.parametrize("question", ["", "  \n", "-"])
def test_an_empty_question_is_no_question(tmp_path: Path, question: str) -> None:
    file = written(tmp_path, "http://127.0.0.1:9/v1")
    found = CliRunner().invoke(cli, ["ask", str(file), question], input=" \n")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "the question is empty" in found.stderr


async def test_the_answer_is_all_there_is_on_stdout(tmp_path: Path) -> None:
    async with fake_endpoint() as server:
        server.default = speaks("b")
        command = ["ask", str(written(tmp_path, server.url)), "-"]
        plain = await asyncio.to_thread(CliRunner().invoke, cli, command, input="質問")
        found = await asyncio.to_thread(
            CliRunner().invoke, cli, [*command, "--json"], input="質問"
        )
    assert plain.stdout == "cの答え\n"
    assert "lost b (layer 1): rejected" in plain.stderr
    value = json.loads(found.stdout)
    assert (value["text"], value["calls"]) == ("cの答え", 2)
    assert value["lost"] == ["b (layer 1): rejected"]
    assert found.stderr == ""


async def test_a_terminal_obeys_no_name_of_an_imported_file(tmp_path: Path) -> None:
    name = "b\x1b]52;c;AAAA\x07"
    async with fake_endpoint() as server:
        server.default = speaks(name)
        command = ["ask", str(written(tmp_path, server.url, name)), "質問"]
        found = await asyncio.to_thread(CliRunner().invoke, cli, command)
    assert "lost b\\x1b]52;c;AAAA\\x07 (layer 1): rejected" in found.stderr
