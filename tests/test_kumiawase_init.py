"""Aim: what `init` writes for any server runs as it is, and says what it left out and why."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from data.errors import ConfigError
from kumiawase import checkup, settings
from kumiawase.drafts import roles, servers
from kumiawase.drafts.roles import Candidate
from kumiawase.drafts.servers import Found
from kumiawase.night import running
from kumiawase.settings import Settings
from tests.support import program
from tests.support.fake_endpoint import FakeEndpoint, Handler, fake_endpoint, says, sends
from tests.support.llama import llama_server, write_model
from tests.support.program import Run

REPLY = "富士山です。\n[[7]]"
NO_LIST = sends({"error": {"message": "not found"}}, 404)


def models(*names: str, **extra: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model", **extra} for name in names]}


SHAPES: dict[str, tuple[Handler, str, int | None]] = {
    "vllm": (sends(models("akane-7b", max_model_len=8192)), "akane-7b", 8192),
    "bare list": (sends([{"id": "midori-7b", "type": "chat"}]), "midori-7b", None),
    "together": (sends([{"id": "aoi/aoi-7b", "context_length": 4096}]), "aoi/aoi-7b", 4096),
    "llama.cpp": (
        sends(
            {
                "models": [{"name": "momo", "model": "momo"}],
                **models("momo", meta={"n_ctx": 2048, "n_ctx_train": 32768}),
            }
        ),
        "momo",
        2048,
    ),
    "old llama.cpp": (sends(models("kuro", meta={"n_ctx_train": 16384})), "kuro", 16384),
    "ollama tags": (
        sends({"models": [{"name": "shiro:8b", "model": "shiro:8b", "details": {"family": "x"}}]}),
        "shiro:8b",
        None,
    ),
    "names only": (sends({"models": [{"name": "haiiro"}]}), "haiiro", None),
    "null": (sends({"object": "list", "data": None}), "served", None),
    "404": (NO_LIST, "served", None),
    "405": (sends(b"", 405), "served", None),
}


@asynccontextmanager
async def serving(listing: Handler, answer: Handler | None = None) -> AsyncIterator[FakeEndpoint]:
    """Serve a list of models, and one reply to whatever is asked."""
    async with fake_endpoint() as fake:
        reply = answer or says(REPLY)

        async def handler(request: web.Request) -> web.StreamResponse:
            return await (listing if request.path.endswith("/models") else reply)(request)

        fake.default = handler
        yield fake


def written(folder: Path, text: str) -> Settings:
    file = folder / "kumiawase.yaml"
    file.write_text(text, encoding="utf-8")
    return settings.load(file, trials=1)


# -- every shape of a list


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_file_for_each_shape_loads_and_its_models_answer(
    shape: str, tmp_path: Path
) -> None:
    listing, name, context = SHAPES[shape]
    async with serving(listing) as fake:
        found = await servers.probe([fake.url])
        chosen = written(tmp_path, servers.compose(found, openai=False))
        findings = await checkup.examine(chosen)
    assert list(chosen.models) == [name]
    assert chosen.models[name].context == context
    assert [f.ok for f in findings] == [True]
    assert chosen.proposers == chosen.aggregators == (name,)


async def test_a_search_over_several_shapes_runs_on_the_file_as_it_is(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        fakes = [
            await stack.enter_async_context(serving(SHAPES[shape][0]))
            for shape in ("bare list", "404")
        ]
        found = await servers.probe([fake.url for fake in fakes])
        chosen = written(tmp_path, servers.compose(found, openai=False))
        assert len(chosen.proposers) == 2
        assert all(f.ok for f in await checkup.examine(chosen))
        assert await running.run(chosen) == 0
    rows = program.query(tmp_path, "SELECT DISTINCT state FROM evaluations")
    assert {state for (state,) in rows} <= {"COMPLETE", "PRUNED"}
    assert program.query(tmp_path, "SELECT DISTINCT outcome FROM attempts") == [("ok",)]


async def test_without_list_and_answer_there_is_a_template_with_the_address(
    tmp_path: Path,
) -> None:
    async with serving(NO_LIST, NO_LIST) as fake:
        found = await servers.probe([fake.url])
    chosen = written(tmp_path, servers.compose(found, openai=False))
    assert [spec.base_url for spec in chosen.endpoints.values()] == [fake.url]
    assert list(chosen.models) == ["my-model"]


def test_without_a_server_there_is_a_template(tmp_path: Path) -> None:
    text = servers.compose([], openai=False)
    assert text.startswith("# Fill in")
    assert written(tmp_path, text).proposers == ("my-model",)


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ("http://gpu:8000", "http://gpu:8000/v1"),
        ("http://gpu:8000/", "http://gpu:8000/v1"),
        ("http://gpu:8000/v1/", "http://gpu:8000/v1"),
        ("http://gpu:8000/v1/models", "http://gpu:8000/v1"),
        (" https://api.example.com/llm/v1/chat/completions", "https://api.example.com/llm/v1"),
        ("https://api.example.com/llm", "https://api.example.com/llm"),
    ],
)
def test_an_address_is_taken_as_it_is_meant(given_: str, meant: str) -> None:
    assert servers.base_url(given_) == meant


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("gpu:8000", "'gpu:8000' has no http:// or https://; write --url http://gpu:8000/v1"),
        ("gpu/v1/models", "write --url http://gpu/v1"),
        ("127.0.0.1:8000", "write --url http://127.0.0.1:8000/v1"),
        ("", "write --url http://HOST:PORT/v1"),
        ("ftp://gpu/v1", "'ftp://gpu/v1' is no http or https URL"),
        ("http://gpu:99999/v1", "is no http or https URL"),
        ("http://", "is no http or https URL"),
    ],
)
def test_what_is_no_url_is_told_with_the_one_that_is_meant(given_: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        servers.base_url(given_)
    assert str(caught.value).startswith("--url: ")


def test_a_template_that_nobody_filled_in_is_written_over() -> None:
    for openai in (False, True):
        text = servers.compose((), openai=openai)
        assert servers.untouched(text)
        assert not servers.untouched(text.replace("my-model", "mine"))
    text = servers.compose((), openai=True, openai_url="http://gateway/v1")
    assert servers.untouched(text, "http://gateway/v1")
    assert not servers.untouched(text, "http://another/v1")
    found = Found("local", "http://127.0.0.1:8000/v1", ({"id": "akane-7b"},))
    assert not servers.untouched(servers.compose((found,), openai=False))


# -- names


def compose(*listed: dict[str, Any], url: str = "http://127.0.0.1:8000/v1") -> str:
    return servers.compose([Found("local", url, listed)], openai=False)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_any_name_makes_valid_settings(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    names = [name.encode("utf-8", "ignore").decode() or "x" for name in names]
    text = compose(*({"id": name, "max_model_len": 4096} for name in names))
    chosen = written(tmp_path_factory.mktemp("names"), text)
    served = {model.served_name for model in chosen.models.values()}
    assert served <= {*names, "name/as-the-server-lists-it"}


NASTY = ["yes", "1e3", "null", "*a", "&b", "a: b #c", "- x", "名\n前: [", "'\"", "{}", "~" * 200]


def test_names_that_mean_something_in_yaml_stay_names(tmp_path: Path) -> None:
    chosen = written(tmp_path, compose(*({"id": name} for name in NASTY)))
    assert list(chosen.models) == NASTY


async def test_a_strange_name_is_searched_with(tmp_path: Path) -> None:
    name = "[/red]名: 'x' #1\n"
    async with serving(sends(models(name))) as fake:
        found = await servers.probe([fake.url])
    chosen = written(tmp_path, servers.compose(found, openai=False))
    assert chosen.models[name].served_name == name


def test_a_context_is_written_only_where_it_is_one(tmp_path: Path) -> None:
    told: tuple[object, ...] = (True, "4096", None, -1, 0, 4096.5, {})
    listed = [{"id": f"m{i}", "max_model_len": context} for i, context in enumerate(told)]
    chosen = written(tmp_path, compose(*listed, {"id": "meta", "meta": [1]}))
    assert {model.context for model in chosen.models.values()} == {None}


def test_what_ollama_does_not_tell_is_its_default(tmp_path: Path) -> None:
    text = compose({"id": "qwen3:8b"}, url="http://127.0.0.1:11434/v1")
    assert "OLLAMA_CONTEXT_LENGTH" in text
    assert written(tmp_path, text).models["qwen3:8b"].context == 4096


def test_conversions_are_found_in_the_catalogue(tmp_path: Path) -> None:
    name = "hf.co/SakanaAI/TinySwallow-1.5B-Instruct-GGUF:Q5_K_M"
    chosen = written(
        tmp_path, compose({"id": name}, {"id": "karakuri-ai/karakuri-lm-70b-chat-v0.1"})
    )
    assert chosen.form.models[name].catalogue == "SakanaAI/TinySwallow-1.5B-Instruct"
    assert chosen.models[name].family == "TinySwallow"
    assert chosen.models["karakuri-ai/karakuri-lm-70b-chat-v0.1"].context == 4096


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("sim/daifuku-70b", "daifuku"),
        ("someone/Swallow-99b-new", "Swallow"),
        ("Llama-9-Swallow-8B", "Swallow"),
        ("qwen9:8b", "Qwen"),
        ("gpt-oss-999b", "gpt-oss"),
        ("gpt-5-mini", "gpt"),
        ("command-r-next", "Command R"),
        ("my_llm-jp-99", "llm-jp"),
        ("tiny-a", "tiny"),
        ("tiny-b", "tiny"),
        ("2byte-3b", "byte"),
        ("42", "42"),
        ("日本", "日本"),
    ],
)
def test_the_family_of_an_unknown_name(name: str, family: str) -> None:
    assert roles.family_of(name) == family


def test_an_unknown_family_is_written_so_that_it_can_be_corrected() -> None:
    form = yaml.safe_load(compose({"id": "akane-7b"}, {"id": "Qwen/Qwen3-8B"}))
    assert form["models"]["akane-7b"]["family"] == "akane"
    assert "family" not in form["models"]["Qwen/Qwen3-8B"]


# -- what is left out


@pytest.mark.parametrize(
    "name",
    [
        "text-embedding-3-small",
        "nomic-embed-text:latest",
        "BAAI/bge-m3",
        "intfloat/multilingual-e5-large",
        "cl-nagoya/ruri-v3-310m",
        "Qwen/Qwen3-Embedding-0.6B",
        "jinaai/jina-reranker-v2",
        "whisper-1",
        "kotoba-whisper-v2",
        "gpt-4o-mini-tts",
        "gpt-4o-transcribe",
        "gpt-4o-audio-preview",
        "gpt-image-1",
        "omni-moderation-latest",
        "meta-llama/Llama-Guard-3-8B",
        "style-bert-vits2",
    ],
)
def test_what_is_no_chat_model_is_left_out(name: str) -> None:
    text = compose({"id": name}, {"id": "akane-7b"})
    assert list(yaml.safe_load(text)["models"]) == ["akane-7b"]
    assert "# Left out: by its name no chat model." in text
    assert name in text


@pytest.mark.parametrize("name", ["gpt-4o", "gemma-3-27b-it", "clipper-7b", "imagine-8b", "te5la"])
def test_a_chat_model_is_kept(name: str) -> None:
    assert roles.is_chat_model(name)


def test_a_servers_own_word_on_the_kind_counts() -> None:
    listed = ({"id": "akane", "type": "embedding"}, {"id": "midori", "type": "chat"})
    assert list(yaml.safe_load(compose(*listed))["models"]) == ["midori"]


def test_base_models_and_second_copies_are_left_out() -> None:
    listed = ({"id": "sbintuitions/sarashina2-70b"}, {"id": "akane-7b"})
    found = [
        Found("one", "http://127.0.0.1:8000/v1", listed),
        Found("two", "http://127.0.0.1:8001/v1", ({"id": "akane-7b"},)),
    ]
    text = servers.compose(found, openai=False)
    assert yaml.safe_load(text)["models"] == {
        "akane-7b": {"endpoint": "one", "family": "akane", "roles": ["proposer", "aggregator"]}
    }
    assert "a base model, without a chat template" in text
    assert "# Left out: one serves one of this name too." in text


def test_of_very_many_models_those_the_catalogue_knows_stay(tmp_path: Path) -> None:
    listed = [{"id": f"unknown-{i}"} for i in range(400)] + [{"id": "Qwen/Qwen3-8B"}]
    chosen = written(tmp_path, compose(*listed))
    assert len(chosen.models) == servers.MOST_MODELS
    assert "Qwen/Qwen3-8B" in chosen.models


def test_a_licence_that_forbids_commerce_is_named() -> None:
    assert "Licence: CC-BY-NC-4.0: FORBIDS commercial use." in compose(
        {"id": "CohereForAI/aya-expanse-8b"}, {"id": "akane"}
    )


# -- judges and limits


def judged(*names: str, openai: bool = False) -> dict[str, Any]:
    found = [Found("local", "http://127.0.0.1:8000/v1", tuple({"id": n} for n in names))]
    form: dict[str, Any] = yaml.safe_load(servers.compose(found, openai=openai))
    return form


def test_models_called_judge_and_discoverer_are_that() -> None:
    form = judged("sim/a-7b", "sim/b-7b", "sim/judge", "sim/judge-2", "sim/discoverer")
    assert form["judge"] == {"kind": "rubric", "models": ["sim/judge"]}
    assert form["report_judge"] == {"kind": "rubric", "models": ["sim/judge-2"]}
    assert form["search"]["discoverer"] == "sim/discoverer"


def test_with_a_key_of_openai_gpt_judges() -> None:
    form = judged("akane-7b", openai=True)
    assert form["judge"] == {"kind": "rubric", "models": ["gpt-4o"]}
    assert form["models"]["gpt-4o"] == {
        "endpoint": "openai",
        "price": {"input": 2.5, "output": 10},
    }
    assert form["endpoints"]["openai"]["api_key_env"] == "OPENAI_API_KEY"


def test_gpt_is_second_to_a_model_called_judge() -> None:
    form = judged("akane-7b", "judge-x", openai=True)
    assert form["judge"]["models"] == ["judge-x"]
    assert form["report_judge"]["models"] == ["gpt-4o"]


def test_gpt_that_is_served_already_is_not_added() -> None:
    form = judged("akane-7b", "gpt-4o", openai=True)
    assert form["models"]["gpt-4o"]["endpoint"] == "local"
    assert "openai" not in form["endpoints"]
    assert form["judge"]["models"] == ["gpt-4o"]


def test_families_judge_each_other() -> None:
    assert judged("akane-7b", "midori-7b")["judge"] == {"kind": "self"}


def test_within_one_family_the_largest_judges_and_stays_a_member(tmp_path: Path) -> None:
    text = compose({"id": "akane-7b"}, {"id": "akane-8x7b"}, {"id": "akane-13b"})
    assert "Better is a judge of another family" in text
    chosen = written(tmp_path, text)
    assert chosen.form.judge.models == ["akane-8x7b"]
    assert len(chosen.proposers) == 3


def test_only_judges_judge_themselves() -> None:
    chosen = roles.choose([Candidate("judge", "judge", None)], gpt=False)
    assert chosen.member == "judge"


def test_replies_leave_room_for_prompts() -> None:
    listed = ({"id": "akane-7b", "max_model_len": 2048}, {"id": "midori", "max_model_len": 8192})
    form = yaml.safe_load(compose(*listed))
    assert form["max_tokens"] == {"proposer": 1024, "aggregator": 512, "judge": 512}


def test_a_judge_needs_its_own_room_only() -> None:
    listed = ({"id": "akane-7b", "max_model_len": 8192}, {"id": "judge", "max_model_len": 2048})
    form = yaml.safe_load(compose(*listed))
    assert form["max_tokens"] == {"proposer": 1024, "aggregator": 2048, "judge": 512}


def test_models_that_think_get_more_tokens() -> None:
    form = yaml.safe_load(compose({"id": "Qwen/Qwen3-8B"}, {"id": "akane"}))
    assert form["max_tokens"]["proposer"] == 4096


# -- the command


async def run(folder: Path, *arguments: str, **variables: str) -> Run:
    """Run a command while this loop serves; no key of the machine's owner is passed on."""
    given_ = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", **variables}
    return await asyncio.to_thread(program.run, folder, *arguments, **given_)


async def test_a_server_that_wants_a_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    async with serving(sends({"error": {"message": "no key"}}, 401)) as fake:
        done = await run(tmp_path, "init", "--url", fake.url)
        wrong = await run(tmp_path, "init", "--url", fake.url, "--key-env", "TEAM", TEAM="k")
    assert (done.code, wrong.code) == (2, 2)
    assert done.err == (
        f"kumiawase: --url: {fake.url} wants a key;"
        " name the variable that holds it with --key-env NAME\n"
    )
    assert "refuses the key in TEAM" in wrong.err
    assert not (tmp_path / "kumiawase.yaml").exists()


async def test_each_key_goes_to_its_own_server(tmp_path: Path) -> None:
    async with serving(sends(models("akane"))) as one, serving(sends(models("midori"))) as two:
        urls = ("--url", one.url, "--key-env", "TEAM", "--url", two.url, "--key-env", "")
        done = await run(tmp_path, "init", *urls, TEAM="very-secret")
        short = await run(tmp_path, "init", "--force", *urls[:6], TEAM="very-secret")
        unset = await run(tmp_path, "init", "--force", *urls)
    assert done.code == 0, done.err
    assert one.calls[0].headers["authorization"] == "Bearer very-secret"
    assert all("very-secret" not in call.headers.get("authorization", "") for call in two.calls)
    text = (tmp_path / "kumiawase.yaml").read_text("utf-8")
    assert "very-secret" not in text
    assert yaml.safe_load(text)["endpoints"] == {
        "endpoint-1": {"base_url": one.url, "api_key_env": "TEAM"},
        "endpoint-2": {"base_url": two.url},
    }
    assert (short.code, unset.code) == (2, 2)
    assert "1 for 2 --url" in short.err
    assert "TEAM is not set" in unset.err


async def test_nobody_there_an_existing_file_and_an_unknown_pool_are_one_line(
    tmp_path: Path,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses whoever comes
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        nobody = await run(tmp_path, "init", "--url", url)
    pool = await run(tmp_path, "init", "--pool", "2042")
    both = await run(tmp_path, "init", "--pool", "2024", "--url", url)
    (tmp_path / "kumiawase.yaml").write_text(servers.compose((), openai=False), "utf-8")
    assert (await run(tmp_path, "init", "--pool", "2024")).code == 0
    (tmp_path / "kumiawase.yaml").write_text("mine", encoding="utf-8")
    mine = await run(tmp_path, "init", "--pool", "2024")
    for done, word in (
        (nobody, f"nobody answers at {url}"),
        (pool, "known are 2024, laptop, today"),
        (both, "does not go with --url"),
        (mine, "--force"),
    ):
        assert done.code == 2
        assert word in done.err
        assert done.err.count("\n") == 1
    assert (tmp_path / "kumiawase.yaml").read_text("utf-8") == "mine"


async def test_a_judge_of_openai_is_asked_by_doctor_like_any_model(tmp_path: Path) -> None:
    async with serving(sends(models("akane-7b"))) as local, serving(NO_LIST) as openai:
        keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": openai.url}
        done = await run(tmp_path, "init", "--url", local.url, **keys)
        checked = await run(tmp_path, "doctor", "--json", **keys)
    assert done.code == 0, done.err
    assert checked.code == 0, checked.out
    assert {f["model"]: f["endpoint"] for f in checked.json} == {
        "akane-7b": "endpoint-1",
        "gpt-4o": "openai",
    }
    assert openai.calls[-1].headers["authorization"] == "Bearer k"


async def test_a_pool_is_written_with_its_template_and_listed(tmp_path: Path) -> None:
    done = await run(tmp_path, "init", "--pool", "2024")
    listed = await run(tmp_path, "init", "--pool", "list")
    shown = await run(tmp_path, "models", "--pools", "--json")
    assert done.code == 0, done.err
    assert (tmp_path / "base_ja.jinja").read_text("utf-8").startswith("{#-")
    assert len(settings.load(tmp_path / "kumiawase.yaml").models) == 7
    assert "vLLM Neuron" in listed.out
    assert [pool["name"] for pool in shown.json] == ["2024", "laptop", "today"]


async def test_models_finds_and_tells_its_evidence(tmp_path: Path) -> None:
    table = await run(tmp_path, "models", "--search", "7b", "--licence", "apache")
    found = await run(tmp_path, "models", "--search", "karakuri 8x7b instruct", "--json")
    assert "Rakuten/RakutenAI-7B-chat" in table.out
    assert "8x7B" not in table.out
    assert found.json[0]["evidence"]["system_role"]
    assert found.json[0]["commercial_use"] is None


# -- real servers


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Run]]:
    folder = tmp_path_factory.mktemp("rehearsed")
    with program.pool(folder / "log.jsonl") as served:
        none = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
        done = program.run(folder, "init", "--url", served.url, **none)
        assert done.code == 0, done.err
        checked = program.run(folder, "doctor")
        assert checked.code == 0, checked.out
        yield folder, program.run(folder, "search", "--trials", "1", "--json")


def test_the_simulated_pool_is_cast_as_it_is_called(rehearsed: tuple[Path, Run]) -> None:
    chosen = settings.load(rehearsed[0] / "kumiawase.yaml")
    assert chosen.form.judge.models == ["sim/judge"]
    assert chosen.form.report_judge is not None
    assert chosen.form.report_judge.models == ["sim/judge-2"]
    assert chosen.form.search.discoverer == "sim/discoverer"
    outside = {"sim/judge", "sim/judge-2", "sim/discoverer"}
    assert set(chosen.proposers) == set(chosen.models) - outside
    assert all(model.context for model in chosen.models.values())


def test_the_simulated_pool_is_searched_unchanged(rehearsed: tuple[Path, Run]) -> None:
    _, found = rehearsed
    assert found.code == 0, found.err
    board = json.loads(found.out)
    assert board["judge"]["models"] == ["sim/judge"]
    assert board["rows"][0]["held_out"]


def test_llama_cpp_is_searched_unchanged(tmp_path: Path) -> None:
    """The whole search takes minutes: here it is stopped once it has some replies."""
    model = write_model(tmp_path / "model.gguf", seed=0)
    with llama_server(model, "akane-1b") as url:
        none = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
        done = program.run(tmp_path, "init", "--url", url, **none)
        assert done.code == 0, done.err
        chosen = settings.load(tmp_path / "kumiawase.yaml")
        assert chosen.models["akane-1b"].context == 8192
        assert program.run(tmp_path, "doctor").code == 0
        with program.started(tmp_path, "search", "--trials", "1") as search:
            search.until(lambda: _completions(tmp_path) >= 4, "some replies")
            search.signal(signal.SIGINT)
            assert search.end().code == 130


def _completions(folder: Path) -> int:
    if not (folder / "kumiawase.sqlite").exists():
        return 0
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'completions'"
    if program.query(folder, tables) == [(0,)]:
        return 0
    return int(program.query(folder, "SELECT count(*) FROM completions")[0][0])
